"""Ending and finishing: wrap-up, the closing reason, and who may choose it."""

import datetime as dt

import pytest

from config import live
from config.clock import database_now
from conversations.actions import closing, deadlines
from conversations.errors import AlreadyEnded, Gone, NotEndedYet, NotLead, NotNow, ReasonMissing, WrongReason
from conversations.load import load_of
from conversations.states import EventKind, MessageKind, OfferKind, OfferState, Party, Remark, State, SystemReason
from tests import make
from tests.rows import fresh, nothing_changes, refuses

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


# The closing reason


def test_the_closing_reason_closes_and_frees_the_place():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue, "Resolved")
    ended_at = conversation.ended_at

    closing.finish(conversation.pk, reason.pk, by=lucia, note="Sent again.")

    conversation = fresh(conversation)
    assert (conversation.state, conversation.closing_reason) == (State.CLOSED, reason)
    assert (conversation.system_reason, conversation.is_closed_automatically) == ("", False)
    assert (conversation.wrap_up_note, conversation.wrap_up_deadline) == ("Sent again.", None)
    assert conversation.closed_at >= conversation.ended_at == ended_at
    assert (last_event(conversation).kind, last_event(conversation).by) == (EventKind.CLOSED, lucia)
    assert conversation.participants.get().left_at == conversation.closed_at
    assert load_of(lucia) == 0


def test_closing_writes_no_second_end_into_the_thread():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    reason, number = make.closing_reason(conversation.queue), conversation.last_number

    closing.finish(conversation.pk, reason.pk, by=lucia)

    assert fresh(conversation).last_number == number == conversation.messages.count()


def test_finishing_without_a_reason_is_refused():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)

    with refuses(ReasonMissing) as refusal:
        closing.finish(conversation.pk, None, by=lucia)

    assert refusal.value.status == 422


@pytest.mark.parametrize("reason_id", UNKNOWN)
def test_an_unknown_reason_is_refused(reason_id):
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)

    with refuses(WrongReason):
        closing.finish(conversation.pk, reason_id, by=lucia)


def test_a_reason_of_another_queue_is_refused():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    foreign = make.closing_reason(make.queue("Returns"))

    with refuses(WrongReason) as refusal:
        closing.finish(conversation.pk, foreign.pk, by=lucia)

    assert refusal.value.status == 422


def test_a_reason_that_is_not_in_use_is_refused():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    retired = make.closing_reason(conversation.queue, "Spam", is_in_use=False)

    with refuses(WrongReason):
        closing.finish(conversation.pk, retired.pk, by=lucia)


def test_a_reason_before_the_end_is_refused():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)

    with refuses(NotEndedYet):
        closing.finish(conversation.pk, reason.pk, by=lucia)


def test_a_second_reason_is_refused():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)
    reason = make.closing_reason(conversation.queue)
    closing.finish(conversation.pk, reason.pk, by=lucia)

    with refuses(Gone):
        closing.finish(conversation.pk, reason.pk, by=lucia)


def test_somebody_elses_conversation_is_not_finished():
    conversation, jonas = make.wrap_up_conversation(lead=make.agent("Lucía")), make.agent("Jonas")
    reason = make.closing_reason(conversation.queue)

    with refuses(Gone):
        closing.finish(conversation.pk, reason.pk, by=jonas)


def test_a_guest_does_not_finish():
    jonas = make.agent("Jonas")
    conversation = make.wrap_up_conversation(lead=make.agent("Lucía"), guests=[jonas])
    reason = make.closing_reason(conversation.queue)

    with refuses(NotLead):
        closing.finish(conversation.pk, reason.pk, by=jonas)


# A supervisor finishes


@pytest.mark.parametrize("made", [make.waiting_conversation, make.active_conversation, make.wrap_up_conversation])
def test_a_supervisor_finishes_whatever_is_not_closed(made):
    conversation, vera = made(), make.supervisor("Vera")
    reason = make.closing_reason(conversation.queue)

    closing.finish_by_supervisor(conversation.pk, reason.pk, by=vera, note="Test call.")

    conversation = fresh(conversation)
    assert (conversation.state, conversation.closing_reason) == (State.CLOSED, reason)
    assert last_event(conversation).by == vera
    assert conversation.wrap_up_note == "Test call."
    assert not conversation.participants.filter(left_at=None).exists()


def test_a_supervisor_finishing_takes_the_pending_offer_back():
    offer, vera = make.offer(to=make.agent("Lucía")), make.supervisor("Vera")
    reason = make.closing_reason(offer.conversation.queue)

    closing.finish_by_supervisor(offer.conversation_id, reason.pk, by=vera)

    assert fresh(offer).state == OfferState.WITHDRAWN


def test_a_supervisor_does_not_finish_a_closed_conversation():
    conversation, vera = make.closed_conversation(), make.supervisor("Vera")

    with refuses(AlreadyEnded):
        closing.finish_by_supervisor(conversation.pk, conversation.closing_reason_id, by=vera)


@pytest.mark.parametrize("made", [make.waiting_conversation, make.active_conversation, make.wrap_up_conversation])
def test_a_supervisor_needs_a_reason_of_the_queue_too(made):
    conversation, vera = made(), make.supervisor("Vera")
    foreign = make.closing_reason(make.queue("Returns"))

    with refuses(WrongReason):
        closing.finish_by_supervisor(conversation.pk, foreign.pk, by=vera)
    with refuses(ReasonMissing):
        closing.finish_by_supervisor(conversation.pk, None, by=vera)


# The wrap-up limit


def test_at_the_wrap_up_limit_the_default_reason_is_submitted():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia, deadline_seconds=-1)
    make.closing_reason(conversation.queue, "First", order=0)
    default = make.closing_reason(conversation.queue, "Other", order=9, is_default=True)

    assert deadlines.sweep() == 1

    conversation = fresh(conversation)
    assert (conversation.state, conversation.closing_reason) == (State.CLOSED, default)
    assert conversation.is_closed_automatically
    assert load_of(lucia) == 0


def test_without_a_default_the_first_reason_in_use_is_submitted():
    conversation = make.wrap_up_conversation(deadline_seconds=-1)
    make.closing_reason(conversation.queue, "Retired", order=0, is_in_use=False)
    make.closing_reason(conversation.queue, "Second", order=2)
    first = make.closing_reason(conversation.queue, "First", order=1)

    deadlines.sweep()

    assert fresh(conversation).closing_reason == first


def test_a_queue_without_reasons_closes_with_the_systems():
    conversation = make.wrap_up_conversation(deadline_seconds=-1)

    deadlines.sweep()

    assert fresh(conversation).state == State.CLOSED
    assert fresh(conversation).system_reason == SystemReason.NO_REASON


def test_a_wrap_up_is_not_closed_too_early():
    conversation = make.wrap_up_conversation(deadline_seconds=5)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not closing.finish_automatically(conversation.pk)


def test_a_wrap_up_without_a_limit_waits_for_its_lead():
    conversation = make.wrap_up_conversation(deadline_seconds=0)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not closing.finish_automatically(conversation.pk)


def test_a_wrap_up_is_closed_once():
    conversation = make.wrap_up_conversation(deadline_seconds=-1)
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not closing.finish_automatically(conversation.pk)


def test_a_reason_before_the_deadline_beats_the_automatic_one():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia, deadline_seconds=1)
    make.closing_reason(conversation.queue, "Other", is_default=True)
    chosen = make.closing_reason(conversation.queue, "Resolved")
    closing.finish(conversation.pk, chosen.pk, by=lucia)

    with nothing_changes():
        assert not closing.finish_automatically(conversation.pk)

    assert fresh(conversation).closing_reason == chosen


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
