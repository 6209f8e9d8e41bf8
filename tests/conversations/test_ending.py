"""Endings: by the lead, the visitor and the system, and what they leave behind."""

import datetime as dt

import pytest

from config import live
from config.clock import database_now
from conversations.actions import closing
from conversations.errors import AlreadyEnded, Gone, NotLead, NotNow
from conversations.load import load_of
from conversations.states import EventKind, MessageKind, OfferKind, OfferState, Party, Remark, State, SystemReason
from tests import make
from tests.rows import fresh, refuses

pytestmark = pytest.mark.django_db

UNKNOWN = [0, 987_654, 10**30]


def last_event(conversation):
    return conversation.events.order_by("pk").last()


# End


def test_the_lead_ends_and_wraps_up():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, queue=make.queue(wrap_up_limit_seconds=90))

    closing.end(conversation.pk, by=lucia)

    conversation = fresh(conversation)
    assert (conversation.state, conversation.ended_by, conversation.remark) == (State.WRAP_UP, Party.AGENT, "")
    assert conversation.wrap_up_deadline - conversation.ended_at == dt.timedelta(seconds=90)
    assert (last_event(conversation).kind, last_event(conversation).by) == (EventKind.ENDED, lucia)
    assert load_of(lucia) == 1


def test_the_end_is_told_in_the_thread():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)

    closing.end(conversation.pk, by=lucia)

    line = conversation.messages.order_by("number").last()
    assert (line.number, line.kind, line.event) == (2, MessageKind.EVENT, EventKind.ENDED)
    assert (line.details["name"], line.details["ended_by"]) == ("Lucía", Party.AGENT)


def test_a_queue_without_a_wrap_up_limit_sets_no_deadline():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, queue=make.queue(wrap_up_limit_seconds=0))

    closing.end(conversation.pk, by=lucia)

    assert fresh(conversation).wrap_up_deadline is None


def test_the_end_sends_guests_away_and_takes_offers_back():
    lucia, jonas, sofia = make.agent("Lucía"), make.agent("Jonas"), make.agent("Sofía")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])
    offer = make.offer(to=sofia, conversation=conversation, kind=OfferKind.CONFERENCE, made_by=lucia)

    closing.end(conversation.pk, by=lucia)

    assert fresh(offer).state == OfferState.WITHDRAWN
    assert [load_of(agent) for agent in (lucia, jonas, sofia)] == [1, 0, 0]
    assert conversation.participants.get(left_at=None).agent == lucia


def test_a_guest_may_not_end():
    jonas = make.agent("Jonas")
    conversation = make.active_conversation(lead=make.agent("Lucía"), guests=[jonas])

    with refuses(NotLead) as refusal:
        closing.end(conversation.pk, by=jonas)

    assert refusal.value.status == 409


def test_somebody_elses_conversation_is_not_ended():
    conversation, jonas = make.active_conversation(lead=make.agent("Lucía")), make.agent("Jonas")

    with refuses(Gone) as refusal:
        closing.end(conversation.pk, by=jonas)

    assert refusal.value.status == 404


def test_who_was_only_asked_does_not_end():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia)

    with refuses(Gone):
        closing.end(offer.conversation_id, by=lucia)


def test_a_second_end_is_refused():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    closing.end(conversation.pk, by=lucia)

    with refuses(AlreadyEnded):
        closing.end(conversation.pk, by=lucia)


def test_a_closed_conversation_is_nobodys_to_end():
    lucia = make.agent("Lucía")
    conversation = make.closed_conversation(lead=lucia)

    with refuses(Gone):
        closing.end(conversation.pk, by=lucia)


@pytest.mark.parametrize("conversation_id", UNKNOWN)
def test_an_unknown_conversation_is_not_ended(conversation_id):
    lucia = make.agent("Lucía")

    with refuses(Gone):
        closing.end(conversation_id, by=lucia)
    with refuses(Gone):
        closing.end_by_visitor(conversation_id)


# The visitor ends


def test_a_visitor_who_ends_while_waiting_has_abandoned_it():
    conversation = make.waiting_conversation(waited_seconds=30)
    offer = make.offer(to=make.agent("Lucía"), conversation=conversation)

    closing.end_by_visitor(conversation.pk)

    conversation = fresh(conversation)
    assert (conversation.state, conversation.system_reason) == (State.CLOSED, SystemReason.ABANDONED)
    assert (conversation.ended_by, conversation.closing_reason) == (Party.VISITOR, None)
    assert conversation.waited_seconds() in (30, 31, 32)
    assert fresh(offer).state == OfferState.WITHDRAWN
    assert conversation.messages.order_by("number").last().event == EventKind.ENDED


def test_a_visitor_who_ends_while_served_leaves_the_wrap_up_to_the_lead():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)

    closing.end_by_visitor(conversation.pk)

    assert (fresh(conversation).state, fresh(conversation).ended_by) == (State.WRAP_UP, Party.VISITOR)
    assert conversation.participants.get(left_at=None).agent == lucia


@pytest.mark.parametrize("made", [make.wrap_up_conversation, make.closed_conversation, make.abandoned_conversation])
def test_a_visitor_does_not_end_twice(made):
    conversation = made()

    with refuses(AlreadyEnded):
        closing.end_by_visitor(conversation.pk)


# The system ends


@pytest.mark.parametrize(("remark", "ended_by"), [(Remark.VISITOR_GONE, Party.VISITOR), (Remark.IDLE, Party.SYSTEM)])
def test_the_system_ends_with_a_remark(remark, ended_by):
    conversation = make.active_conversation()

    closing.end_by_system(fresh(conversation), remark, at=database_now())

    assert fresh(conversation).state == State.WRAP_UP
    assert (fresh(conversation).remark, fresh(conversation).ended_by) == (remark, ended_by)


@pytest.mark.parametrize("made", [make.wrap_up_conversation, make.closed_conversation])
def test_the_system_does_not_end_twice(made):
    conversation = made()

    with refuses(AlreadyEnded):
        closing.end_by_system(conversation, Remark.IDLE, at=database_now())


@pytest.mark.parametrize("made", [make.active_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_the_system_closes_at_once_only_who_waits(made):
    conversation = made()

    with refuses(NotNow):
        closing.close_by_system(conversation, SystemReason.ABANDONED, at=database_now(), ended_by=Party.SYSTEM)


def test_closing_rings_the_thread_the_desk_the_line_and_the_router(monkeypatch, django_capture_on_commit_callbacks):
    rings = []
    monkeypatch.setattr(live, "send_rings", rings.extend)
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)

    with django_capture_on_commit_callbacks(execute=True):
        closing.finish(conversation.pk, reason.pk, by=lucia)

    heard = {ring["group"] for ring in rings}
    assert heard == {
        f"thread:{conversation.pk}",
        f"desk:{lucia.pk}",
        f"line:{conversation.queue_id}",
        "router",
    }
