"""Visitors who leave and come back: seen at once, and given up after the queue's grace."""

import pytest

from config.clock import database_now
from conversations import thread
from conversations.actions import closing, deadlines, presence, transfers
from conversations.errors import Gone
from conversations.states import EventKind, OfferState, Party, Remark, State, SystemReason
from tests import make
from tests.conversations.moments import change
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db

OPEN = [make.waiting_conversation, make.active_conversation]
ENDED = [make.wrap_up_conversation, make.abandoned_conversation]


def last_event(conversation):
    return conversation.events.order_by("pk").last()


@pytest.mark.parametrize("made", OPEN)
def test_a_visitor_who_leaves_is_seen_leaving_at_once(made):
    conversation = made()

    assert presence.visitor_left(conversation.pk)

    assert not fresh(conversation).is_visitor_here
    assert fresh(conversation).revision == conversation.revision + 1
    assert last_event(conversation).kind == EventKind.VISITOR_LEFT
    assert fresh(conversation).state == conversation.state


@pytest.mark.parametrize("made", OPEN)
def test_a_visitor_who_comes_back_restores_everything(made):
    conversation = made(is_visitor_here=False, visitor_seen_at=make.ago(50))

    presence.visitors_seen([conversation.pk])

    assert fresh(conversation).is_visitor_here
    assert fresh(conversation).visitor_seen_at > make.ago(10)
    assert last_event(conversation).kind == EventKind.VISITOR_RETURNED


def test_a_visitor_who_is_here_is_only_seen():
    conversation = make.waiting_conversation(visitor_seen_at=make.ago(8))
    events = conversation.events.count()

    presence.visitors_seen([conversation.pk])
    presence.visitor_came(conversation.pk)

    assert fresh(conversation).visitor_seen_at > make.ago(4)
    assert (fresh(conversation).revision, conversation.events.count()) == (conversation.revision, events)


def test_a_visitor_leaves_once():
    conversation = make.waiting_conversation()
    presence.visitor_left(conversation.pk)

    with nothing_changes():
        assert not presence.visitor_left(conversation.pk)


@pytest.mark.parametrize("made", ENDED)
def test_after_the_end_nobody_leaves_or_comes(made):
    conversation = made()

    with nothing_changes():
        assert not presence.visitor_left(conversation.pk)
        presence.visitors_seen([conversation.pk])


def test_a_visitor_who_was_seen_in_the_meantime_has_not_left():
    conversation = make.waiting_conversation()

    with nothing_changes():
        assert not presence.visitor_left(conversation.pk, unless_seen_after=make.ago(5))


@pytest.mark.parametrize("conversation_id", [0, 987_654, 10**30])
def test_an_unknown_conversation_is_refused(conversation_id):
    with refuses(Gone):
        presence.visitor_left(conversation_id)
    with refuses(Gone):
        presence.visitor_came(conversation_id)


def test_nobody_seen_costs_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        presence.visitors_seen([])


def test_the_grace_runs_from_the_closing_of_the_page_not_from_its_last_heartbeat():
    conversation, closed_at = make.waiting_conversation(visitor_seen_at=make.ago(4)), make.ago(1)

    assert presence.visitor_left(conversation.pk, closed_at=closed_at)

    assert fresh(conversation).visitor_seen_at == closed_at


def test_a_page_that_fell_silent_was_there_until_its_last_heartbeat():
    conversation = make.waiting_conversation(visitor_seen_at=make.ago(40))

    assert deadlines.sweep() == 1

    assert fresh(conversation).visitor_seen_at == conversation.visitor_seen_at


# Given up


@pytest.mark.parametrize("made", OPEN)
def test_a_visitor_who_is_there_is_not_given_up_between_two_heartbeats(made):
    idle = make.agent("Lucía", state="idle")
    queue = make.queue(members=[idle], waiting_grace_seconds=5, visitor_gone_seconds=5)
    conversation = made(queue=queue, visitor_seen_at=make.ago(8), waited_seconds=60)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.give_up_on_visitor(conversation.pk)


@pytest.mark.parametrize("made", OPEN)
def test_a_page_that_fell_silent_for_longer_than_the_grace_is_given_up_in_the_same_sweep(made):
    queue = make.queue(waiting_grace_seconds=5, visitor_gone_seconds=5)
    conversation = made(queue=queue, visitor_seen_at=make.ago(presence.LEASE_SECONDS + 1), waited_seconds=60)

    assert deadlines.sweep() == 2

    assert fresh(conversation).state != conversation.state


def test_a_page_that_fell_silent_counts_as_left():
    conversation = make.waiting_conversation(visitor_seen_at=make.ago(presence.LEASE_SECONDS + 1))

    assert deadlines.sweep() == 1

    assert not fresh(conversation).is_visitor_here
    assert fresh(conversation).state == State.WAITING


def test_a_page_that_is_alive_does_not_count_as_left():
    make.waiting_conversation(visitor_seen_at=make.ago(presence.LEASE_SECONDS - 3))

    with nothing_changes():
        assert deadlines.sweep() == 0


def gone(made, seconds, **fields):
    """The visitor came, and was seen last so long ago."""
    return made(is_visitor_here=False, visitor_seen_at=make.ago(seconds), **{"waited_seconds": seconds, **fields})


def test_a_waiting_visitor_who_is_gone_for_longer_than_the_grace_has_abandoned_it():
    queue = make.queue(waiting_grace_seconds=60)
    conversation = gone(make.waiting_conversation, 61, queue=queue, waited_seconds=90)
    offer = make.offer(to=make.agent("Lucía"), conversation=conversation)

    assert deadlines.sweep() == 1

    conversation = fresh(conversation)
    assert (conversation.state, conversation.system_reason) == (State.CLOSED, SystemReason.ABANDONED)
    assert (conversation.ended_by, conversation.closing_reason) == (Party.VISITOR, None)
    assert 90 <= conversation.waited_seconds() <= 95
    assert fresh(offer).state == OfferState.WITHDRAWN


@pytest.mark.parametrize("made", OPEN)
@pytest.mark.parametrize(
    ("is_gone", "told"),
    [(True, "The conversation ended because you were away for too long"), (False, "You ended the conversation")],
)
def test_a_visitor_is_told_whether_he_was_given_up_or_ended_it_himself(made, is_gone, told):
    conversation = gone(made, 500)

    if is_gone:
        presence.give_up_on_visitor(conversation.pk)
    else:
        closing.end_by_visitor(conversation.pk)

    assert thread.sentence(conversation.messages.order_by("number").last(), thread.Audience.VISITOR) == told
    assert fresh(conversation).remark == (Remark.VISITOR_GONE if is_gone else "")


def test_an_active_visitor_who_is_gone_for_longer_than_the_limit_ends_in_wrap_up():
    lucia = make.agent("Lucía")
    queue = make.queue(visitor_gone_seconds=100)
    conversation = gone(make.active_conversation, 101, lead=lucia, queue=queue)

    assert deadlines.sweep() == 1

    conversation = fresh(conversation)
    assert (conversation.state, conversation.remark) == (State.WRAP_UP, Remark.VISITOR_GONE)
    assert conversation.ended_by == Party.VISITOR
    assert conversation.participants.get(left_at=None).agent == lucia


@pytest.mark.parametrize("made", OPEN)
def test_within_the_grace_nobody_is_given_up(made):
    conversation = gone(made, 55, queue=make.queue(waiting_grace_seconds=60, visitor_gone_seconds=60))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.give_up_on_visitor(conversation.pk)


@pytest.mark.parametrize("made", OPEN)
def test_a_visitor_who_comes_back_in_time_is_not_given_up(made):
    conversation = gone(made, 500, queue=make.queue(members=[make.agent("Lucía", state="idle")]))
    presence.visitors_seen([conversation.pk])

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.give_up_on_visitor(conversation.pk)


@pytest.mark.parametrize("made", OPEN)
def test_a_visitor_is_given_up_once(made):
    conversation = gone(made, 500)
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.give_up_on_visitor(conversation.pk)


def test_the_grace_is_the_queues_and_the_states():
    queue = make.queue(waiting_grace_seconds=7, visitor_gone_seconds=300)

    waiting, active = make.waiting_conversation(queue=queue), make.active_conversation(queue=queue)

    for conversation, grace in ((waiting, 7), (active, 300)):
        assert (presence.given_up_at(conversation) - conversation.visitor_seen_at).total_seconds() == grace


def test_who_was_away_from_his_agent_has_the_whole_grace_once_he_is_back_in_line():
    lucia = make.agent("Lucía")
    queue = make.queue(waiting_grace_seconds=60, members=[lucia])
    conversation = gone(make.active_conversation, 90, lead=lucia, queue=queue)

    transfers.to_queue(conversation.pk, queue.pk, by=lucia)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.give_up_on_visitor(conversation.pk)
    change(conversation, entered_queue_at=make.ago(61))
    assert deadlines.sweep() == 1
    assert fresh(conversation).system_reason == SystemReason.ABANDONED


def test_a_message_of_a_visitor_does_not_depend_on_his_page():
    conversation = gone(make.active_conversation, 100)

    make.message(conversation, "By plain requests", at=database_now())

    assert fresh(conversation).state == State.ACTIVE


def test_many_who_may_be_gone_for_long_do_not_hide_one_whose_grace_is_over(monkeypatch):
    monkeypatch.setattr(deadlines, "MOST_AT_ONCE", 2)
    patient = make.queue("Patient", waiting_grace_seconds=5000, visitor_gone_seconds=5000)
    for _ in range(2):
        gone(make.waiting_conversation, 900, queue=patient)
        gone(make.active_conversation, 900, queue=patient)
    queue = make.queue("Orders", waiting_grace_seconds=60, visitor_gone_seconds=60)
    waiting, active = gone(make.waiting_conversation, 61, queue=queue), gone(make.active_conversation, 61, queue=queue)

    assert deadlines.sweep() == 2

    assert (fresh(waiting).state, fresh(active).state) == (State.CLOSED, State.WRAP_UP)
