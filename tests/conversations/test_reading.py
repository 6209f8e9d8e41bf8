"""Delivered and read marks only move forward, and never beyond the thread."""

import pytest

from conversations.actions import reading
from conversations.actions.messaging import Draft, post
from conversations.actions.reading import Mark
from conversations.states import Party
from tests import make
from tests.rows import fresh, nothing_changes

pytestmark = pytest.mark.django_db


def talk():
    """Five lines: the visitor's first, two more of his, and two of Lucía's between them."""
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    for number, by in enumerate([lucia, None, lucia, None]):
        make.message(conversation, f"Line {number}", by=by)
    return lucia, conversation


def place_of(conversation):
    return conversation.participants.get()


@pytest.mark.parametrize(("number", "unread"), [(1, 2), (2, 2), (3, 1), (4, 1), (5, 0), (99, 0)])
def test_what_the_agent_saw_is_unread_no_more(number, unread):
    lucia, conversation = talk()

    reading.marked_by_agent(conversation.pk, by=lucia, delivered=number, read=number)

    place = place_of(conversation)
    assert conversation.visitor_count - place.read_visitor_count == unread
    assert place.read_number == place.delivered_number == min(number, 5)


def test_delivered_is_not_read():
    lucia, conversation = talk()

    reading.marked_by_agent(conversation.pk, by=lucia, delivered=4)

    place = place_of(conversation)
    assert (place.delivered_number, place.read_number, place.read_visitor_count) == (4, 0, 0)


def test_what_was_read_was_delivered():
    lucia, conversation = talk()

    reading.marked_by_agent(conversation.pk, by=lucia, delivered=0, read=3)

    assert (place_of(conversation).delivered_number, place_of(conversation).read_number) == (3, 3)


@pytest.mark.parametrize(("delivered", "read"), [(5, 4), (3, 3), (0, 0), (-1, -1)])
def test_an_agents_marks_do_not_move_back(delivered, read):
    lucia, conversation = talk()
    reading.marked_by_agent(conversation.pk, by=lucia, delivered=5, read=4)

    with nothing_changes():
        reading.marked_by_agent(conversation.pk, by=lucia, delivered=delivered, read=read)


def test_a_message_after_the_mark_is_unread():
    lucia, conversation = talk()
    reading.marked_by_agent(conversation.pk, by=lucia, delivered=5, read=5)

    post(Draft(conversation.pk, Party.VISITOR, "And?", "0123-4567"))

    assert fresh(conversation).visitor_count - place_of(conversation).read_visitor_count == 1


def test_a_stranger_marks_nothing():
    _lucia, conversation = talk()
    jonas = make.agent("Jonas")

    with nothing_changes():
        reading.marked_by_agent(conversation.pk, by=jonas, delivered=5, read=5)


def test_who_left_marks_nothing():
    lucia, conversation = talk()
    conversation.participants.update(left_at=make.ago(1))

    with nothing_changes():
        reading.marked_by_agent(conversation.pk, by=lucia, delivered=5, read=5)


@pytest.mark.parametrize(("number", "expected"), [(3, 3), (5, 5), (99, 5)])
def test_the_visitor_saw_the_thread_up_to_a_number(number, expected):
    _lucia, conversation = talk()

    reading.marked_by_visitor(conversation.pk, delivered=number, read=number)

    assert fresh(conversation).visitor_read_number == expected
    assert fresh(conversation).visitor_delivered_number == expected


@pytest.mark.parametrize(("delivered", "read"), [(5, 4), (3, 3), (0, 0)])
def test_the_visitors_marks_do_not_move_back(delivered, read):
    _lucia, conversation = talk()
    reading.marked_by_visitor(conversation.pk, delivered=5, read=4)

    with nothing_changes():
        reading.marked_by_visitor(conversation.pk, delivered=delivered, read=read)


def test_an_unknown_conversation_moves_nothing():
    _lucia, conversation = talk()

    with nothing_changes():
        reading.marked_by_visitor(conversation.pk + 1, delivered=1)


@pytest.mark.parametrize("talks", [1, 4])
def test_many_marks_are_stored_in_five_statements(django_assert_num_queries, talks):
    told, marked = [], []
    for _ in range(talks):
        lucia, conversation = talk()
        marked.append((lucia, conversation))
        told += [
            Mark(conversation.pk, 2, 1),
            Mark(conversation.pk, 4, 3),
            Mark(conversation.pk, 3, 2, lucia.pk),
            Mark(conversation.pk, 1, 1, lucia.pk),
            Mark(conversation.pk, 9, 9, 987_654),
        ]

    with django_assert_num_queries(5 + 2):  # and the savepoint
        reading.mark([*told, Mark(987_654, 1, 1), Mark(987_654, 1, 1, lucia.pk)])

    for lucia, conversation in marked:
        assert reading.marks_for_agents(fresh(conversation)) == reading.Marks(delivered=4, read=3)
        place = conversation.participants.get(agent=lucia)
        spoke = conversation.messages.filter(sender=Party.VISITOR, number__lte=2).count()
        assert (place.delivered_number, place.read_number, place.read_visitor_count) == (3, 2, spoke)


def test_each_side_is_shown_how_far_the_other_got():
    lucia, conversation = talk()
    reading.marked_by_agent(conversation.pk, by=lucia, delivered=5, read=3)
    reading.marked_by_visitor(conversation.pk, delivered=4, read=2)

    assert reading.marks_for_visitor(fresh(conversation)) == reading.Marks(delivered=5, read=3)
    assert reading.marks_for_agents(fresh(conversation)) == reading.Marks(delivered=4, read=2)
