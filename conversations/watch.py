"""
The safety poll and the heartbeat of a server process.

The poll compares, once a second and in a handful of queries for all pages together, what the pages know with what the
database says. So a lost ring costs a second, and a person who lost his right loses his socket within five.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models import Max
from django.utils import timezone

from agents import actions as agent_actions
from agents.models import Agent
from config.clock import database_now
from config.live import Hub
from config.threads import in_thread, keepers
from conversations.actions import presence
from conversations.actions.reading import Marks
from conversations.desk_page import DeskPage
from conversations.fragments import Desk
from conversations.masking import restricted
from conversations.models import Conversation, Offer, Participant
from conversations.page import VisitorPage
from conversations.pages import Pages
from conversations.states import OfferState

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SETTLING_SECONDS = 0.25
SOONEST_BEAT_SECONDS = 0.25  # after the last one, however many pages close elsewhere

Known = tuple[Any, ...]
# By what a desk is open: the agent, his session, and the password and epoch that the session began with.
Right = tuple[int, str, tuple[str, int]]


@dataclass
class DeskKnown:
    """What shows on a desk: the agent, his offers, his tasks with their role; the numbers of both only grow."""

    agent: Known
    offers: dict[int, int]
    tasks: dict[int, tuple[str, tuple[int, ...]]]

    def covers(self, found: "DeskKnown") -> bool:
        """Whether a desk that knows this is in step with what was found, or ahead of it."""
        if (self.agent, self.offers.keys(), self.tasks.keys()) != (
            found.agent,
            found.offers.keys(),
            found.tasks.keys(),
        ):
            return False
        if any(self.offers[pk] < number for pk, number in found.offers.items()):
            return False  # a request shows the newest lines of its thread
        return all(
            self.tasks[pk][0] == role and _is_at_least(self.tasks[pk][1], numbers)
            for pk, (role, numbers) in found.tasks.items()
        )


@dataclass
class Found:
    """What the database says about everything that pages of this process show."""

    conversations: dict[int, tuple[int, int, Marks]]
    desks: dict[int, DeskKnown]
    credentials: dict[int, tuple[str, int]]
    sessions: set[str]

    def holds(self, right: Right) -> bool:
        """Whether an agent still has the right by which his page was opened."""
        return _holds(right, self.credentials, self.sessions)


class Watch:
    """Compares, renews and revokes for all pages of the process."""

    def __init__(self, hub: Hub, pages: Pages) -> None:
        self._hub = hub
        self._pages = pages

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self._pages.visitors or self._pages.desks:
                await self._poll()

    async def beat(self) -> None:
        """Renew the leases of everybody whose page is open here, also when one closed elsewhere, until cancelled."""
        while True:
            self._pages.is_beat_due.clear()
            async with self._pages.beating:
                rights = [right_of(page) for pages in self._pages.desks.values() for page in pages]
                self._pages.clock_lead = await in_thread(renew, pool=keepers)(rights, list(self._pages.visitors))
            await asyncio.sleep(SOONEST_BEAT_SECONDS)
            # Not wait_for: until Python 3.12 it swallows a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(agent_actions.HEARTBEAT_SECONDS - SOONEST_BEAT_SECONDS):
                    await self._pages.is_beat_due.wait()

    async def _poll(self) -> None:
        # A page that opens while we look is new enough: what was found says nothing about it.
        desks = [page for pages in self._pages.desks.values() for page in pages]
        keys = [page.session_key for page in desks]
        found = await in_thread(look, pool=keepers)(list(self._pages.visitors), list(self._pages.desks), keys)
        # What was just written has rung for its pages, and they need a moment; a page may also be ahead of the look.
        await asyncio.sleep(SETTLING_SECONDS)
        for conversation_id, known in found.conversations.items():
            for visitor in list(self._pages.visitors.get(conversation_id, ())):
                # One that has read nothing yet reads now, or tries again by itself.
                if visitor.view is not None and not _covers(visitor, known):
                    visitor.make_stale()
        for page in desks:
            if page not in self._pages.desks.get(page.agent_id, ()):
                continue  # closed since
            if not found.holds(right_of(page)):
                await page.revoke()
            elif page.desk is not None and not known_of(page.desk).covers(found.desks[page.agent_id]):
                page.make_stale()
        for line in list(self._pages.lines.values()):
            line.count_soon()


def _covers(page: VisitorPage, found: tuple[int, int, Marks]) -> bool:
    revision, number, marks = found
    known_revision, known_number, known_marks = page.known()
    return _is_at_least(
        (known_revision, known_number, known_marks.delivered, known_marks.read),
        (revision, number, marks.delivered, marks.read),
    )


def look(conversation_ids: list[int], agent_ids: list[int], session_keys: list[str]) -> Found:
    """Read what all these pages should know: seven queries, whatever their number."""
    conversations = Conversation.objects.filter(pk__in=conversation_ids)
    marks = _marks(conversation_ids)
    versions = {
        pk: (revision, number, marks.get(pk, Marks()))
        for pk, revision, number in conversations.values_list("pk", "revision", "last_number")
    }
    agents = list(Agent.objects.filter(pk__in=agent_ids, is_active=True))
    return Found(
        conversations=versions,
        desks=_desks(agents),
        credentials={agent.pk: (agent.password, agent.session_epoch) for agent in agents},
        sessions=_alive(session_keys),
    )


def _alive(session_keys: list[str]) -> set[str]:
    alive = Session.objects.filter(session_key__in=session_keys, expire_date__gt=database_now())
    return set(alive.values_list("session_key", flat=True))


def right_of(page: DeskPage) -> Right:
    """By what this page is open."""
    return page.agent_id, page.session_key, page.credentials


def _holds(right: Right, credentials: dict[int, tuple[str, int]], sessions: set[str]) -> bool:
    agent_id, session_key, began_with = right
    return credentials.get(agent_id) == began_with and session_key in sessions


def rightful(rights: list[Right]) -> set[int]:
    """The agents who still have the right to a desk that is open."""
    agents = Agent.objects.filter(pk__in={right[0] for right in rights}, is_active=True)
    credentials = {
        pk: (password, epoch) for pk, password, epoch in agents.values_list("pk", "password", "session_epoch")
    }
    sessions = _alive([right[1] for right in rights])
    return {right[0] for right in rights if _holds(right, credentials, sessions)}


def _marks(conversation_ids: list[int]) -> dict[int, Marks]:
    places = Participant.objects.filter(conversation__in=conversation_ids).order_by().values("conversation")
    furthest = places.annotate(delivered=Max("delivered_number"), read=Max("read_number"))
    return {row["conversation"]: Marks(row["delivered"], row["read"]) for row in furthest}


def _desks(agents: list[Agent]) -> dict[int, DeskKnown]:
    known = {agent.pk: DeskKnown(_agent(agent), {}, {}) for agent in agents}
    pending = Offer.objects.filter(agent__in=agents, state=OfferState.PENDING)
    for agent_id, offer_id, number in pending.values_list("agent", "pk", "conversation__last_number"):
        known[agent_id].offers[offer_id] = number
    places = Participant.objects.filter(agent__in=agents, left_at=None)
    for agent_id, conversation_id, role, *numbers in places.values_list(
        "agent",
        "conversation",
        "role",
        "read_visitor_count",
        "conversation__revision",
        "conversation__last_number",
        "conversation__visitor_delivered_number",
        "conversation__visitor_read_number",
    ):
        known[agent_id].tasks[conversation_id] = (role, tuple(numbers))
    return known


def known_of(desk: Desk) -> DeskKnown:
    """What a desk knows, to compare with what the database says."""
    tasks: dict[int, tuple[str, tuple[int, ...]]] = {
        task.conversation_id: (
            task.role,
            (task.read_visitor_count, task.revision, task.last_number, *task.visitor_marks),
        )
        for task in desk.tasks.values()
    }
    return DeskKnown(_agent(desk.agent), desk.offers, tasks)


def _agent(agent: Agent) -> Known:
    return (agent.state, agent.state_since, agent.idle_reason_id, agent.capacity, agent.language)


def _is_at_least(knows: tuple[int, ...], found: tuple[int, ...]) -> bool:
    return all(mine >= theirs for mine, theirs in zip(knows, found, strict=True))


def renew(rights: list[Right], conversation_ids: list[int]) -> dt.timedelta:
    """One heartbeat for everybody whose page is open in this process; answers the lead of the database's clock."""
    agent_actions.desks_seen(rightful(rights), may_return=lambda: rightful(rights))
    presence.visitors_seen(conversation_ids)
    restricted.read()
    asked_at = timezone.now()
    now = database_now()
    return now - asked_at - (timezone.now() - asked_at) / 2  # the database looked at its clock in between
