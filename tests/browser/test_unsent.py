"""What an agent wrote and could not send, when the conversation is not, or not any more, before him."""

import json
import re

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from conversations.actions import transfers
from conversations.models import Conversation
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


def row(desk, name):
    return desk.get_by_role("region", name="Tasks").get_by_role("link", name=re.compile(name))


def notice(desk, text):
    return desk.locator("#notices .notice").filter(has_text=text)


def takes_away(name):
    """The conversation goes to another queue, by the agent himself in another place."""
    talk = Conversation.objects.get(visitor_name=name)
    transfers.to_queue(talk.pk, make.queue("Logistics").pk, by=Agent.objects.get(username="lucia"))


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


def test_what_was_refused_is_told_when_its_conversation_leaves(desk, refused):
    people.write(people.reply_box(desk, "Bruno Costa"), "Well, darn!")
    people.until(desk, lambda: refused, "It is sent.")
    refused[0]()
    people.expect_state(desk, "Well, darn!", "Not sent")
    expect(notice(desk, "Not sent")).to_have_count(0)

    takes_away("Bruno Costa")

    expect(notice(desk, "Not sent: “Well, darn!” That word is restricted.")).to_be_visible()
