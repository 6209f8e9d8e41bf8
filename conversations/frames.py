"""Frames: what goes down a socket, or into the answer of a poll, as JSON."""

from typing import Any

from django.utils.translation import gettext as _

from conversations.actions.messaging import Posted
from conversations.actions.reading import Marks
from conversations.models import Message
from conversations.thread import Audience, rendered

Frame = dict[str, Any]


def lines_frame(conversation_id: int, messages: list[Message], audience: Audience, language: str) -> Frame:
    """Lines as a page takes them; `last` counts those too that this audience does not see."""
    html = rendered.render(messages, audience, language)
    return {"is": "messages", "conversation": conversation_id, "html": html, "last": messages[-1].number}


def marks_frame(conversation_id: int, marks: Marks) -> Frame:
    """How far the other side has the thread, and has seen it."""
    return {"is": "marks", "conversation": conversation_id, "delivered": marks.delivered, "read": marks.read}


def reload_frame() -> Frame:
    """The page shows lines that the database does not have, because a backup was restored: it must be loaded anew."""
    return {"is": "reload"}


def gone_frame(conversation_id: int) -> Frame:
    """The conversation that is open on the page is not the agent's; its row may never have stood there."""
    return {"is": "gone", "conversation": conversation_id}


def posted_frame(posted: Posted) -> Frame:
    """The acknowledgement of a message, with a notice when it was not stored as it was written."""
    message = posted.message
    frame: Frame = {
        "is": "posted",
        "key": message.key,
        "number": message.number,
        "conversation": message.conversation_id,
    }
    if message.details.get("has_masked_card"):
        frame["notice"] = _("A card number in your message was masked. Never send card numbers in a chat.")
    return frame
