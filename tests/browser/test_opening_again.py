"""A conversation that is opened again while something happens in it."""

import re

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser import people
from tests.browser.people import expect_thread


@pytest.fixture
def talk(transactional_db, person):
    """A visitor and an agent in the middle of a talk."""
    orders = make.queue("Orders")
    make.closing_reason(orders, is_default=True)
    people.agent("Lucía Marín", orders)
    desk = people.become_available(people.sign_in(person(), "lucia"))
    visitor = people.start_chat(person())
    people.accept(desk)
    return desk, visitor


def row(desk):
    return desk.get_by_role("region", name="Tasks").get_by_role("link", name=re.compile("Ana Pereira"))


def opened_again(desk, meanwhile):
    """Click the row of the conversation that is open; its answer is late, and something happens before it comes."""
    held = []
    address = re.compile(r"/desk/conversations/\d+/$")
    desk.route(address, lambda route: held.append((route, route.fetch())))
    with desk.expect_request(address):
        row(desk).click()
    people.until(desk, lambda: held, "The conversation is asked for.")
    meanwhile()
    with desk.expect_response(address):
        route, response = held[0]
        route.fulfill(response=response)
    desk.unroute(address)


def test_a_line_that_comes_while_the_same_conversation_is_opened_again_is_not_lost(talk):
    desk, visitor = talk

    def meanwhile():
        people.write(people.message_box(visitor), "one")
        expect(people.bubble(desk, "one")).to_be_visible()

    opened_again(desk, meanwhile)
    people.write(people.message_box(visitor), "two")

    expect_thread(desk, "Where is my order?", "one", "two")


def test_an_end_that_comes_while_the_same_conversation_is_opened_again_shows(talk):
    desk, visitor = talk

    def meanwhile():
        people.end_chat(visitor)
        expect(people.closing_dialog(desk)).to_be_visible()

    opened_again(desk, meanwhile)

    expect(people.reply_box(desk)).to_have_count(0)
    expect(people.closing_dialog(desk)).to_be_visible()
