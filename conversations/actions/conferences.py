"""Colleagues in a conversation: called in by the lead, up to three, and free to leave."""

from django.db import transaction

from agents.models import Agent
from config.clock import database_now
from conversations.actions.guests import guests_of, let_go
from conversations.actions.leads import lock_active_for_lead
from conversations.actions.lines import announce_change, announce_line
from conversations.actions.notes import clean_note
from conversations.actions.offers import offer_to, touch
from conversations.errors import AlreadyHere, ConferenceFull, Gone, NotAGuest, NothingToEnd, NotToYourself
from conversations.models import MOST_GUESTS, Conversation, Offer, Participant
from conversations.states import OfferKind, Role


@transaction.atomic
def invite(conversation_id: int, agent_id: int, *, by: Agent, note: str = "") -> Offer:
    """The lead asks a colleague into the conversation; up to three guests at a time."""
    conversation = lock_active_for_lead(conversation_id, by)
    if agent_id == by.pk:
        raise NotToYourself
    guests = guests_of(conversation)
    if any(guest.agent_id == agent_id for guest in guests):
        raise AlreadyHere
    if len(guests) >= MOST_GUESTS:
        raise ConferenceFull
    return offer_to(conversation, agent_id, kind=OfferKind.CONFERENCE, by=by, note=clean_note(note))


@transaction.atomic
def leave(conversation_id: int, *, by: Agent) -> None:
    """A guest goes; the lead goes on."""
    conversation = Conversation.objects.lock(pk=conversation_id)
    place = conversation.participants.filter(agent=by, left_at=None).first()
    if place is None:
        raise Gone
    if place.role != Role.GUEST:
        raise NotAGuest
    _part(conversation, [place], by=by)


@transaction.atomic
def end(conversation_id: int, *, by: Agent) -> None:
    """The lead ends the conference: the guests leave, and the lead goes on alone."""
    conversation = lock_active_for_lead(conversation_id, by)
    guests = guests_of(conversation)
    if not guests:
        raise NothingToEnd
    _part(conversation, guests, by=by)


def _part(conversation: Conversation, guests: list[Participant], *, by: Agent) -> None:
    left = let_go(conversation, guests, at=database_now(), by=by)
    touch(conversation)
    staying = conversation.participants.filter(left_at=None).values_list("agent_id", flat=True)
    announce_change(conversation, *staying, *left)
    announce_line(conversation.queue_id)
