"""Offers: made, and then ended exactly once: accepted, declined, missed or withdrawn."""

import datetime as dt

from django.db import transaction

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from conversations.actions.lines import announce_change, announce_line, write_event
from conversations.errors import AgentFull, AgentNotAvailable, MustNotDecline, NotNow, OfferGone, OfferPending
from conversations.load import load_of
from conversations.models import Conversation, Offer, Participant
from conversations.states import EventKind, OfferKind, OfferState, Role, State

EVENT_OF = {
    OfferState.ACCEPTED: EventKind.OFFER_ACCEPTED,
    OfferState.DECLINED: EventKind.OFFER_DECLINED,
    OfferState.MISSED: EventKind.OFFER_MISSED,
    OfferState.WITHDRAWN: EventKind.OFFER_WITHDRAWN,
}


@transaction.atomic
def make(conversation_id: int, *, to: int) -> Offer:
    """
    Offer a waiting conversation to an Available, connected agent with a free place.

    The offer takes the place at once, counted under the agent's lock, so that load never exceeds capacity.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    return make_locked(conversation, to=to)


def make_locked(conversation: Conversation, *, to: int) -> Offer:
    """The same, for the router, which holds the conversation's lock already."""
    if conversation.state != State.WAITING:
        raise NotNow
    if conversation.offers.filter(state=OfferState.PENDING).exists():
        raise OfferPending
    agent = Agent.objects.lock(to)
    now = database_now()
    if not agent.is_active or agent.state != AgentState.AVAILABLE or not agent.is_connected(now):
        raise AgentNotAvailable
    if load_of(agent) >= agent.capacity:
        raise AgentFull
    offer = conversation.offers.create(
        agent=agent,
        kind=OfferKind.REQUEST,
        made_at=now,
        expires_at=now + dt.timedelta(seconds=conversation.queue.offer_timeout_seconds),
    )
    agent.last_offered_at = now
    agent.save(update_fields=["last_offered_at"])
    _touch(conversation)
    conversation.log(EventKind.OFFER_MADE, at=now, agent=agent.pk, name=agent.name, offer=offer.pk)
    announce_change(conversation, agent.pk)
    return offer


@transaction.atomic
def accept(offer_id: int, *, by: Agent) -> Conversation:
    """Give the offered conversation to this agent, unless the offer ran out first."""
    conversation = Conversation.objects.lock(offers=offer_id)
    offer = conversation.offers.get(pk=offer_id)
    now = database_now()
    if offer.agent_id != by.pk or offer.expires_at <= now:
        raise OfferGone
    # No check of capacity: the place was taken when the offer was made, under the agent's lock.
    settle(offer, OfferState.ACCEPTED, at=now, by=by)
    _lead(conversation, by, at=now)
    return conversation


@transaction.atomic
def decline(offer_id: int, *, by: Agent) -> None:
    """Pass the request to the next agent, where the queue allows it."""
    conversation = Conversation.objects.lock(offers=offer_id)
    offer = conversation.offers.get(pk=offer_id)
    now = database_now()
    if offer.agent_id != by.pk or offer.expires_at <= now:
        raise OfferGone
    if not conversation.queue.may_decline:
        raise MustNotDecline
    settle(offer, OfferState.DECLINED, at=now, by=by)


@transaction.atomic
def miss(offer_id: int) -> bool:
    """
    Close an offer whose time is over: the agent becomes RONA and his other pending offers are withdrawn.

    Safe to call twice and too early: answers whether it did anything. An agent who is not Available any more was not
    asked in earnest: his offer is withdrawn, and his state stays.
    """
    conversation = Conversation.objects.lock(offers=offer_id)
    offer = conversation.offers.get(pk=offer_id)
    now = database_now()
    if offer.state != OfferState.PENDING or offer.expires_at > now:
        return False
    agent = Agent.objects.lock(offer.agent_id)
    was_available = agent.state == AgentState.AVAILABLE
    settle(offer, OfferState.MISSED if was_available else OfferState.WITHDRAWN, at=now)
    if was_available:
        agent_actions.become_rona(agent, at=now)
    withdraw_all_of(agent.pk, at=now)
    return True


@transaction.atomic
def withdraw(offer_id: int) -> bool:
    """Take a pending offer back; answers whether there was one."""
    conversation = Conversation.objects.lock(offers=offer_id)
    offer = conversation.offers.get(pk=offer_id)
    if offer.state != OfferState.PENDING:
        return False
    settle(offer, OfferState.WITHDRAWN, at=database_now())
    return True


def withdraw_of(conversation: Conversation, *, at: dt.datetime) -> None:
    """Take back the pending offer of a conversation that is moving on. The caller holds its lock."""
    offer = conversation.offers.filter(state=OfferState.PENDING).first()
    if offer is not None:
        settle(offer, OfferState.WITHDRAWN, at=at)


def withdraw_all_of(agent_id: int, *, at: dt.datetime) -> None:
    """
    Take back every pending offer to an agent who gets nothing more. The caller holds the agent's lock.

    The conversations are not locked (one conversation per transaction): `settle` lets only one ending win.
    """
    pending = Offer.objects.filter(agent=agent_id, state=OfferState.PENDING).select_related("conversation")
    for offer in pending.order_by("pk"):
        try:
            settle(offer, OfferState.WITHDRAWN, at=at)
        except OfferGone:
            continue  # answered in this very moment: that ending stands


def settle(offer: Offer, state: OfferState, *, at: dt.datetime, by: Agent | None = None) -> None:
    """End a pending offer, once: whoever comes second gets OfferGone."""
    ended = Offer.objects.filter(pk=offer.pk, state=OfferState.PENDING).update(state=state, settled_at=at)
    if not ended:
        raise OfferGone
    offer.state, offer.settled_at = state, at
    conversation = offer.conversation
    conversation.log(EVENT_OF[state], at=at, by=by, agent=offer.agent_id, offer=offer.pk)
    announce_change(conversation, offer.agent_id)
    announce_line(conversation.queue_id)


def _lead(conversation: Conversation, agent: Agent, *, at: dt.datetime) -> None:
    """Make the agent the lead of a waiting conversation."""
    Participant.objects.create(conversation=conversation, agent=agent, role=Role.LEAD, joined_at=at)
    conversation.move_to(
        State.ACTIVE,
        kind=EventKind.JOINED,
        at=at,
        by=agent,
        answered_at=conversation.answered_at or at,
    )
    write_event(conversation, EventKind.JOINED, at=at, about=agent)


def _touch(conversation: Conversation) -> None:
    """Count a change that is no move, so that the safety poll finds it."""
    conversation.revision += 1
    conversation.save(update_fields=["revision"])
