"""The one door for every change of an agent's state and presence."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable

from django.db import transaction
from django.db.models import Q

from agents import groups
from agents.errors import AlreadySignedOut, ReasonGone
from agents.models import Agent, AgentStateChange, IdleReason
from agents.states import AgentState, ChangedBy
from config.clock import database_now
from config.live import announce

# A desk counts as connected for so long after its last sign of life; each process sends one every HEARTBEAT_SECONDS.
LEASE_SECONDS = 12
HEARTBEAT_SECONDS = 4


@transaction.atomic
def become_available(agent_id: int, *, by: Agent) -> Agent:
    """The agent takes offers from now on; by his own choice or a supervisor's, never while he is signed out."""
    agent = Agent.objects.lock_active(agent_id)
    if agent.state == AgentState.OFFLINE:
        raise AlreadySignedOut
    _change(agent, AgentState.AVAILABLE, by=by)
    return agent


@transaction.atomic
def become_idle(agent_id: int, reason_id: int | None, *, by: Agent) -> Agent:
    """The agent gets nothing new and finishes what he has; the reason must be in use."""
    agent = Agent.objects.lock_active(agent_id)
    if agent.state == AgentState.OFFLINE:
        raise AlreadySignedOut
    reason = IdleReason.objects.filter(pk=reason_id, is_in_use=True).first() if reason_id is not None else None
    if reason_id is not None and reason is None:
        raise ReasonGone
    _change(agent, AgentState.IDLE, by=by, reason=reason)
    return agent


def become_rona(agent: Agent, *, at: dt.datetime) -> None:
    """The agent missed an offer: nothing new until he changes it by hand. The caller holds the agent's lock."""
    _change(agent, AgentState.RONA, by=None, at=at)


@transaction.atomic
def sign_in(agent_id: int) -> Agent:
    """Signing in makes the agent Idle; from RONA he returns by hand alone, a second sign-in changes nothing."""
    agent = Agent.objects.lock_active(agent_id)
    now = database_now()
    if agent.state == AgentState.OFFLINE:
        _change(agent, AgentState.IDLE, by=agent, at=now)
    Agent.objects.filter(pk=agent.pk).update(seen_at=now)
    return agent


@transaction.atomic
def sign_out(agent_id: int, *, by: Agent) -> Agent:
    """
    Sign the agent out at once: Offline, and every session of his ends.

    For supervisors; the agent's own sign-out asks first whether he has work. What he had is handed on by the router.
    """
    agent = Agent.objects.lock_active(agent_id)
    if agent.state == AgentState.OFFLINE and agent.connected_until is None:
        raise AlreadySignedOut
    agent.session_epoch += 1
    agent.connected_until = None
    agent.save(update_fields=["session_epoch", "connected_until"])
    _change(agent, AgentState.OFFLINE, by=by)
    return agent


def go_offline(agent: Agent, *, by: Agent | None, at: dt.datetime) -> None:
    """Signed out, or gone for longer than the grace. The caller holds the agent's lock."""
    agent.connected_until = None
    agent.save(update_fields=["connected_until"])
    _change(agent, AgentState.OFFLINE, by=by, at=at)


def desks_seen(agent_ids: Iterable[int], *, may_return: Callable[[], Collection[int]] | None = None) -> None:
    """
    These agents' desks are open now: renew their leases; who was Offline becomes Idle, as at sign-in.

    `may_return` says anew who still has the right to his desk, once it is known who is Offline: he may be so because he
    was just signed out.
    """
    ids = sorted(set(agent_ids))
    if not ids:
        return
    with transaction.atomic():
        now = database_now()
        lease = now + dt.timedelta(seconds=LEASE_SECONDS)
        # Who is locked is being worked on and is renewed by the next heartbeat.
        free = Agent.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=ids).order_by("pk")
        found = list(free.only("pk", "state", "connected_until", "is_active"))
        Agent.objects.filter(pk__in=[agent.pk for agent in found]).update(seen_at=now, connected_until=lease)
        came_back = [agent.pk for agent in found if agent.connected_until is None or agent.connected_until <= now]
        if came_back:
            announce(groups.ROUTER, "work")
    offline = [agent.pk for agent in found if agent.state == AgentState.OFFLINE and agent.is_active]
    allowed = may_return() if offline and may_return else offline
    for agent_id in offline:
        if agent_id in allowed:
            sign_in(agent_id)


def desk_closed(agent_id: int, *, unless_seen_after: dt.datetime | None = None) -> None:
    """
    The last desk of the agent in this process closed: he gets no offers until a desk is back.

    His state stays; the grace runs from now. A desk open in another process hears of it and renews the lease.
    """
    with transaction.atomic():
        desk = Agent.objects.filter(pk=agent_id).exclude(connected_until=None)
        if unless_seen_after is not None:
            desk = desk.exclude(seen_at__gt=unless_seen_after)
        now = database_now()
        if desk.update(seen_at=now, connected_until=now):
            announce(groups.desk(agent_id), "closed")


def gone_agents(now: dt.datetime, grace_seconds: int) -> list[int]:
    """Agents who are not Offline though no desk of theirs was open for longer than the grace."""
    limit = now - dt.timedelta(seconds=grace_seconds)
    gone = Agent.objects.exclude(state=AgentState.OFFLINE).filter(Q(seen_at__lte=limit) | Q(seen_at=None))
    return list(gone.order_by("pk").values_list("pk", flat=True))


def _change(
    agent: Agent,
    state: AgentState,
    *,
    by: Agent | None,
    reason: IdleReason | None = None,
    at: dt.datetime | None = None,
) -> None:
    """Set the state with its row of history; the same state and reason again changes nothing, not even the timer."""
    if agent.state == state and agent.idle_reason_id == (reason.pk if reason else None):
        return
    now = at or database_now()
    came_from = agent.state
    agent.state, agent.idle_reason, agent.state_since = state, reason, now
    agent.save(update_fields=["state", "idle_reason", "state_since"])
    AgentStateChange.objects.create(
        agent=agent, from_state=came_from, to_state=state, reason=reason, changed_by=_kind(agent, by), by=by, at=now
    )
    announce(groups.desk(agent.pk), "changed")
    announce(groups.ROUTER, "work")


def _kind(agent: Agent, by: Agent | None) -> ChangedBy:
    if by is None:
        return ChangedBy.SYSTEM
    return ChangedBy.SELF if by.pk == agent.pk else ChangedBy.SUPERVISOR
