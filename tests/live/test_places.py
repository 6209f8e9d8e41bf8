"""A visitor's place in line, when the line moves at the worst moment."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

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

    view = view_of_visitor(conversation.pk, {before.pk: Line(before.pk, {conversation.pk: 7}, None)}, "en")

    assert "You are next in line" in view.drawn["status"]
    assert view.line.queue_id == now.pk


@pytest.mark.parametrize(
    ("counted", "is_drawn_anew"),
    [
        (Line(1, {7: 1, 8: 2}, None), False),  # somebody came behind him
        (Line(1, {7: 1}, 300.0), True),  # now it can be told how long it takes
        (Line(1, {8: 1, 7: 2}, None), True),
        (Line(2, {7: 1}, None), True),
    ],
)
def test_a_page_is_drawn_anew_for_what_the_line_tells_it_alone(counted, is_drawn_anew):
    waiting = page.VisitorPage(SimpleNamespace(now=timezone.now), None, "en", 0, 7)
    waiting.line, waiting._is_stale = Line(1, {7: 1}, None), False

    waiting.line_counted(counted)

    assert waiting._is_stale == is_drawn_anew
    assert waiting.line == counted


@pytest.mark.django_db
def test_a_line_that_was_counted_is_not_counted_again_for_who_stands_in_it():
    queue = make.queue()
    first, newcomer = [make.waiting_conversation(queue=queue, waited_seconds=60 - place) for place in range(2)]
    counted = {queue.pk: Line(queue.pk, {first.pk: 1}, None)}

    with CaptureQueriesContext(connection) as without:
        assert "You are next in line" in view_of_visitor(first.pk, counted, "en").drawn["status"]
    with CaptureQueriesContext(connection) as anew:
        assert "You are number 2 in line" in view_of_visitor(newcomer.pk, counted, "en").drawn["status"]

    assert len(without) < len(anew)
