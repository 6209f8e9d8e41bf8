"""Delivered and read marks: how far each side has the thread, and has seen it. They only move forward."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max

from agents.models import Agent
from config.live import announce
from conversations import groups
from conversations.models import Conversation, Participant
from conversations.states import Party


@dataclass(frozen=True)
class Marks:
    """Up to which number the other side got the thread, and saw it."""

    delivered: int = 0
    read: int = 0


def marks_for_visitor(conversation: Conversation) -> Marks:
    """How far the agents got: the furthest of them counts."""
    furthest = conversation.participants.aggregate(delivered=Max("delivered_number"), read=Max("read_number"))
    return Marks(furthest["delivered"] or 0, furthest["read"] or 0)


def marks_for_agents(conversation: Conversation) -> Marks:
    """How far the visitor got."""
    return Marks(conversation.visitor_delivered_number, conversation.visitor_read_number)


@transaction.atomic
def marked_by_agent(conversation_id: int, *, by: Agent, delivered: int, read: int = 0) -> None:
    """The agent's page has the thread up to `delivered`, and he saw it up to `read`: that much is unread no more."""
    places = Participant.objects.select_for_update(no_key=True, of=("self",)).select_related("conversation")
    place = places.filter(conversation=conversation_id, agent=by, left_at=None).first()
    if place is None:
        return  # his page is just being told
    conversation = place.conversation
    read = min(read, conversation.last_number)
    delivered = min(max(delivered, read), conversation.last_number)
    if delivered <= place.delivered_number and read <= place.read_number:
        return
    place.delivered_number = max(place.delivered_number, delivered)
    if read > place.read_number:
        place.read_number = read
        place.read_visitor_count = conversation.visitor_count - _unseen(conversation, read)
    place.save(update_fields=["delivered_number", "read_number", "read_visitor_count"])
    announce(
        groups.thread(conversation.pk),
        "marked",
        conversation=conversation.pk,
        by=by.pk,
        delivered=place.delivered_number,
        read=place.read_number,
        read_visitor_count=place.read_visitor_count,
    )


def _unseen(conversation: Conversation, number: int) -> int:
    if number == conversation.last_number:
        return 0
    return conversation.messages.filter(number__gt=number, sender=Party.VISITOR).count()


@transaction.atomic
def marked_by_visitor(conversation_id: int, *, delivered: int, read: int = 0) -> None:
    """The visitor's page has the thread up to `delivered`, and he saw it up to `read`."""
    conversation = Conversation.objects.lock(pk=conversation_id)
    read = min(read, conversation.last_number)
    delivered = min(max(delivered, read), conversation.last_number)
    if delivered <= conversation.visitor_delivered_number and read <= conversation.visitor_read_number:
        return
    conversation.visitor_delivered_number = max(conversation.visitor_delivered_number, delivered)
    conversation.visitor_read_number = max(conversation.visitor_read_number, read)
    conversation.save(update_fields=["visitor_delivered_number", "visitor_read_number"])
    announce(
        groups.thread(conversation.pk),
        "marked",
        conversation=conversation.pk,
        by=0,
        delivered=conversation.visitor_delivered_number,
        read=conversation.visitor_read_number,
    )
