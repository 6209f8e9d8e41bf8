"""The visitor's session: a token that nobody guesses, that scripts do not see and the database does not hold."""

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.urls import reverse

from conversations.actions import closing
from conversations.models import Conversation, Visitor
from conversations.visitors import COOKIE, KEPT_SECONDS, ONE_DAY, ONE_HOUR, SALT
from tests import make
from tests.pages.browsing import JSON, KEY, Page, cookie_of, everything, newcomer, visitor_of

pytestmark = pytest.mark.django_db

WORDS = {"name": "Ana", "email": "", "question": "Hello", "key": KEY}
CONVERSATION = "/chat/current/"


@pytest.fixture
def orders():
    queue = make.queue("Orders")
    make.agent("Lucía", queues=[queue])
    return queue


def start_of(queue):
    return reverse("chat:start", args=[queue.slug])


def old_cookie(monkeypatch, token, *, seconds):
    with monkeypatch.context() as past:
        now = signing.time.time()
        past.setattr(signing.time, "time", lambda: now - seconds)
        return cookie_of(token)


def test_the_cookie_is_hidden_from_scripts_and_from_other_sites(client, orders):
    cookie = client.get(start_of(orders)).cookies[COOKIE]

    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert cookie["max-age"] == KEPT_SECONDS
    assert not cookie["secure"]


def test_the_cookie_travels_by_https_alone_where_the_portal_does(client, orders, settings):
    settings.HTTPS = True

    assert client.get(start_of(orders)).cookies[COOKIE]["secure"] is True


def test_two_visitors_get_two_long_random_tokens(orders):
    cookies = [Client().get(start_of(orders)).cookies[COOKIE].value for _ in range(2)]

    tokens = [signing.loads(cookie, salt=SALT) for cookie in cookies]
    assert tokens[0] != tokens[1]
    assert all(len(token) >= 43 for token in tokens)


def test_the_token_is_not_in_the_database(client, orders):
    cookie = client.get(start_of(orders)).cookies[COOKIE].value
    token = signing.loads(cookie, salt=SALT)

    client.post(start_of(orders), WORDS)

    visitor = Visitor.objects.get()
    assert visitor.token_hash not in ("", token)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert token not in str(cursor.fetchall()), table


def test_a_visit_with_a_session_keeps_it(client, orders):
    client.get(start_of(orders))

    assert COOKIE not in client.get(start_of(orders)).cookies


def aged(client, conversation, monkeypatch, *, seconds):
    """The browser of the visitor, with a cookie that was given to it so long ago."""
    client.cookies[COOKIE] = old_cookie(monkeypatch, f"token-{conversation.visitor_id}", seconds=seconds)
    return client


def test_an_ended_conversation_can_be_seen_within_the_day_and_not_after(monkeypatch):
    conversation = make.closed_conversation()
    client = visitor_of(conversation)

    aged(client, conversation, monkeypatch, seconds=ONE_DAY - 60)
    assert Page(client.get(CONVERSATION)).all(id="chat")

    aged(client, conversation, monkeypatch, seconds=ONE_DAY + 60)
    assert client.get(CONVERSATION)["Location"] == reverse("chat:queues")
    assert client.get("/chat/current/poll/").status_code == 404


@pytest.mark.parametrize("made", [make.waiting_conversation, make.active_conversation])
def test_an_open_conversation_outlasts_the_session(made, monkeypatch):
    conversation = made()
    browser = visitor_of(conversation)

    def ask(method, address, *values, **named):
        # Each time with the old cookie: the answer before brought a new one.
        client = aged(browser, conversation, monkeypatch, seconds=2 * ONE_DAY)
        return getattr(client, method)(address, *values, **named)

    assert Page(ask("get", CONVERSATION)).all(id="chat")
    assert ask("get", "/chat/current/poll/").status_code == 200
    assert ask("post", "/chat/current/messages/", {"text": "Still here", "key": KEY}, headers=JSON).status_code == 200
    assert ask("get", start_of(conversation.queue))["Location"] == CONVERSATION
    closing.end_by_visitor(conversation.pk)
    assert ask("get", "/chat/current/poll/").status_code == 404


@pytest.mark.parametrize(
    ("method", "address"),
    [("get", CONVERSATION), ("get", "/chat/current/poll/"), ("post", "/chat/current/messages/")],
)
def test_each_answer_to_a_visitor_in_an_open_conversation_keeps_his_session_for_another_day(
    method, address, monkeypatch
):
    conversation = make.waiting_conversation()
    client = aged(visitor_of(conversation), conversation, monkeypatch, seconds=ONE_HOUR + 60)
    before = client.cookies[COOKIE].value

    renewed = getattr(client, method)(address, {"text": "Hello", "key": KEY}).cookies[COOKIE]
    again = getattr(client, method)(address, {"text": "Hello", "key": KEY})

    assert signing.loads(renewed.value, salt=SALT, max_age=60) == signing.loads(before, salt=SALT)
    assert (renewed["max-age"], renewed["httponly"], renewed["samesite"]) == (KEPT_SECONDS, True, "Lax")
    assert COOKIE not in again.cookies


def test_a_chat_begun_at_the_end_of_the_day_lasts_for_another_one(orders, monkeypatch):
    visitor = newcomer()
    token = signing.loads(visitor.cookies[COOKIE].value, salt=SALT)
    visitor.cookies[COOKIE] = old_cookie(monkeypatch, token, seconds=ONE_DAY - 300)

    response = visitor.post(start_of(orders), WORDS)

    assert response["Location"] == CONVERSATION
    assert signing.loads(response.cookies[COOKIE].value, salt=SALT, max_age=60) == token


@pytest.mark.parametrize("address", [CONVERSATION, "/chat/current/poll/"])
def test_an_ended_conversation_makes_no_session_last(address, monkeypatch):
    conversation = make.closed_conversation()
    client = aged(visitor_of(conversation), conversation, monkeypatch, seconds=ONE_DAY - 60)

    assert COOKIE not in client.get(address).cookies


@pytest.mark.parametrize(
    "forge",
    [
        lambda cookie: "",
        lambda cookie: "token-1",
        lambda cookie: cookie[:-1] + ("A" if cookie[-1] != "A" else "B"),
        lambda cookie: cookie.replace(":", "::"),
        lambda cookie: signing.dumps("token-1", salt="another.salt"),
        lambda cookie: signing.dumps("token-1", salt=SALT, key="another key"),
        lambda cookie: signing.dumps({"token": "token-1"}, salt=SALT),
        lambda cookie: signing.dumps(None, salt=SALT),
        lambda cookie: "é\\xff\\x00:1:2",
        lambda cookie: "A" * 4000,
    ],
)
def test_a_forged_cookie_opens_nothing_and_changes_nothing(forge):
    conversation = make.waiting_conversation()
    client = visitor_of(conversation)
    client.cookies[COOKIE] = forge(cookie_of(f"token-{conversation.visitor_id}"))
    before = everything()

    answers = {
        client.get(CONVERSATION)["Location"],
        client.get("/chat/current/thread/").status_code,
        client.get("/chat/current/poll/").status_code,
        client.post("/chat/current/end/").status_code,
        client.post("/chat/current/messages/", {"text": "Hi", "key": KEY}).status_code,
    }

    assert answers == {reverse("chat:queues"), 404}
    assert everything() == before


def test_a_good_cookie_of_somebody_else_shows_his_own_conversation_only():
    mine, other = make.waiting_conversation(), make.waiting_conversation(visitor_name="Ben")

    page = Page(visitor_of(other).get(CONVERSATION))

    assert page.one(id="chat")["data-conversation"] == str(other.pk) != str(mine.pk)


@pytest.mark.parametrize("cookie", [None, "forged"])
def test_starting_without_a_good_cookie_says_so_gives_one_and_starts_nothing(client, orders, cookie):
    if cookie:
        client.cookies[COOKIE] = cookie

    response = client.post(start_of(orders), WORDS)

    assert response.status_code == 404
    assert "Allow cookies and try again." in Page(response).text
    assert not Conversation.objects.exists()


def test_after_a_stale_cookie_the_start_form_gives_a_new_session(client, orders, monkeypatch):
    client.cookies[COOKIE] = old_cookie(monkeypatch, "token", seconds=ONE_DAY + 1)

    client.get(start_of(orders))
    response = client.post(start_of(orders), WORDS)

    assert response["Location"] == reverse("chat:conversation")
