"""Conversations and what belongs to them."""

from conversations.models.core import (
    LONGEST_KEY,
    LONGEST_MESSAGE,
    LONGEST_NAME,
    MOST_GUESTS,
    Conversation,
    ConversationEvent,
    Message,
    Offer,
    Participant,
    Visitor,
)
from conversations.models.files import LONGEST_FILE_NAME, Attachment, FileType
from conversations.models.texts import ReplyTemplate, RestrictedWord

__all__ = [
    "LONGEST_FILE_NAME",
    "LONGEST_KEY",
    "LONGEST_MESSAGE",
    "LONGEST_NAME",
    "MOST_GUESTS",
    "Attachment",
    "Conversation",
    "ConversationEvent",
    "FileType",
    "Message",
    "Offer",
    "Participant",
    "ReplyTemplate",
    "RestrictedWord",
    "Visitor",
]
