"""The visitor's conversation: waiting, talking, ended; its messages, its poll and its end."""

import pytest
from django.urls import reverse

from conversations.actions import reading
from conversations.models import Message
from conversations.states import Party, State, SystemReason
from tests import make
from tests.pages.browsing import JSON, KEY, Page, everything, newcomer, visitor_of

pytestmark = pytest.mark.django_db

CONVERSATION = "/chat/current/"
POST, POLL, END, THREAD = (f"{CONVERSATION}{name}/" for name in ("messages", "poll", "end", "thread"))


def frames_of(response):
    return {frame["is"]: frame for frame in response.json()["frames"]}


def test_a_waiting_visitor_sees_his_place_and_can_already_write():
    make.waiting_conversation(waited_seconds=60)
    conversation = make.waiting_conversation(visitor_name="Ben")

    page = Page(visitor_of(conversation).get(CONVERSATION))

    assert "You are number 2 in line" in page.text
    assert page.labels()["Message"] == page.one("textarea")["id"]
    assert {"Send", "End chat"} <= set(page.buttons())


def test_a_served_visitor_sees_who_serves_him_and_who_else_is_there():
    lucia, jonas = make.agent("Lucía Marín"), make.agent("Jonas Brandt")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])

    page = Page(visitor_of(conversation).get(CONVERSATION))

    assert page.one("h1").text == "Lucía Marín"
    assert "Jonas Brandt" in page.text


@pytest.mark.parametrize("made", [make.wrap_up_conversation, make.closed_conversation, make.abandoned_conversation])
def test_an_ended_conversation_says_so_and_offers_a_new_one(made):
    conversation = made()

    page = Page(visitor_of(conversation).get(CONVERSATION))

    assert page.one("h1").text == "This chat has ended"
    assert "New conversation" in page.buttons()
    assert page.all("form", action=reverse("chat:start", args=[conversation.queue.slug]))
    assert not page.all("textarea", name="text")


@pytest.mark.parametrize("address", [CONVERSATION])
def test_without_a_conversation_the_page_leads_to_the_list(address):
    response = newcomer().get(address)

    assert response["Location"] == reverse("chat:queues")


@pytest.mark.parametrize(
    ("method", "address"), [("get", POLL), ("get", THREAD), ("get", END), ("post", END), ("post", POST)]
)
def test_without_a_conversation_everything_else_is_not_found(method, address):
    response = getattr(newcomer(), method)(address)

    assert response.status_code == 404
    assert "There is no conversation in this browser any more. Start a new one." in Page(response).text


def test_messages_show_as_text_with_links_and_never_as_markup():
    conversation = make.waiting_conversation(first_message="<b>bold</b> see https://example.com/?a=1&b=2 javascript:x")

    page = Page(visitor_of(conversation).get(CONVERSATION))

    bubble = page.all("div", class_="bubble")[0]
    assert bubble.text == "<b>bold</b> see https://example.com/?a=1&b=2 javascript:x"
    assert [a["href"] for a in bubble.inside] == ["https://example.com/?a=1&b=2"]


def test_a_plain_form_stores_the_message_and_shows_the_page_again():
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation)

    response = visitor.post(POST, {"text": "  Anybody\r\nthere?  ", "key": KEY})

    assert response["Location"] == CONVERSATION
    message = conversation.messages.get(number=2)
    assert (message.text, message.sender, message.key) == ("Anybody\nthere?", Party.VISITOR, KEY)


def test_the_pages_script_gets_the_acknowledgement_as_a_frame():
    conversation = make.waiting_conversation()

    response = visitor_of(conversation).post(POST, {"text": "Hello", "key": KEY}, headers=JSON)

    assert response.json()["frames"] == [{"is": "posted", "key": KEY, "number": 2, "conversation": conversation.pk}]


def test_the_same_key_twice_is_one_message_and_one_number():
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation)

    answers = [visitor.post(POST, {"text": "Hello", "key": KEY}, headers=JSON).json() for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert conversation.messages.count() == 2


def test_polling_sends_the_lines_behind_a_number_and_the_header():
    conversation = make.active_conversation(lead=make.agent("Lucía Marín"))
    for text in ("two", "three"):
        make.message(conversation, text)

    frames = frames_of(visitor_of(conversation).get(POLL, {"last": 1}))

    assert Page(frames["messages"]["html"]).numbers() == [2, 3]
    assert frames["messages"]["last"] == 3
    assert {e["id"] for e in Page(frames["fragments"]["html"]).all(hx_swap_oob="true")} == {"status", "composer"}
    assert "Lucía Marín" in frames["fragments"]["html"]


def test_polling_with_nothing_new_sends_no_lines():
    conversation = make.waiting_conversation()

    assert "messages" not in frames_of(visitor_of(conversation).get(POLL, {"last": 1}))


def test_a_page_that_polls_learns_how_far_the_agent_is_and_tells_how_far_it_is_itself():
    lucia = make.agent("Lucía Marín")
    conversation = make.active_conversation(lead=lucia)
    make.message(conversation, "two")
    reading.marked_by_agent(conversation.pk, by=lucia, delivered=2, read=1)

    frames = frames_of(visitor_of(conversation).get(POLL, {"last": 2, "seen": 1}))

    assert frames["marks"] == {"is": "marks", "conversation": conversation.pk, "delivered": 2, "read": 1}
    conversation.refresh_from_db()
    assert reading.marks_for_agents(conversation) == reading.Marks(delivered=2, read=1)


@pytest.mark.parametrize("last", ["", "-1", "x", "1e9", "９", "9" * 30, "\x00"])
def test_a_poll_that_names_no_number_gets_everything(last):
    conversation = make.waiting_conversation()

    assert frames_of(visitor_of(conversation).get(POLL, {"last": last}))["messages"]["last"] == 1


@pytest.mark.parametrize("last", ["2", "9" * 18])
def test_a_poll_that_names_a_number_of_the_future_is_told_to_load_the_page_anew(last):
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation)

    assert "reload" not in frames_of(visitor.get(POLL, {"last": 1}))
    frames = frames_of(visitor.get(POLL, {"last": last}))

    assert "reload" in frames
    assert "messages" not in frames


def test_end_asks_once_and_changes_nothing_by_asking():
    conversation = make.waiting_conversation()
    visitor, before = visitor_of(conversation), everything()

    page = Page(visitor.get(END))

    assert "End chat" in page.buttons()
    assert page.all("a", href=CONVERSATION)
    assert everything() == before


def test_ending_while_waiting_is_abandoned():
    conversation = make.waiting_conversation()

    response = visitor_of(conversation).post(END)

    conversation.refresh_from_db()
    assert response["Location"] == CONVERSATION
    assert (conversation.state, conversation.system_reason) == (State.CLOSED, SystemReason.ABANDONED)


def test_ending_while_served_leaves_the_closing_reason_to_the_agent():
    conversation = make.active_conversation()

    visitor_of(conversation).post(END)

    conversation.refresh_from_db()
    assert (conversation.state, conversation.ended_by) == (State.WRAP_UP, Party.VISITOR)


def test_reload_and_another_tab_show_the_same_conversation():
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation)

    pages = [Page(visitor.get(CONVERSATION)) for _ in range(2)]

    assert [page.one(id="chat")["data-conversation"] for page in pages] == [str(conversation.pk)] * 2


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_page_speaks_the_language_of_the_browser(language):
    conversation = make.waiting_conversation()

    response = visitor_of(conversation, headers={"Accept-Language": language}).get(CONVERSATION)

    assert Page(response).one("html")["lang"] == language
    assert response["Content-Language"] == language


def test_what_the_page_shows_is_never_kept_by_a_cache():
    conversation = make.waiting_conversation()
    visitor = visitor_of(conversation)

    for address in (CONVERSATION, POLL, THREAD, END, "/chat/"):
        assert "no-store" in visitor.get(address)["Cache-Control"]


def test_a_message_after_a_note_of_colleagues_gets_its_number_and_the_note_stays_hidden():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    make.note(conversation, "The customer shouted.", by=lucia)
    visitor = visitor_of(conversation)

    visitor.post(POST, {"text": "Still there?", "key": KEY})

    assert Message.objects.get(key=KEY).number == 3
    for address in (CONVERSATION, THREAD, POLL, "/chat/current/earlier/?before=9"):
        assert "shouted" not in visitor.get(address).content.decode()
