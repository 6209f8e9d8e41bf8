"""An agent opens a conversation in the very moment in which his page is being told something about another."""

import asyncio
import threading

import pytest

from conversations import desk_page, page
from conversations.consumers import LiveConsumer
from conversations.thread import RenderedLines
from tests import make
from tests.live.sockets import Talk, in_database, page_of


@pytest.fixture
def slow_line(monkeypatch):
    """A line so slow that the first frame of this kind is under way until the page was heard: `is_sent(kind)`."""
    send_frame, is_under_way, may_arrive = LiveConsumer.send_frame, asyncio.Event(), asyncio.Event()

    def slow_for(kind):
        async def send_slowly(consumer, frame):
            await send_frame(consumer, frame)
            if frame["is"] == kind and not is_under_way.is_set():
                is_under_way.set()
                await may_arrive.wait()

        monkeypatch.setattr(LiveConsumer, "send_frame", send_slowly)
        return is_under_way, may_arrive

    return slow_for


def second_talk(talk):
    """Another conversation of the same agent, with one line."""
    return make.active_conversation(lead=talk.agent)


async def test_the_number_of_the_last_line_is_that_of_the_conversation_that_is_open_now(here, slow_line):
    talk = await in_database(Talk)
    for text in ("two", "three"):
        await in_database(talk.write, text)
    other = await in_database(second_talk, talk)
    is_under_way, may_arrive = slow_line("messages")
    async with talk.desk(here) as desk:
        await is_under_way.wait()
        desk.lines.clear()
        await desk.send("open", conversation=other.pk, last=0)
        await desk.ping()
        may_arrive.set()

        await desk.until_line(1)
        await desk.until_shown(f"panel-{other.pk}", other.visitor_name)
    assert [frame for frame in desk.frames if frame["is"] == "reload"] == []


async def test_a_conversation_that_is_opened_while_a_lost_one_is_closed_stays_open(here, slow_line):
    talk, foreign = await in_database(Talk), await in_database(Talk, lead=await in_database(make.agent))
    is_under_way, may_arrive = slow_line("fragments")
    async with page_of(here)(here, f"/ws/desk/?open={foreign.id}&last=0", talk.agent_cookie) as desk:
        await is_under_way.wait()
        await desk.send("open", conversation=talk.id, last=0)
        await desk.ping()
        may_arrive.set()

        await desk.until_line(1)


async def test_lines_that_a_page_no_longer_has_come_again_though_later_ones_are_being_read(here, monkeypatch):
    missing_lines, is_read, may_answer = desk_page.missing_lines, threading.Event(), threading.Event()

    def read_slowly(*arguments):
        lines = missing_lines(*arguments)
        is_read.set()
        may_answer.wait(10)
        return lines

    talk = await in_database(Talk)
    for text in ("two", "three"):
        await in_database(talk.write, text)
    monkeypatch.setattr(desk_page, "missing_lines", read_slowly)
    async with talk.desk(here, last=2) as desk:
        await asyncio.to_thread(is_read.wait, 10)
        await desk.send("open", conversation=talk.id, last=0)  # the same one anew, as it stood a moment ago
        await desk.ping()
        may_answer.set()

        await desk.until_line(3)
        await desk.until_line(1)
    assert sorted(desk.order) == [1, 2, 3]


@pytest.mark.parametrize("who", ["desk", "chat"])
async def test_what_a_page_lacks_is_read_once_and_drawn_beside_the_loop(by_rings_alone, here, monkeypatch, who):
    looks, drawn_in = [], set()
    name, module = ("missing_lines", desk_page) if who == "desk" else ("missing_lines_of_visitor", page)
    look, render = getattr(module, name), RenderedLines.render

    def look_and_count(*arguments):
        looks.append(arguments)
        return look(*arguments)

    def render_and_tell(*arguments):
        drawn_in.add(threading.current_thread())
        return render(*arguments)

    talk = await in_database(Talk)
    for text in ("two", "three"):
        await in_database(talk.write, text)
    monkeypatch.setattr(module, name, look_and_count)
    monkeypatch.setattr(RenderedLines, "render", render_and_tell)
    async with talk.desk(here) if who == "desk" else talk.chat(here) as reader:
        await reader.until_line(3)
        await reader.ping()

    assert len(looks) == 1
    assert drawn_in and threading.current_thread() not in drawn_in
