"""Agents who are gone, and what becomes of their offers and conversations."""

import pytest
from django.test import override_settings

from agents import actions as agent_actions
from agents.states import AgentState, ChangedBy
from conversations.actions import closing, conferences, deadlines, offers, presence, transfers
from conversations.errors import Gone
from conversations.load import load_of
from conversations.states import EventKind, MessageKind, OfferState, Role, State
from tests import make
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db


def gone_agent(name="Lucía", seconds=61, **fields):
    """An agent whose last desk was open so many seconds ago."""
    return make.agent(name, seen_at=make.ago(seconds), connected_until=make.ago(seconds - 12), **fields)


# The agent


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA])
def test_an_agent_who_is_gone_for_longer_than_the_grace_is_offline(state):
    lucia = gone_agent(state=state)

    assert deadlines.sweep() == 1

    change = lucia.state_changes.get()
    assert (fresh(lucia).state, fresh(lucia).connected_until) == (AgentState.OFFLINE, None)
    assert (change.from_state, change.changed_by, change.by) == (state, ChangedBy.SYSTEM, None)


def test_within_the_grace_nothing_is_lost():
    lucia = gone_agent(seconds=55)
    make.active_conversation(lead=lucia)
    make.offer(to=lucia)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.lose_agent(lucia.pk, grace_seconds=60)


def test_coming_back_within_the_grace_restores_everything():
    lucia = gone_agent(seconds=55)
    agent_actions.desks_seen([lucia.pk])

    with nothing_changes():
        assert not presence.lose_agent(lucia.pk, grace_seconds=60)


def test_an_agent_is_lost_once():
    lucia = gone_agent()
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.lose_agent(lucia.pk, grace_seconds=60)


@override_settings(AGENT_GRACE_SECONDS=600)
def test_the_grace_is_a_setting():
    gone_agent(seconds=300)

    with nothing_changes():
        assert deadlines.sweep() == 0


def test_the_pending_offers_of_a_lost_agent_are_withdrawn():
    lucia = gone_agent()
    pending = [make.offer(to=lucia) for _ in range(2)]
    elsewhere = make.offer(to=make.agent("Jonas"))

    deadlines.sweep()

    assert [fresh(offer).state for offer in pending] == [OfferState.WITHDRAWN] * 2
    assert fresh(elsewhere).state == OfferState.PENDING
    assert pending[0].conversation.events.order_by("pk").last().kind == EventKind.OFFER_WITHDRAWN


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.OFFLINE, AgentState.RONA])
def test_an_agent_who_stopped_being_available_loses_his_pending_offers(state):
    lucia = make.agent("Lucía", state=state, seen_at=make.ago(1))
    offer = make.offer(to=lucia)

    assert deadlines.sweep() == 1

    assert fresh(offer).state == OfferState.WITHDRAWN
    assert fresh(lucia).state == state


def test_an_agent_who_is_available_keeps_his_pending_offers():
    lucia = make.agent("Lucía")
    make.offer(to=lucia)

    with nothing_changes():
        assert not presence.withdraw_from_unavailable(lucia.pk)


def test_an_offer_that_ran_out_is_missed_by_the_sweep_once():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia, seconds=-1)

    assert deadlines.sweep() == 1

    assert (fresh(offer).state, fresh(lucia).state) == (OfferState.MISSED, AgentState.RONA)
    with nothing_changes():
        assert deadlines.sweep() == 0


def test_an_offer_that_still_rings_is_left_alone_by_the_sweep():
    make.offer(to=make.agent("Lucía"), seconds=5)

    with nothing_changes():
        assert deadlines.sweep() == 0


def test_an_answer_before_the_deadline_beats_the_miss():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia, seconds=1)
    offers.accept(offer.pk, by=lucia)
    type(offer).objects.filter(pk=offer.pk).update(expires_at=make.ago(1))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not offers.miss(offer.pk)


# His conversations


def test_a_conversation_of_a_lost_lead_goes_back_to_its_queue_with_its_place():
    lucia = gone_agent()
    conversation = make.active_conversation(lead=lucia, waited_seconds=100)

    deadlines.sweep()

    again = fresh(conversation)
    assert (again.state, again.queue) == (State.WAITING, conversation.queue)
    assert (again.queued_at, again.order_key) == (conversation.queued_at, conversation.order_key)
    assert again.entered_queue_at > conversation.entered_queue_at
    assert again.answered_at == conversation.answered_at
    assert not conversation.participants.filter(left_at=None).exists()
    assert load_of(lucia) == 0


def test_the_return_is_logged_and_told_in_the_thread():
    conversation = make.active_conversation(lead=gone_agent())

    deadlines.sweep()

    event, line = conversation.events.order_by("pk").last(), conversation.messages.order_by("number").last()
    assert (event.kind, event.from_state, event.to_state) == (EventKind.RETURNED, State.ACTIVE, State.WAITING)
    assert (line.kind, line.event, line.number) == (MessageKind.EVENT, EventKind.RETURNED, 2)


def test_the_first_guest_becomes_the_lead():
    lucia, jonas, sofia = gone_agent(), make.agent("Jonas"), make.agent("Sofía")
    conversation = make.active_conversation(lead=lucia, guests=[jonas, sofia])

    deadlines.sweep()

    places = conversation.participants.filter(left_at=None)
    assert {place.agent: place.role for place in places} == {jonas: Role.LEAD, sofia: Role.GUEST}
    assert fresh(conversation).state == State.ACTIVE
    assert conversation.messages.order_by("number").last().details["name"] == "Jonas"
    assert conversation.events.order_by("pk").last().kind == EventKind.LEAD_CHANGED


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA])
def test_a_lead_who_is_not_offline_keeps_his_conversations(state):
    conversation = make.active_conversation(lead=make.agent("Lucía", state=state))

    with nothing_changes():
        assert not transfers.replace_lost_lead(conversation.pk)


def test_a_lost_lead_is_replaced_once():
    conversation = make.active_conversation(lead=gone_agent())
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not transfers.replace_lost_lead(conversation.pk)


@pytest.mark.parametrize("made", [make.waiting_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_only_an_active_conversation_gets_another_lead(made):
    conversation = made()

    with nothing_changes():
        assert not transfers.replace_lost_lead(conversation.pk)


@pytest.mark.parametrize("conversation_id", [0, 987_654, 10**30])
def test_an_unknown_conversation_gets_no_other_lead(conversation_id):
    with refuses(Gone):
        transfers.replace_lost_lead(conversation_id)


def test_a_conversation_whose_lead_a_supervisor_signed_out_goes_back_to_its_queue():
    lucia, vera = make.agent("Lucía"), make.supervisor("Vera")
    conversation = make.active_conversation(lead=lucia)
    agent_actions.sign_out(lucia.pk, by=vera)

    deadlines.sweep()

    assert fresh(conversation).state == State.WAITING


def test_a_wrap_up_of_a_lost_lead_waits_for_its_deadline():
    conversation = make.wrap_up_conversation(lead=gone_agent(), deadline_seconds=100)

    deadlines.sweep()

    assert fresh(conversation).state == State.WRAP_UP
    with nothing_changes():
        assert deadlines.sweep() == 0


def test_a_wrap_up_without_a_limit_closes_when_its_lead_is_lost():
    conversation = make.wrap_up_conversation(lead=gone_agent(), deadline_seconds=0)
    reason = make.closing_reason(conversation.queue, is_default=True)

    deadlines.sweep()

    again = fresh(conversation)
    assert (again.state, again.closing_reason, again.is_closed_automatically) == (State.CLOSED, reason, True)


def test_a_wrap_up_without_a_limit_stays_with_a_lead_who_came_back():
    conversation = make.wrap_up_conversation(lead=make.agent("Lucía", state=AgentState.IDLE), deadline_seconds=0)

    with nothing_changes():
        assert not closing.finish_automatically(conversation.pk, even_without_deadline=True)


def test_an_empty_house_needs_one_look(django_assert_max_num_queries):
    make.closed_conversation(lead=make.agent("Lucía", state=AgentState.OFFLINE))

    with django_assert_max_num_queries(2):
        assert deadlines.sweep() == 0


# The guests


def test_a_lost_guest_leaves_and_his_place_is_free():
    lucia, jonas, sofia = make.agent("Lucía"), gone_agent("Jonas"), make.agent("Sofía")
    conversation = make.active_conversation(lead=lucia, guests=[jonas, sofia])

    deadlines.sweep()

    places = conversation.participants.filter(left_at=None)
    assert {place.agent: place.role for place in places} == {lucia: Role.LEAD, sofia: Role.GUEST}
    assert (fresh(conversation).state, fresh(conversation).revision) == (State.ACTIVE, conversation.revision + 1)
    event, line = conversation.events.order_by("pk").last(), conversation.messages.order_by("number").last()
    assert (event.kind, event.by, event.details["agent"]) == (EventKind.LEFT, None, jonas.pk)
    assert (line.event, line.details["name"]) == (EventKind.LEFT, "Jonas")
    assert load_of(jonas) == 0


def test_a_guest_whom_a_supervisor_signed_out_leaves_too():
    jonas = make.agent("Jonas")
    conversation = make.active_conversation(lead=make.agent("Lucía"), guests=[jonas])
    agent_actions.sign_out(jonas.pk, by=make.supervisor())

    assert deadlines.sweep() == 1

    assert not conversation.participants.filter(agent=jonas, left_at=None).exists()


def test_a_lost_guest_leaves_once():
    conversation = make.active_conversation(lead=make.agent("Lucía"), guests=[gone_agent("Jonas")])
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not conferences.lose_guests(conversation.pk)


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA])
def test_a_guest_who_is_not_offline_stays(state):
    jonas = make.agent("Jonas", state=state, seen_at=make.ago(55))
    conversation = make.active_conversation(lead=make.agent("Lucía"), guests=[jonas])

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not conferences.lose_guests(conversation.pk)


@pytest.mark.parametrize("made", [make.waiting_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_only_an_active_conversation_loses_guests(made):
    conversation = made()

    with nothing_changes():
        assert not conferences.lose_guests(conversation.pk)
