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
    """Add an event to the thread, for everybody. The caller holds the conversation's lock."""
    message = Message(kind=MessageKind.EVENT, event=kind, details=_named(about, details))
    return _write(conversation, message, at=at)


def write_remark(
    conversation: Conversation, kind: EventKind, *, at: dt.datetime, about: Agent | None = None, **details: Any
) -> Message:
    """Add an event that only colleagues see. The caller holds the conversation's lock."""
    message = Message(kind=MessageKind.NOTE, event=kind, details=_named(about, details))
    return _write(conversation, message, at=at)


def write_note(conversation: Conversation, text: str, *, at: dt.datetime, by: Agent) -> Message:
    """Add an internal note by an agent. The caller holds the conversation's lock."""
    return _write(conversation, Message(kind=MessageKind.NOTE, sender=Party.AGENT, agent=by, text=text), at=at)


def _named(about: Agent | None, details: dict[str, Any]) -> dict[str, Any]:
    return details if about is None else {**details, "name": about.name}


def _write(conversation: Conversation, message: Message, *, at: dt.datetime) -> Message:
    conversation.last_number += 1
    conversation.save(update_fields=["last_number"])
    message.conversation = conversation
    message.number = conversation.last_number
    message.sender = message.sender or Party.SYSTEM
    message.created_at = at
    message.save(force_insert=True)
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
