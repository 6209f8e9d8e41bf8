"""How guests leave a conference: each with a row of history and a line in the thread."""

import datetime as dt
from collections.abc import Iterable

from agents.models import Agent
from conversations.actions.lines import write_event
from conversations.models import Conversation, Participant
from conversations.states import EventKind, Role


def guests_of(conversation: Conversation) -> list[Participant]:
    """
    Who is a guest now, in the order in which they joined. The caller holds the conversation's lock.

    It locks all open places, the lead's too, in the order in which `reading.mark` locks them without the
    conversation's: whoever changes several of them asks this first, or the two could wait for each other.
    """
    places = conversation.participants.select_for_update(no_key=True, of=("self",)).filter(left_at=None)
    here = places.select_related("agent").order_by("pk")
    return sorted((one for one in here if one.role == Role.GUEST), key=lambda guest: (guest.joined_at, guest.pk))


def let_go(
    conversation: Conversation, guests: Iterable[Participant], *, at: dt.datetime, by: Agent | None = None
) -> list[int]:
    """These guests leave; answers which agents they are. The caller holds the conversation's lock."""
    left = []
    for guest in guests:
        guest.left_at = at
        guest.save(update_fields=["left_at"])
        conversation.log(EventKind.LEFT, at=at, by=by, agent=guest.agent_id)
        write_event(conversation, EventKind.LEFT, at=at, about=guest.agent)
        left.append(guest.agent_id)
    return left


def end_conference(conversation: Conversation, *, at: dt.datetime, by: Agent | None = None) -> list[int]:
    """All guests leave before the lead ends the talk or hands it on. The caller holds the conversation's lock."""
    return let_go(conversation, guests_of(conversation), at=at, by=by)
