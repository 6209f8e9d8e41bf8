"""Names of live groups about conversations, and what rings in them."""

from agents.groups import ROUTER, desk

__all__ = ["ROUTER", "desk", "line", "thread"]


def thread(conversation_id: int) -> str:
    """
    One conversation.

    Rings: "posted" (messages, up to `number`), "marked" (what was delivered and read), "typing" (who, by `name`, for a
    moment; nothing is stored), "closed" (its visitor's last page in a process; one that is open elsewhere says so),
    "changed" (anything else about it).
    """
    return f"thread:{conversation_id}"


def line(queue_id: int) -> str:
    """The line of a queue. Rings: "changed" (places moved)."""
    return f"line:{queue_id}"
