"""Colleagues in a conversation: called in by the lead, up to three, and free to leave."""

from django.db import transaction

from agents.models import Agent
from config.clock import database_now
from conversations.actions.leads import lock_active_for_lead
from conversations.actions.lines import announce_change, announce_line, write_event
from conversations.actions.messaging import clean_note
from conversations.actions.offers import offer_to
from conversations.errors import AlreadyHere, ConferenceFull, Gone, NotAGuest, NothingToEnd, NotToYourself
from conversations.models import MOST_GUESTS, Conversation, Offer, Participant
from conversations.states import EventKind, OfferKind, Role


@transaction.atomic
def invite(conversation_id: int, agent_id: int, *, by: Agent, note: str = "") -> Offer:
    """The lead asks a colleague into the conversation; up to three guests at a time."""
    conversation = lock_active_for_lead(conversation_id, by)
    if agent_id == by.pk:
        raise NotToYourself
    guests = conversation.participants.filter(role=Role.GUEST, left_at=None)
    if guests.filter(agent=agent_id).exists():
        raise AlreadyHere
    if guests.count() >= MOST_GUESTS:
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
    guests = list(conversation.participants.filter(role=Role.GUEST, left_at=None))
    if not guests:
        raise NothingToEnd
    _part(conversation, guests, by=by)


def _part(conversation: Conversation, guests: list[Participant], *, by: Agent) -> None:
    now = database_now()
    for guest in guests:
        guest.left_at = now
        guest.save(update_fields=["left_at"])
        conversation.log(EventKind.LEFT, at=now, by=by, agent=guest.agent_id)
        write_event(conversation, EventKind.LEFT, at=now, about=guest.agent)
    conversation.revision += 1
    conversation.save(update_fields=["revision"])
    leads = conversation.participants.filter(left_at=None).values_list("agent_id", flat=True)
    announce_change(conversation, *leads, *(guest.agent_id for guest in guests))
    announce_line(conversation.queue_id)
