"""Visitors who are there and visitors who left; agents who did not come back."""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from conversations.actions.closing import close_by_system, end_by_system
from conversations.actions.lines import announce_change, write_event
from conversations.actions.offers import withdraw_all_of
from conversations.errors import StillBusy
from conversations.models import Conversation, Offer, Participant
from conversations.states import OPEN_STATES, EventKind, OfferState, Party, Remark, State, SystemReason

# A visitor counts as here for so long after his page's last sign of life.
LEASE_SECONDS = 12


def visitors_seen(conversation_ids: Iterable[int]) -> None:
    """The pages of these conversations' visitors are open now."""
    ids = sorted(set(conversation_ids))
    if not ids:
        return
    with transaction.atomic():
        # Locked ones are renewed by the next heartbeat.
        free = Conversation.objects.select_for_update(no_key=True, skip_locked=True).filter(
            pk__in=ids, state__in=OPEN_STATES
        )
        found = list(free.order_by("pk").only("pk", "is_visitor_here", "revision"))
        now = database_now()
        Conversation.objects.filter(pk__in=[one.pk for one in found]).update(visitor_seen_at=now)
    for conversation in found:
        if not conversation.is_visitor_here:
            visitor_came(conversation.pk)


@transaction.atomic
def visitor_came(conversation_id: int) -> None:
    """The visitor's page is open again."""
    conversation = Conversation.objects.lock(pk=conversation_id)
    now = database_now()
    conversation.visitor_seen_at = now
    conversation.save(update_fields=["visitor_seen_at"])
    if not conversation.is_visitor_here and conversation.is_open:
        _set_here(conversation, True, EventKind.VISITOR_RETURNED, at=now)


@transaction.atomic
def visitor_left(
    conversation_id: int, *, closed_at: dt.datetime | None = None, unless_seen_after: dt.datetime | None = None
) -> bool:
    """
    The visitor's last page closed, or fell silent; the agent sees it at once.

    The deadlines run from when it closed. One that fell silent was there until its last sign of life, however late that
    is noticed: an outage gives nobody a new grace.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    limit = closed_at or unless_seen_after
    was_seen = limit is not None and conversation.visitor_seen_at > limit
    if was_seen or not conversation.is_visitor_here or not conversation.is_open:
        return False
    if closed_at is not None:
        conversation.visitor_seen_at = closed_at
        conversation.save(update_fields=["visitor_seen_at"])
    _set_here(conversation, False, EventKind.VISITOR_LEFT, at=database_now())
    return True


def _set_here(conversation: Conversation, is_here: bool, kind: EventKind, *, at: dt.datetime) -> None:
    conversation.is_visitor_here = is_here
    conversation.revision += 1
    if is_here and conversation.asked_if_there_at is not None:
        conversation.asked_if_there_at = at  # the time to answer runs while he is there
    conversation.save(update_fields=["is_visitor_here", "revision", "asked_if_there_at"])
    conversation.log(kind, at=at)
    announce_change(conversation)


@transaction.atomic
def give_up_on_visitor(conversation_id: int) -> bool:
    """
    End the conversation of a visitor who is gone for longer than the queue's grace.

    Waiting, it counts as abandoned; active, it goes to wrap-up. Safe to call twice and too early.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    now = database_now()
    if conversation.is_visitor_here or given_up_at(conversation) > now:
        return False
    if conversation.state == State.WAITING:
        close_by_system(
            conversation, SystemReason.ABANDONED, at=now, ended_by=Party.VISITOR, remark=Remark.VISITOR_GONE
        )
    elif conversation.state == State.ACTIVE:
        end_by_system(conversation, Remark.VISITOR_GONE, at=now)
    else:
        return False
    return True


def given_up_at(conversation: Conversation) -> dt.datetime:
    """When the visitor who was seen last then has been gone for too long, by the queue and the conversation's state."""
    queue = conversation.queue
    if conversation.state != State.WAITING:
        return conversation.visitor_seen_at + dt.timedelta(seconds=queue.visitor_gone_seconds)
    # Who was away from his agent, for whom he may be away longer, has the whole grace once he is back in line.
    gone_since = max(conversation.visitor_seen_at, conversation.entered_queue_at)
    return gone_since + dt.timedelta(seconds=queue.waiting_grace_seconds)


@transaction.atomic
def ask_or_end_silent(conversation_id: int) -> bool:
    """
    A visitor who is there but does not answer his agent is asked once whether he is still there, and then ended.

    Safe to call twice and too early.
    """
    conversation = Conversation.objects.lock(pk=conversation_id)
    now = database_now()
    if not is_silent(conversation, now):
        return False
    if conversation.asked_if_there_at is None:
        conversation.asked_if_there_at = now
        conversation.save(update_fields=["asked_if_there_at"])
        conversation.log(EventKind.ASKED_IF_THERE, at=now)
        write_event(conversation, EventKind.ASKED_IF_THERE, at=now)
    else:
        end_by_system(conversation, Remark.IDLE, at=now)
    return True


def is_silent(conversation: Conversation, now: dt.datetime) -> bool:
    """Whether a visitor who is there, and has been for so long, owes an answer for longer than the queue's limit."""
    limit = dt.timedelta(seconds=conversation.queue.inactivity_limit_seconds)
    owes_answer = conversation.state == State.ACTIVE and conversation.last_line_by == Party.AGENT
    if not limit or not owes_answer or not conversation.is_visitor_here:
        return False
    since = conversation.asked_if_there_at or conversation.last_message_at
    if since is None or since + limit > now:
        return False
    return not conversation.events.filter(kind=EventKind.VISITOR_RETURNED, at__gt=now - limit).exists()


@transaction.atomic
def lose_agent(agent_id: int, *, grace_seconds: int) -> bool:
    """
    The agent's desk is gone for longer than the grace: Offline, and his pending offers are withdrawn.

    His conversations follow one by one (`transfers.replace_lost_lead`). Safe to call twice and too early.
    """
    agent = Agent.objects.lock(agent_id)
    now = database_now()
    if agent.state == AgentState.OFFLINE:
        return False
    if agent.seen_at is not None and agent.seen_at + dt.timedelta(seconds=grace_seconds) > now:
        return False
    agent_actions.go_offline(agent, by=None, at=now)
    withdraw_all_of(agent.pk, at=now)
    return True


@transaction.atomic
def withdraw_from_unavailable(agent_id: int) -> bool:
    """An agent who stopped being Available gets nothing new: his pending requests go to the next. Safe to repeat."""
    agent = Agent.objects.lock(agent_id)
    if agent.state == AgentState.AVAILABLE:
        return False
    withdraw_all_of(agent.pk, at=database_now())
    return True


@transaction.atomic
def sign_out(agent_id: int, *, by: Agent) -> None:
    """The agent leaves; refused, with what is left to do, while a request rings or a conversation is open."""
    agent = Agent.objects.lock(agent_id)
    work = _work_of(agent)
    if work:
        raise StillBusy(work)
    agent_actions.go_offline(agent, by=by, at=database_now())


def _work_of(agent: Agent) -> str:
    offers = Offer.objects.filter(agent=agent, state=OfferState.PENDING).select_related("conversation")
    places = Participant.objects.filter(agent=agent, left_at=None).select_related("conversation")
    names = [offer.conversation.visitor_name for offer in offers]
    if names:
        return _("You cannot sign out while a request is waiting for you: %(names)s. Answer it first.") % {
            "names": ", ".join(names)
        }
    names = [place.conversation.visitor_name for place in places]
    if names:
        return _("You cannot sign out with open conversations: %(names)s. Finish them first.") % {
            "names": ", ".join(names)
        }
    return ""
