"""Read marks: who saw the thread up to which number. They only move forward."""

from django.db import transaction

from agents.models import Agent
from config.live import announce
from conversations import groups
from conversations.models import Conversation, Participant
from conversations.states import Party


@transaction.atomic
def seen_by_agent(conversation_id: int, number: int, *, by: Agent) -> None:
    """The agent saw the thread up to this number: what the visitor wrote until then is unread no more."""
    place = (
        Participant.objects.select_for_update(no_key=True, of=("self",))
        .select_related("conversation")
        .filter(conversation=conversation_id, agent=by, left_at=None)
        .first()
    )
    if place is None:
        return  # his page is just being told
    conversation = place.conversation
    number = min(number, conversation.last_number)
    if number <= place.read_number:
        return
    place.read_number = number
    place.read_visitor_count = conversation.visitor_count - _unseen(conversation, number)
    place.save(update_fields=["read_number", "read_visitor_count"])
    announce(groups.desk(by.pk), "changed")


def _unseen(conversation: Conversation, number: int) -> int:
    if number == conversation.last_number:
        return 0
    return conversation.messages.filter(number__gt=number, sender=Party.VISITOR).count()


@transaction.atomic
def seen_by_visitor(conversation_id: int, number: int) -> None:
    """The visitor saw the thread up to this number."""
    mine = Conversation.objects.filter(pk=conversation_id, visitor_read_number__lt=number, last_number__gte=number)
    mine.update(visitor_read_number=number)
