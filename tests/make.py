"""
The world of the tests: agents, queues and conversations as rows that keep every rule of the database.

Plain functions; whatever is not named gets a sensible value, and what it needs is made with it:

    orders = make.queue("Orders", priority=3)
    lucia = make.agent("Lucía", queues=[orders, (returns, 2)], capacity=5, state=AgentState.AVAILABLE)
    conversation = make.active_conversation(lead=lucia, queue=orders)

An agent is Available with an open desk unless told otherwise. Times are taken from the database's clock.
"""

import datetime as dt
import itertools
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.text import slugify

from agents.models import Agent, IdleReason
from agents.states import AgentState
from config.clock import database_now
from conversations.models import Conversation, ConversationEvent, Message, Offer, Participant, Visitor
from conversations.states import (
    EventKind,
    MessageKind,
    OfferKind,
    OfferState,
    Party,
    Role,
    State,
    SystemReason,
)
from queues.models import ClosingReason, Holiday, OpeningHours, Queue, QueueMembership, Weekday

SUPERVISORS = "Supervisors"
# The migrations that give the group its rights, in their order.
RIGHTS = [
    ("0002_supervisors_group", "make_group_in"),
    ("0004_supervisors_keep_texts", "add_rights_in"),
    ("0006_file_types", "give_permissions"),
]
LEASE = dt.timedelta(hours=1)
SAID = "Hello zqsaidzqsaid"  # long and rare enough to be found wherever a log repeats it
numbers = itertools.count(1)


def ago(seconds: float) -> dt.datetime:
    """A moment so many seconds before now, by the database's clock."""
    return database_now() - dt.timedelta(seconds=seconds)


def _free_name(taken: Any, name: str) -> str:
    return name if not taken(name) else f"{name} {next(numbers)}"


# Agents


def agent(
    name: str = "Lucía",
    *,
    queues: Iterable[Queue | tuple[Queue, int]] = (),
    state: AgentState = AgentState.AVAILABLE,
    password: str | None = None,
    is_connected: bool | None = None,
    **fields: Any,
) -> Agent:
    """An agent, Available with an open desk; `queues` holds queues or pairs of queue and rank."""
    now = database_now()
    is_connected = state != AgentState.OFFLINE if is_connected is None else is_connected
    first_name, _, last_name = name.partition(" ")
    username = fields.pop("username", None) or _free_name(
        lambda taken: Agent.objects.filter(username=taken).exists(), slugify(first_name) or "agent"
    ).replace(" ", "-")
    fields = {"seen_at": now, "connected_until": now + LEASE, **fields} if is_connected else fields
    made = Agent(
        username=username,
        state=state,
        **{"first_name": first_name, "last_name": last_name, "state_since": now, **fields},
    )
    if password is None:
        made.set_unusable_password()
    else:
        made.set_password(password)
    made.save()
    for entry in queues:
        serves, rank = entry if isinstance(entry, tuple) else (entry, 1)
        member(serves, made, rank=rank)
    return made


def supervisor(name: str = "Vera", **fields: Any) -> Agent:
    """A supervisor: staff, in the group Supervisors, Offline."""
    made = agent(name, **{"state": AgentState.OFFLINE, "is_staff": True, **fields})
    made.groups.add(supervisors())
    return made


def superuser(name: str = "Root", **fields: Any) -> Agent:
    """The person who installed the portal: may do everything in admin."""
    return agent(name, **{"state": AgentState.OFFLINE, "is_staff": True, "is_superuser": True, **fields})


def supervisors() -> Group:
    """The group of the migration; made again where a test that commits has emptied the tables."""
    found = Group.objects.filter(name=SUPERVISORS, permissions__codename="supervise_conversation")
    if not found.exists():
        for migration, gives in RIGHTS:
            getattr(import_module(f"conversations.migrations.{migration}"), gives)(apps, connection.alias)
    return found.get()


def file_types() -> None:
    """The types of the migration; made again where a test that commits has emptied the tables."""
    migration = import_module("conversations.migrations.0006_file_types")
    migration.keep_types_in(apps, connection.alias)


def idle_reason(name: str = "Lunch", **fields: Any) -> IdleReason:
    """An idle reason; the one of that name when there is one already."""
    return IdleReason.objects.get_or_create(name=name, defaults=fields)[0]


# Queues


def queue(name: str = "Orders", *, members: Iterable[Agent] = (), **fields: Any) -> Queue:
    """A queue that is always open (it has no opening hours); a taken name gets a number."""
    name = _free_name(lambda taken: Queue.objects.filter(name=taken).exists(), name)
    made = Queue.objects.create(name=name, **{"slug": slugify(name) or f"queue-{next(numbers)}", **fields})
    for one in members:
        member(made, one)
    return made


def some_queue() -> Queue:
    """The first queue there is, made when there is none."""
    return Queue.objects.order_by("pk").first() or queue()


def member(queue: Queue, agent: Agent, *, rank: int = 1) -> QueueMembership:
    """The agent serves the queue."""
    return QueueMembership.objects.create(queue=queue, agent=agent, rank=rank)


def opening_hours(
    queue: Queue, *, weekday: int = Weekday.MONDAY, opens_at: str = "09:00", closes_at: str = "17:00"
) -> OpeningHours:
    """The queue is open only in its spans once it has one."""
    made = OpeningHours.objects.create(
        queue=queue,
        weekday=weekday,
        opens_at=dt.time.fromisoformat(opens_at),
        closes_at=dt.time.fromisoformat(closes_at),
    )
    return made


def closed_queue(name: str = "Night", **fields: Any) -> Queue:
    """A queue that is closed now and until tomorrow: its only span lies five days from today."""
    made = queue(name, **{"time_zone": "UTC", **fields})
    opening_hours(made, weekday=(database_now().weekday() + 5) % 7, opens_at="10:00", closes_at="11:00")
    return made


def holiday(queue: Queue, date: dt.date, name: str = "Company day") -> Holiday:
    """The queue is closed on that day."""
    return Holiday.objects.create(queue=queue, date=date, name=name)


def closing_reason(queue: Queue | None = None, label: str = "Resolved", **fields: Any) -> ClosingReason:
    """A closing reason of the queue; the one of that label when there is one already."""
    made, _ = ClosingReason.objects.get_or_create(queue=queue or some_queue(), label=label, defaults=fields)
    return made


# Conversations


def visitor(name: str = "Ana Pereira", *, token: str | None = None, **fields: Any) -> Visitor:
    """A visitor's session."""
    token_hash = salted_hmac("tests.visitor", token or get_random_string(32), algorithm="sha256").hexdigest()
    return Visitor.objects.create(name=name, **{"token_hash": token_hash, "created_at": database_now(), **fields})


@transaction.atomic  # or a router that runs meets it half made
def waiting_conversation(
    *, queue: Queue | None = None, visitor_name: str = "Ana Pereira", waited_seconds: float = 0, **fields: Any
) -> Conversation:
    """A conversation in line, with its first message; `waited_seconds` puts it further ahead."""
    queue = queue or some_queue()
    queued_at = fields.pop("queued_at", None) or ago(waited_seconds)
    first_message = fields.pop("first_message", "Where is my order?")
    email = fields.get("visitor_email", "")
    made = Conversation.objects.create(
        queue=queue,
        visitor=fields.pop("visitor", None) or visitor(visitor_name, email=email),
        visitor_name=visitor_name,
        **{
            "queued_at": queued_at,
            "entered_queue_at": queued_at,
            "order_key": queued_at - dt.timedelta(minutes=9 - queue.priority),
            "visitor_seen_at": database_now(),
            "visitor_spoke_at": queued_at,
            **fields,
        },
    )
    event(made, EventKind.OPENED, at=queued_at, to_state=State.WAITING)
    if first_message:
        message(made, first_message, at=queued_at)
    return made


@transaction.atomic
def active_conversation(
    *, lead: Agent | None = None, queue: Queue | None = None, guests: Iterable[Agent] = (), **fields: Any
) -> Conversation:
    """A conversation that the lead has accepted."""
    queue = queue or _queue_of(lead)
    lead = lead or agent(queues=[queue])
    made = waiting_conversation(queue=queue, **fields)
    at = database_now()
    accepted = Offer.objects.create(
        conversation=made,
        agent=lead,
        state=OfferState.ACCEPTED,
        made_at=made.queued_at,
        expires_at=made.queued_at + dt.timedelta(seconds=queue.offer_timeout_seconds),
        settled_at=at,
    )
    participant(made, lead, joined_at=at)
    for guest in guests:
        participant(made, guest, role=Role.GUEST, joined_at=at)
    _set(made, state=State.ACTIVE, answered_at=at)
    event(made, EventKind.OFFER_ACCEPTED, by=lead, at=at, details={"agent": lead.pk, "offer": accepted.pk})
    event(made, EventKind.JOINED, by=lead, at=at, from_state=State.WAITING, to_state=State.ACTIVE)
    return made


@transaction.atomic
def wrap_up_conversation(
    *, lead: Agent | None = None, ended_by: Party = Party.AGENT, deadline_seconds: float | None = None, **fields: Any
) -> Conversation:
    """A conversation that has ended and waits for its lead's closing reason."""
    made = active_conversation(lead=lead, **fields)
    at = database_now()
    limit = made.queue.wrap_up_limit_seconds if deadline_seconds is None else deadline_seconds
    deadline = at + dt.timedelta(seconds=limit) if limit else None
    _set(made, state=State.WRAP_UP, ended_at=at, ended_by=ended_by, wrap_up_deadline=deadline)
    by = made.participants.get(role=Role.LEAD, left_at=None).agent if ended_by == Party.AGENT else None
    event(made, EventKind.ENDED, by=by, at=at, from_state=State.ACTIVE, to_state=State.WRAP_UP)
    return made


@transaction.atomic
def closed_conversation(
    *, lead: Agent | None = None, reason: ClosingReason | None = None, is_automatic: bool = False, **fields: Any
) -> Conversation:
    """A finished conversation with a closing reason of its queue."""
    if reason is not None:
        fields.setdefault("queue", reason.queue)
    made = wrap_up_conversation(lead=lead, **fields)
    at = database_now()
    reason = reason or made.queue.closing_reasons.first() or closing_reason(made.queue, is_default=True)
    _set(
        made,
        state=State.CLOSED,
        closed_at=at,
        closing_reason=reason,
        wrap_up_deadline=None,
        is_closed_automatically=is_automatic,
    )
    made.participants.filter(left_at=None).update(left_at=at)
    event(made, EventKind.CLOSED, at=at, from_state=State.WRAP_UP, to_state=State.CLOSED)
    return made


@transaction.atomic
def abandoned_conversation(**fields: Any) -> Conversation:
    """A conversation whose visitor left before anybody answered."""
    made = waiting_conversation(**fields)
    at = database_now()
    _set(
        made,
        state=State.CLOSED,
        ended_at=at,
        ended_by=Party.VISITOR,
        closed_at=at,
        system_reason=SystemReason.ABANDONED,
        is_closed_automatically=True,
        is_visitor_here=False,
    )
    event(made, EventKind.CLOSED, at=at, from_state=State.WAITING, to_state=State.CLOSED)
    return made


def participant(conversation: Conversation, agent: Agent, *, role: Role = Role.LEAD, **fields: Any) -> Participant:
    """The agent takes part."""
    return Participant.objects.create(
        conversation=conversation, agent=agent, role=role, **{"joined_at": database_now(), **fields}
    )


def offer(
    *,
    to: Agent | None = None,
    conversation: Conversation | None = None,
    state: OfferState = OfferState.PENDING,
    kind: OfferKind = OfferKind.REQUEST,
    seconds: float | None = None,
    **fields: Any,
) -> Offer:
    """An offer to the agent of a conversation in line; `seconds` until it runs out, negative for an expired one."""
    conversation = conversation or waiting_conversation(queue=_queue_of(to))
    to = to or agent(queues=[conversation.queue])
    now = database_now()
    seconds = conversation.queue.offer_timeout_seconds if seconds is None else seconds
    expires_at = now + dt.timedelta(seconds=seconds)
    settled_at = None if state == OfferState.PENDING else now
    made_at = min(now, expires_at - dt.timedelta(seconds=5))
    return Offer.objects.create(
        conversation=conversation,
        agent=to,
        kind=kind,
        state=state,
        **{"made_at": made_at, "expires_at": expires_at, "settled_at": settled_at, **fields},
    )


def message(
    conversation: Conversation,
    text: str = SAID,
    *,
    by: Agent | None = None,
    kind: MessageKind = MessageKind.TEXT,
    at: dt.datetime | None = None,
    **fields: Any,
) -> Message:
    """The next message of the thread, by the visitor or, with `by`, by an agent."""
    at = at or database_now()
    sender = fields.pop("sender", None) or (Party.AGENT if by else Party.VISITOR)
    number = fields.pop("number", None) or conversation.last_number + 1
    made = Message.objects.create(
        conversation=conversation,
        agent=by,
        text=text,
        kind=kind,
        sender=sender,
        number=number,
        **{"created_at": at, "key": get_random_string(20), **fields},
    )
    values: dict[str, Any] = {"last_number": max(number, conversation.last_number)}
    if kind in (MessageKind.TEXT, MessageKind.FILE):
        values |= {"last_line": text[:120], "last_line_by": sender, "last_message_at": at}
        if sender == Party.VISITOR:
            values |= {"visitor_count": conversation.visitor_count + 1, "visitor_spoke_at": at}
    _set(conversation, **values)
    return made


def note(conversation: Conversation, text: str = "Carrier cut-off is 11:00.", *, by: Agent) -> Message:
    """A note for colleagues."""
    return message(conversation, text, by=by, kind=MessageKind.NOTE)


def event(
    conversation: Conversation, kind: EventKind, *, at: dt.datetime | None = None, **fields: Any
) -> ConversationEvent:
    """A row of the conversation's history."""
    return ConversationEvent.objects.create(conversation=conversation, kind=kind, at=at or database_now(), **fields)


def _set(conversation: Conversation, **values: Any) -> None:
    for name, value in values.items():
        setattr(conversation, name, value)
    conversation.save(update_fields=list(values))


def _queue_of(agent: Agent | None) -> Queue:
    return (agent.queues.order_by("pk").first() if agent else None) or some_queue()
