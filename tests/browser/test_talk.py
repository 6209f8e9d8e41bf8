"""From a visitor's first word to the closing reason, and what may come between."""

import json
import re

import pytest
from playwright.sync_api import expect

from conversations.models import Conversation
from conversations.states import Party, State
from queues.models import Queue
from tests import make
from tests.browser import people
from tests.browser.people import expect_thread


@pytest.fixture
def orders(transactional_db):
    queue = make.queue("Orders")
    for order, label in enumerate(("Resolved", "Order changed", "Payment explained"), 1):
        make.closing_reason(queue, label, order=order, is_default=order == 1)
    people.agent("Lucía Marín", queue)
    return queue


@pytest.fixture
def desk(orders, person):
    """Lucía at her desk, Available."""
    return people.become_available(people.sign_in(person(), "lucia"))


def closed(**fields):
    return Conversation.objects.filter(state=State.CLOSED, **fields)


def test_a_visitor_writes_and_is_served_until_the_closing_reason(desk, person):
    visitor = people.start_chat(person(), question="My order 48213 goes to the old address.")
    expect(visitor.get_by_text("You are next in line", exact=True)).to_be_visible()
    people.write(people.message_box(visitor), "Can you change it?")

    expect(people.requests(desk).get_by_text("Can you change it?")).to_be_visible()
    people.accept(desk)
    expect(visitor.get_by_role("heading", name="Lucía Marín")).to_be_visible()
    reply = people.reply_box(desk)
    reply.fill("Of course.")
    reply.press("Shift+Enter")
    reply.press_sequentially("Which address?")
    reply.press("Enter")
    expect(people.bubble(visitor, "Which address?")).to_be_visible()
    people.write(people.message_box(visitor), "Rua das Flores 21, Porto")
    talk = (
        "My order 48213 goes to the old address.",
        "Can you change it?",
        "Of course.\nWhich address?",
        "Rua das Flores 21, Porto",
    )
    for page in (visitor, desk):
        expect_thread(page, *talk)
    people.expect_state(desk, "Which address?", people.SENT)
    people.expect_state(visitor, "Rua das Flores", people.SENT)

    people.end(desk)
    expect(visitor.get_by_role("heading", name="This chat has ended")).to_be_visible()
    expect(people.message_box(visitor)).to_have_count(0)
    dialog = people.closing_dialog(desk)
    desk.keyboard.type("chang")
    expect(dialog.get_by_role("option")).to_have_text(["Order changed"])
    expect(dialog.get_by_text("1 reason. Use the arrow keys to choose.")).to_be_attached()
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Enter")
    dialog.get_by_label("Note").fill("Moved to Porto.")
    dialog.get_by_role("button", name="Submit").click()

    expect(desk.get_by_role("heading", name="No conversation is open")).to_be_visible()
    conversation = closed().get()
    assert conversation.closing_reason.label == "Order changed"
    assert conversation.wrap_up_note == "Moved to Porto."
    visitor.get_by_role("button", name="New conversation").click()
    expect(visitor.get_by_label("Your question")).to_be_visible()


def test_an_unanswered_request_makes_rona_and_goes_to_the_next_agent(orders, desk, person):
    people.agent("Jonas Brandt", orders)
    Queue.objects.update(offer_timeout_seconds=12)
    people.start_chat(person())
    expect(people.requests(desk).get_by_role("button", name="Accept")).to_be_visible()
    Queue.objects.update(offer_timeout_seconds=60)
    other = people.become_available(people.sign_in(person(), "jonas"))

    expect(people.state_button(desk, "RONA")).to_be_visible(timeout=25_000)
    expect(desk.get_by_text("You did not answer the request of Ana Pereira")).to_be_visible()
    expect(people.requests(desk).get_by_role("button", name="Accept")).to_have_count(0)
    people.accept(other)
    desk.reload()
    expect(people.state_button(desk, "RONA")).to_be_visible()
    desk.get_by_role("button", name="Become available").click()
    expect(people.state_button(desk, "Available")).to_be_visible()


def test_two_tabs_of_one_agent_stay_true(desk, person):
    other = desk.context.new_page()
    other.goto("/desk/")
    people.start_chat(person())
    for page in (desk, other):
        expect(people.requests(page).get_by_role("button", name="Accept")).to_be_visible()

    people.accept(desk)
    expect(people.requests(other).get_by_role("button", name="Accept")).to_have_count(0)
    other.get_by_role("region", name="Tasks").get_by_role("link", name="Ana Pereira").click()
    people.write(people.reply_box(other), "From the second tab")
    for page in (desk, other):
        expect_thread(page, "Where is my order?", "From the second tab")
    people.end(other)
    expect(people.closing_dialog(desk)).to_be_visible()
    people.finish(other)

    for page in (desk, other):
        expect(people.closing_dialog(page)).to_have_count(0)
        expect(page.get_by_role("heading", name="No conversation is open")).to_be_visible()
        expect(page.get_by_role("region", name="Tasks").get_by_role("link")).to_have_count(0)


def test_a_visitors_second_tab_and_a_reload_continue_the_conversation(desk, person):
    visitor = people.start_chat(person())
    people.accept(desk)
    people.write(people.reply_box(desk), "Let me see")
    other = visitor.context.new_page()
    other.goto("/chat/orders/")
    other.wait_for_url("**/chat/current/")
    expect(people.bubble(other, "Let me see")).to_be_visible()
    people.write(people.message_box(other), "Thank you")
    people.message_box(visitor).fill("half a sentence")
    visitor.reload()

    for page in (visitor, other, desk):
        expect_thread(page, "Where is my order?", "Let me see", "Thank you")
    expect(people.message_box(visitor)).to_have_value("half a sentence")
    assert Conversation.objects.count() == 1


def goes_on_choosing(desk, choice):
    """What was typed stands there still; the agent chooses what it found, and submits it."""
    desk.evaluate("() => new Promise(requestAnimationFrame)")
    expect(choice).to_have_value("pay")
    desk.keyboard.press("ArrowDown")
    desk.keyboard.press("Enter")
    people.closing_dialog(desk).get_by_role("button", name="Submit").click()
    expect(people.closing_dialog(desk)).to_be_hidden()
    assert closed(closing_reason__label="Payment explained").count() == 1


def test_a_reason_that_is_being_chosen_outlasts_news_that_come_late(desk, person):
    held, sockets = [], []

    def hold_the_dialog_back(socket):
        server = socket.connect_to_server()
        sockets.append(socket)

        def pass_on(text):
            if "data-closing" in json.loads(text).get("html", ""):
                held.append(text)
            else:
                socket.send(text)

        server.on_message(pass_on)

    desk.route_web_socket(re.compile("/ws/desk/"), hold_the_dialog_back)
    desk.reload()
    people.start_chat(person())
    people.accept(desk)
    people.end(desk)
    choice = people.closing_dialog(desk).get_by_role("combobox")
    desk.keyboard.type("pay")
    expect(people.closing_dialog(desk).get_by_role("option")).to_have_text(["Payment explained"])
    people.until(desk, lambda: held, "The dialog comes by socket.")
    for text in held:
        sockets[-1].send(text)

    goes_on_choosing(desk, choice)


@pytest.fixture
def answer_end(desk, person):
    """The agent has ended a talk, and the socket brought the dialog; a function that lets the answer to End come."""
    held = []
    people.start_chat(person())
    people.accept(desk)
    desk.route("**/end/", lambda route: held.append((route, route.fetch())))
    people.end(desk)
    people.until(desk, lambda: held, "End is answered.")

    def answer():
        with desk.expect_response("**/end/"):
            route, response = held[0]
            route.fulfill(response=response)

    return answer


def test_a_reason_that_is_being_chosen_outlasts_a_late_answer_to_end(desk, answer_end):
    choice = people.closing_dialog(desk).get_by_role("combobox")
    desk.keyboard.type("pay")

    answer_end()

    goes_on_choosing(desk, choice)


def test_a_late_answer_to_end_does_not_bring_back_the_dialog_that_was_put_aside(desk, answer_end):
    desk.keyboard.press("Escape")
    expect(people.closing_dialog(desk)).to_be_hidden()

    answer_end()

    desk.evaluate("() => new Promise(requestAnimationFrame)")
    expect(people.closing_dialog(desk)).to_be_hidden()
    desk.get_by_role("button", name="Choose a closing reason").click()
    people.finish(desk)


def test_a_late_answer_to_the_closing_reason_changes_nothing_any_more(desk, person):
    held = []
    people.start_chat(person())
    people.accept(desk)
    people.end(desk)
    desk.route("**/closing/", lambda route: held.append((route, route.fetch())))
    people.finish(desk)  # by what the socket brought
    people.until(desk, lambda: held, "The reason is answered.")

    with desk.expect_response("**/closing/"):
        route, response = held[0]
        route.fulfill(response=response)

    desk.evaluate("() => new Promise(requestAnimationFrame)")
    expect(desk).to_have_url(re.compile("/desk/$"))
    assert closed(closing_reason__label="Resolved").count() == 1


def test_a_button_that_is_refused_says_why_and_only_that(desk, person):
    people.start_chat(person())
    people.accept(desk)
    desk.context.clear_cookies(name="csrftoken")

    with desk.expect_response("**/end/") as answer:
        desk.get_by_role("button", name="End", exact=True).click()

    assert answer.value.status == 403
    expect(desk.locator("#notices .notice")).to_have_text([re.compile("Reload the page and try again")])


def test_a_visitor_who_ends_the_chat_leaves_the_closing_dialog_to_the_agent(desk, person):
    visitor = people.start_chat(person())
    people.accept(desk)
    visitor.get_by_role("button", name="End chat").click()
    visitor.get_by_role("button", name="Go on chatting").click()
    expect(people.message_box(visitor)).to_be_editable()
    people.end_chat(visitor)

    expect(people.closing_dialog(desk)).to_be_visible()
    expect(people.reply_box(desk)).to_have_count(0)
    desk.keyboard.press("Escape")
    expect(people.closing_dialog(desk)).to_be_hidden()
    desk.get_by_role("button", name="Choose a closing reason").click()
    people.finish(desk)
    expect(desk.get_by_role("heading", name="No conversation is open")).to_be_visible()
    assert closed(ended_by=Party.VISITOR, closing_reason__label="Resolved").count() == 1


def test_what_a_visitor_was_writing_at_the_end_can_be_copied_and_no_key_leaves_the_page(desk, person):
    visitor = people.start_chat(person())
    people.accept(desk)
    people.message_box(visitor).press_sequentially("One more")
    people.end(desk)
    unsent = visitor.get_by_label("What you wrote, to copy:")
    expect(unsent).to_be_focused()

    for key in ("Space", "t", "Enter"):
        visitor.keyboard.press(key)

    expect(unsent).to_have_value("One more")
    visitor.reload()
    expect(unsent).to_have_value("One more")


def test_a_visitor_with_an_empty_box_goes_on_in_the_thread_when_the_chat_is_ended(desk, person):
    visitor = people.start_chat(person())
    people.accept(desk)
    people.message_box(visitor).focus()

    people.end(desk)

    expect(visitor.get_by_role("heading", name="This chat has ended")).to_be_visible()
    expect(visitor.get_by_role("log")).to_be_focused()


def test_a_wrap_up_that_lasts_too_long_gets_the_default_reason(orders, desk, person):
    Queue.objects.update(wrap_up_limit_seconds=5)
    people.start_chat(person())
    people.accept(desk)
    people.end(desk)

    expect(desk.get_by_role("heading", name="No conversation is open")).to_be_visible(timeout=25_000)
    expect(people.closing_dialog(desk)).to_have_count(0)
    assert closed(is_closed_automatically=True, closing_reason__label="Resolved").count() == 1


def test_nobody_signs_out_with_work_in_hand(desk, person):
    people.start_chat(person())
    people.accept(desk)
    people.choose_state(desk, "Sign out")
    expect(desk.get_by_role("alert").filter(has_text="Ana Pereira")).to_be_visible()
    expect(people.reply_box(desk)).to_be_visible()

    people.end(desk)
    people.finish(desk)
    people.choose_state(desk, "Sign out")
    desk.wait_for_url("**/sign-in/**")


def test_an_agents_day_by_keyboard_alone(orders, person):
    make.idle_reason("Lunch")
    page = person()
    page.goto("/sign-in/")
    page.keyboard.type("lucia")
    page.keyboard.press("Tab")
    page.keyboard.type(people.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/")
    tab_to(page, people.state_button(page, "Idle"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Available", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(people.state_button(page, "Available")).to_be_focused()

    visitor = people.start_chat(person())
    button = people.requests(page).get_by_role("button", name="Accept")
    expect(button).to_be_visible()
    tab_to(page, button)
    page.keyboard.press("Enter")
    expect(people.reply_box(page)).to_be_focused()
    page.keyboard.type("Hello Ana")
    page.keyboard.press("Enter")
    expect(people.bubble(visitor, "Hello Ana")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="End", exact=True), key="Shift+Tab")
    page.keyboard.press("Enter")
    dialog = people.closing_dialog(page)
    expect(dialog.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("pay")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    tab_to(page, dialog.get_by_role("button", name="Submit"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No conversation is open")).to_be_visible()
    assert closed(closing_reason__label="Payment explained").count() == 1

    tab_to(page, people.state_button(page, "Available"))
    for item, key in (("Idle: Lunch", "i"), ("Sign out", "End")):
        page.keyboard.press("Enter")
        page.keyboard.press(key)
        expect(page.get_by_role("menuitem", name=item)).to_be_focused()
        page.keyboard.press("Enter")
        if item != "Sign out":
            expect(people.state_button(page, "Idle · Lunch")).to_be_focused()
    page.wait_for_url("**/sign-in/**")


def tab_to(page, control, key="Tab"):
    """Press the key until the control has the focus; it must be within reach."""
    for _ in range(40):
        if control.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{control} cannot be reached by {key}.")
