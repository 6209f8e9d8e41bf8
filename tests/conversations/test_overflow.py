"""A conversation that waited too long moves to the overflow queue, once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.clock import database_now
from conversations.actions import deadlines, transfers
from conversations.actions.opening import order_key
from conversations.errors import NotNow
from conversations.states import EventKind, OfferState, State
from tests import make
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db


def conversation_in_line(waited_seconds, *, to=None, **fields):
    """It waits in a queue that overflows after a minute; unless told otherwise, both have somebody signed in."""
    lucia = make.agent("Lucía", state="idle")
    returns = to or make.queue("Returns", priority=1, members=[lucia])
    orders = make.queue("Orders", **{"overflow_queue": returns, "overflow_after_seconds": 60, **fields})
    make.member(orders, lucia)
    return make.waiting_conversation(queue=orders, waited_seconds=waited_seconds)


def test_after_the_time_it_moves_with_its_first_queuing_moment():
    conversation = conversation_in_line(61)
    orders, returns = conversation.queue, conversation.queue.overflow_queue

    assert deadlines.sweep() == 1

    again = fresh(conversation)
    assert (again.state, again.queue, again.has_overflowed) == (State.WAITING, returns, True)
    assert again.queued_at == conversation.queued_at
    assert again.order_key == order_key(conversation.queued_at, returns)
    assert again.entered_queue_at > conversation.entered_queue_at
    assert again.revision == conversation.revision + 1
    event = conversation.events.order_by("pk").last()
    assert (event.kind, event.details) == (
        EventKind.OVERFLOWED,
        {"from_queue": orders.pk, "to_queue": returns.pk},
    )


def test_a_pending_offer_of_the_first_queue_is_taken_back():
    conversation = conversation_in_line(61)
    offer = make.offer(to=make.agent("Jonas"), conversation=conversation)

    deadlines.sweep()

    assert fresh(offer).state == OfferState.WITHDRAWN


def test_it_does_not_move_too_early():
    conversation = conversation_in_line(55)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.overflow(conversation.pk)


def test_it_moves_once_even_when_the_next_queue_overflows_too():
    conversation = conversation_in_line(500)
    returns = conversation.queue.overflow_queue
    type(returns).objects.filter(pk=returns.pk).update(overflow_queue=conversation.queue, overflow_after_seconds=1)
    deadlines.sweep()
    type(conversation).objects.filter(pk=conversation.pk).update(entered_queue_at=make.ago(100))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.overflow(conversation.pk)


@pytest.mark.parametrize("fields", [{"overflow_after_seconds": 0}, {"overflow_queue": None}])
def test_without_a_time_or_a_queue_it_stays(fields):
    conversation = conversation_in_line(500, **fields)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.overflow(conversation.pk)


def test_it_does_not_move_to_a_closed_queue():
    conversation = conversation_in_line(500, to=make.closed_queue())

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.overflow(conversation.pk)


def test_it_does_not_move_to_a_queue_that_nobody_is_signed_in_for():
    conversation = conversation_in_line(500, to=make.queue("Returns", members=[make.agent("Jonas", state="offline")]))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.overflow(conversation.pk)


def test_it_does_not_move_to_a_queue_that_is_not_in_use():
    conversation = conversation_in_line(500, to=make.queue("Old", is_in_use=False))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not deadlines.overflow(conversation.pk)


@pytest.mark.parametrize("made", [make.active_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_only_who_waits_moves(made):
    conversation = made(
        queue=make.queue(overflow_queue=make.queue("Returns"), overflow_after_seconds=60), waited_seconds=500
    )

    with nothing_changes():
        assert not deadlines.overflow(conversation.pk)
    with refuses(NotNow):
        transfers.overflow(fresh(conversation), at=database_now())


def test_many_who_wait_for_a_closed_queue_to_open_do_not_hide_one_who_can_move(monkeypatch):
    monkeypatch.setattr(deadlines, "MOST_AT_ONCE", 2)
    for _ in range(3):
        conversation_in_line(900, to=make.closed_queue())
        conversation_in_line(900, overflow_after_seconds=5000)
    conversation = conversation_in_line(61)

    assert deadlines.sweep() == 1

    assert fresh(conversation).has_overflowed


def test_a_sweep_costs_the_same_however_many_queues_overflow():
    def cost(queues):
        for _ in range(queues):
            conversation_in_line(500, to=make.closed_queue())
        with CaptureQueriesContext(connection) as queries:
            assert deadlines.sweep() == 0
        return len(queries)

    assert cost(1) == cost(9)
