"""The portal's numbers for Prometheus."""

import pytest

from conversations.figures import Figures
from tests import make

pytestmark = pytest.mark.django_db


def figures():
    """Each number, by its name and the queue or state that it is of."""
    families = Figures().collect()
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_a_queue_that_takes_no_more_is_counted_until_its_last_conversation_has_ended():
    left, wrapping, empty = (make.queue(name, is_in_use=False) for name in ("Left", "Wrapping", "Empty"))
    for seconds in (60, 120):
        make.waiting_conversation(queue=left, waited_seconds=seconds)
    make.active_conversation(queue=left)
    make.wrap_up_conversation(queue=wrapping)
    make.closed_conversation(queue=empty)

    found = figures()

    assert (found["livedesk_waiting", left.slug], found["livedesk_active", left.slug]) == (2, 1)
    assert 119 < found["livedesk_longest_wait_seconds", left.slug] < 180
    assert (found["livedesk_waiting", wrapping.slug], found["livedesk_active", wrapping.slug]) == (0, 0)
    assert ("livedesk_waiting", empty.slug) not in found


@pytest.mark.parametrize("rows", [2, 20])
def test_the_numbers_ask_as_often_for_much_as_for_little(django_assert_num_queries, rows):
    for number in range(rows):
        queue = make.queue(f"Queue {number}", is_in_use=bool(number % 2))
        make.waiting_conversation(queue=queue)

    with django_assert_num_queries(4):
        figures()
