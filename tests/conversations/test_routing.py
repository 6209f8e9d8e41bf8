"""Who gets which conversation, and when."""

import datetime as dt

import pytest

from agents import actions as agent_actions
from agents.states import AgentState
from config.clock import database_now
from conversations.actions import closing, offers, routing, transfers
from conversations.load import load_of
from conversations.models import Offer
from conversations.states import OfferKind, OfferState
from tests import make
from tests.conversations.moments import asked, change
from tests.rows import nothing_changes

pytestmark = pytest.mark.django_db


def next_asked(queue):
    """Whom the router asks for one more conversation of this queue."""
    conversation = make.waiting_conversation(queue=queue)
    assert routing.offer_next(conversation.queue_id)
    return asked(conversation)


# Who is asked


def test_the_lowest_rank_is_asked_first():
    orders = make.queue()
    make.agent("Jonas", queues=[(orders, 2)])
    lucia = make.agent("Lucía", queues=[(orders, 1)], last_offered_at=database_now())
    make.active_conversation(lead=lucia, queue=orders)

    assert next_asked(orders) == lucia


def test_the_next_rank_is_asked_when_the_lowest_is_full():
    orders = make.queue()
    lucia, jonas = make.agent("Lucía", queues=[(orders, 1)], capacity=1), make.agent("Jonas", queues=[(orders, 2)])

    assert [next_asked(orders), next_asked(orders)] == [lucia, jonas]


def test_higher_ranks_join_after_the_widening_time():
    orders = make.queue(widening_seconds=60)
    jonas = make.agent("Jonas", queues=[(orders, 2)])
    make.agent("Lucía", queues=[(orders, 1)], state=AgentState.IDLE)
    patient = make.waiting_conversation(queue=orders, waited_seconds=59)

    with nothing_changes():
        assert routing.route() == 0
    change(patient, queued_at=patient.queued_at - dt.timedelta(seconds=2))

    assert routing.route() == 1
    assert asked(patient) == jonas


def test_before_widening_all_of_the_lowest_rank_are_asked():
    orders = make.queue(widening_seconds=60)
    jonas = make.agent("Jonas", queues=[(orders, 3)])
    make.agent("Lucía", queues=[(orders, 5)])

    assert next_asked(orders) == jonas


def test_an_account_that_is_not_active_does_not_hold_the_widening_up():
    orders = make.queue(widening_seconds=60)
    jonas = make.agent("Jonas", queues=[(orders, 2)])
    make.agent("Lucía", queues=[(orders, 1)], is_active=False)

    assert next_asked(orders) == jonas


def test_once_the_lowest_rank_declined_the_next_is_asked_before_it_is_asked_again():
    orders = make.queue(widening_seconds=60)
    lucia, jonas = make.agent("Lucía", queues=[(orders, 1)]), make.agent("Jonas", queues=[(orders, 2)])
    conversation = make.waiting_conversation(queue=orders)
    routing.route()
    offers.decline(conversation.offers.get().pk, by=lucia)

    routing.route()

    assert asked(conversation) == jonas


def test_the_least_load_relative_to_capacity_is_asked_first():
    orders = make.queue()
    lucia, jonas = (make.agent(name, queues=[orders], capacity=n) for name, n in (("Lucía", 8), ("Jonas", 2)))
    for lead in (lucia, lucia, lucia, jonas):
        make.active_conversation(lead=lead, queue=orders)

    assert next_asked(orders) == lucia  # three of eight are less than one of two


def test_the_longest_since_the_last_offer_is_asked_first():
    orders = make.queue()
    make.agent("Lucía", queues=[orders], last_offered_at=make.ago(10))
    jonas = make.agent("Jonas", queues=[orders], last_offered_at=make.ago(20))

    assert next_asked(orders) == jonas


def test_who_was_never_asked_is_asked_before_who_was():
    orders = make.queue()
    make.agent("Lucía", queues=[orders], last_offered_at=make.ago(10_000))
    jonas = make.agent("Jonas", queues=[orders])

    assert next_asked(orders) == jonas


def test_offers_go_round_among_equals():
    orders = make.queue()
    agents = [make.agent(name, queues=[orders]) for name in ("Lucía", "Jonas", "Sofía")]

    assert [next_asked(orders) for _ in range(6)] == agents * 2


# Who is not asked


@pytest.mark.parametrize(
    "fields",
    [
        {"state": AgentState.OFFLINE},
        {"state": AgentState.IDLE},
        {"state": AgentState.RONA},
        {"is_connected": False},
        {"is_active": False},
        {"capacity": 0},
    ],
)
def test_who_cannot_take_a_conversation_is_not_asked(fields):
    orders = make.queue(members=[make.agent("Lucía", **fields)])
    conversation = make.waiting_conversation(queue=orders)

    with nothing_changes():
        assert routing.route() == 0
        assert not routing.offer_next(conversation.queue_id)


def test_an_agent_whose_desk_closed_gets_nothing_until_it_is_back():
    lucia = make.agent("Lucía")
    conversation = make.waiting_conversation(queue=make.queue(members=[lucia]))
    agent_actions.desk_closed(lucia.pk)
    assert routing.route() == 0

    agent_actions.desks_seen([lucia.pk])

    assert routing.route() == 1
    assert asked(conversation) == lucia


def test_members_of_other_queues_are_not_asked():
    make.queue("Returns", members=[make.agent("Lucía")])
    make.waiting_conversation(queue=make.queue("Orders"))

    with nothing_changes():
        assert routing.route() == 0


def test_offers_places_and_wrap_ups_count_against_capacity():
    lucia, jonas = make.agent("Lucía", capacity=5), make.agent("Jonas")
    orders = make.queue(members=[lucia])
    make.offer(to=lucia)
    make.active_conversation(lead=lucia)
    make.wrap_up_conversation(lead=lucia)
    make.active_conversation(lead=jonas, guests=[lucia])
    for state in (OfferState.DECLINED, OfferState.MISSED, OfferState.WITHDRAWN):
        make.offer(to=lucia, state=state, conversation=make.closed_conversation(lead=jonas, queue=orders))
    make.closed_conversation(lead=lucia)
    for _ in range(3):
        make.waiting_conversation(queue=orders)

    assert load_of(lucia) == 4
    assert routing.route() == 1
    assert load_of(lucia) == 5


def test_an_agent_of_several_queues_is_asked_up_to_his_capacity_in_all():
    lucia = make.agent("Lucía", capacity=2)
    queues = [make.queue(members=[lucia]) for _ in range(3)]
    for queue in queues:
        make.waiting_conversation(queue=queue)

    assert routing.route() == 2
    assert load_of(lucia) == 2


def test_a_conversation_with_a_pending_offer_is_not_offered_again():
    orders = make.queue(members=[make.agent("Lucía"), make.agent("Jonas")])
    conversation = make.waiting_conversation(queue=orders)
    assert routing.route() == 1

    with nothing_changes():
        assert routing.route() == 0
        assert not routing.offer_next(conversation.queue_id)


@pytest.mark.parametrize("made", [make.active_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_only_who_waits_is_offered(made):
    orders = make.queue(members=[make.agent("Lucía")])
    conversation = made(lead=make.agent("Jonas"), queue=orders)

    with nothing_changes():
        assert routing.route() == 0
        assert not routing.offer_next(conversation.queue_id)


def test_an_unknown_queue_has_nobody_in_line():
    assert not routing.offer_next(987_654)


# Declined and missed


def test_a_declined_conversation_goes_to_the_next_agent():
    orders = make.queue()
    lucia, jonas = make.agent("Lucía", queues=[(orders, 1)]), make.agent("Jonas", queues=[(orders, 9)])
    conversation = make.waiting_conversation(queue=orders)
    routing.route()
    offers.decline(conversation.offers.get(agent=lucia).pk, by=lucia)

    routing.route()

    assert asked(conversation) == jonas


def test_a_declined_conversation_comes_back_to_an_agent_who_is_alone():
    lucia = make.agent("Lucía")
    conversation = make.waiting_conversation(queue=make.queue(members=[lucia]))
    routing.route()
    offers.decline(conversation.offers.get().pk, by=lucia)

    routing.route()

    assert asked(conversation) == lucia
    assert conversation.offers.count() == 2


def test_who_declined_one_conversation_is_asked_for_the_others_as_before():
    orders = make.queue()
    lucia = make.agent("Lucía", queues=[(orders, 1)])
    make.agent("Jonas", queues=[(orders, 2)])
    conversation = make.waiting_conversation(queue=orders)
    routing.route()
    offers.decline(conversation.offers.get().pk, by=lucia)
    routing.route()

    assert next_asked(orders) == lucia


@pytest.mark.parametrize("kind", [OfferKind.TRANSFER, OfferKind.CONFERENCE])
def test_who_did_not_take_over_or_join_has_not_refused_the_request(kind):
    orders = make.queue(widening_seconds=60)
    lucia, jonas = make.agent("Lucía", queues=[(orders, 1)]), make.agent("Jonas", queues=[(orders, 1)])
    make.agent("Sofía", queues=[(orders, 2)])
    conversation = make.active_conversation(lead=lucia, queue=orders)
    offers.decline(make.offer(to=jonas, conversation=conversation, kind=kind, made_by=lucia).pk, by=jonas)
    change(lucia, capacity=0)
    transfers.to_queue(conversation.pk, orders.pk, by=lucia)

    routing.route()

    assert asked(conversation) == jonas


def test_a_missed_conversation_goes_to_the_next_agent_and_the_one_who_missed_gets_nothing():
    orders = make.queue()
    lucia, jonas = make.agent("Lucía", queues=[(orders, 1)]), make.agent("Jonas", queues=[(orders, 2)], capacity=1)
    conversation, other = (make.waiting_conversation(queue=orders, waited_seconds=wait) for wait in (20, 10))
    offer = make.offer(to=lucia, conversation=conversation, seconds=-1)
    offers.miss(offer.pk)

    routing.route()

    assert (asked(conversation), asked(other)) == (jonas, None)


# What frees a place


def test_a_finished_conversation_frees_its_place_for_the_next():
    lucia = make.agent("Lucía", capacity=1)
    orders = make.queue(members=[lucia])
    reason = make.closing_reason(orders)
    wrap_up, waiting = make.wrap_up_conversation(lead=lucia, queue=orders), make.waiting_conversation(queue=orders)
    assert routing.route() == 0

    closing.finish(wrap_up.pk, reason.pk, by=lucia)

    assert routing.route() == 1
    assert asked(waiting) == lucia


def test_no_free_place_and_waiting_conversation_of_one_queue_are_left():
    queues = [make.queue() for _ in range(3)]
    for number in range(4):
        make.agent(f"Agent {number}", queues=[queues[number % 3], queues[(number + 1) % 3]], capacity=number)
    for number in range(12):
        make.waiting_conversation(queue=queues[number % 3])

    assert routing.route() == 6

    assert not routing.free_agents(database_now()).exists()
    assert Offer.objects.filter(state=OfferState.PENDING).count() == 6


def test_a_queue_without_free_members_does_not_hold_the_others_up():
    make.waiting_conversation(queue=make.queue("Orders"), waited_seconds=500)
    returns = make.queue("Returns", members=[make.agent("Lucía")])
    waiting = make.waiting_conversation(queue=returns)

    assert routing.route() == 1
    assert asked(waiting) is not None
