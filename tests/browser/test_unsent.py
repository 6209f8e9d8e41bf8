"""What an agent wrote and could not send, when the conversation is not, or not any more, before him."""

import json
import re

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from conversations.actions import closing, offers, transfers
from conversations.models import Conversation, Offer
from conversations.states import OfferKind
from queues.models import Queue
from tests import make
from tests.browser import people


@pytest.fixture
def desk(transactional_db, person):
    """Lucía in two talks, the second of them open."""
    orders = make.queue("Orders")
    make.closing_reason(orders, is_default=True)
    people.agent("Lucía Marín", orders)
    desk = people.become_available(people.sign_in(person(), "lucia"))
    for name in ("Ana Pereira", "Bruno Costa"):
        people.start_chat(person(), name=name)
        people.accept(desk, name)
    return desk


def lucia():
    return Agent.objects.get(username="lucia")


def talk_with(name):
    return Conversation.objects.get(visitor_name=name)


def row(desk, name):
    return desk.get_by_role("region", name="Tasks").get_by_role("link", name=re.compile(name))


def notice(desk, text):
    return desk.locator("#notices .notice").filter(has_text=text)


def takes_away(name):
    """The conversation goes to another queue, by the agent himself in another place."""
    transfers.to_queue(talk_with(name).pk, make.queue("Logistics").pk, by=lucia())


@pytest.fixture
def refused(desk):
    """The desk, whose messages are all refused: a list of functions that each let one refusal come."""
    refusals = []

    def refuse(socket):
        server = socket.connect_to_server()

        def pass_on(text):
            frame = json.loads(text)
            if frame["do"] != "post":
                return server.send(text)
            answer = {"is": "refused", "key": frame["key"], "sentence": "That word is restricted."}
            return refusals.append(lambda: socket.send(json.dumps(answer)))

        socket.on_message(pass_on)

    desk.route_web_socket(re.compile("/ws/desk/"), refuse)
    desk.reload()
    return refusals


def test_a_refusal_that_comes_after_the_next_conversation_was_opened_is_told_there(desk, refused):
    people.write(people.reply_box(desk, "Bruno Costa"), "Well, darn!")
    people.until(desk, lambda: refused, "It is sent.")
    desk.keyboard.press("Alt+j")
    expect(people.reply_box(desk, "Ana Pereira")).to_be_visible()

    refused[0]()

    told = notice(desk, "Not sent: “Well, darn!” That word is restricted.")
    expect(told).to_be_visible()
    row(desk, "Bruno Costa").click()
    people.expect_state(desk, "Well, darn!", "Not sent")
    expect(told).to_have_count(0)


def test_a_message_to_a_conversation_that_is_gone_is_told_until_it_is_closed(desk):
    desk.context.set_offline(True)
    people.write(people.reply_box(desk, "Bruno Costa"), "Your number is 48213.")
    people.expect_state(desk, "Your number is 48213.", people.SENDING)
    takes_away("Bruno Costa")
    desk.context.set_offline(False)

    told = notice(desk, "Not sent: “Your number is 48213.”")
    expect(told).to_be_visible(timeout=20_000)
    expect(row(desk, "Bruno Costa")).to_have_count(0)
    desk.reload()
    expect(told).to_be_visible()
    told.get_by_role("button").click()
    desk.reload()
    expect(row(desk, "Ana Pereira")).to_be_visible()
    expect(desk.locator("#connection-chip")).to_have_attribute("data-status", "connected")
    expect(told).to_have_count(0)


def test_a_conversation_that_was_never_listed_is_left_when_it_is_gone(desk, person):
    listening, sockets = [True], []

    def listen(socket):
        server = socket.connect_to_server()
        sockets.append(socket)
        server.on_message(lambda text: socket.send(text) if listening else None)

    desk.route_web_socket(re.compile("/ws/desk/"), listen)
    desk.reload()
    people.start_chat(person(), name="Carla Ruiz")
    expect(people.requests(desk).get_by_role("article", name="Carla Ruiz")).to_be_visible()
    listening.clear()
    people.press_accept(desk, "Carla Ruiz")
    takes_away("Carla Ruiz")
    listening.append(True)
    sockets[-1].close(code=1012)

    expect(desk.get_by_text("The conversation with Carla Ruiz is no longer yours")).to_be_visible()
    expect(desk.get_by_role("heading", name="No conversation is open")).to_be_visible()
    expect(row(desk, "Bruno Costa")).to_be_visible()


def test_what_was_refused_is_told_when_its_conversation_leaves(desk, refused):
    people.write(people.reply_box(desk, "Bruno Costa"), "Well, darn!")
    people.until(desk, lambda: refused, "It is sent.")
    refused[0]()
    people.expect_state(desk, "Well, darn!", "Not sent")
    expect(notice(desk, "Not sent")).to_have_count(0)

    takes_away("Bruno Costa")

    expect(notice(desk, "Not sent: “Well, darn!” That word is restricted.")).to_be_visible()


WRITTEN = "Your card ends in 12"


def writes_until(desk, is_true, what):
    """Write on, a key at a time, as whoever looks at his words and not at the page."""

    def writes():
        desk.keyboard.type("3")
        return is_true()

    people.until(desk, writes, what)


def is_taken_over():
    """Jonas accepts what he was asked for."""
    offers.accept(Offer.objects.get(kind=OfferKind.TRANSFER).pk, by=Agent.objects.get(username="jonas"))


@pytest.fixture
def asked(desk):
    """Lucía asked Jonas to take over the talk with Bruno, and writes on in it."""
    jonas = make.agent("Jonas Brandt", queues=[make.queue("Logistics")])
    transfers.to_agent(talk_with("Bruno Costa").pk, jonas.pk, by=lucia())
    expect(desk.get_by_text("Transfer requested")).to_be_visible()
    people.reply_box(desk, "Bruno Costa").focus()
    desk.keyboard.type(WRITTEN)
    return desk


@pytest.mark.parametrize("way", ["taken over", "gone"])
def test_who_writes_while_the_conversation_leaves_reaches_no_other_customer_and_loses_no_word(asked, way):
    desk, box = asked, people.reply_box(asked, "Bruno Costa")
    if way == "taken over":
        is_taken_over()
    else:
        transfers.cancel(talk_with("Bruno Costa").pk, by=lucia())
        asks = desk.get_by_text("Transfer requested")
        writes_until(desk, lambda: not asks.count(), "The request is taken back.")
        takes_away("Bruno Costa")
    writes_until(desk, lambda: not box.count(), "The conversation leaves.")
    desk.keyboard.type("3j?4")  # begins with one more, as he writes on without a pause
    desk.keyboard.press("Enter")

    expect(notice(desk, f"You had not sent this yet in the conversation with Bruno Costa: “{WRITTEN}3")).to_be_visible()
    expect(desk.get_by_role("heading", name="No conversation is open")).to_be_visible()
    expect(desk.get_by_role("dialog")).to_have_count(0)
    desk.keyboard.press("Alt+j")
    expect(people.reply_box(desk, "Ana Pereira")).to_be_focused()
    desk.keyboard.type("Hello")
    expect(people.reply_box(desk, "Ana Pereira")).to_have_value("Hello")


def test_who_does_not_write_goes_on_with_the_next_conversation(asked):
    asked.get_by_role("button", name="Cancel transfer").focus()

    is_taken_over()

    expect(asked.get_by_text("Jonas Brandt has taken over the conversation with Bruno Costa.")).to_be_visible()
    expect(people.reply_box(asked, "Ana Pereira")).to_be_visible()
    expect(notice(asked, f"“{WRITTEN}”")).to_be_visible()


def test_what_was_clicked_is_next_when_the_conversation_leaves(asked):
    make.active_conversation(lead=lucia(), queue=Queue.objects.get(name="Orders"), visitor_name="Carla Ruiz")
    held = []
    asked.route(re.compile(r"/desk/conversations/\d+/$"), lambda route: held.append((route, route.fetch())))
    row(asked, "Carla Ruiz").click()
    people.until(asked, lambda: held, "The click is answered.")
    is_taken_over()
    expect(asked.get_by_text("Jonas Brandt has taken over the conversation with Bruno Costa.")).to_be_visible()

    route, response = held[0]
    route.fulfill(response=response)

    expect(people.reply_box(asked, "Carla Ruiz")).to_be_visible()


def test_what_is_being_written_when_the_conversation_ends_can_be_copied(desk):
    people.reply_box(desk, "Bruno Costa").focus()
    desk.keyboard.type(WRITTEN)
    closing.end(talk_with("Bruno Costa").pk, by=lucia())
    dialog = people.closing_dialog(desk)
    writes_until(desk, dialog.is_visible, "The closing reasons open.")
    desk.keyboard.type("3re")
    desk.keyboard.press("Enter")

    expect(dialog.get_by_role("combobox")).to_have_value("")
    desk.keyboard.press("Escape")
    kept = desk.get_by_label("What you wrote, to copy:")
    expect(kept).to_have_value(re.compile(f"^{WRITTEN}3+$"))
    row(desk, "Ana Pereira").click()
    expect(people.reply_box(desk, "Ana Pereira")).to_be_visible()
    row(desk, "Bruno Costa").click()
    expect(dialog).to_be_visible()
    desk.keyboard.press("Escape")
    expect(kept).to_have_value(re.compile(f"^{WRITTEN}3+$"))
