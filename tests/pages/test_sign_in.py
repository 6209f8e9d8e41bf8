"""Signing in and out, where it leads, and the language of the staff."""

import time
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from agents.models import Agent
from agents.states import AgentState
from config.sessions import SessionStore
from tests import make
from tests.pages.browsing import HTMX, Page, desk_of, somewhere

pytestmark = pytest.mark.django_db

SIGN_IN, SIGN_OUT, LANGUAGE, HOME = "/sign-in/", "/desk/sign-out/", "/language/", "/desk/"
PASSWORD = "correct horse"


@pytest.fixture
def lucia():
    return make.agent("Lucía", username="lucia", state=AgentState.OFFLINE, password=PASSWORD)


def sign_in(client, address=SIGN_IN, **values):
    return client.post(address, {"username": "lucia", "password": PASSWORD, **values})


def test_signing_in_leads_to_the_desk_and_makes_idle(client, lucia):
    response = sign_in(client)

    lucia.refresh_from_db()
    assert response["Location"] == HOME
    assert lucia.state == AgentState.IDLE


@pytest.mark.parametrize("state", [AgentState.AVAILABLE, AgentState.RONA, AgentState.IDLE])
def test_a_second_sign_in_leaves_the_state_as_it_is(client, lucia, state):
    lucia.state = state
    lucia.save()

    sign_in(client)

    lucia.refresh_from_db()
    assert lucia.state == state


@pytest.mark.parametrize(
    "values",
    [{"password": "wrong"}, {"username": "nobody"}, {"username": "", "password": ""}, {"username": "x" * 10_000},
     {"username": "lucia\x00"}, {"password": "\x00"}],
)  # fmt: skip
def test_a_wrong_sign_in_says_so_and_lets_nobody_in(client, lucia, values):
    response = sign_in(client, **values)

    page = Page(response)
    assert response.status_code == 200
    assert page.all(id="sign-in-error") or page.all(class_="error")
    assert "_auth_user_id" not in client.session


def test_a_wrong_sign_in_keeps_the_name_and_not_the_password(client, lucia):
    page = Page(sign_in(client, username='"><img src=x>', password="secret words"))

    assert page.one("input", name="username")["value"] == '"><img src=x>'
    assert "value" not in page.one("input", name="password")
    assert not page.all("img")


def test_who_tries_too_often_is_told_when_to_try_again_and_the_others_are_let_in(client, lucia, settings):
    settings.SIGN_INS_PER_MINUTE = 3
    make.agent("Jonas", username="jonas", state=AgentState.OFFLINE, password=PASSWORD)
    here = {"REMOTE_ADDR": somewhere()}
    tries = [client.post(SIGN_IN, {"username": "lucia", "password": "wrong"}, **here) for _ in range(4)]
    right = client.post(SIGN_IN, {"username": "Lucia", "password": PASSWORD}, **here)
    other = client.post(SIGN_IN, {"username": "jonas", "password": PASSWORD}, **here)
    elsewhere = client.post(SIGN_IN, {"username": "lucia", "password": PASSWORD}, REMOTE_ADDR=somewhere())

    assert [response.status_code for response in tries] == [200, 200, 200, 429]
    assert right.status_code == 429
    page = Page(right)
    assert 1 <= int(right["Retry-After"]) <= 60
    assert page.one(id="sign-in-error").text.startswith("Too many tries to sign in.")
    assert page.one("input", name="username")["value"] == "Lucia"
    assert PASSWORD not in right.content.decode()
    assert other["Location"] == elsewhere["Location"] == HOME


def test_a_name_is_counted_once_in_all_the_spellings_that_sign_its_agent_in(lucia, settings):
    spellings = ["lucia", " lucia", "lucia\t", "\u3000lucia", "ｌｕcia", "ℓucia"]
    settings.SIGN_INS_PER_MINUTE = len(spellings)
    here = {"REMOTE_ADDR": somewhere()}
    right = [Client().post(SIGN_IN, {"username": name, "password": PASSWORD}, **here) for name in spellings]
    wrong = [Client().post(SIGN_IN, {"username": name, "password": "wrong"}, **here) for name in spellings]
    more = [Client().post(SIGN_IN, {"username": name, "password": "wrong"}, **here) for name in [*spellings, "LUCIA"]]

    assert {response.status_code for response in right} == {302}
    assert {response.status_code for response in wrong} == {200}
    assert {response.status_code for response in more} == {429}


def test_a_name_of_endless_marks_is_counted_at_once(lucia, settings):
    settings.SIGN_INS_PER_MINUTE = 1
    here = {"REMOTE_ADDR": somewhere()}
    endless = "\u0301\u0316" * 150_000
    began = time.monotonic()
    statuses = [Client().post(SIGN_IN, {"username": endless, "password": "wrong"}, **here).status_code for _ in "12"]

    assert statuses == [200, 429]
    assert time.monotonic() - began < 5


def test_who_knows_the_password_is_never_slowed_down(lucia, settings):
    settings.SIGN_INS_PER_MINUTE = 2
    here = {"REMOTE_ADDR": somewhere()}

    answers = [Client().post(SIGN_IN, {"username": "lucia", "password": PASSWORD}, **here) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [302] * 5


def key_after_a_planted_one():
    """Sign in with a browser into which somebody planted a session that the portal knows: both keys."""
    session = SessionStore()
    session["seen"] = "a page that anybody may open"
    session.save()
    browser = Client(REMOTE_ADDR=somewhere())
    browser.cookies["sessionid"] = session.session_key
    assert browser.session["seen"], "unknown: the session that was planted is none of ours"
    assert sign_in(browser)["Location"] == HOME
    assert browser.get(HOME).status_code == 200
    return session.session_key, browser.cookies["sessionid"].value


def opens_the_desk(key):
    client = Client(REMOTE_ADDR=somewhere())
    client.cookies["sessionid"] = key
    return client.get(HOME).status_code == 200


def test_a_session_that_was_planted_does_not_become_that_of_who_signs_in(lucia):
    planted, key = key_after_a_planted_one()

    assert key != planted
    assert opens_the_desk(key)
    assert not opens_the_desk(planted)
    assert not Session.objects.filter(session_key=planted).exists()


def test_mutant_a_session_that_is_kept_at_the_sign_in(lucia, monkeypatch):
    monkeypatch.setattr(SessionStore, "cycle_key", lambda self: None)

    planted, key = key_after_a_planted_one()

    assert key == planted
    assert opens_the_desk(planted)


def open_after_a_new_password(lucia):
    """Sign in with two browsers, then change the password: how many of them still open the desk."""
    here, elsewhere = Client(), Client()
    for browser in (here, elsewhere):
        browser.post(SIGN_IN, {"username": "lucia", "password": PASSWORD}, REMOTE_ADDR=somewhere())
    assert here.cookies["sessionid"].value != elsewhere.cookies["sessionid"].value
    assert here.get(HOME).status_code == elsewhere.get(HOME).status_code == 200

    lucia.refresh_from_db()
    lucia.set_password("another one")
    lucia.save()

    answers = [here.get(HOME), elsewhere.get(HOME)]
    assert all(answer.status_code == 200 or answer["Location"].startswith(SIGN_IN) for answer in answers)
    return sum(answer.status_code == 200 for answer in answers)


def test_a_new_password_ends_the_other_sessions(lucia):
    assert open_after_a_new_password(lucia) == 0


def test_mutant_a_session_that_outlives_its_password(lucia, monkeypatch):
    monkeypatch.setattr(Agent, "get_session_auth_hash", lambda self: "as ever")

    assert open_after_a_new_password(lucia) == 2


def test_an_agent_who_left_the_company_cannot_sign_in(client, lucia):
    lucia.is_active = False
    lucia.save()

    sign_in(client)

    assert "_auth_user_id" not in client.session


def test_who_is_signed_in_goes_on_to_the_desk(lucia):
    assert desk_of(lucia).get(SIGN_IN)["Location"] == HOME


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/desk/conversations/7/", "/desk/conversations/7/"),
        ("/admin/", "/admin/"),
        ("https://evil.example.com/", HOME),
        ("//evil.example.com/", HOME),
        ("/\\evil.example.com/", HOME),
        ("javascript:alert(1)", HOME),
        ("http:///evil.example.com", HOME),
    ],
)
def test_the_way_on_after_signing_in_stays_on_the_site(client, lucia, wanted, leads_to):
    shown = Page(client.get(SIGN_IN, {"next": wanted}))

    assert sign_in(client, shown_next=1, next=wanted)["Location"] == leads_to
    assert wanted not in [a.get("href") for a in shown.all("a")]


def test_mutant_a_way_on_that_is_followed_anywhere(client, lucia, monkeypatch):
    monkeypatch.setattr("django.contrib.auth.views.url_has_allowed_host_and_scheme", lambda *whatever, **named: True)
    monkeypatch.setattr("agents.views.url_has_allowed_host_and_scheme", lambda *whatever, **named: True)
    elsewhere = "https://evil.example.com/"

    assert sign_in(client, next=elsewhere)["Location"] == elsewhere
    assert client.post(LANGUAGE, {"language": "en", "next": elsewhere})["Location"] == elsewhere


@pytest.mark.parametrize(
    "address",
    [
        "/desk/",
        "/desk/conversations/1/",
        "/desk/conversations/1/closing/",
        "/desk/conversations/1/transcript/",
        "/desk/conversations/1/earlier/?before=7",
        "/desk/poll/",
    ],
)
def test_who_is_not_signed_in_is_asked_to_and_comes_back(client, lucia, address):
    asked = client.get(address)

    assert asked["Location"] == f"{SIGN_IN}?{urlencode({'next': address}, safe='/')}"
    assert sign_in(client, asked["Location"], next=address)["Location"] == address


@pytest.mark.parametrize(
    "address",
    [
        "/desk/conversations/1/messages/",
        "/desk/conversations/1/end/",
        "/desk/conversations/1/closing/",
        "/desk/offers/1/accept/",
        "/desk/offers/1/decline/",
        "/desk/state/",
        "/desk/sign-out/",
    ],
)
def test_who_sends_a_form_without_being_signed_in_comes_back_to_a_page_and_not_to_the_form(client, address):
    assert client.post(address)["Location"] == f"{SIGN_IN}?next={HOME}"


@pytest.mark.parametrize("address", ["/admin/", "/admin/conversations/conversation/"])
def test_admin_has_the_same_door(client, lucia, address):
    chain = [where for where, _ in client.get(address, follow=True).redirect_chain]

    assert chain[-1] == f"{SIGN_IN}?next={address}"


def test_signing_out_ends_the_session_and_makes_offline(lucia):
    lucia.state = AgentState.IDLE
    lucia.save()
    desk = desk_of(lucia)

    response = desk.post(SIGN_OUT)

    lucia.refresh_from_db()
    assert response["Location"] == SIGN_IN
    assert lucia.state == AgentState.OFFLINE
    assert desk.get(HOME).status_code == 302


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("work", [make.active_conversation, make.wrap_up_conversation])
def test_signing_out_with_a_conversation_in_hand_is_refused(work, headers):
    jonas = make.agent("Jonas")
    work(lead=jonas)
    desk = desk_of(jonas)

    response = desk.post(SIGN_OUT, headers=headers)

    jonas.refresh_from_db()
    assert response.status_code == 409
    assert jonas.state == AgentState.AVAILABLE
    assert desk.get(HOME).status_code == 200


def test_the_sessions_of_an_agent_whom_a_supervisor_signed_out_are_over(lucia):
    desk = desk_of(lucia)
    lucia.session_epoch += 1
    lucia.save()

    assert desk.get(HOME)["Location"].startswith(SIGN_IN)


def test_the_agent_chooses_the_language_of_his_pages(lucia):
    desk = desk_of(lucia)

    response = desk.post(LANGUAGE, {"language": "es", "next": "/desk/?a=1"})

    lucia.refresh_from_db()
    assert (lucia.language, response["Location"]) == ("es", "/desk/?a=1")
    assert Page(desk.get(HOME)).one("html")["lang"] == "es"


@pytest.mark.parametrize("language", ["", "de", "xx", "es\x00", "e" * 1000])
def test_an_unknown_language_changes_nothing(lucia, language):
    desk_of(lucia).post(LANGUAGE, {"language": language})

    lucia.refresh_from_db()
    assert lucia.language == "en"


@pytest.mark.parametrize("wanted", ["https://evil.example.com/", "//evil.example.com", "javascript:alert(1)", ""])
def test_choosing_a_language_leads_nowhere_else(lucia, wanted):
    assert desk_of(lucia).post(LANGUAGE, {"language": "en", "next": wanted})["Location"] == HOME


@pytest.mark.parametrize("code", ["en", "es"])
def test_the_sign_in_page_speaks_the_language_of_the_browser(client, code):
    page = Page(client.get(SIGN_IN, headers={"Accept-Language": code}))

    assert page.one("html")["lang"] == code
    assert page.one("button", aria_current="true")["value"] == code


def test_who_is_not_signed_in_can_change_the_language_of_the_sign_in_page(client):
    page = Page(client.get(SIGN_IN))

    response = client.post(LANGUAGE, {"language": "es", "next": page.fields(LANGUAGE)["next"]}, follow=True)

    assert Page(response).one("html")["lang"] == "es"
    assert reverse("agents:sign-in") in response.request["PATH_INFO"]
