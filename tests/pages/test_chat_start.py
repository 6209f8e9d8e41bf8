"""The list of queues and the start form: open, closed, unattended, and what each makes of a visitor."""

import pytest
from django.test import Client
from django.urls import reverse

from agents.states import AgentState
from conversations.actions import closing, opening
from conversations.models import Conversation, Visitor
from conversations.states import State
from tests import make
from tests.pages.browsing import KEY, OTHER_KEY, Page, hash_of, newcomer, visitor_of

pytestmark = pytest.mark.django_db

CHAT = "/chat/"
WORDS = {"name": "Ana Pereira", "email": "", "question": "Where is my order?", "key": KEY}


@pytest.fixture
def orders():
    queue = make.queue("Orders")
    make.agent("Lucía", queues=[queue])
    return queue


def start_of(queue):
    return reverse("chat:start", args=[queue.slug])


def texts_of(conversation):
    return list(conversation.messages.order_by("number").values_list("text", flat=True))


def test_the_list_links_to_each_open_queue(client, orders):
    returns = make.queue("Returns")

    page = Page(client.get(CHAT))

    links = [a["href"] for a in page.all("a")]
    assert start_of(orders) in links
    assert start_of(returns) in links


def test_the_list_names_closed_queues_with_their_next_opening(client, orders):
    night = make.closed_queue("Night")

    page = Page(client.get(CHAT))

    assert "Closed now" in page.text
    assert page.one("a", href=start_of(night)).text == "Night"
    assert len(page.all("time", datetime=True)) == 1


def test_the_list_hides_a_queue_that_is_not_in_use(client, orders):
    make.queue("Old times", is_in_use=False)

    page = Page(client.get(CHAT))

    assert "Old times" not in page.text


def test_the_list_is_no_dead_end_when_everything_is_closed(client):
    make.closed_queue("Night")

    page = Page(client.get(CHAT))

    assert "All our queues are closed" in page.text
    assert page.one("a", href=CHAT).text == "Check again"


def test_the_list_is_no_dead_end_without_any_queue(client):
    page = Page(client.get(CHAT))

    assert page.one("a", href=CHAT).text == "Check again"


def test_the_list_offers_the_chat_that_is_open(orders):
    conversation = make.waiting_conversation(queue=orders)

    page = Page(visitor_of(conversation).get(CHAT))

    assert page.one("a", href=reverse("chat:conversation")).text == "Go on with your chat"


def test_the_start_page_of_an_open_queue_asks_three_things(client, orders):
    page = Page(client.get(start_of(orders)))

    assert list(page.labels()) == ["Your name", "Email", "Your question"]
    assert "Start chat" in page.buttons()
    assert "optional" in page.text


def test_the_greeting_is_text_and_not_markup(client, orders):
    orders.greeting = "Hello <img src=x> & welcome"
    orders.save()

    page = Page(client.get(start_of(orders)))

    assert "Hello <img src=x> & welcome" in page.text
    assert not page.all("img")


def test_a_queue_that_requires_email_says_so_in_the_field(client, orders):
    orders.requires_email = True
    orders.save()

    page = Page(client.get(start_of(orders)))

    assert "required" in page.one(id="id_email")
    assert "optional" not in page.text


def test_a_closed_queue_shows_its_message_its_next_opening_and_who_is_open(client, orders):
    night = make.closed_queue("Night", message_when_closed="The night owls sleep <soundly>.")

    response = client.get(start_of(night))

    page = Page(response)
    assert response.status_code == 200
    assert "The night owls sleep <soundly>." in page.text
    assert page.one("time", data_show="day")["datetime"]
    assert page.all("a", href=start_of(orders))
    assert not page.all("form")


def test_a_closed_queue_that_never_opens_is_no_dead_end(client):
    night = make.queue("Night", time_zone="UTC")
    today = make.database_now().date()
    make.opening_hours(night, weekday=today.weekday(), opens_at="00:00", closes_at="23:59")
    for days in range(0, 400):
        make.holiday(night, today + make.dt.timedelta(days=days), f"Day {days}")

    page = Page(client.get(start_of(night)))

    assert "We are closed now" in page.text
    assert not page.all("time")
    assert page.all("a", href=CHAT)


@pytest.mark.parametrize("message", ["", "Come back at nine <o'clock>."])
def test_a_queue_where_nobody_is_signed_in_says_so_and_can_be_checked_again(client, message):
    queue = make.queue("Orders", message_when_unattended=message)
    make.agent("Lucía", queues=[queue], state=AgentState.OFFLINE)

    page = Page(client.get(start_of(queue)))

    assert (message or "None of our agents is signed in") in page.text
    assert page.one("a", href=start_of(queue)).text == "Check again"
    assert not page.all("form")


def test_only_queues_where_somebody_is_signed_in_are_named_instead(client, orders):
    empty, also_empty = make.queue("Nights"), make.queue("Mornings")
    make.agent("Sofía", queues=[also_empty], state=AgentState.OFFLINE)

    page = Page(client.get(start_of(empty)))

    assert page.all("a", href=start_of(orders))
    assert not page.all("a", href=start_of(also_empty))


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.RONA, AgentState.AVAILABLE])
def test_a_queue_is_attended_while_a_member_is_signed_in_whatever_the_state(client, state):
    queue = make.queue("Orders")
    make.agent("Lucía", queues=[queue], state=state)

    page = Page(client.get(start_of(queue)))

    assert "Start chat" in page.buttons()


def test_starting_a_chat_queues_it_with_its_first_message(orders):
    visitor = newcomer()

    response = visitor.post(
        start_of(orders), {**WORDS, "email": "ana@example.com", "page": "https://shop.example.com/cart"}
    )

    assert response.status_code == 302
    assert response["Location"] == reverse("chat:conversation")
    conversation = Conversation.objects.get()
    assert conversation.state == State.WAITING
    assert conversation.queue == orders
    assert conversation.visitor_name == "Ana Pereira"
    assert conversation.visitor_email == "ana@example.com"
    assert conversation.page_address == "https://shop.example.com/cart"
    assert conversation.messages.get().text == "Where is my order?"


def test_the_page_as_it_stands_can_be_sent_as_a_plain_form(orders):
    browser = Client(enforce_csrf_checks=True)
    fields = Page(browser.get(start_of(orders))).fields()

    response = browser.post(start_of(orders), {**fields, "name": "Ana", "question": "Hello?"})

    assert response.status_code == 302
    assert Page(browser.get(response["Location"])).all(class_="message ours")


@pytest.mark.parametrize(("accepted", "stored"), [("es-MX,es;q=0.9", "es"), ("de,en;q=0.5", "en"), ("", "en")])
def test_the_conversation_keeps_the_language_of_the_browser(orders, accepted, stored):
    visitor = newcomer(headers={"Accept-Language": accepted})

    visitor.post(start_of(orders), WORDS)

    assert Conversation.objects.get().language == stored


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_a_double_click_on_start_chat_gives_one_conversation_with_one_message(orders, key):
    visitor = newcomer()
    visitor.post(start_of(orders), WORDS)

    again = visitor.post(start_of(orders), {**WORDS, "key": key})

    assert again["Location"] == reverse("chat:conversation")
    assert Conversation.objects.get().messages.count() == 1
    assert Visitor.objects.count() == 1


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_another_question_in_a_second_tab_is_a_message_and_twice_sent_still_one(orders, key):
    visitor = newcomer()
    visitor.post(start_of(orders), WORDS)

    for _ in range(2):
        answer = visitor.post(start_of(orders), {**WORDS, "question": "  And my refund?", "key": key})
        assert answer["Location"] == reverse("chat:conversation")

    assert texts_of(Conversation.objects.get()) == ["Where is my order?", "And my refund?"]


def test_one_visitor_has_one_open_chat_even_with_two_queues(orders):
    returns = make.queue("Returns")
    visitor = newcomer()
    visitor.post(start_of(orders), WORDS)

    assert visitor.get(start_of(returns))["Location"] == reverse("chat:conversation")
    form = {**WORDS, "question": "And my refund?", "key": OTHER_KEY}
    assert visitor.post(start_of(returns), form)["Location"] == reverse("chat:conversation")

    conversation = Conversation.objects.get()
    assert conversation.queue == orders
    assert texts_of(conversation) == ["Where is my order?", "And my refund?"]


def test_a_second_form_that_cannot_be_taken_is_shown_again_with_what_was_written(orders):
    visitor = newcomer()
    visitor.post(start_of(orders), WORDS)

    response = visitor.post(start_of(orders), {**WORDS, "name": "", "question": "And my refund?", "key": OTHER_KEY})

    assert response.status_code == 422
    assert Page(response).one(id="id_question").text == "And my refund?"
    assert texts_of(Conversation.objects.get()) == ["Where is my order?"]


def test_second_forms_are_as_limited_as_messages(orders, settings):
    settings.MESSAGES_PER_MINUTE = 1
    visitor = newcomer()
    for number in range(2):
        form = {**WORDS, "question": f"Question {number}", "key": f"{OTHER_KEY[:-1]}{number}"}
        assert visitor.post(start_of(orders), form).status_code == 302

    response = visitor.post(start_of(orders), {**WORDS, "question": "Question 2"})

    assert response.status_code == 429
    assert Page(response).one(id="id_question").text == "Question 2"
    assert texts_of(Conversation.objects.get()) == ["Question 0", "Question 1"]


def test_a_second_form_whose_conversation_ends_in_that_moment_is_shown_again(orders, monkeypatch):
    visitor = newcomer()
    visitor.post(start_of(orders), WORDS)
    post = opening.post

    def end_first(draft):
        closing.end_by_visitor(draft.conversation_id)
        return post(draft)

    monkeypatch.setattr(opening, "post", end_first)

    response = visitor.post(start_of(orders), {**WORDS, "question": "And my refund?", "key": OTHER_KEY})

    assert response.status_code == 409
    assert Page(response).one(id="id_question").text == "And my refund?"


def test_who_comes_back_after_the_end_need_not_write_his_name_again(orders):
    conversation = make.closed_conversation(
        queue=orders, visitor_name='Ana "la" <Pereira>', visitor_email="ana@example.com"
    )

    page = Page(visitor_of(conversation).get(start_of(orders)))

    assert page.one(id="id_name")["value"] == 'Ana "la" <Pereira>'
    assert page.one(id="id_email")["value"] == "ana@example.com"


def test_a_new_chat_after_the_end_belongs_to_the_same_visitor(orders):
    before = make.closed_conversation(queue=orders)
    visitor = visitor_of(before)

    visitor.post(start_of(orders), WORDS)

    now = Conversation.objects.order_by("-pk").first()
    assert now.pk != before.pk
    assert now.visitor_id == before.visitor_id
    assert Page(visitor.get(reverse("chat:conversation"))).one(id="chat")["data-conversation"] == str(now.pk)


@pytest.mark.parametrize("page", ["javascript:alert(1)", "data:text/html,x", "//evil.example.com", "\x00https://a"])
def test_only_web_addresses_are_kept_as_the_page_of_the_visitor(orders, page):
    newcomer().post(start_of(orders), {**WORDS, "page": page})

    kept = Conversation.objects.values_list("page_address", flat=True).first() or ""
    assert kept in ("", "https://a")


def test_the_start_form_of_the_first_visit_comes_with_the_cookie_it_needs(client, orders):
    client.get(start_of(orders))

    client.post(start_of(orders), WORDS)

    token = hash_of("anything")
    assert Conversation.objects.get().visitor.token_hash != token


def test_head_answers_like_get_without_a_body(client, orders):
    for address in (CHAT, start_of(orders)):
        response = client.head(address)
        assert (response.status_code, response.content) == (200, b"")


def test_of_the_devices_name_nothing_is_kept_that_cannot_be_stored(orders):
    visitor = newcomer(headers={"User-Agent": "Fire\0fox\x1b on\tAndroid " + "x" * 1_000})

    assert visitor.post(start_of(orders), WORDS).status_code == 302

    user_agent = Conversation.objects.get().user_agent
    assert user_agent.startswith("Firefox on Android xx")
    assert len(user_agent) == 400
