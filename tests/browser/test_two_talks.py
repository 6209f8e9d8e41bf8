"""A desk with two conversations: the one that the agent asked for last is open, whole, and the server knows it."""

import re

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser import people
from tests.browser.people import expect_thread


@pytest.fixture
def talks(transactional_db, person):
    """An agent with two talks, the second of them open; answers his desk and both visitors."""
    orders = make.queue("Orders")
    make.closing_reason(orders, is_default=True)
    people.agent("Lucía Marín", orders)
    desk = people.become_available(people.sign_in(person(), "lucia"))
    visitors = []
    for name in ("Ana Pereira", "Bruno Costa"):
        visitors.append(people.start_chat(person(), name=name))
        people.accept(desk, name)
    return desk, *visitors


def row(desk, name):
    return desk.get_by_role("region", name="Tasks").get_by_role("link", name=re.compile(name))


def customer(desk):
    return desk.get_by_role("region", name="Customer")


def test_what_is_opened_while_the_socket_shakes_hands_gets_its_lines(talks):
    desk, ana, _bruno = talks
    held, sockets = [], []

    def hold_the_first_frames_back(socket):
        sockets.append(socket)
        socket.connect_to_server().on_message(lambda text: held.append(text) if held is not None else socket.send(text))

    desk.route_web_socket(re.compile("/ws/desk/"), hold_the_first_frames_back)
    desk.reload()
    people.until(desk, lambda: held, "The server says hello.")
    row(desk, "Ana Pereira").click()
    expect(people.reply_box(desk, "Ana Pereira")).to_be_visible()
    first, held = held, None
    for text in first:
        sockets[0].send(text)

    people.write(people.message_box(ana), "Are you there?")
    expect_thread(desk, "Where is my order?", "Are you there?")
    people.write(people.reply_box(desk, "Ana Pereira"), "I am.")
    people.expect_state(desk, "I am.", people.SENT)
    expect(customer(desk).get_by_text("Ana Pereira")).to_be_visible()
