"""The line as its waiting visitors see it: their place, and an estimate where one is known."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations import line
from conversations.line import line_of, usual_minutes
from tests import make

pytestmark = pytest.mark.django_db


def answered(queue, times, *, ago=60):
    """So many conversations of the queue were answered, that long ago."""
    for _ in range(times):
        conversation = make.closed_conversation(lead=make.agent("Jonas"), queue=queue)
        type(conversation).objects.filter(pk=conversation.pk).update(answered_at=make.ago(ago))


def test_the_first_of_the_line_has_place_one():
    orders = make.queue()
    late, early = (make.waiting_conversation(queue=orders, waited_seconds=wait) for wait in (10, 20))

    places = line_of(orders.pk)

    assert (places.place(early.pk), places.place(late.pk)) == (1, 2)


def test_only_who_waits_in_this_queue_stands_in_its_line():
    orders = make.queue("Orders")
    make.active_conversation(queue=orders, waited_seconds=50)
    make.abandoned_conversation(queue=orders, waited_seconds=50)
    elsewhere = make.waiting_conversation(queue=make.queue("Returns"), waited_seconds=50)
    waiting = make.waiting_conversation(queue=orders)

    assert line_of(orders.pk).place(waiting.pk) == 1
    assert line_of(orders.pk).place(elsewhere.pk) is None


def test_no_estimate_is_shown_when_none_is_known():
    orders = make.queue()
    waiting = make.waiting_conversation(queue=orders)
    answered(orders, line.ENOUGH_ANSWERS - 1)
    answered(orders, 5, ago=31 * 60)

    assert line_of(orders.pk).minutes(waiting.pk) is None
    assert usual_minutes(orders.pk) is None


def test_the_estimate_is_the_pace_of_the_last_half_hour():
    orders = make.queue()
    first, second = (make.waiting_conversation(queue=orders, waited_seconds=wait) for wait in (20, 10))
    answered(orders, 6)  # one in five minutes

    assert [line_of(orders.pk).minutes(one.pk) for one in (first, second)] == [5, 10]
    assert usual_minutes(orders.pk) == 15


def test_a_short_wait_is_at_least_a_minute_in_line_and_under_one_for_who_comes():
    orders = make.queue()
    answered(orders, 40)

    assert usual_minutes(orders.pk) == 0
    waiting = make.waiting_conversation(queue=orders)
    assert line_of(orders.pk).minutes(waiting.pk) == 1


def test_behind_the_counted_part_no_number_is_told(monkeypatch):
    monkeypatch.setattr(line, "LONGEST_LINE", 2)
    orders = make.queue()
    answered(orders, 6)
    line_up = [make.waiting_conversation(queue=orders, waited_seconds=wait) for wait in (30, 20, 10)]

    places = line_of(orders.pk)

    assert [places.place(one.pk) for one in line_up] == [1, 2, None]
    assert places.minutes(line_up[2].pk) is None


def test_a_line_costs_the_same_whatever_its_length():
    orders = make.queue()

    def cost():
        with CaptureQueriesContext(connection) as queries:
            line_of(orders.pk)
        return len(queries)

    make.waiting_conversation(queue=orders)
    short = cost()
    for _ in range(30):
        make.waiting_conversation(queue=orders, first_message="")

    assert cost() == short
