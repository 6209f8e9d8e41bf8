"""Pages that end: nothing of them stays, nobody is brought back by them, and another server's page counts too."""

import asyncio
import threading
import time

import pytest

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from config.live import current_hub
from conversations import watch
from conversations.actions import presence
from conversations.consumers import LEAVING_SECONDS
from conversations.models import Conversation, ConversationEvent
from conversations.pages import current_pages
from conversations.states import EventKind
from tests import make
from tests.live.sockets import Page, Talk, in_database, until
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.places import running

TRIES = 3


class Hanging:
    """A writer whose database does not answer."""

    def __init__(self):
        self.is_asked = asyncio.Event()

    async def post(self, draft):
        self.is_asked.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("side", ["chat", "desk"])
async def test_a_socket_that_dies_while_a_command_hangs_leaves_no_page_behind(here, monkeypatch, side):
    talk, writer, pages = await in_database(Talk), Hanging(), current_pages()
    page = await getattr(talk, side)(here).__aenter__()
    await page.until_drawn()
    (its_page,) = [one for some in (pages.visitors, pages.desks) for group in some.values() for one in group]
    monkeypatch.setattr(pages, "writer", writer)
    await page.send("post", key="a" * 32, text="Hello", conversation=talk.id)
    await writer.is_asked.wait()

    # As the server does with an application that outlives its socket.
    application = page.socket.communicator.future
    application.cancel()
    page._reader.cancel()
    await asyncio.wait([application, page._reader], timeout=10)
    assert application.cancelled()

    assert not pages.visitors and not pages.desks
    assert its_page not in current_hub().groups_of
    await asyncio.wait([its_page._task], timeout=10)
    assert its_page._task.cancelled()


@pytest.mark.parametrize("side", ["chat", "desk"])
async def test_a_page_that_closes_while_a_heartbeat_runs_is_gone_all_the_same(here, monkeypatch, side):
    talk, pages, renews = await in_database(Talk), current_pages(), watch.renew
    is_counted_in, may_renew, is_renewed = [threading.Event() for _ in range(3)]

    def renew_late(rights, conversation_ids):
        if not rights and not conversation_ids:
            return renews(rights, conversation_ids)
        is_counted_in.set()
        may_renew.wait(60)
        lead = renews(rights, conversation_ids)
        is_renewed.set()
        return lead

    page = await getattr(talk, side)(here).__aenter__()
    await page.until_drawn()
    monkeypatch.setattr(watch, "renew", renew_late)
    pages.beat_soon()
    assert await asyncio.to_thread(is_counted_in.wait, 20)

    closing = asyncio.create_task(page.__aexit__())
    while pages.visitors or pages.desks:
        await asyncio.sleep(0.01)
    may_renew.set()
    await closing
    assert await asyncio.to_thread(is_renewed.wait, 20)

    if side == "chat":
        assert await in_database(departures(talk).exists)
    else:
        agent = await in_database(Agent.objects.get, pk=talk.agent.pk)
        assert agent.connected_until <= await in_database(database_now)


def rights_of(talk):
    key = talk.agent_cookie.partition("=")[2]
    return [(talk.agent.pk, key, (talk.agent.password, talk.agent.session_epoch))]


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_does_not_bring_back_an_agent_who_was_signed_out():
    talk = Talk()
    rights = rights_of(talk)
    agent_actions.sign_out(talk.agent.pk, by=make.supervisor())

    watch.renew(rights, [])

    assert Agent.objects.get(pk=talk.agent.pk).state == AgentState.OFFLINE


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_that_looked_just_before_the_sign_out_does_not_either(monkeypatch):
    talk, found = Talk(), watch.rightful
    rights = rights_of(talk)

    def then_signed_out(asked):
        answer = found(asked)
        if not looked:
            looked.append(answer)
            agent_actions.sign_out(talk.agent.pk, by=supervisor)
        return answer

    looked, supervisor = [], make.supervisor()
    monkeypatch.setattr(watch, "rightful", then_signed_out)

    watch.renew(rights, [])

    assert looked == [{talk.agent.pk}]
    assert Agent.objects.get(pk=talk.agent.pk).state == AgentState.OFFLINE


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_brings_back_an_agent_who_was_lost_while_his_desk_was_open():
    talk = Talk()
    Agent.objects.filter(pk=talk.agent.pk).update(seen_at=make.ago(3600))
    assert presence.lose_agent(talk.agent.pk, grace_seconds=60)

    watch.renew(rights_of(talk), [])

    assert Agent.objects.get(pk=talk.agent.pk).state == AgentState.IDLE


def departures(talk):
    return ConversationEvent.objects.filter(conversation=talk.id, kind=EventKind.VISITOR_LEFT)


def seen(talk):
    """When the heartbeat of a server saw the visitor last."""
    return Conversation.objects.get(pk=talk.id).visitor_seen_at


async def just_after_a_heartbeat(talk):
    """The server on which the talk's visitor is has just said who is there: the next time comes four seconds later."""
    before = await in_database(seen, talk)
    await until(lambda: seen(talk) > before)


@pytest.mark.only_on("postgresql")
async def test_a_visitor_who_closes_one_of_two_tabs_on_two_servers_has_not_left(two_portals):
    first, second = two_portals
    talk, other, beating = [await in_database(Talk) for _ in range(3)]
    async with talk.chat(second) as tab, beating.chat(second) as heart:
        await tab.until_drawn()
        await heart.until_drawn()
        async with other.chat(first) as gone, talk.chat(first) as chat:  # which closes first
            await chat.until_drawn()
            await gone.until_drawn()
            await just_after_a_heartbeat(beating)
        await until(departures(other).exists)

        assert not await in_database(departures(talk).exists)


@pytest.mark.only_on("postgresql")
async def test_an_agent_who_closes_one_of_two_desks_on_two_servers_gets_offers_at_once(
    transactional_db, tmp_path_factory
):
    talk = await in_database(Talk)
    mutant = "tests.proofs.mutants:heartbeats_when_asked"
    with running([BrokenPortal(tmp_path_factory.mktemp("portal"), mutant) for _ in range(2)]) as (first, second):
        async with talk.desk(second) as desk:
            await desk.until_drawn()
            async with talk.desk(first) as closing:
                await closing.until_drawn()
                closes_at = await in_database(database_now)

            def is_back():
                agent = Agent.objects.get(pk=talk.agent.pk)
                return agent.seen_at > closes_at and agent.connected_until > agent.seen_at

            await until(is_back)


@pytest.mark.only_on("postgresql")
async def test_a_page_that_comes_back_on_another_server_has_not_left(two_portals):
    first, second = two_portals
    for _try in range(TRIES):
        talk, other = await in_database(Talk), await in_database(Talk)
        async with other.chat(first) as gone, talk.chat(first) as chat:  # which closes first
            await chat.until_drawn()
            await gone.until_drawn()
            closes = time.monotonic()
        async with Page(second, "/ws/chat/", talk.visitor_cookie) as back:
            await back.until_drawn()
            if time.monotonic() - closes >= LEAVING_SECONDS:
                continue  # that was a departure
            await until(departures(other).exists)

            assert not await in_database(departures(talk).exists)
        return
    pytest.fail("unknown: no page came back in time")
