"""The details of a conversation's events in words, for supervisors."""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from agents.models import Agent
from conversations.models import ConversationEvent
from conversations.states import OfferKind, Party, Remark, Role, SystemReason
from queues.models import Queue

LABELS = {
    "agent": gettext_lazy("Agent"),
    "lead": gettext_lazy("Lead"),
    "offered": gettext_lazy("Kind"),
    "role": gettext_lazy("Role"),
    "from_queue": pgettext_lazy("queue", "From"),
    "to_queue": pgettext_lazy("queue", "To"),
    "ended_by": gettext_lazy("Ended by"),
    "remark": gettext_lazy("Remark"),
    "reason": gettext_lazy("Closing reason"),
    "system_reason": gettext_lazy("Closing reason"),
}
CHOICES: dict[str, Any] = {
    "offered": OfferKind,
    "role": Role,
    "ended_by": Party,
    "remark": Remark,
    "system_reason": SystemReason,
}
AGENTS = ("agent", "lead")
QUEUES = ("from_queue", "to_queue")


def in_words(events: Iterable[ConversationEvent]) -> list[ConversationEvent]:
    """The same events, each with `words`: what is known of it and says something to a person."""
    found = list(events)
    agents = _names(Agent.objects, _numbers(found, AGENTS), lambda agent: str(agent.name))
    queues = _names(Queue.objects, _numbers(found, QUEUES), lambda queue: str(queue.name))
    for event in found:
        event.words = _words(event.details, agents, queues)  # type: ignore[attr-defined]
    return found


def _numbers(events: list[ConversationEvent], keys: tuple[str, ...]) -> set[int]:
    values = (event.details.get(key) for event in events for key in keys)
    return {value for value in values if isinstance(value, int)}


def _names(manager: Any, numbers: set[int], name: Callable[[Any], str]) -> dict[int, str]:
    if not numbers:
        return {}
    return {pk: name(row) for pk, row in manager.in_bulk(numbers).items()}


def _words(details: dict[str, Any], agents: dict[int, str], queues: dict[int, str]) -> str:
    parts = []
    for key, label in LABELS.items():
        value = details.get(key)
        if not value:
            continue
        if key in CHOICES:
            value = dict(CHOICES[key].choices).get(value, value)
        elif key in AGENTS:
            value = agents.get(value) or details.get("name", "–")
        elif key in QUEUES:
            value = queues.get(value, "–")
        parts.append(_("%(label)s: %(value)s") % {"label": label, "value": value})
    return " · ".join(parts)
