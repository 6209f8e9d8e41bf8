"""Delivered and read marks: how far each side has the thread, and has seen it. They only move forward."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import Max, Q

from agents.models import Agent
from config.live import announce
from config.rows import update_rows
from conversations import groups
from conversations.models import Conversation, Message, Participant
from conversations.states import Party

VISITORS = ("visitor_delivered_number", "visitor_read_number")
AGENTS = ("delivered_number", "read_number", "read_visitor_count")


@dataclass(frozen=True)
class Marks:
    """Up to which number the other side got the thread, and saw it."""

    delivered: int = 0
    read: int = 0


@dataclass(frozen=True)
class Mark:
    """What a page told: the thread is here up to `delivered`, and was seen up to `read`. No agent: the visitor's."""

    conversation_id: int
    delivered: int
    read: int = 0
    agent_id: int | None = None

    @property
    def whose(self) -> tuple[int, int | None]:
        """The place in the conversation that it belongs to."""
        return (self.conversation_id, self.agent_id)

    def or_further(self, other: "Mark") -> "Mark":
        """The further of the two, in each way."""
        return replace(self, delivered=max(self.delivered, other.delivered), read=max(self.read, other.read))

    def beyond(self, known: Marks, last: int) -> Marks:
        """Where the marks stand after this one: never back, and not further than the thread goes."""
        read = min(self.read, last)
        delivered = min(max(self.delivered, read), last)
        return Marks(max(known.delivered, delivered), max(known.read, read))


def marks_for_visitor(conversation: Conversation) -> Marks:
    """How far the agents got: the furthest of them counts."""
    furthest = conversation.participants.aggregate(delivered=Max("delivered_number"), read=Max("read_number"))
    return Marks(furthest["delivered"] or 0, furthest["read"] or 0)


def marks_for_agents(conversation: Conversation) -> Marks:
    """How far the visitor got."""
    return Marks(conversation.visitor_delivered_number, conversation.visitor_read_number)


def marked_by_agent(conversation_id: int, *, by: Agent, delivered: int, read: int = 0) -> None:
    """The agent's page has the thread up to `delivered`, and he saw it up to `read`: that much is unread no more."""
    mark([Mark(conversation_id, delivered, read, agent_id=by.pk)])


def marked_by_visitor(conversation_id: int, *, delivered: int, read: int = 0) -> None:
    """The visitor's page has the thread up to `delivered`, and he saw it up to `read`."""
    mark([Mark(conversation_id, delivered, read)])


@transaction.atomic
def mark(told: Sequence[Mark]) -> None:
    """
    Move marks of any conversations forward, in one transaction: five statements, whatever their number.

    Whoever takes no part any more, or never did, moves nothing: his page is just being told.
    """
    furthest: dict[tuple[int, int | None], Mark] = {}
    for one in told:
        before = furthest.get(one.whose)
        furthest[one.whose] = one.or_further(before) if before else one
    _mark_visitors([one for one in furthest.values() if one.agent_id is None])
    _mark_agents([one for one in furthest.values() if one.agent_id is not None])


def _mark_visitors(told: Sequence[Mark]) -> None:
    if not told:
        return
    by_pk = {one.conversation_id: one for one in told}
    locked = Conversation.objects.select_for_update(no_key=True).only("last_number", *VISITORS)
    moved = []
    for conversation in locked.filter(pk__in=by_pk).order_by("pk"):
        known = Marks(conversation.visitor_delivered_number, conversation.visitor_read_number)
        marks = by_pk[conversation.pk].beyond(known, conversation.last_number)
        if marks != known:
            conversation.visitor_delivered_number, conversation.visitor_read_number = marks.delivered, marks.read
            moved.append(conversation)
    update_rows(moved, VISITORS)
    for conversation in moved:
        announce(
            groups.thread(conversation.pk),
            "marked",
            conversation=conversation.pk,
            by=0,
            delivered=conversation.visitor_delivered_number,
            read=conversation.visitor_read_number,
        )


def _mark_agents(told: Sequence[Mark]) -> None:
    if not told:
        return
    by_place = {one.whose: one for one in told}
    # In the order of their keys, and without their conversations: `guests_of` keeps to it.
    locked = Participant.objects.select_for_update(no_key=True, of=("self",)).select_related("conversation")
    of_talk = ("conversation__last_number", "conversation__visitor_count")
    places = locked.only("conversation_id", "agent_id", *AGENTS, *of_talk).filter(
        left_at=None,
        conversation__in={one.conversation_id for one in told},
        agent__in={one.agent_id for one in told},
    )
    moved, has_read = [], []
    for place in places.order_by("pk"):
        one = by_place.get((place.conversation_id, place.agent_id))
        if one is None:
            continue
        known = Marks(place.delivered_number, place.read_number)
        marks = one.beyond(known, place.conversation.last_number)
        if marks == known:
            continue
        if marks.read > known.read:
            has_read.append(place)
        place.delivered_number, place.read_number = marks.delivered, marks.read
        moved.append(place)
    _count_read(has_read)
    update_rows(moved, AGENTS)
    for place in moved:
        announce(
            groups.thread(place.conversation_id),
            "marked",
            conversation=place.conversation_id,
            by=place.agent_id,
            delivered=place.delivered_number,
            read=place.read_number,
            read_visitor_count=place.read_visitor_count,
        )


def _count_read(places: Sequence[Participant]) -> None:
    """How many of the visitor's messages each of them has seen: all but those behind his mark."""
    behind = [place for place in places if place.read_number < place.conversation.last_number]
    unseen: list[tuple[int, int]] = []
    if behind:
        wanted = Q()
        for place in behind:
            wanted |= Q(conversation=place.conversation_id, number__gt=place.read_number)
        unseen = list(Message.objects.filter(wanted, sender=Party.VISITOR).values_list("conversation", "number"))
    for place in places:
        later = [number for pk, number in unseen if pk == place.conversation_id and number > place.read_number]
        place.read_visitor_count = place.conversation.visitor_count - len(later)
