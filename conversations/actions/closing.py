"""Ending and finishing: wrap-up, the closing reason, and the endings that nobody chose."""

import datetime as dt

from django.db import transaction

from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from conversations.actions.guests import end_conference
from conversations.actions.leads import lock_for_lead
from conversations.actions.lines import announce_change, announce_line, write_event
from conversations.actions.notes import clean_note
from conversations.actions.offers import withdraw_of
from conversations.errors import AlreadyEnded, NotEndedYet, NotNow, ReasonMissing, WrongReason
from conversations.models import Conversation
from conversations.states import OPEN_STATES, EventKind, Party, Remark, Role, State, SystemReason
from queues.models import ClosingReason


@transaction.atomic
def end(conversation_id: int, *, by: Agent) -> Conversation:
    """The lead ends the talk: wrap-up begins, and both sides can write no more."""
    conversation = lock_for_lead(conversation_id, by)
    if not conversation.is_open:
        raise AlreadyEnded
    _wrap_up(conversation, at=database_now(), ended_by=Party.AGENT, by=by)
    return conversation


@transaction.atomic
def end_by_visitor(conversation_id: int) -> Conversation:
    """The visitor ends it: abandoned while he waits, wrap-up for the lead while he is served."""
    conversation = Conversation.objects.lock(pk=conversation_id)
    now = database_now()
    if conversation.state == State.WAITING:
        close_by_system(conversation, SystemReason.ABANDONED, at=now, ended_by=Party.VISITOR)
    elif conversation.state == State.ACTIVE:
        _wrap_up(conversation, at=now, ended_by=Party.VISITOR)
    else:
        raise AlreadyEnded
    return conversation


def end_by_system(conversation: Conversation, remark: Remark, *, at: dt.datetime) -> None:
    """End an active conversation whose visitor left or fell silent. The caller holds its lock."""
    ended_by = Party.VISITOR if remark == Remark.VISITOR_GONE else Party.SYSTEM
    _wrap_up(conversation, at=at, ended_by=ended_by, remark=remark)


@transaction.atomic
def finish(conversation_id: int, reason_id: int | None, *, by: Agent, note: str = "") -> Conversation:
    """The lead submits the closing reason: the conversation closes and its place is free."""
    conversation = lock_for_lead(conversation_id, by)
    if conversation.state != State.WRAP_UP:
        raise NotEndedYet
    reason = _reason(conversation, reason_id)
    _close(conversation, reason, at=database_now(), by=by, note=clean_note(note))
    return conversation


@transaction.atomic
def finish_by_supervisor(conversation_id: int, reason_id: int | None, *, by: Agent, note: str = "") -> Conversation:
    """A supervisor closes a conversation in whatever state with a reason of its queue."""
    conversation = Conversation.objects.lock(pk=conversation_id)
    if conversation.state == State.CLOSED:
        raise AlreadyEnded
    reason, note = _reason(conversation, reason_id), clean_note(note)
    now = database_now()
    if conversation.state == State.ACTIVE:
        _wrap_up(conversation, at=now, ended_by=Party.SYSTEM, by=by)
    elif conversation.state == State.WAITING:
        withdraw_of(conversation, at=now)
    _close(conversation, reason, at=now, by=by, note=note)
    return conversation


@transaction.atomic
def finish_automatically(conversation_id: int, *, even_without_deadline: bool = False) -> bool:
    """
    Submit the queue's default reason when the wrap-up limit is over, marked automatic.

    Safe to call twice and too early: answers whether it did anything. `even_without_deadline`: also where there is no
    limit, if the lead has left; nobody else would ever finish it.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    now = database_now()
    if conversation.state != State.WRAP_UP:
        return False
    is_due = conversation.wrap_up_deadline is not None and conversation.wrap_up_deadline <= now
    if not is_due and not (even_without_deadline and _is_left_for_ever(conversation)):
        return False
    reasons = conversation.queue.closing_reasons.filter(is_in_use=True).order_by("-is_default", "order", "pk")
    _close(conversation, reasons.first() or SystemReason.NO_REASON, at=now, is_automatic=True)
    return True


def _is_left_for_ever(conversation: Conversation) -> bool:
    """Whether a wrap-up has neither a limit nor a lead who is there; locks the lead, who may be coming back."""
    leads = conversation.participants.filter(role=Role.LEAD, left_at=None).values_list("agent_id", flat=True)
    is_there = any(agent.state != AgentState.OFFLINE for agent in Agent.objects.lock_all(leads))
    return conversation.wrap_up_deadline is None and not is_there


def close_by_system(
    conversation: Conversation, reason: SystemReason, *, at: dt.datetime, ended_by: Party, remark: str = ""
) -> None:
    """Close a waiting conversation for a reason of the system. The caller holds its lock."""
    if conversation.state != State.WAITING:
        raise NotNow
    withdraw_of(conversation, at=at)
    _close(conversation, reason, at=at, ended_by=ended_by, remark=remark)


def _reason(conversation: Conversation, reason_id: int | None) -> ClosingReason:
    if reason_id is None:
        raise ReasonMissing
    reason = ClosingReason.objects.filter(pk=reason_id, queue=conversation.queue_id, is_in_use=True).first()
    if reason is None:
        raise WrongReason
    return reason


def _wrap_up(
    conversation: Conversation, *, at: dt.datetime, ended_by: Party, by: Agent | None = None, remark: str = ""
) -> None:
    """Move to wrap-up: offers are withdrawn, guests leave, the lead gets the closing reasons and a deadline."""
    if conversation.state not in OPEN_STATES:
        raise AlreadyEnded
    withdraw_of(conversation, at=at)
    left = end_conference(conversation, at=at, by=by)
    limit = conversation.queue.wrap_up_limit_seconds
    conversation.move_to(
        State.WRAP_UP,
        kind=EventKind.ENDED,
        at=at,
        by=by,
        ended_at=at,
        ended_by=ended_by,
        remark=remark,
        wrap_up_deadline=at + dt.timedelta(seconds=limit) if limit else None,
        details={"ended_by": ended_by, "remark": remark},
    )
    write_event(conversation, EventKind.ENDED, at=at, about=by, ended_by=ended_by, remark=remark)
    leads = conversation.participants.filter(left_at=None).values_list("agent_id", flat=True)
    announce_change(conversation, *leads, *left)
    announce_line(conversation.queue_id)


def _close(
    conversation: Conversation,
    reason: ClosingReason | SystemReason,
    *,
    at: dt.datetime,
    by: Agent | None = None,
    is_automatic: bool = False,
    note: str = "",
    ended_by: str = Party.SYSTEM,
    remark: str = "",
) -> None:
    """Close with exactly one reason, the queue's or the system's: the places are free, and routing runs."""
    chosen, system_reason = (reason, "") if isinstance(reason, ClosingReason) else (None, reason)
    agents = list(conversation.participants.filter(left_at=None).values_list("agent_id", flat=True))
    conversation.participants.filter(left_at=None).update(left_at=at)
    was_open = conversation.is_open
    conversation.move_to(
        State.CLOSED,
        kind=EventKind.CLOSED,
        at=at,
        by=by,
        closed_at=at,
        ended_at=conversation.ended_at or at,
        ended_by=conversation.ended_by or ended_by,
        remark=conversation.remark or remark,
        closing_reason=chosen,
        system_reason=system_reason,
        is_closed_automatically=is_automatic,
        wrap_up_note=note,
        wrap_up_deadline=None,
        details={"reason": str(chosen or ""), "system_reason": system_reason},
    )
    if was_open:
        ended_by, remark = conversation.ended_by, conversation.remark
        write_event(conversation, EventKind.ENDED, at=at, ended_by=ended_by, remark=remark, system_reason=system_reason)
    announce_change(conversation, *agents)
    announce_line(conversation.queue_id)
