"""Who gets which conversation, when: in order of the line, to the member who should be asked next."""

import datetime as dt

from django.db import transaction
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
from conversations.actions.offers import make_locked
from conversations.errors import AgentFull, AgentNotAvailable
from conversations.load import with_load
from conversations.models import Conversation, Offer
from conversations.states import OfferState, State
from queues.models import Queue, QueueMembership

REFUSED_BEFORE = (OfferState.DECLINED, OfferState.MISSED)


def route() -> int:
    """
    Offer waiting conversations until no free place and waiting conversation of one queue are left.

    Any number of processes may route at once: each works on what the others have not locked. Answers how many were
    offered.
    """
    made = 0
    passed_over: set[int] = set()  # conversations that another router holds
    not_yet: set[int] = set()  # queues that wait for their widening: whoever stands behind the first waits too
    while True:
        conversation = _next_in_line(passed_over, not_yet)
        if conversation is None:
            return made
        if offer_next(conversation.pk):
            made += 1
        elif candidates(conversation, database_now()).exists():
            passed_over.add(conversation.pk)
        else:
            not_yet.add(conversation.queue_id)


@transaction.atomic
def offer_next(conversation_id: int) -> bool:
    """Offer this conversation to the member who should be asked next; False when another has it or nobody may be."""
    locked = Conversation.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    conversation = locked.select_related("queue").filter(pk=conversation_id, state=State.WAITING).first()
    if conversation is None or conversation.offers.filter(state=OfferState.PENDING).exists():
        return False
    for agent_id in candidates(conversation, database_now()).values_list("pk", flat=True)[:5]:
        try:
            make_locked(conversation, to=agent_id)
        except (AgentFull, AgentNotAvailable):
            continue  # taken by another router since we looked
        return True
    return False


def candidates(conversation: Conversation, now: dt.datetime) -> QuerySet[Agent]:
    """
    The members who may be asked, in the order in which they are.

    Available, connected and with a free place; who has not refused this conversation comes first, then the lowest
    rank, the least load relative to capacity, and the longest since the last offer. Higher ranks join after the
    queue's widening time.
    """
    queue = conversation.queue
    membership = QueueMembership.objects.filter(queue=queue, agent=OuterRef("pk"))
    has_refused = Offer.objects.filter(conversation=conversation, agent=OuterRef("pk"), state__in=REFUSED_BEFORE)
    agents = free_agents(now).filter(Exists(membership))
    agents = agents.annotate(
        rank=Subquery(membership.values("rank")[:1]),
        has_refused=Exists(has_refused),
        share=ExpressionWrapper(Cast("load", FloatField()) / F("capacity"), output_field=FloatField()),
    )
    if now < conversation.queued_at + dt.timedelta(seconds=queue.widening_seconds):
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


def _next_in_line(passed_over: set[int], not_yet: set[int]) -> Conversation | None:
    """
    The first of the line among the queues that have a member free to be asked, whatever the line's length.

    Each queue's head is one look into the index of the line; the earliest of the heads is next.
    """
    now = database_now()
    free = free_agents(now).filter(memberships__queue=OuterRef("pk"))
    heads = not_offered().filter(queue=OuterRef("pk")).exclude(pk__in=passed_over).order_by("order_key", "pk")
    queues = (
        Queue.objects.exclude(pk__in=not_yet)
        .filter(Exists(free))
        .annotate(head=Subquery(heads.values("pk")[:1]), head_key=Subquery(heads.values("order_key")[:1]))
        .filter(Q(head__isnull=False))
        .order_by("head_key", "head")
    )
    head = queues.values_list("head", flat=True).first()
    return Conversation.objects.select_related("queue").filter(pk=head).first() if head is not None else None
