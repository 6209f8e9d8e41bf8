"""A visitor whom nobody is left to serve is told so, and the conversation closes as Nobody available."""

import pytest

from agents.states import AgentState
from conversations.actions import deadlines
from conversations.states import EventKind, Party, State, SystemReason
from tests import make
from tests.conversations.moments import change
from tests.rows import fresh, nothing_changes

pytestmark = pytest.mark.django_db


def unattended_conversation(*, waited=100, left=100, **fields):
    """Its queue's only member signed out so many seconds ago."""
    lucia = make.agent("Lucía", state=AgentState.OFFLINE, state_since=make.ago(left))
    return make.waiting_conversation(
        queue=make.queue(members=[lucia], waiting_grace_seconds=60), waited_seconds=waited, **fields
    )


def test_it_closes_as_nobody_available():
    conversation = unattended_conversation()

    assert deadlines.sweep() == 1

    again = fresh(conversation)
    assert (again.state, again.system_reason) == (State.CLOSED, SystemReason.NOBODY_AVAILABLE)
    assert (again.ended_by, again.closing_reason) == (Party.SYSTEM, None)
    line = conversation.messages.order_by("number").last()
    assert (line.event, line.details["system_reason"]) == (EventKind.ENDED, SystemReason.NOBODY_AVAILABLE)


def test_it_moves_to_its_overflow_queue_where_somebody_is():
    conversation = unattended_conversation()
    returns = make.queue("Returns", members=[make.agent("Jonas", state=AgentState.IDLE)])
    change(conversation.queue, overflow_queue=returns, overflow_after_seconds=3600)

    assert deadlines.sweep() == 1

    again = fresh(conversation)
    assert (again.state, again.queue, again.has_overflowed) == (State.WAITING, returns, True)


@pytest.mark.parametrize("has_overflowed", [True, False])
def test_it_closes_when_nobody_is_in_its_overflow_queue_either_or_it_came_from_another(has_overflowed):
    conversation = unattended_conversation(has_overflowed=has_overflowed)
    there = AgentState.IDLE if has_overflowed else AgentState.OFFLINE
    returns = make.queue("Returns", members=[make.agent("Jonas", state=there)])
    change(conversation.queue, overflow_queue=returns, overflow_after_seconds=3600)

    assert deadlines.sweep() == 1

    assert fresh(conversation).system_reason == SystemReason.NOBODY_AVAILABLE


def test_it_closes_once():
    conversation = unattended_conversation()
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.close_unattended(conversation.pk)


@pytest.mark.parametrize("moments", [{"left": 55}, {"waited": 55}])
def test_it_waits_for_the_grace_since_the_last_member_left_and_since_it_came(moments):
    conversation = unattended_conversation(**moments)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.close_unattended(conversation.pk)


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA])
def test_a_member_who_is_signed_in_in_whatever_state_keeps_it_waiting(state):
    conversation = unattended_conversation()
    make.member(conversation.queue, make.agent("Jonas", state=state))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.close_unattended(conversation.pk)


def test_somebody_of_another_queue_does_not_count():
    conversation = unattended_conversation()
    make.queue("Returns", members=[make.agent("Jonas")])

    assert deadlines.sweep() == 1

    assert fresh(conversation).state == State.CLOSED


def test_an_account_that_is_not_active_does_not_count():
    conversation = unattended_conversation()
    make.member(conversation.queue, make.agent("Jonas", is_active=False, state_since=make.ago(100)))

    deadlines.sweep()

    assert fresh(conversation).state == State.CLOSED


def test_it_waits_for_the_grace_since_the_last_member_was_disabled():
    orders = make.queue(waiting_grace_seconds=60)
    make.agent("Lucía", queues=[orders], state=AgentState.OFFLINE, state_since=make.ago(2), is_active=False)
    make.agent("Jonas", queues=[orders], state=AgentState.OFFLINE, state_since=make.ago(86_400))
    conversation = make.waiting_conversation(queue=orders, waited_seconds=100)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.close_unattended(conversation.pk)


def test_it_waits_for_the_grace_since_the_last_member_was_taken_out():
    orders = make.queue(waiting_grace_seconds=60, member_left_at=make.ago(2))
    conversation = make.waiting_conversation(queue=orders, waited_seconds=100)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.close_unattended(conversation.pk)


def test_it_closes_when_the_last_member_was_taken_out_longer_ago():
    orders = make.queue(waiting_grace_seconds=60, member_left_at=make.ago(61))
    conversation = make.waiting_conversation(queue=orders, waited_seconds=100)

    assert deadlines.sweep() == 1

    assert fresh(conversation).system_reason == SystemReason.NOBODY_AVAILABLE


def test_it_does_not_close_while_somebody_is_asked():
    """He was a member when he was asked, and may still accept."""
    conversation = unattended_conversation()
    make.offer(to=make.agent("Jonas"), conversation=conversation)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.close_unattended(conversation.pk)


def test_a_queue_without_any_member_closes_it_too():
    conversation = make.waiting_conversation(queue=make.queue(waiting_grace_seconds=60), waited_seconds=61)

    assert deadlines.sweep() == 1

    assert fresh(conversation).system_reason == SystemReason.NOBODY_AVAILABLE


@pytest.mark.parametrize("made", [make.active_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_only_who_waits_is_told(made):
    conversation = made(lead=make.agent("Lucía", state=AgentState.OFFLINE))

    with nothing_changes():
        assert not deadlines.close_unattended(conversation.pk)


def test_many_who_may_wait_longer_do_not_hide_one_whose_grace_is_over(monkeypatch):
    monkeypatch.setattr(deadlines, "MOST_AT_ONCE", 2)
    for _ in range(3):
        make.waiting_conversation(queue=make.queue("Patient", waiting_grace_seconds=5000), waited_seconds=900)
    conversation = unattended_conversation()

    assert deadlines.sweep() == 1

    assert fresh(conversation).state == State.CLOSED
