"""What arrives at open pages by itself: states, requests, tasks, places in line, who is there."""

import asyncio
import time

import pytest

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from conversations.actions import offers, presence
from conversations.consumers import LEAVING_SECONDS
from conversations.models import Conversation, Offer
from conversations.states import EventKind, OfferState, State
from tests import make
from tests.live.sockets import Page, Talk, cookie_of, in_database, in_time, until, visitor_with_cookie

AT_ONCE = 1.0
MUST_COME = 2.5  # the promise is two seconds; the machine that tests may be busy
# When a page fell silent just before a heartbeat; who waits longer may see that instead of a page that closed.
LEASE_AT_SOONEST = presence.LEASE_SECONDS - agent_actions.HEARTBEAT_SECONDS - 1
TRIES = 3


def waiting(queue, name="Ana Pereira", **fields):
    """A visitor in line, and his cookie."""
    visitor, cookie = visitor_with_cookie(name)
    conversation = make.waiting_conversation(queue=queue, visitor=visitor, visitor_name=name, **fields)
    return conversation, cookie


async def test_state_requests_and_tasks_arrive_without_a_reload(portal):
    queue = await in_database(make.queue)
    lucia = await in_database(make.agent, queues=[queue], state=AgentState.IDLE)
    conversation, cookie = await in_database(waiting, queue)
    async with Page(portal, "/ws/desk/", await in_database(cookie_of, lucia)) as desk:
        await desk.until_shown("state", "Idle")
        assert f'id="task-{conversation.pk}"' not in desk.shown["tasks"]

        await in_database(agent_actions.become_available, lucia.pk, by=lucia)

        await desk.until_shown("state", "Available")
        await desk.until_shown("requests", "Ana Pereira")
        offer = await in_database(Offer.objects.get, agent=lucia)
        async with Page(portal, "/ws/chat/?last=0", cookie) as chat:
            await chat.until_shown("status", "You are next in line")
            await in_database(offers.accept, offer.pk, by=lucia)

            await chat.until_shown("status", lucia.name)
            await desk.until_shown("tasks", f"task-{conversation.pk}")
            await desk.until(lambda: "Ana Pereira" not in desk.shown["requests"], "no request")


async def test_a_request_that_nobody_answers_goes_to_the_next_agent(portal, machine):
    queue = await in_database(make.queue, offer_timeout_seconds=15)
    lucia, jonas = [await in_database(make.agent, name, queues=[queue]) for name in ("Lucía", "Jonas")]
    cookies = [await in_database(cookie_of, agent) for agent in (lucia, jonas)]
    async with Page(portal, "/ws/desk/", cookies[0]) as first, Page(portal, "/ws/desk/", cookies[1]) as second:
        await in_database(waiting, queue)
        await first.until_shown("requests", "Ana Pereira")
        assert "Ana Pereira" not in second.shown.get("requests", "")

        began = time.monotonic()
        await second.until_shown("requests", "Ana Pereira", seconds=40)
        lag = await asyncio.to_thread(machine.lag, began, time.monotonic())

        await first.until_shown("state", "RONA")
        await first.until_shown("rona", "Become available")
    offer = await in_database(Offer.objects.get, agent=lucia)
    assert offer.state == OfferState.MISSED
    assert 0 <= (offer.settled_at - offer.expires_at).total_seconds() < MUST_COME + lag


async def test_a_visitor_who_leaves_shows_on_the_desk_at_once_and_a_reload_does_not(portal, machine):
    for _try in range(TRIES):
        talk = await in_database(Talk)
        async with talk.desk(portal) as desk:
            async with talk.chat(portal) as chat:
                await chat.until_drawn()
                await desk.until_drawn()
                closes = time.monotonic()
            reloaded_at = await in_database(make.ago, 0)
            async with talk.chat(portal) as chat:
                await chat.until_drawn()
                if time.monotonic() - closes >= LEAVING_SECONDS:
                    continue  # no reload, but a departure
                # A heartbeat later the first page is long forgotten.
                await until(
                    lambda talk=talk, since=reloaded_at: (seen_at(talk) - since).total_seconds() > LEAVING_SECONDS
                )
                assert not await in_database(departures(talk).exists)
                assert "Visitor gone" not in desk.shown["tasks"]

            is_gone = desk.until_shown("tasks", "Visitor gone", LEASE_AT_SOONEST)
            await in_time(is_gone, machine, LEAVING_SECONDS + AT_ONCE)
        assert await in_database(departures(talk).count) == 1
        return
    pytest.fail("unknown: no page came back in time")


async def test_places_in_line_move_while_people_wait(portal, machine):
    queue = await in_database(make.queue)
    lucia = await in_database(make.agent, queues=[queue], state=AgentState.IDLE)
    first, first_cookie = await in_database(waiting, queue, "Ana", waited_seconds=60)
    _second, second_cookie = await in_database(waiting, queue, "Ben", waited_seconds=30)
    async with Page(portal, "/ws/chat/", second_cookie) as ben:
        await ben.until_shown("status", "You are number 2 in line")

        await in_database(agent_actions.become_available, lucia.pk, by=lucia)
        async with Page(portal, "/ws/desk/", await in_database(cookie_of, lucia)) as desk:
            await desk.until_shown("requests", "Ana")
            offer = await in_database(Offer.objects.get, conversation=first, agent=lucia)
            await in_database(offers.accept, offer.pk, by=lucia)

            await in_time(ben.until_shown("status", "You are next in line"), machine, 5)


async def test_an_agent_who_comes_back_within_the_grace_keeps_everything(portal):
    talk = await in_database(Talk)
    for _ in range(2):
        async with talk.desk(portal) as desk:
            await desk.until_shown("tasks", f"task-{talk.id}")
            await desk.until_shown("state", "Available")
    await in_database(talk.agent.refresh_from_db)
    assert talk.agent.state == AgentState.AVAILABLE


async def test_a_desk_that_closed_gets_no_more_offers(portal):
    queue = await in_database(make.queue)
    lucia = await in_database(make.agent, queues=[queue])
    async with Page(portal, "/ws/desk/", await in_database(cookie_of, lucia)) as desk:
        await desk.until_drawn()
    await until(lambda: make.ago(0) >= connected_until(lucia))

    conversation, _cookie = await in_database(waiting, queue)
    jonas = await in_database(make.agent, "Jonas", queues=[queue])
    async with Page(portal, "/ws/desk/", await in_database(cookie_of, jonas)) as desk:
        await desk.until_shown("requests", "Ana Pereira")
    assert not await in_database(lambda: Offer.objects.filter(agent=lucia).exists())


async def test_an_agent_whose_desk_is_gone_longer_than_the_grace_is_offline_and_the_talk_goes_on(start_portal):
    portal = start_portal(AGENT_GRACE_SECONDS=1)
    # No sweep may find him gone before the visitor has seen that he is there.
    lead = await in_database(lambda: make.agent(seen_at=make.ago(-3600)))
    talk = await in_database(Talk, lead=lead)
    async with talk.chat(portal) as chat:
        await chat.until_shown("status", talk.agent.name)
        await in_database(lambda: Agent.objects.filter(pk=lead.pk).update(seen_at=make.ago(0)))

        await chat.until_shown("status", "You can already write")

    conversation = await in_database(Conversation.objects.get, pk=talk.id)
    assert conversation.state == State.WAITING


def departures(talk):
    return talk.conversation.events.filter(kind=EventKind.VISITOR_LEFT)


def seen_at(talk):
    talk.conversation.refresh_from_db()
    return talk.conversation.visitor_seen_at


def connected_until(agent):
    agent.refresh_from_db()
    return agent.connected_until
