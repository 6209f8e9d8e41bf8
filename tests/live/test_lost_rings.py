"""The doorbell may fail: everything still arrives, by the poll, within two seconds."""

import logging
import time

import pytest

from agents import actions as agent_actions
from agents.groups import desk as desk_group
from agents.states import AgentState
from config import live
from conversations import router, watch
from conversations.actions import offers
from conversations.models import Offer
from tests import make
from tests.live.sockets import Talk, cookie_of, in_database, in_time, page_of, until, visitor_with_cookie

MUST_COME = 2.0
BUSY = 2.0  # the machine that runs the tests does other things too


@pytest.fixture
def without_rings(monkeypatch):
    """Nobody is rung for."""
    monkeypatch.setattr(live, "send_rings", lambda rings: None)


async def test_lines_arrive_without_rings(here, machine, without_rings):
    talk = await in_database(Talk)
    async with talk.desk(here) as desk, talk.chat(here) as chat:
        await desk.until_line(1)
        await chat.until_line(1)

        await chat.say("Hello")
        await in_time(desk.until_line(2), machine, MUST_COME + BUSY)
        await desk.say("Hello", talk.id)
        await in_time(chat.until_line(3), machine, MUST_COME + BUSY)

        await desk.until_line(3)
    assert desk.order == chat.order == [1, 2, 3]


async def test_work_arrives_without_rings(here, machine, without_rings):
    queue = await in_database(make.queue)
    lucia = await in_database(make.agent, queues=[queue], state=AgentState.IDLE)
    visitor, visitor_cookie = await in_database(visitor_with_cookie)
    page = page_of(here)
    async with page(here, "/ws/desk/", await in_database(cookie_of, lucia)) as desk:
        await desk.until_shown("state", "Idle")
        await in_database(make.waiting_conversation, queue=queue, visitor=visitor)
        async with page(here, "/ws/chat/?last=0", visitor_cookie) as chat:
            await chat.until_drawn()
            await in_database(agent_actions.become_available, lucia.pk, by=lucia)
            await in_time(desk.until_shown("state", "Available"), machine, MUST_COME + BUSY)
            await in_time(desk.until_shown("requests", "Ana Pereira"), machine, MUST_COME + BUSY)

            offer = await in_database(Offer.objects.get, agent=lucia)
            await in_database(offers.accept, offer.pk, by=lucia)

            await in_time(chat.until_shown("status", lucia.name), machine, MUST_COME + BUSY)
            await in_time(chat.until_line(2), machine, MUST_COME + BUSY)
            await in_time(
                desk.until(lambda: "Ana Pereira" not in desk.shown["requests"], "no request"), machine, MUST_COME + BUSY
            )
            await in_time(desk.until_shown("tasks", "Ana Pereira"), machine, MUST_COME + BUSY)


async def test_a_line_whose_ring_was_lost_arrives_though_a_later_ring_came(here, machine):
    talk = await in_database(Talk)
    async with talk.desk(here) as desk:
        await desk.until_line(1)
        await desk.until_shown("tasks", "Ana Pereira")
        await in_database(talk.write, "Lost")

        live.current_hub().ring_here([{"group": desk_group(talk.agent.pk), "what": "changed"}])

        await desk.until_shown("tasks", "Lost")
        await in_time(desk.until_line(2), machine, MUST_COME + BUSY)


@pytest.mark.parametrize(
    "module, function, name",
    [(router, "work", "router"), (watch, "look", "watch"), (watch, "renew", "presence")],
)
async def test_a_task_of_the_background_that_dies_is_started_again(here, monkeypatch, caplog, module, function, name):
    works, calls = getattr(module, function), []

    def dies_once(*arguments, **named):
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise RuntimeError("no reason")
        return works(*arguments, **named)

    monkeypatch.setattr(module, function, dies_once)
    talk = await in_database(Talk)
    with caplog.at_level(logging.ERROR):
        async with talk.desk(here) as desk, talk.chat(here) as chat:
            await desk.until_drawn()
            await until(lambda: len(calls) >= 2)
            await desk.say("Hello", talk.id)
            await chat.until_line(2)

    assert f"The {name} died; starting it again." in caplog.text
    assert calls[1] - calls[0] < 10
