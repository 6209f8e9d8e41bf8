"""Finishing: the closing reason, who may choose it, and what the wrap-up limit does."""

import pytest

from conversations.actions import closing, deadlines
from conversations.errors import AlreadyEnded, Gone, NotEndedYet, NotLead, ReasonMissing, WrongReason
from conversations.load import load_of
from conversations.states import EventKind, OfferState, State, SystemReason
from tests import make
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db

UNKNOWN = [0, 987_654, 10**30]


def last_event(conversation):
    return conversation.events.order_by("pk").last()


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


@pytest.mark.parametrize("finish", [closing.finish, closing.finish_by_supervisor])
def test_a_card_number_in_the_note_is_masked_before_it_is_stored(finish):
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia)

    finish(conversation.pk, make.closing_reason(conversation.queue).pk, by=lucia, note="Card 4111 1111 1111 1111")

    assert fresh(conversation).wrap_up_note == "Card •••• 1111"


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
