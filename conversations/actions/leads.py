"""What only the lead may do begins here: the conversation, locked, for its lead alone."""

from typing import Any

from agents.models import Agent
from conversations.errors import Gone, NotLead, NotNow
from conversations.models import Conversation
from conversations.states import Role, State

# What becomes of the visitor's silence with a new lead: he waited for him, and has nothing to answer yet.
OWES_NO_ANSWER: dict[str, Any] = {"last_line_by": "", "asked_if_there_at": None}


def lock_for_lead(conversation_id: int, agent: Agent) -> Conversation:
    """The conversation in whatever state, locked; raises Gone for who takes no part, NotLead for a guest."""
    conversation = Conversation.objects.lock(pk=conversation_id)
    require_lead(conversation, agent)
    return conversation


def lock_active_for_lead(conversation_id: int, agent: Agent) -> Conversation:
    """The same while the talk goes on; raises NotNow after its end."""
    conversation = lock_for_lead(conversation_id, agent)
    if conversation.state != State.ACTIVE:
        raise NotNow
    return conversation


def require_lead(conversation: Conversation, agent: Agent) -> None:
    """Refuse whoever does not lead the conversation. The caller holds its lock."""
    role = conversation.participants.filter(agent=agent, left_at=None).values_list("role", flat=True).first()
    if role is None:
        raise Gone
    if role != Role.LEAD:
        raise NotLead
