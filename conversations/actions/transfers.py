"""A conversation leaves its lead: to a queue, or back to its own by a supervisor or when the lead is lost."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from conversations.actions.guests import end_conference, guests_of
from conversations.actions.leads import OWES_NO_ANSWER, lock_active_for_lead
from conversations.actions.lines import announce_change, announce_line, write_event, write_note
from conversations.actions.notes import clean_note
from conversations.actions.offers import offer_to, settle, touch, withdraw_of
from conversations.actions.opening import order_key
from conversations.errors import (
    Gone,
    NothingToCancel,
    NotNow,
    NotToYourself,
    OfferGone,
    OfferPending,
    QueueClosed,
    QueueGone,
)
from conversations.models import Conversation, Offer, Participant
from conversations.states import EventKind, OfferKind, OfferState, Role, State
from queues import hours
from queues.models import Queue


@transaction.atomic
def to_agent(conversation_id: int, agent_id: int, *, by: Agent, note: str = "") -> Offer:
    """
    Ask a colleague to take the conversation over. The sender stays its lead until the offer is accepted.

    Not accepted, the request is dropped: the conversation stays where it is, and the sender is told.
    """
    conversation = lock_active_for_lead(conversation_id, by)
    if agent_id == by.pk:
        raise NotToYourself
    return offer_to(conversation, agent_id, kind=OfferKind.TRANSFER, by=by, note=clean_note(note))


@transaction.atomic
def cancel(conversation_id: int, *, by: Agent) -> None:
    """The lead takes back what was asked of a colleague, transfer or conference, before it is answered."""
    conversation = lock_active_for_lead(conversation_id, by)
    offer = conversation.offers.filter(state=OfferState.PENDING).first()
    if offer is None:
        raise NothingToCancel
    try:
        settle(offer, OfferState.WITHDRAWN, at=database_now(), by=by, is_sender_told=True)
    except OfferGone as gone:  # ended in this very moment, by what needs no lock of the conversation
        raise NothingToCancel from gone
    touch(conversation)


@transaction.atomic
def to_queue(conversation_id: int, queue_id: int, *, by: Agent, note: str = "") -> Conversation:
    """
    Its lead puts an active conversation in line, in an open queue, at its first queuing moment.

    The note is for the colleagues who read the thread next.
    """
    conversation = lock_active_for_lead(conversation_id, by)
    if conversation.offers.filter(state=OfferState.PENDING).exists():
        raise OfferPending
    queue = Queue.objects.filter(pk=queue_id, is_in_use=True).first()
    if queue is None:
        raise QueueGone(_("This queue is not in use any more. Choose another one."))
    now = database_now()
    if not hours.is_open(queue, now):
        raise QueueClosed(_("This queue is closed at the moment. Choose one that is open."))
    if note := clean_note(note):
        write_note(conversation, note, at=now, by=by)
    _requeue(conversation, queue, EventKind.TRANSFERRED, at=now, by=by)
    return conversation


@transaction.atomic
def send_back(conversation_id: int, *, by: Agent) -> Conversation:
    """
    Who supervises conversations puts an active one in line again, at its first queuing moment.

    In its own queue, whatever its hours and even if it is not in use any more; what was asked of a colleague is taken
    back.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    if not by.has_perm("conversations.supervise_conversation"):
        raise Gone
    if conversation.state != State.ACTIVE:
        raise NotNow
    _requeue(conversation, conversation.queue, EventKind.TRANSFERRED, at=database_now(), by=by)
    return conversation


@transaction.atomic
def replace_lost_lead(conversation_id: int) -> bool:
    """
    The lead is Offline past the grace: the first guest becomes lead; without one it goes back to its queue.

    A guest who is Offline himself is passed over. Safe to call twice and too early: answers whether it did anything.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    if conversation.state != State.ACTIVE:
        return False
    lead = conversation.participants.filter(role=Role.LEAD, left_at=None).first()
    now = database_now()
    if lead is not None:
        guests = guests_of(conversation)
        agents = Agent.objects.lock_all([lead.agent_id, *(guest.agent_id for guest in guests)])
        there = {agent.pk for agent in agents if agent.state != AgentState.OFFLINE}
        if lead.agent_id in there:
            return False
        if conversation.offers.filter(state=OfferState.PENDING, kind=OfferKind.TRANSFER).exists():
            return False  # a colleague may still take it over
        guest = next((guest for guest in guests if guest.agent_id in there), None)
        if guest is not None:
            _promote(conversation, lead, guest, at=now)
            return True
    _requeue(conversation, conversation.queue, EventKind.RETURNED, at=now)
    return True


def overflow(conversation: Conversation, *, at: dt.datetime) -> None:
    """Move a conversation that waited too long to the queue's overflow queue. The caller holds its lock."""
    target = conversation.queue.overflow_queue
    if conversation.state != State.WAITING or target is None:
        raise NotNow
    came_from = conversation.queue_id
    withdraw_of(conversation, at=at)
    conversation.queue = target
    conversation.entered_queue_at = at
    conversation.order_key = order_key(conversation.queued_at, target)
    conversation.has_overflowed = True
    conversation.revision += 1
    conversation.save(update_fields=["queue", "entered_queue_at", "order_key", "has_overflowed", "revision"])
    conversation.log(EventKind.OVERFLOWED, at=at, from_queue=came_from, to_queue=target.pk)
    announce_change(conversation)
    announce_line(came_from, target.pk)


def _requeue(
    conversation: Conversation, queue: Queue, kind: EventKind, *, at: dt.datetime, by: Agent | None = None
) -> None:
    """Active → waiting, with the first queuing moment; everybody leaves the thread."""
    withdraw_of(conversation, at=at)
    left = end_conference(conversation, at=at, by=by)
    left += conversation.participants.filter(left_at=None).values_list("agent_id", flat=True)
    conversation.participants.filter(left_at=None).update(left_at=at)
    came_from = conversation.queue_id
    conversation.move_to(
        State.WAITING,
        kind=kind,
        at=at,
        by=by,
        queue=queue,
        entered_queue_at=at,
        order_key=order_key(conversation.queued_at, queue),
        has_overflowed=False,
        asked_if_there_at=None,  # while he waits, the answer is not his to give
        details={"from_queue": came_from, "to_queue": queue.pk},
    )
    write_event(conversation, kind, at=at, about=by, queue=queue.name)
    announce_change(conversation, *left)
    announce_line(came_from, queue.pk)


def _promote(conversation: Conversation, lead: Participant, guest: Participant, *, at: dt.datetime) -> None:
    """The guest becomes the lead; the lost lead leaves the thread."""
    lead.left_at = at
    lead.save(update_fields=["left_at"])
    guest.role = Role.LEAD
    guest.save(update_fields=["role"])
    details = {"lead": guest.agent_id}
    conversation.move_to(State.ACTIVE, kind=EventKind.LEAD_CHANGED, at=at, details=details, **OWES_NO_ANSWER)
    write_event(conversation, EventKind.LEAD_CHANGED, at=at, about=guest.agent)
    announce_change(conversation, lead.agent_id, guest.agent_id)
