"""Offers: made, and then ended exactly once: accepted, declined, missed or withdrawn."""

import contextlib
import datetime as dt

from django.db import transaction

from agents import actions as agent_actions
from agents.errors import AgentGone
from agents.models import Agent
from agents.states import AgentState
from config import metrics
from config.clock import database_now
from config.live import announce
from conversations import groups
from conversations.actions.guests import guests_of, let_go
from conversations.actions.leads import OWES_NO_ANSWER
from conversations.actions.lines import announce_change, announce_line, write_event, write_note, write_remark
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
    return offer_to(conversation, to, kind=OfferKind.REQUEST)


def offer_to(
    conversation: Conversation, agent_id: int, *, kind: OfferKind, by: Agent | None = None, note: str = ""
) -> Offer:
    """
    Offer a conversation to an agent who can take it; one pending offer at most. The caller holds its lock.

    Raises OfferPending, AgentNotAvailable or AgentFull.
    """
    if conversation.offers.filter(state=OfferState.PENDING).exists():
        raise OfferPending
    agent = lock_agent(agent_id)
    now = database_now()
    if agent.state != AgentState.AVAILABLE or not agent.is_connected(now):
        raise AgentNotAvailable
    if load_of(agent) >= agent.capacity:
        raise AgentFull
    offer = conversation.offers.create(
        agent=agent,
        kind=kind,
        made_at=now,
        expires_at=now + dt.timedelta(seconds=conversation.queue.offer_timeout_seconds),
        made_by=by,
        note=note,
    )
    agent.last_offered_at = now
    agent.save(update_fields=["last_offered_at"])
    touch(conversation)
    conversation.log(EventKind.OFFER_MADE, at=now, by=by, agent=agent.pk, name=agent.name, offer=offer.pk, offered=kind)
    announce_change(conversation, agent.pk, *([by.pk] if by else []))
    return offer


@transaction.atomic
def accept(offer_id: int, *, by: Agent) -> Conversation:
    """Give the offered conversation to this agent, unless the offer ran out first."""
    conversation, offer, now = _lock_offered(offer_id, by)
    # No check of capacity: the place was taken when the offer was made, under the agent's lock.
    settle(offer, OfferState.ACCEPTED, at=now, by=by)
    JOIN[OfferKind(offer.kind)](conversation, offer, by, at=now)
    return conversation


@transaction.atomic
def decline(offer_id: int, *, by: Agent) -> None:
    """Pass the request to the next agent, where the queue allows it."""
    conversation, offer, now = _lock_offered(offer_id, by)
    if offer.kind == OfferKind.REQUEST and not conversation.queue.may_decline:
        raise MustNotDecline
    settle(offer, OfferState.DECLINED, at=now, by=by)
    touch(conversation)


def _lock_offered(offer_id: int, agent: Agent) -> tuple[Conversation, Offer, dt.datetime]:
    """What this agent may still answer, locked, and the time; raises OfferGone, and Gone when it never was his."""
    conversation = Conversation.objects.lock(offers=offer_id, offers__agent=agent.pk)
    offer = conversation.offers.get(pk=offer_id)
    now = database_now()
    if offer.expires_at <= now:
        raise OfferGone
    return conversation, offer, now


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
    touch(conversation)
    if was_available:
        agent_actions.become_rona(agent, at=now)
    withdraw_all_of(agent.pk, at=now)
    return True


def withdraw_of(conversation: Conversation, *, at: dt.datetime) -> None:
    """
    Take back the pending offer of a conversation that is moving on. The caller holds its lock.

    An offer may end without that lock (`withdraw_all_of`); in this very moment that is as good.
    """
    offer = conversation.offers.filter(state=OfferState.PENDING).first()
    if offer is not None:
        with contextlib.suppress(OfferGone):
            settle(offer, OfferState.WITHDRAWN, at=at, is_sender_told=True)  # by what happens now


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


def settle(
    offer: Offer, state: OfferState, *, at: dt.datetime, by: Agent | None = None, is_sender_told: bool = False
) -> None:
    """
    End a pending offer, once: whoever comes second gets OfferGone.

    Who asked a colleague is told by the next sweep (`tell_sender`), unless he knows: the line needs the conversation's
    lock, which not every ending holds.
    """
    is_sender_told = is_sender_told or offer.made_by_id is None or state == OfferState.ACCEPTED
    ended = Offer.objects.filter(pk=offer.pk, state=OfferState.PENDING).update(
        state=state, settled_at=at, is_sender_told=is_sender_told
    )
    if not ended:
        raise OfferGone
    offer.state, offer.settled_at = state, at
    transaction.on_commit(metrics.offers.labels(outcome=state.value).inc)
    conversation = offer.conversation
    conversation.log(EVENT_OF[state], at=at, by=by, agent=offer.agent_id, offer=offer.pk, offered=offer.kind)
    announce_change(conversation, offer.agent_id, *([offer.made_by_id] if offer.made_by_id else []))
    announce_line(conversation.queue_id)


@transaction.atomic
def tell_sender(offer_id: int) -> bool:
    """
    Tell who leads the conversation, in the thread and on his desk, how asking a colleague ended without an accept.

    Mostly he asked himself; when its lead was lost meanwhile, whoever took his place goes on. Safe to repeat.
    """
    conversation = Conversation.objects.lock(offers=offer_id)
    offer = conversation.offers.select_related("agent").get(pk=offer_id)
    if offer.is_sender_told or offer.made_by_id is None:
        return False
    Offer.objects.filter(pk=offer.pk).update(is_sender_told=True)
    if conversation.state != State.ACTIVE:
        return False
    now = database_now()
    write_remark(conversation, EVENT_OF[OfferState(offer.state)], at=now, about=offer.agent, offered=offer.kind)
    for lead in conversation.participants.filter(role=Role.LEAD, left_at=None):
        announce(groups.desk(lead.agent_id), "told", offer=offer.pk)
    return True


def lock_agent(agent_id: int) -> Agent:
    """The agent's row, locked; one who is unknown or may not sign in is not available."""
    try:
        return Agent.objects.lock_active(agent_id)
    except AgentGone as nobody:
        raise AgentNotAvailable from nobody


def _lead(conversation: Conversation, offer: Offer, agent: Agent, *, at: dt.datetime) -> None:
    """The agent becomes the lead of a waiting conversation."""
    if conversation.state != State.WAITING:
        raise NotNow
    Participant.objects.create(conversation=conversation, agent=agent, role=Role.LEAD, joined_at=at)
    conversation.move_to(
        State.ACTIVE,
        kind=EventKind.JOINED,
        at=at,
        by=agent,
        answered_at=conversation.answered_at or at,
        **OWES_NO_ANSWER,
    )
    write_event(conversation, EventKind.JOINED, at=at, about=agent)


def _take_over(conversation: Conversation, offer: Offer, agent: Agent, *, at: dt.datetime) -> None:
    """The agent becomes the lead in the sender's place; a conference ends first."""
    if conversation.state != State.ACTIVE:
        raise NotNow
    left = let_go(conversation, [guest for guest in guests_of(conversation) if guest.agent_id != agent.pk], at=at)
    leads = conversation.participants.filter(role=Role.LEAD, left_at=None)
    left += leads.values_list("agent_id", flat=True)
    leads.update(left_at=at)
    _place, _is_new = conversation.participants.update_or_create(
        agent=agent, left_at=None, defaults={"role": Role.LEAD}, create_defaults={"role": Role.LEAD, "joined_at": at}
    )
    details = {"lead": agent.pk}
    conversation.move_to(State.ACTIVE, kind=EventKind.LEAD_CHANGED, at=at, by=agent, details=details, **OWES_NO_ANSWER)
    if offer.note and offer.made_by is not None:
        write_note(conversation, offer.note, at=at, by=offer.made_by)
    write_event(conversation, EventKind.LEAD_CHANGED, at=at, about=agent)
    announce_change(conversation, *left)
    announce_line(conversation.queue_id)


def _join(conversation: Conversation, offer: Offer, agent: Agent, *, at: dt.datetime) -> None:
    """The agent becomes a guest of the conference."""
    if conversation.state != State.ACTIVE:
        raise NotNow
    Participant.objects.create(conversation=conversation, agent=agent, role=Role.GUEST, joined_at=at)
    touch(conversation)
    conversation.log(EventKind.JOINED, at=at, by=agent, role=Role.GUEST)
    write_event(conversation, EventKind.JOINED, at=at, about=agent)


JOIN = {OfferKind.REQUEST: _lead, OfferKind.TRANSFER: _take_over, OfferKind.CONFERENCE: _join}


def touch(conversation: Conversation) -> None:
    """Count a change that is no move, so that the safety poll finds it."""
    conversation.revision += 1
    conversation.save(update_fields=["revision"])
