"""
What is due: every deadline is a row, read by the database's clock, and acted on once.

Each look-up is a plain read; each action takes its lock, looks again, and is safe to run twice and too early. So any
number of processes may sweep at once, and a restart neither loses nor repeats anything.
"""

import datetime as dt
import logging
import math
import random
import time
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import (
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce

from agents.actions import gone_agents
from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from config.locks import impatiently
from config.refusal import Refused
from conversations.actions import closing, conferences, offers, presence, transfers
from conversations.actions.opening import attended
from conversations.models import Conversation, ConversationEvent, Offer, Participant
from conversations.states import OPEN_STATES, EventKind, OfferKind, OfferState, Party, Role, State, SystemReason
from queues import hours
from queues.models import Queue

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 500  # the rest comes with the next sweep, a second later
SHORTEST_GRACE = dt.timedelta(seconds=5)


def sweep(most_seconds: float = math.inf) -> int:
    """
    Do all that is due now; answers how many things it did.

    After so many seconds one of each kind is done and no more: the rest is due again in the next sweep, and who only
    waits for an offer does not wait for all of it.
    """
    if not _has_work():
        return 0
    until = time.monotonic() + most_seconds
    now = database_now()
    done = _each(gone_agents(now, settings.AGENT_GRACE_SECONDS), _lose_agent, until)
    done += _each(_unavailable_with_offers(), presence.withdraw_from_unavailable, until)
    done += _each(_expired_offers(now), offers.miss, until)
    done += _each(_untold_senders(), offers.tell_sender, until)
    done += _each(_overdue_wrap_ups(now), closing.finish_automatically, until)
    done += _each(_left_wrap_ups(), _finish_left, until)
    done += _each(_without_lead(), transfers.replace_lost_lead, until)
    done += _each(_with_lost_guests(), conferences.lose_guests, until)
    done += _each(_silent_leases(now), _mark_left, until)
    done += _each(_gone_visitors(now), presence.give_up_on_visitor, until)
    done += _each(_silent_visitors(now), presence.ask_or_end_silent, until)
    done += _each(_waited_too_long(now), overflow, until)
    done += _each(_unattended(now), close_unattended, until)
    return done


def _has_work() -> bool:
    """An empty house needs one look."""
    return (
        Conversation.objects.exclude(state=State.CLOSED).exists()
        or Agent.objects.exclude(state=AgentState.OFFLINE).exists()
    )


def _each(ids: list[int], act: Callable[[int], bool], until: float) -> int:
    """Do it to each. One that cannot be done, or whose row somebody holds, does not keep the others waiting."""
    done = 0
    # In no order, as other processes have found the same ones: they would wait for each other at each.
    for place, one in enumerate(random.sample(ids, len(ids))):
        if place and time.monotonic() > until:
            break
        try:
            with impatiently():
                done += act(one)
        except Refused as refusal:
            logger.info("%s %s: %s", act.__name__, one, refusal)
        except (OperationalError, InterfaceError):
            raise  # the database is away, for all of them
        except Exception:
            logger.exception("%s %s could not be done; the others go on.", act.__name__, one)
    return done


def _lose_agent(agent_id: int) -> bool:
    return presence.lose_agent(agent_id, grace_seconds=settings.AGENT_GRACE_SECONDS)


def _unavailable_with_offers() -> list[int]:
    pending = Offer.objects.filter(state=OfferState.PENDING).exclude(agent__state=AgentState.AVAILABLE)
    return list(pending.order_by("agent").values_list("agent", flat=True).distinct()[:MOST_AT_ONCE])


def _expired_offers(now: dt.datetime) -> list[int]:
    due = Offer.objects.filter(state=OfferState.PENDING, expires_at__lte=now)
    return list(due.order_by("expires_at").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _untold_senders() -> list[int]:
    untold = Offer.objects.filter(is_sender_told=False).order_by("settled_at")
    return list(untold.values_list("pk", flat=True)[:MOST_AT_ONCE])


def _overdue_wrap_ups(now: dt.datetime) -> list[int]:
    due = Conversation.objects.filter(state=State.WRAP_UP, wrap_up_deadline__lte=now)
    return list(due.order_by("wrap_up_deadline").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _lost_lead() -> Q:
    lead = Agent.objects.filter(
        participations__conversation=OuterRef("pk"),
        participations__left_at=None,
        participations__role=Role.LEAD,
    ).exclude(state=AgentState.OFFLINE)
    return ~Q(Exists(lead))


def _left_wrap_ups() -> list[int]:
    """Wrap-ups without a limit whose lead has left: nobody else would ever finish them."""
    left = Conversation.objects.unfinished(State.WRAP_UP).filter(_lost_lead(), wrap_up_deadline=None)
    return list(left.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _finish_left(conversation_id: int) -> bool:
    return closing.finish_automatically(conversation_id, even_without_deadline=True)


def _without_lead() -> list[int]:
    asked = Offer.objects.filter(conversation=OuterRef("pk"), state=OfferState.PENDING, kind=OfferKind.TRANSFER)
    lost = Conversation.objects.unfinished(State.ACTIVE).filter(_lost_lead(), ~Exists(asked))
    return list(lost.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _with_lost_guests() -> list[int]:
    lost = Participant.objects.filter(
        role=Role.GUEST, left_at=None, agent__state=AgentState.OFFLINE, conversation__state=State.ACTIVE
    )
    return list(lost.order_by("conversation").values_list("conversation", flat=True).distinct()[:MOST_AT_ONCE])


def _silent_leases(now: dt.datetime) -> list[int]:
    """Visitors whose page fell silent without a word, as when a server process died."""
    limit = now - dt.timedelta(seconds=presence.LEASE_SECONDS)
    silent = Conversation.objects.unfinished(*OPEN_STATES).filter(is_visitor_here=True, visitor_seen_at__lte=limit)
    return list(silent.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _mark_left(conversation_id: int) -> bool:
    limit = database_now() - dt.timedelta(seconds=presence.LEASE_SECONDS)
    return presence.visitor_left(conversation_id, unless_seen_after=limit)


def _gone_visitors(now: dt.datetime) -> list[int]:
    """Filtered by each queue's own grace: many who may be gone for long do not hide one whose grace is over."""
    limit = now - _seconds("queue__waiting_grace_seconds")
    is_over = Q(state=State.WAITING, visitor_seen_at__lte=limit, entered_queue_at__lte=limit)
    is_over |= Q(state=State.ACTIVE, visitor_seen_at__lte=now - _seconds("queue__visitor_gone_seconds"))
    away = Conversation.objects.unfinished(*OPEN_STATES).filter(
        is_over, is_visitor_here=False, visitor_seen_at__lte=now - SHORTEST_GRACE
    )
    return list(away.order_by("visitor_seen_at").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _silent_visitors(now: dt.datetime) -> list[int]:
    limit = ExpressionWrapper(now - _seconds("queue__inactivity_limit_seconds"), output_field=DateTimeField())
    came_later = ConversationEvent.objects.annotate(limit=OuterRef("limit")).filter(
        conversation=OuterRef("pk"), kind=EventKind.VISITOR_RETURNED, at__gt=F("limit")
    )
    active = Conversation.objects.unfinished(State.ACTIVE)
    silent = active.annotate(silent_since=Coalesce("asked_if_there_at", "last_message_at"), limit=limit).filter(
        ~Exists(came_later),
        is_visitor_here=True,
        queue__inactivity_limit_seconds__gt=0,
        last_line_by=Party.AGENT,
        silent_since__lte=F("limit"),
    )
    return list(silent.order_by("silent_since").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _waited_too_long(now: dt.datetime) -> list[int]:
    waiting = Conversation.objects.filter(
        state=State.WAITING,
        has_overflowed=False,
        queue__overflow_after_seconds__gt=0,
        queue__overflow_queue__is_in_use=True,
        entered_queue_at__lte=now - _seconds("queue__overflow_after_seconds"),
    )
    served = _served(Queue.objects.filter(pk__in=waiting.values("queue__overflow_queue")), now)
    ready = waiting.filter(queue__overflow_queue__in=served).order_by("entered_queue_at")
    return list(ready.values_list("pk", flat=True)[:MOST_AT_ONCE])


def _served(queues: QuerySet[Queue], now: dt.datetime) -> list[Queue]:
    """Those that are open with somebody signed in, in a handful of queries: nobody is moved to where nobody is."""
    return attended(
        queue for queue in queues.prefetch_related("opening_hours", "holidays") if hours.is_open(queue, now)
    )


def _seconds(field: str) -> Combinable:
    """A field of seconds as a length of time."""
    # SQLite multiplies plain integers alone.
    number = Cast(field, IntegerField())
    return ExpressionWrapper(number * Value(dt.timedelta(seconds=1)), output_field=DurationField())


def _may_overflow(conversation: Conversation, now: dt.datetime) -> bool:
    """Whether it can move to another queue, which serves it; once, and only where the queue says so."""
    queue = conversation.queue
    if conversation.has_overflowed or not queue.overflow_after_seconds or queue.overflow_queue_id is None:
        return False
    return bool(_served(Queue.objects.filter(pk=queue.overflow_queue_id), now))


@transaction.atomic
def overflow(conversation_id: int) -> bool:
    """Move a conversation that waited longer than its queue allows to the overflow queue, if that one serves."""
    conversation = Conversation.objects.lock(pk=conversation_id)
    now = database_now()
    limit = dt.timedelta(seconds=conversation.queue.overflow_after_seconds)
    if conversation.state != State.WAITING or conversation.entered_queue_at + limit > now:
        return False
    if not _may_overflow(conversation, now):
        return False
    transfers.overflow(conversation, at=now)
    return True


def _unattended(now: dt.datetime) -> list[int]:
    """
    Waiting conversations of queues whose last member has been signed out, or no member, for longer than the grace.

    Who may not sign in any more serves nobody, but the grace runs from when he left too. The queues come first: mostly
    there is none, however many wait.
    """
    empty = Queue.objects.filter(~Exists(_there(Agent.objects.filter(memberships__queue=OuterRef("pk")))))
    queues = list(empty.values_list("pk", flat=True))
    if not queues:
        return []
    members = Agent.objects.filter(memberships__queue=OuterRef("queue"))
    pending = Offer.objects.filter(conversation=OuterRef("pk"), state=OfferState.PENDING)
    limit = now - _seconds("queue__waiting_grace_seconds")
    left_later = members.annotate(limit=OuterRef("limit")).filter(state_since__gt=F("limit"))
    waiting = Conversation.objects.annotate(limit=ExpressionWrapper(limit, output_field=DateTimeField())).filter(
        ~Exists(left_later),
        Q(queue__member_left_at=None) | Q(queue__member_left_at__lte=F("limit")),
        ~Exists(pending),  # who is asked may still accept
        queue__in=queues,
        state=State.WAITING,
        entered_queue_at__lte=F("limit"),
    )
    return list(waiting.order_by("entered_queue_at").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _there(members: QuerySet[Agent]) -> QuerySet[Agent]:
    return members.filter(is_active=True).exclude(state=AgentState.OFFLINE)


def _is_given_up(conversation: Conversation, last_left_at: dt.datetime | None, now: dt.datetime) -> bool:
    grace = dt.timedelta(seconds=conversation.queue.waiting_grace_seconds)
    moments = (conversation.entered_queue_at, conversation.queue.member_left_at, last_left_at)
    return max(moment for moment in moments if moment) + grace <= now


@transaction.atomic
def close_unattended(conversation_id: int) -> bool:
    """
    Nobody is left to serve this visitor: he is told, and the conversation closes as Nobody available.

    Unless its overflow queue serves: then it moves there, though its time for that has not come.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    now = database_now()
    members = Agent.objects.filter(memberships__queue=conversation.queue_id)
    last_left_at = members.aggregate(last=Max(F("state_since")))["last"]
    if conversation.state != State.WAITING or _there(members).exists():
        return False
    if conversation.offers.filter(state=OfferState.PENDING).exists():
        return False
    if not _is_given_up(conversation, last_left_at, now):
        return False
    if _may_overflow(conversation, now):
        transfers.overflow(conversation, at=now)
    else:
        closing.close_by_system(conversation, SystemReason.NOBODY_AVAILABLE, at=now, ended_by=Party.SYSTEM)
    return True
