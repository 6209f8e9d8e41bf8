"""What happens to a talk when the connection or the server goes away for a while."""

import json
import re

import pytest
from playwright.sync_api import expect

from conversations.models import Conversation, Participant
from tests import make
from tests.browser import people
from tests.browser.people import expect_thread

LOST = "The connection is lost."
BACK_WITHIN = 45_000
BY_VISITOR = ["Where is my order?", "before", "while it is away"]


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


def expect_sending(page, *texts):
    for text in texts:
        people.expect_state(page, text, people.SENDING)


def test_a_visitor_offline_in_the_middle_of_sending_loses_and_doubles_nothing(talk):
    desk, visitor = talk
    people.write(people.message_box(visitor), "one")
    people.expect_state(visitor, "one", people.SENT)
    visitor.context.set_offline(True)
    people.write(people.message_box(visitor), "two", "three", "four")
    expect(visitor.get_by_text(LOST)).to_contain_text(re.compile(r"Next try in \d+ s\."))
    expect_sending(visitor, "two", "three", "four")
    people.write(people.reply_box(desk), "meanwhile")
    people.expect_state(desk, "meanwhile", people.SENT)
    visitor.context.set_offline(False)

    for page in (visitor, desk):
        expect_thread(page, "Where is my order?", "one", "meanwhile", "two", "three", "four")
    expect(visitor.get_by_text(LOST)).to_be_hidden()
    people.expect_state(visitor, "four", people.SENT)


def test_an_agent_offline_in_the_middle_of_sending_loses_and_doubles_nothing(talk):
    desk, visitor = talk
    people.write(people.reply_box(desk), "one")
    people.expect_state(desk, "one", people.SENT)
    desk.context.set_offline(True)
    people.write(people.reply_box(desk), "two", "three")
    expect(desk.get_by_text(LOST)).to_be_visible()
    expect_sending(desk, "two", "three")
    people.write(people.message_box(visitor), "meanwhile")
    people.expect_state(visitor, "meanwhile", people.SENT)
    desk.context.set_offline(False)

    for page in (desk, visitor):
        expect_thread(page, "Where is my order?", "one", "meanwhile", "two", "three")
    expect(desk.get_by_text(LOST)).to_be_hidden()
    expect(desk.get_by_text("Connected", exact=True)).to_be_visible()


def test_what_is_written_offline_outlives_a_reload(talk):
    desk, visitor = talk
    visitor.route_web_socket(re.compile("/ws/chat/"), lambda socket: socket.close(code=1011))
    visitor.route("**/chat/current/poll/**", lambda route: route.abort())
    visitor.route("**/chat/current/messages/", lambda route: route.abort())
    visitor.reload()
    expect(visitor.get_by_text(LOST)).to_be_visible()
    people.write(people.message_box(visitor), "one", "two")
    expect_sending(visitor, "one", "two")
    visitor.reload()
    expect_sending(visitor, "one", "two")
    visitor.unroute_all()
    visitor.reload()

    for page in (visitor, desk):
        expect_thread(page, "Where is my order?", "one", "two")


def test_an_answer_that_is_lost_with_its_connection_costs_nothing(talk):
    desk, visitor = talk
    lost = []

    def lose_the_first_answer(socket):
        server = socket.connect_to_server()

        def pass_on(text):
            if not lost and json.loads(text)["is"] in ("posted", "messages"):
                lost.append(text)
                socket.close(code=1012)
            else:
                socket.send(text)

        server.on_message(pass_on)

    visitor.route_web_socket(re.compile("/ws/chat/"), lose_the_first_answer)
    visitor.reload()
    expect(people.message_box(visitor)).to_be_visible()
    people.write(people.message_box(visitor), "one", "two")

    for page in (visitor, desk):
        expect_thread(page, "Where is my order?", "one", "two")
    assert len(lost) == 1


@pytest.mark.parametrize("who", ["visitor", "agent"])
def test_what_was_seen_is_told_again_when_it_was_lost_with_its_connection(talk, who):
    desk, visitor = talk
    page, box = (visitor, people.reply_box(desk)) if who == "visitor" else (desk, people.message_box(visitor))
    before, lost = Conversation.objects.get().last_number, []

    def lose_the_first_mark(socket):
        server = socket.connect_to_server()

        def pass_on(text):
            frame = json.loads(text)
            if not lost and frame["do"] == "seen" and frame["number"] > before:
                lost.append(frame["number"])
                socket.close(code=1012)
            else:
                server.send(text)

        socket.on_message(pass_on)

    page.route_web_socket(re.compile("/ws/"), lose_the_first_mark)
    page.reload()
    people.write(box, "Let me see")

    people.until(page, lambda: lost, "A mark is lost.")
    people.until(page, lambda: seen_by(who) == lost[0], "The mark is told again.")


def seen_by(who):
    """Up to which number the visitor or the agent saw the thread."""
    return Conversation.objects.get().visitor_read_number if who == "visitor" else Participant.objects.get().read_number


def test_a_server_that_dies_and_comes_back_loses_and_doubles_nothing(talk, portal):
    desk, visitor = talk
    people.write(people.message_box(visitor), "before")
    people.write(people.reply_box(desk), "also before")
    portal.kill()
    for page in (desk, visitor):
        expect(page.get_by_text(LOST)).to_be_visible(timeout=20_000)
    people.write(people.message_box(visitor), "while it is away")
    expect_sending(visitor, "while it is away")
    portal.start()

    for page in (desk, visitor):
        expect(page.get_by_text(LOST)).to_be_hidden(timeout=BACK_WITHIN)
        expect(people.bubble(page, "while it is away")).to_have_count(1, timeout=BACK_WITHIN)
    people.write(people.reply_box(desk), "and after")
    for page in (desk, visitor):
        expect(people.bubble(page, "and after")).to_be_visible(timeout=BACK_WITHIN)
    seen = [page.get_by_role("log").locator("li.message .bubble").all_inner_texts() for page in (desk, visitor)]
    assert seen[0] == seen[1]
    assert sorted(seen[0]) == sorted([*BY_VISITOR, "also before", "and after"])
    # What the agent wrote last may have died with the server and come again behind the visitor's.
    assert [text for text in seen[0] if text in BY_VISITOR] == BY_VISITOR
    assert seen[0].index("also before") < seen[0].index("and after")


def leave_chat(desk, visitor):
    """The visitor's page is gone, and the agent ends the talk."""
    visitor.goto("about:blank")
    people.end(desk)
    people.finish(desk)


def kept(page):
    """The messages that the browser keeps until they are answered."""
    return page.evaluate("() => Object.keys(localStorage).filter((name) => name.includes('outbox'))")


def test_a_message_that_an_ended_chat_left_behind_is_told_and_never_sent_to_the_next_one(talk):
    desk, visitor = talk
    visitor.route_web_socket(re.compile("/ws/chat/"), lambda socket: socket.close(code=1011))
    visitor.route("**/chat/current/poll/**", lambda route: route.abort())
    visitor.route("**/chat/current/messages/", lambda route: route.abort())
    visitor.reload()
    people.write(people.message_box(visitor), "for the first chat")
    expect_sending(visitor, "for the first chat")
    leave_chat(desk, visitor)
    visitor.unroute_all()
    people.start_chat(visitor, question="Something else")
    people.accept(desk)

    # This page goes on without a socket: what is left goes with its first answer to a poll.
    not_sent = people.bubble(visitor, "for the first chat").locator(".state")
    expect(not_sent).to_have_text("Not sent", timeout=BACK_WITHIN)
    left = people.bubble(visitor, "for the first chat")
    expect(left).to_contain_text("You wrote this in an earlier chat, which ended before it was sent.")
    expect(left.get_by_role("button", name="Retry")).to_be_hidden()
    people.write(people.message_box(visitor), "and on")
    expect_thread(desk, "Something else", "and on")
    visitor.reload()
    people.expect_state(visitor, "for the first chat", "Not sent")
    left.get_by_role("button", name="Edit").click()
    expect(people.message_box(visitor)).to_have_value("for the first chat")
    people.message_box(visitor).press("Enter")
    for page in (desk, visitor):
        expect_thread(page, "Something else", "and on", "for the first chat")


def test_a_message_that_arrived_before_its_chat_ended_is_not_told_as_lost(talk):
    desk, visitor = talk

    def lose_the_answers(socket):
        server = socket.connect_to_server()
        server.on_message(lambda text: json.loads(text)["is"] in ("posted", "messages") or socket.send(text))

    visitor.route_web_socket(re.compile("/ws/chat/"), lose_the_answers)
    visitor.reload()
    people.write(people.message_box(visitor), "just in time")
    expect(people.bubble(desk, "just in time")).to_be_visible()
    expect_sending(visitor, "just in time")
    leave_chat(desk, visitor)
    visitor.unroute_all()
    with visitor.expect_response("**/chat/current/messages/") as asked:
        people.start_chat(visitor, question="Something else")

    assert asked.value.json()["frames"][0]["is"] == "posted"
    expect_thread(visitor, "Something else")
    people.until(visitor, lambda: kept(visitor) == [], "What was answered is forgotten.")


@pytest.mark.parametrize("way", ["socket", "poll"])
def test_an_old_tab_is_loaded_anew_and_mixes_no_two_chats(talk, way):
    desk, old = talk
    open_ways, sockets = {"socket", "poll"}, []

    def pass_on(socket):
        sockets.append(socket)
        if "socket" in open_ways:
            socket.connect_to_server()
        else:
            socket.close(code=1011)

    old.route_web_socket(re.compile("/ws/chat/"), pass_on)
    old.route("**/chat/current/poll/**", lambda route: route.continue_() if "poll" in open_ways else route.abort())
    old.reload()
    people.write(people.reply_box(desk), "Let me see")
    expect_thread(old, "Where is my order?", "Let me see")
    open_ways.clear()
    sockets[-1].close(code=1011)
    expect(old.get_by_text(LOST)).to_be_visible()
    people.end(desk)
    people.finish(desk)
    other = people.start_chat(old.context.new_page(), question="Something else")
    people.write(people.message_box(other), "two", "three", "four", "five", "six")
    expect_thread(other, "Something else", "two", "three", "four", "five", "six")
    open_ways.add(way)
    old.evaluate("() => { window.dispatchEvent(new Event('online')); }")  # or the next try may be half a minute away

    expect_thread(old, "Something else", "two", "three", "four", "five", "six")


def test_pages_that_show_more_than_a_restored_database_has_are_loaded_anew(talk, portal):
    desk, visitor = talk
    people.write(people.message_box(visitor), "since the backup")
    people.expect_state(visitor, "since the backup", people.SENT)
    expect_thread(desk, "Where is my order?", "since the backup")
    portal.kill()
    conversation = Conversation.objects.get()
    conversation.messages.filter(text="since the backup").delete()
    Conversation.objects.update(last_number=conversation.last_number - 1)
    people.message_box(visitor).fill("not yet sent")
    portal.start()

    for page in (visitor, desk):
        expect(people.bubble(page, "since the backup")).to_have_count(0, timeout=BACK_WITHIN)
    expect(desk.locator("#connection-chip")).to_have_attribute("data-status", "connected", timeout=BACK_WITHIN)
    expect(people.message_box(visitor)).to_have_value("not yet sent")
    people.write(people.reply_box(desk), "and after")
    for page in (desk, visitor):
        expect_thread(page, "Where is my order?", "and after")


def test_without_sockets_the_pages_ask_and_post_and_say_so(talk):
    desk, visitor = talk
    for page in (desk, visitor):
        page.route_web_socket(re.compile("/ws/"), lambda socket: socket.close(code=1011))
        page.reload()
    for page in (desk, visitor):
        expect(page.get_by_text("this page asks every few seconds")).to_be_visible(timeout=20_000)
    people.write(people.message_box(visitor), "by post")
    people.expect_state(visitor, "by post", people.SENT)
    expect(people.bubble(desk, "by post")).to_be_visible(timeout=20_000)
    people.write(people.reply_box(desk), "and back")

    for page in (desk, visitor):
        expect_thread(page, "Where is my order?", "by post", "and back")
    people.end(desk)
    people.finish(desk)
    expect(visitor.get_by_role("button", name="New conversation")).to_be_visible(timeout=20_000)


def test_a_socket_that_is_never_answered_does_not_keep_a_page_on_asking(talk):
    desk, _visitor = talk
    sockets = []

    def answer_all_but_one(socket):
        sockets.append(socket)
        if len(sockets) in (2, 3, 4):
            socket.close(code=1011)
        elif len(sockets) != 5:  # that one hangs: nobody lets it in, and nobody refuses it
            socket.connect_to_server()

    desk.route_web_socket(re.compile("/ws/desk/"), answer_all_but_one)
    asked = []
    desk.on("response", lambda response: asked.append(response) if "/desk/poll/" in response.url else None)
    desk.clock.install()
    desk.reload()
    chip = desk.locator("#connection-chip")
    expect(chip).to_have_attribute("data-status", "connected")
    sockets[0].close(code=1012)
    expect(chip).to_have_attribute("data-status", "polling", timeout=20_000)
    people.until(desk, lambda: len(sockets) == 5, "Another socket is tried.")
    desk.clock.pause_at(desk.evaluate("() => Date.now() / 1000 + 1"))
    before = len(asked)

    def asks_twice():
        desk.clock.run_for(100)
        return len(asked) >= before + 2

    people.until(desk, asks_twice, "The page goes on asking while that socket hangs.")
    desk.clock.run_for(5_000)  # the pause before the next socket passes in vain
    desk.clock.run_for(10_000)  # the one that hangs is given up
    desk.clock.resume()

    expect(chip).to_have_attribute("data-status", "connected", timeout=20_000)
