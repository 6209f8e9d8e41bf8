"""In which order a line is served, and what that costs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.states import AgentState
from config.clock import database_now
from conversations import router
from conversations.actions import offers, routing, transfers
from conversations.load import load_of
from conversations.models import Conversation
from conversations.states import State
from tests import make
from tests.conversations.moments import asked, change
from tests.rows import fresh

pytestmark = pytest.mark.django_db


# The order of the line


def test_who_came_first_is_served_first():
    orders = make.queue(members=[make.agent("Lucía", capacity=1)])
    late, early = (make.waiting_conversation(queue=orders, waited_seconds=wait) for wait in (10, 20))

    assert routing.route() == 1

    assert (asked(early) is not None, asked(late)) == (True, None)


@pytest.mark.parametrize(("ahead", "is_ahead"), [(59, True), (61, False)])
def test_a_step_of_priority_is_a_head_start_of_a_minute(ahead, is_ahead):
    lucia = make.agent("Lucía", capacity=1)
    first, second = make.queue(priority=4, members=[lucia]), make.queue(priority=5, members=[lucia])
    urgent = make.waiting_conversation(queue=first)
    usual = make.waiting_conversation(queue=second, waited_seconds=ahead)

    routing.route()

    assert asked(urgent if is_ahead else usual) == lucia


def test_a_returned_conversation_is_ahead_of_who_came_later():
    lucia, jonas = make.agent("Lucía", capacity=1), make.agent("Jonas", capacity=1)
    orders = make.queue(members=[lucia])
    returned = make.active_conversation(lead=jonas, queue=orders, waited_seconds=100)
    waiting = make.waiting_conversation(queue=orders, waited_seconds=50)
    transfers.to_queue(returned.pk, orders.pk, by=jonas)

    routing.route()

    assert (asked(returned), asked(waiting)) == (lucia, None)
    assert fresh(returned).queued_at == returned.queued_at


def test_an_overflowed_conversation_is_ahead_of_who_came_later():
    lucia = make.agent("Lucía", capacity=1)
    returns = make.queue("Returns", members=[lucia])
    orders = make.queue("Orders", overflow_queue=returns, overflow_after_seconds=60)
    overflowed = make.waiting_conversation(queue=orders, waited_seconds=100)
    waiting = make.waiting_conversation(queue=returns, waited_seconds=50)
    transfers.overflow(fresh(overflowed), at=database_now())

    routing.route()

    assert (asked(overflowed), asked(waiting)) == (lucia, None)


def test_a_conversation_that_was_declined_keeps_its_place():
    lucia, jonas = make.agent("Lucía", capacity=1), make.agent("Jonas", capacity=1, state=AgentState.IDLE)
    orders = make.queue(members=[lucia, jonas])
    first, second = (make.waiting_conversation(queue=orders, waited_seconds=wait) for wait in (20, 10))
    routing.route()
    offers.decline(first.offers.get().pk, by=lucia)
    change(jonas, state=AgentState.AVAILABLE)
    change(lucia, state=AgentState.IDLE)

    routing.route()

    assert (asked(first), asked(second)) == (jonas, None)


def test_a_line_whose_first_was_served_meanwhile_stands_where_its_next_one_does(monkeypatch):
    """Another router took him between the look at all lines and the lock of this one."""
    lucia = make.agent("Lucía", capacity=1)
    orders, returns = make.queue("Orders", members=[lucia]), make.queue("Returns", members=[lucia])
    first, middle, last = (
        make.waiting_conversation(queue=queue, waited_seconds=wait)
        for queue, wait in ((orders, 60), (returns, 30), (orders, 10))
    )
    lines = routing._lines()
    make.offer(to=make.agent("Jonas"), conversation=first)
    monkeypatch.setattr(routing, "_lines", lambda: lines)

    assert routing.route() == 1

    assert (asked(middle), asked(last)) == (lucia, None)


# The cost


def cost_of_routing(length, **fields):
    """How many queries it takes to route a line of this length to two agents with a place each."""
    orders = make.queue(**fields)
    for name in ("Lucía", "Jonas"):
        make.agent(name, queues=[(orders, 2)], capacity=1)
    make.agent("Sofía", queues=[(orders, 1)], state=AgentState.IDLE)
    for number in range(length):
        make.waiting_conversation(queue=orders, waited_seconds=number, first_message="")
    with CaptureQueriesContext(connection) as queries:
        made = routing.route()
    Conversation.objects.filter(queue=orders, state=State.WAITING).update(queue=make.queue())
    return made, len(queries)


def test_routing_costs_the_same_whatever_the_length_of_the_line():
    assert cost_of_routing(5) == cost_of_routing(200)
    assert cost_of_routing(5)[0] == 2


def test_a_line_that_waits_for_the_widening_costs_the_same_whatever_its_length():
    assert cost_of_routing(5, widening_seconds=3600) == cost_of_routing(200, widening_seconds=3600)


def test_the_router_comes_back_for_the_rest_after_looking_at_the_deadlines(monkeypatch):
    monkeypatch.setattr(router, "MOST_OFFERS", 2)
    orders = make.queue(members=[make.agent("Lucía", capacity=5)])
    for _ in range(3):
        make.waiting_conversation(queue=orders)

    assert router.work() == 2
    assert router.work() == 1
    assert load_of(orders.members.get()) == 3
