"""The Customer region: who writes, from where, and what was before."""

from typing import Any
from urllib.parse import urlsplit

from config.clock import duration
from conversations.access import earlier_of
from conversations.devices import device_of
from conversations.models import Conversation

MOST_EARLIER = 5

Context = dict[str, Any]
NO_CUSTOMER: Context = {"conversation": None, "waited": "", "earlier": []}


def customer_context(conversation: Conversation) -> Context:
    """The context of the Customer region."""
    return {
        "conversation": conversation,
        "device": device_of(conversation.user_agent),
        "is_page_a_link": is_web_address(conversation.page_address),
        "waited": duration(conversation.waited_seconds(), unknown=""),
        **earlier_context(conversation),
    }


def earlier_context(conversation: Conversation, *, before: int | None = None) -> Context:
    """A page of the customer's earlier conversations, and where the next one begins, if there is one."""
    found = earlier_of(conversation, MOST_EARLIER + 1, before=before)
    shown = [with_labels(one) for one in found[:MOST_EARLIER]]
    return {"earlier": shown, "earlier_before": shown[-1].pk if len(found) > MOST_EARLIER else None}


def transcript_context(conversation: Conversation) -> Context:
    """What stands above a transcript: the reason, and the agents in the order in which they joined."""
    places = conversation.participants.select_related("agent")
    agents = list(dict.fromkeys(place.agent.name for place in places))
    return {"conversation": with_labels(conversation), "agents": agents}


def with_labels(conversation: Conversation) -> Conversation:
    """The same closed conversation, knowing how its reason reads."""
    reason = conversation.closing_reason
    conversation.closing_label = reason.label if reason else conversation.get_system_reason_display()  # type: ignore[attr-defined]
    return conversation


def is_web_address(address: str) -> bool:
    """Whether it may be a link: only what a browser opens as a page."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def foreign_page(address: str, own_host: str) -> str:
    """The page that a visitor came from; a page of our own (the list of queues, the form again) says nothing."""
    try:
        came_from = urlsplit(address)
        is_own = came_from.netloc.rpartition("@")[2].lower() in _hosts(own_host, came_from.scheme)
    except ValueError:
        return ""
    return "" if is_own else address


def _hosts(host: str, scheme: str) -> set[str]:
    """How an address may write this host: the port that its scheme stands for may be there or not."""
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    bare = host.lower().removesuffix(port) if port else host.lower()
    return {bare, bare + port}
