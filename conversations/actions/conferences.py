"""Colleagues in a conversation: called in by the lead, up to three, and free to leave; who is lost leaves too."""

from django.db import transaction

from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from conversations.actions.guests import guests_of, let_go
from conversations.actions.leads import lock_active_for_lead
from conversations.actions.lines import announce_change, announce_line
from conversations.actions.notes import clean_note
from conversations.actions.offers import offer_to, touch
from conversations.errors import AlreadyHere, ConferenceFull, Gone, NotAGuest, NothingToEnd, NotToYourself
from conversations.models import MOST_GUESTS, Conversation, Offer, Participant
from conversations.states import OfferKind, Role, State


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


@transaction.atomic
def lose_guests(conversation_id: int) -> bool:
    """
    Guests who are Offline past the grace leave; the lead goes on, and may call in others in their places.

    Safe to call twice and too early: answers whether it did anything.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    if conversation.state != State.ACTIVE:
        return False
    guests = guests_of(conversation)
    agents = Agent.objects.lock_all(guest.agent_id for guest in guests)
    gone = {agent.pk for agent in agents if agent.state == AgentState.OFFLINE}
    lost = [guest for guest in guests if guest.agent_id in gone]
    if not lost:
        return False
    _part(conversation, lost)
    return True


def _part(conversation: Conversation, guests: list[Participant], *, by: Agent | None = None) -> None:
    left = let_go(conversation, guests, at=database_now(), by=by)
    touch(conversation)
    staying = conversation.participants.filter(left_at=None).values_list("agent_id", flat=True)
    announce_change(conversation, *staying, *left)
    announce_line(conversation.queue_id)
