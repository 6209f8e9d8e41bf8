"""A desk with two conversations: the one that the agent asked for last is open, whole, and the server knows it."""

import re

import pytest
from playwright.sync_api import expect

from agents.models import Agent
from conversations.actions import transfers
from conversations.models import Conversation
from queues.models import Queue
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


def talk_with(name):
    return Conversation.objects.get(visitor_name=name)


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


@pytest.fixture
def late(talks):
    """Hold answers back: `late(address)` answers a list of those that came, each a function that lets it go."""
    desk, *_ = talks

    def hold(address):
        held = []

        def keep(route):
            response = route.fetch()
            held.append(lambda: route.fulfill(response=response))

        desk.route(address, keep)
        return held

    return hold


def let_go(desk, held, number):
    """Let that answer go, and wait until the page has dealt with it."""
    people.until(desk, lambda: len(held) > number, "It is answered.")
    with desk.expect_event("requestfinished"):
        held[number]()
    desk.evaluate("() => new Promise(requestAnimationFrame)")


def expect_open(desk, name):
    expect(people.reply_box(desk, name)).to_be_visible()
    expect(desk).to_have_url(re.compile(f"{row(desk, name).get_attribute('href')}$"))
    expect(desk.get_by_role("textbox", name="Reply to")).to_have_count(1)


TALK = re.compile(r"/desk/conversations/\d+/$")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "out of order"])
def test_of_two_quick_clicks_the_second_is_where_the_agent_is(talks, late, order):
    desk, *_ = talks
    desk.get_by_role("link", name="Livedesk").click()
    held = late(TALK)
    row(desk, "Bruno Costa").click()
    row(desk, "Ana Pereira").click()

    for number in order:
        let_go(desk, held, number)

    expect_open(desk, "Ana Pereira")
    expect(customer(desk).get_by_text("Ana Pereira")).to_be_visible()


def test_a_late_answer_to_the_search_leaves_no_address_over_a_conversation(talks, late):
    desk, *_ = talks
    desk.get_by_role("link", name="My conversations").click()
    held = late(re.compile(r"/desk/conversations/\?text=order"))
    desk.get_by_role("searchbox", name="Text").fill("order")
    desk.get_by_role("button", name="Search").click()
    row(desk, "Ana Pereira").click()
    expect_open(desk, "Ana Pereira")

    let_go(desk, held, 0)

    expect_open(desk, "Ana Pereira")


def test_a_click_after_back_is_where_the_agent_is(talks, late):
    desk, *_ = talks
    row(desk, "Ana Pereira").click()
    expect_open(desk, "Ana Pereira")
    held = late(TALK)
    desk.go_back()
    people.until(desk, lambda: held, "The way back is answered.")
    row(desk, "Ana Pereira").click()

    let_go(desk, held, 1)
    let_go(desk, held, 0)

    expect_open(desk, "Ana Pereira")


def test_a_click_before_back_does_not_take_the_agent_away_again(talks, late):
    desk, *_ = talks
    row(desk, "Ana Pereira").click()
    expect_open(desk, "Ana Pereira")
    held = late(TALK)
    row(desk, "Ana Pereira").click()
    people.until(desk, lambda: held, "The click is answered.")
    desk.go_back()

    let_go(desk, held, 1)
    let_go(desk, held, 0)

    expect_open(desk, "Bruno Costa")


def test_what_was_clicked_opens_though_the_open_conversation_left_meanwhile(talks, late):
    desk, *_ = talks
    held = late(TALK)
    row(desk, "Ana Pereira").click()
    people.until(desk, lambda: held, "The click is answered.")
    transfers.to_queue(talk_with("Bruno Costa").pk, make.queue("Logistics").pk, by=Agent.objects.get())
    expect(desk.get_by_text("The conversation with Bruno Costa is no longer yours")).to_be_visible()

    let_go(desk, held, 0)

    expect_open(desk, "Ana Pereira")


def test_a_late_transcript_does_not_open_beside_another_customer(talks, late):
    desk, *_ = talks
    make.closed_conversation(lead=Agent.objects.get(), queue=Queue.objects.get(), visitor_name="Marek Dudek")
    desk.get_by_role("link", name="My conversations").click()
    held = late("**/transcript/")
    desk.get_by_role("main").get_by_role("link", name=re.compile("Marek Dudek")).click()
    row(desk, "Ana Pereira").click()
    expect_open(desk, "Ana Pereira")

    let_go(desk, held, 0)

    expect(desk.get_by_role("heading", name="Marek Dudek")).to_have_count(0)
    row(desk, "Bruno Costa").click()
    expect_open(desk, "Bruno Costa")


def test_a_way_back_of_who_was_signed_out_leads_to_the_sign_in_page(talks):
    desk, *_ = talks
    row(desk, "Ana Pereira").click()
    expect_open(desk, "Ana Pereira")
    desk.context.clear_cookies()

    desk.go_back()

    desk.wait_for_url("**/sign-in/**")


@pytest.mark.parametrize("status", [None, 503], ids=["no network", "database away"])
def test_a_way_back_that_is_not_answered_says_so_and_stays(talks, status):
    desk, *_ = talks
    row(desk, "Ana Pereira").click()
    expect_open(desk, "Ana Pereira")
    desk.route(TALK, lambda route: route.fulfill(status=status) if status else route.abort())

    desk.go_back()

    expect(desk.get_by_text("The server did not answer. Try again.")).to_be_visible()
    expect(people.reply_box(desk)).to_be_visible()
    desk.unroute(TALK)
    desk.go_forward()
    expect_open(desk, "Ana Pereira")
    desk.go_back()
    expect_open(desk, "Bruno Costa")
