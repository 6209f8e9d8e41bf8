"""Whom an agent can ask: colleagues with state and load, queues with their line. Constant queries."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from conversations.actions.routing import free_agents
from conversations.load import with_load
from conversations.models import Conversation, Participant
from conversations.states import State
from queues import hours
from queues.models import Queue, QueueMembership


@dataclass(frozen=True)
class Colleague:
    """An agent as the dialogs list him."""

    agent_id: int
    name: str
    label: str
    state: str
    load: int
    capacity: int
    queues: str
    is_available: bool
    can_be_asked: bool


@dataclass(frozen=True)
class Target:
    """A queue as the dialog Transfer request lists it."""

    queue_id: int
    name: str
    is_open: bool
    waiting: int
    available: int
    is_own: bool


def colleagues_of(agent: Agent, *, only_available: bool = False) -> list[Colleague]:
    """Everybody else who is signed in, those first who can be asked now."""
    others = Agent.objects.exclude(state=AgentState.OFFLINE).exclude(pk=agent.pk).filter(is_active=True)
    if only_available:
        others = others.filter(state=AgentState.AVAILABLE)
    places = Participant.objects.filter(agent=OuterRef("pk"), left_at=None)
    found = list(with_load(others).annotate(has_work=Exists(places)).select_related("idle_reason"))
    queues: dict[int, list[str]] = defaultdict(list)
    memberships = QueueMembership.objects.filter(agent__in=found, queue__is_in_use=True).order_by("queue__name")
    for agent_id, name in memberships.values_list("agent", "queue__name"):
        queues[agent_id].append(name)
    now = database_now()
    listed = [_colleague(one, ", ".join(queues[one.pk]), one.is_connected(now)) for one in found]
    return sorted(listed, key=lambda one: (not one.can_be_asked, one.name.casefold()))


def _colleague(agent: Agent, queues: str, is_connected: bool) -> Colleague:
    load: int = agent.load  # type: ignore[attr-defined]
    is_available = agent.state == AgentState.AVAILABLE
    is_engaged = agent.has_work and (is_available or agent.state == AgentState.IDLE)  # type: ignore[attr-defined]
    return Colleague(
        agent_id=agent.pk,
        name=agent.name,
        label="engaged" if is_engaged else str(agent.state),
        state=f"{agent.get_state_display()} · {agent.idle_reason}" if agent.idle_reason else agent.get_state_display(),
        load=load,
        capacity=agent.capacity,
        queues=queues,
        is_available=is_available,
        can_be_asked=is_available and is_connected and load < agent.capacity,
    )


def targets_for(conversation: Conversation) -> list[Target]:
    """The queues in use, with their line; closed ones are listed and cannot be chosen."""
    now = database_now()
    waiting = Conversation.objects.filter(queue=OuterRef("pk"), state=State.WAITING).order_by().values("queue")
    queues = (
        Queue.objects.filter(is_in_use=True)
        .prefetch_related("opening_hours", "holidays")
        .annotate(
            waiting=Coalesce(Subquery(waiting.annotate(n=Count("pk")).values("n")), 0),
            available=Count("members", filter=Q(members__in=_free(free_agents(now)))),
        )
        .order_by("name")
    )
    return [
        Target(
            queue_id=queue.pk,
            name=queue.name,
            is_open=hours.is_open(queue, now),
            waiting=queue.waiting,
            available=queue.available,
            is_own=queue.pk == conversation.queue_id,
        )
        for queue in queues
    ]


def _free(agents: QuerySet[Agent]) -> QuerySet[Agent, Any]:
    return agents.values("pk")
