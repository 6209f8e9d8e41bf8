"""A visitor's place in line, when the line moves at the worst moment."""

import asyncio
import threading

import pytest

from conversations import page
from conversations.actions import closing
from conversations.line import Line
from conversations.snapshots import view_of_visitor
from tests import make
from tests.live.sockets import in_database, page_of, visitor_with_cookie


def chat_in_line(here, queue, name, waited_seconds):
    """A visitor in line, and his page."""
    visitor, cookie = visitor_with_cookie(name)
    conversation = make.waiting_conversation(
        queue=queue, visitor=visitor, visitor_name=name, waited_seconds=waited_seconds
    )
    return conversation, page_of(here)(here, "/ws/chat/?last=0", cookie)


async def test_a_place_that_moves_while_the_page_is_drawn_shows(by_rings_alone, here, monkeypatch):
    queue = await in_database(make.queue)
    first, _page = await in_database(chat_in_line, here, queue, "Ana", 30)
    second, page_of_ben = await in_database(chat_in_line, here, queue, "Ben", 20)
    _carla, page_of_carla = await in_database(chat_in_line, here, queue, "Carla", 10)
    is_drawn, may_go_on = threading.Event(), threading.Event()

    def drawn_slowly(conversation_id, *arguments):
        view = view_of_visitor(conversation_id, *arguments)
        if conversation_id == second.pk:
            is_drawn.set()
            may_go_on.wait(10)
        return view

    monkeypatch.setattr(page, "view_of_visitor", drawn_slowly)
    async with page_of_carla as carla:
        await carla.until_shown("status", "You are number 3 in line")
        async with page_of_ben as ben:
            await asyncio.to_thread(is_drawn.wait, 10)
            await in_database(closing.end_by_visitor, first.pk)
            await carla.until_shown("status", "You are number 2 in line")
            may_go_on.set()

            await ben.until_shown("status", "You are next in line")


@pytest.mark.django_db
def test_a_place_is_told_by_the_line_of_its_own_queue_alone():
    before, now = make.queue("Orders"), make.queue("Returns")
    conversation = make.waiting_conversation(queue=now)

    view = view_of_visitor(conversation.pk, Line(before.pk, {conversation.pk: 7}, None), "en")

    assert "You are next in line" in view.drawn["status"]
    assert view.line.queue_id == now.pk
