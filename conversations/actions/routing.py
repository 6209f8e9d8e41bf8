"""Who gets which conversation, when: in order of the line, to the member who should be asked next."""

import datetime as dt
import heapq
from collections import Counter
from collections.abc import Sequence

from django.db.models import (
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Cast

from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from config.locks import Busy, impatiently
from conversations.actions.offers import make_locked
from conversations.errors import AgentFull, AgentNotAvailable
from conversations.load import with_load
from conversations.models import Conversation, Offer
from conversations.states import OfferKind, OfferState, State
from queues.models import Queue, QueueMembership

REFUSED_BEFORE = (OfferState.DECLINED, OfferState.MISSED)
MOST_TRIES = 5

# Where a conversation stands among all that wait.
Place = tuple[dt.datetime, int]


class Held(Exception):
    """Another router serves this queue now."""


class Overtaken(Exception):
    """Whoever stands first in this queue's line now has somebody of another line before him."""


def route(most: int | None = None) -> int:
    """
    Offer waiting conversations until no free place and waiting conversation of one queue are left, or to so many.

    Any number of processes may route at once: each serves the queues that no other one serves in this moment, and
    leaves the last place of an agent to the line ahead. Answers how many were offered.
    """
    made, is_held_back = _serve_lines(most)
    if is_held_back and made != most:
        # Two who met at each other's queues would both leave a place free: they look once more.
        made += _serve_lines(None if most is None else most - made)[0]
    return made


def _serve_lines(most: int | None) -> tuple[int, bool]:
    """Serve all lines, who stands first of all first; answers how many were offered, and whether one had to wait."""
    made, is_held_back = 0, False
    passed: list[int] = []
    tries: Counter[int] = Counter()
    lines = _lines()
    heapq.heapify(lines)
    while made != most and lines:
        _head, queue_id = heapq.heappop(lines)
        if passed and not _free_members(queue_id, database_now(), without=passed).exists():
            is_held_back = True  # its lock is left to who serves the lines ahead: he comes here next
            continue
        following = lines[0][0] if lines else None
        try:
            with impatiently():
                is_made = _offer_next(queue_id, following, without=passed)
        except Held:
            passed.append(queue_id)
            continue
        except (AgentFull, AgentNotAvailable, Busy, Overtaken):
            # Taken since we looked. All locks are let go before the next try: two agents' locks could meet crosswise.
            tries[queue_id] += 1
            if tries[queue_id] == MOST_TRIES:
                continue
        else:
            if not is_made:
                continue  # there is nobody to ask for whoever stands first
            made += 1
        if (head := _head_of(queue_id)) is not None:
            heapq.heappush(lines, (head, queue_id))
    return made, is_held_back


def offer_next(queue_id: int) -> bool:
    """
    Offer the first of the queue's line to the member who should be asked next; False when there is nobody to ask.

    One router at a time serves a queue: its row is the lock of its line, so that the order holds however many route.
    Who is being written to in this very moment is passed over. Raises AgentFull or AgentNotAvailable when the member
    was taken since we looked, and Busy when somebody holds his row.
    """
    try:
        with impatiently():
            return _offer_next(queue_id)
    except Held:
        return False


def _offer_next(queue_id: int, following: Place | None = None, *, without: Sequence[int] = ()) -> bool:
    """The same, unless `following` stands before the first; last places in the queues `without` are left to those."""
    queue = Queue.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=queue_id).first()
    if queue is None:
        raise Held
    line = not_offered().filter(queue=queue).order_by("order_key", "pk")
    conversation = line.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
    if conversation is None:
        return False
    if following is not None and (conversation.order_key, conversation.pk) > following:
        raise Overtaken
    conversation.queue = queue
    agents = _leave_out(candidates(conversation, database_now()), without)
    agent_id = agents.values_list("pk", flat=True).first()
    if agent_id is None:
        return False
    make_locked(conversation, to=agent_id)
    return True


def _free_members(queue_id: int, now: dt.datetime, *, without: Sequence[int]) -> QuerySet[Agent]:
    return _leave_out(free_agents(now).filter(memberships__queue=queue_id), without)


def _leave_out(agents: QuerySet[Agent], queue_ids: Sequence[int]) -> QuerySet[Agent]:
    """
    Without the members of these queues who have one free place left: whoever serves those may be about to give it away.

    More than one leave enough for both.
    """
    if not queue_ids:
        return agents
    serve_them = QueueMembership.objects.filter(queue__in=queue_ids, agent=OuterRef("pk"))
    return agents.exclude(Exists(serve_them), load__gte=F("capacity") - 1)  # type: ignore[misc]


def candidates(conversation: Conversation, now: dt.datetime) -> QuerySet[Agent]:
    """
    The members who may be asked, in the order in which they are.

    Available, connected and with a free place; who has not refused this conversation comes first, then the lowest
    rank, the least load relative to capacity, and the longest since the last offer. Higher ranks join after the
    queue's widening time, or once somebody refused: nobody is asked twice while others are there.
    """
    queue = conversation.queue
    membership = QueueMembership.objects.filter(queue=queue, agent=OuterRef("pk"))
    refusals = Offer.objects.filter(conversation=conversation, kind=OfferKind.REQUEST, state__in=REFUSED_BEFORE)
    agents = free_agents(now).filter(Exists(membership))
    agents = agents.annotate(
        rank=Subquery(membership.values("rank")[:1]),
        has_refused=Exists(refusals.filter(agent=OuterRef("pk"))),
        share=ExpressionWrapper(Cast("load", FloatField()) / F("capacity"), output_field=FloatField()),
    )
    if now < conversation.queued_at + dt.timedelta(seconds=queue.widening_seconds) and not refusals.exists():
        ranks = QueueMembership.objects.filter(queue=queue, agent__is_active=True).order_by()
        lowest = ranks.values("queue").annotate(lowest=Min("rank")).values("lowest")
        agents = agents.filter(rank=Subquery(lowest))
    return agents.order_by("has_refused", "rank", "share", F("last_offered_at").asc(nulls_first=True), "pk")


def free_agents(now: dt.datetime) -> QuerySet[Agent]:
    """Agents who can be offered something now, with their `load`."""
    ready = Agent.objects.filter(state=AgentState.AVAILABLE, connected_until__gt=now, is_active=True, capacity__gt=0)
    return with_load(ready).filter(load__lt=F("capacity"))  # type: ignore[misc]


def not_offered() -> QuerySet[Conversation]:
    """Waiting conversations without a pending offer."""
    pending = Offer.objects.filter(conversation=OuterRef("pk"), state=OfferState.PENDING)
    return Conversation.objects.filter(~Exists(pending), state=State.WAITING)


def _lines() -> list[tuple[Place, int]]:
    """
    The heads of the lines that have a member free to be asked, whatever the lines' lengths, with their queues.

    Each queue's head is one look into the index of the line.
    """
    free = free_agents(database_now()).filter(memberships__queue=OuterRef("pk"))
    heads = not_offered().filter(queue=OuterRef("pk")).order_by("order_key", "pk")
    queues = (
        Queue.objects.filter(Exists(free))
        .annotate(head=Subquery(heads.values("pk")[:1]), head_key=Subquery(heads.values("order_key")[:1]))
        .filter(Q(head__isnull=False))
    )
    return [((key, head), pk) for key, head, pk in queues.order_by().values_list("head_key", "head", "pk")]


def _head_of(queue_id: int) -> Place | None:
    """Who stands first in the queue's line now."""
    line = not_offered().filter(queue=queue_id).order_by("order_key", "pk")
    return line.values_list("order_key", "pk").first()
