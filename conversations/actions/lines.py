"""Lines of the thread that the system writes: joined, left, transferred, ended. Only actions call this."""

import datetime as dt
from typing import Any

from agents.models import Agent
from config.live import announce
from conversations import groups
from conversations.models import Conversation, Message
from conversations.states import EventKind, MessageKind, Party


def write_event(
    conversation: Conversation, kind: EventKind, *, at: dt.datetime, about: Agent | None = None, **details: Any
) -> Message:
    """Add an event to the thread with the next number. The caller holds the conversation's lock."""
    conversation.last_number += 1
    conversation.save(update_fields=["last_number"])
    if about is not None:
        details["name"] = about.name
    message = Message.objects.create(
        conversation=conversation,
        number=conversation.last_number,
        kind=MessageKind.EVENT,
        sender=Party.SYSTEM,
        event=kind,
        details=details,
        created_at=at,
    )
    announce(
        groups.thread(conversation.pk),
        "posted",
        conversation=conversation.pk,
        number=message.number,
        visitor_count=conversation.visitor_count,
        _posted=[message],
    )
    return message


def announce_change(conversation: Conversation, *agent_ids: int) -> None:
    """Ring for everybody who sees the conversation: its visitor, its participants, and the agents named."""
    announce(groups.thread(conversation.pk), "changed")
    for agent_id in sorted(set(agent_ids)):
        announce(groups.desk(agent_id), "changed")


def announce_line(*queue_ids: int) -> None:
    """Ring for the waiting visitors of these queues, and for the router."""
    for queue_id in sorted(set(queue_ids)):
        announce(groups.line(queue_id), "changed")
    announce(groups.ROUTER, "work")
