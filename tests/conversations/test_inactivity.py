"""A visitor who is there but silent is asked once, and after as long again the conversation ends."""

import pytest

from conversations.actions import deadlines, messaging, offers, presence, transfers
from conversations.actions.messaging import Draft
from conversations.states import EventKind, MessageKind, Party, Remark, State
from tests import make
from tests.rows import fresh, nothing_changes

pytestmark = pytest.mark.django_db


def silent_conversation(seconds, *, limit=60, **fields):
    """The agent wrote so many seconds ago, and the visitor has been silent since."""
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, queue=make.queue(inactivity_limit_seconds=limit), **fields)
    make.message(conversation, "Which order?", by=lucia, at=make.ago(seconds))
    return conversation


def put_back(conversation, seconds):
    """The question was asked so many seconds ago."""
    type(conversation).objects.filter(pk=conversation.pk).update(asked_if_there_at=make.ago(seconds))


def test_a_silent_visitor_is_asked_whether_he_is_still_there():
    conversation = silent_conversation(61)

    assert deadlines.sweep() == 1

    line = conversation.messages.order_by("number").last()
    assert (line.kind, line.event) == (MessageKind.EVENT, EventKind.ASKED_IF_THERE)
    assert fresh(conversation).asked_if_there_at is not None
    assert fresh(conversation).state == State.ACTIVE
    assert conversation.events.order_by("pk").last().kind == EventKind.ASKED_IF_THERE


def test_he_is_asked_once():
    conversation = silent_conversation(200)
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_after_as_long_again_the_conversation_ends_as_idle():
    conversation = silent_conversation(130)
    put_back(conversation, 61)

    assert deadlines.sweep() == 1

    conversation = fresh(conversation)
    assert (conversation.state, conversation.remark) == (State.WRAP_UP, Remark.IDLE)
    assert conversation.ended_by == Party.SYSTEM


def test_the_end_comes_no_earlier_than_as_long_again():
    conversation = silent_conversation(130)
    put_back(conversation, 55)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_an_answer_in_time_beats_the_end():
    conversation = silent_conversation(130)
    put_back(conversation, 61)
    messaging.post(Draft(conversation.pk, Party.VISITOR, "Here!", "0123-4567"))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_is_not_asked_too_early():
    conversation = silent_conversation(55)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_queue_without_a_limit_asks_nobody():
    conversation = silent_conversation(10_000, limit=0)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_who_waits_for_an_answer_is_not_asked():
    conversation = make.active_conversation(
        lead=make.agent("Lucía"), queue=make.queue(inactivity_limit_seconds=60), waited_seconds=500
    )

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_conversation_that_ended_asks_nobody():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia, queue=make.queue(inactivity_limit_seconds=60))
    make.message(conversation, by=lucia, at=make.ago(500))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_who_is_not_there_is_not_asked():
    conversation = silent_conversation(61)
    presence.visitor_left(conversation.pk)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_who_comes_back_has_as_long_again_to_answer():
    conversation = silent_conversation(130)
    put_back(conversation, 61)
    presence.visitor_left(conversation.pk)

    presence.visitor_came(conversation.pk)

    with nothing_changes():
        assert deadlines.sweep() == 0
    put_back(conversation, 61)
    assert deadlines.sweep() == 1
    assert fresh(conversation).state == State.WRAP_UP


def test_an_answer_lets_the_next_silence_be_asked_about_again():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, queue=make.queue(inactivity_limit_seconds=60))
    make.message(conversation, by=lucia, at=make.ago(130))
    put_back(conversation, 61)
    messaging.post(Draft(conversation.pk, Party.VISITOR, "Here!", "0123-4567"))
    make.message(fresh(conversation), "And now?", by=lucia, at=make.ago(61))

    assert deadlines.sweep() == 1

    assert fresh(conversation).state == State.ACTIVE
    assert fresh(conversation).asked_if_there_at is not None


def test_a_conversation_that_waited_for_a_new_lead_is_not_held_against_its_visitor():
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    queue = make.queue(inactivity_limit_seconds=60, members=[jonas])
    conversation = make.active_conversation(lead=lucia, queue=queue)
    make.message(conversation, by=lucia, at=make.ago(130))
    put_back(conversation, 61)
    type(lucia).objects.filter(pk=lucia.pk).update(state="offline")
    transfers.replace_lost_lead(conversation.pk)
    offer = make.offer(to=jonas, conversation=fresh(conversation))
    offers.accept(offer.pk, by=jonas)

    deadlines.sweep()

    assert fresh(conversation).state == State.ACTIVE


def test_many_who_may_be_silent_longer_do_not_hide_one_whose_limit_is_over(monkeypatch):
    monkeypatch.setattr(deadlines, "MOST_AT_ONCE", 2)
    for _ in range(3):
        silent_conversation(900, limit=5000)
    conversation = silent_conversation(61)

    assert deadlines.sweep() == 1

    assert fresh(conversation).asked_if_there_at is not None
