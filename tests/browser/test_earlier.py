"""Earlier messages on a slow line, on one that is gone, and where the session has ended."""

import re

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from conversations.models import Message
from conversations.states import Party
from tests import make
from tests.browser import people

LAST = 150
NO_ANSWER = "The server did not answer. Try again."


@pytest.fixture
def desk(transactional_db, person):
    """Lucía in a conversation of more lines than the page shows at first."""
    orders = make.queue("Orders")
    people.agent("Lucía Marín", orders)
    page = people.sign_in(person(), "lucia")
    lucia = Agent.objects.get(username="lucia")
    talk = make.active_conversation(lead=lucia, queue=orders)
    Message.objects.bulk_create(
        Message(
            conversation=talk,
            number=number,
            sender=Party.AGENT,
            agent=lucia,
            key=f"key-{number:06}",
            text=f"line {number}.",
            created_at=make.database_now(),
        )
        for number in range(talk.last_number + 1, LAST + 1)
    )
    talk.last_number = LAST
    talk.save(update_fields=["last_number"])
    page.goto(f"/desk/conversations/{talk.pk}/")
    expect(people.bubble(page, f"line {LAST}.")).to_be_visible()
    return page


def earlier(page):
    return page.get_by_role("link", name="Earlier messages")


def test_who_goes_on_writing_while_earlier_lines_come_keeps_the_focus(desk):
    held = []
    desk.route("**/earlier/**", lambda route: held.append(route))
    earlier(desk).click()
    people.until(desk, lambda: held, "The lines are asked for.")
    box = people.reply_box(desk)
    box.press_sequentially("One ")

    held[0].continue_()
    expect(people.bubble(desk, "line 10.")).to_be_attached()
    desk.keyboard.type("moment")

    expect(box).to_have_value("One moment")


def test_who_waits_for_earlier_lines_goes_on_reading_there(desk):
    earlier(desk).press("Enter")

    expect(people.bubble(desk, "line 10.")).to_be_attached()
    expect(desk.get_by_role("log")).to_be_focused()


@pytest.mark.parametrize("answer", ["none", "trouble"])
def test_earlier_lines_that_do_not_come_are_told_and_can_be_asked_for_again(desk, answer):
    desk.route("**/earlier/**", lambda route: route.abort() if answer == "none" else route.fulfill(status=502))
    earlier(desk).click()
    expect(desk.locator("#notices").get_by_text(NO_ANSWER)).to_be_visible()

    desk.unroute("**/earlier/**")
    earlier(desk).click()

    expect(people.bubble(desk, "line 10.")).to_be_attached()


def test_where_the_session_has_ended_earlier_lines_are_not_what_the_answer_says(desk):
    desk.context.clear_cookies(name="sessionid")

    earlier(desk).click()

    expect(desk.locator("#notices").get_by_text(NO_ANSWER)).to_be_visible()
    expect(earlier(desk)).to_be_visible()


def test_a_refusal_of_earlier_lines_is_told(desk):
    elsewhere = re.compile(r"/conversations/\d+/")
    desk.route(
        "**/earlier/**", lambda route: route.continue_(url=elsewhere.sub("/conversations/0/", route.request.url))
    )

    earlier(desk).click()

    expect(desk.locator("#notices .notice")).to_have_text([re.compile("There is no such conversation")])
