"""Offers: made to who can take them, and then ended exactly once."""

import datetime as dt

import pytest

from agents import actions as agent_actions
from agents.states import AgentState, ChangedBy
from config.clock import database_now
from conversations.actions import closing, offers, presence
from conversations.errors import AgentFull, AgentNotAvailable, Gone, MustNotDecline, NotNow, OfferGone, OfferPending
from conversations.load import load_of
from conversations.states import EventKind, MessageKind, OfferKind, OfferState, Role, State
from tests import make
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db

SETTLED = [OfferState.ACCEPTED, OfferState.DECLINED, OfferState.MISSED, OfferState.WITHDRAWN]
UNKNOWN = [0, 987_654, 10**30]


# Made


def test_an_offer_rings_for_the_queues_time_and_takes_a_place():
    lucia = make.agent("Lucía", capacity=3)
    conversation = make.waiting_conversation(queue=make.queue(offer_timeout_seconds=45))

    offer = offers.make(conversation.pk, to=lucia.pk)

    assert (offer.state, offer.kind, offer.agent) == (OfferState.PENDING, OfferKind.REQUEST, lucia)
    assert offer.expires_at - offer.made_at == dt.timedelta(seconds=45)
    assert load_of(lucia) == 1
    assert fresh(lucia).last_offered_at == offer.made_at


def test_an_offer_does_not_change_the_state_but_counts_and_is_logged():
    lucia, conversation = make.agent("Lucía"), make.waiting_conversation()

    offer = offers.make(conversation.pk, to=lucia.pk)

    event = conversation.events.order_by("pk").last()
    assert (event.kind, event.from_state, event.details["offer"]) == (EventKind.OFFER_MADE, "", offer.pk)
    assert (fresh(conversation).state, fresh(conversation).revision) == (State.WAITING, conversation.revision + 1)


@pytest.mark.parametrize("made", [make.active_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_only_a_waiting_conversation_is_offered(made):
    conversation, jonas = made(), make.agent("Jonas")

    with refuses(NotNow):
        offers.make(conversation.pk, to=jonas.pk)


def test_a_second_offer_while_one_is_pending_is_refused():
    conversation, jonas = make.offer(to=make.agent("Lucía")).conversation, make.agent("Jonas")

    with refuses(OfferPending):
        offers.make(conversation.pk, to=jonas.pk)


@pytest.mark.parametrize(
    "fields",
    [
        {"state": AgentState.OFFLINE},
        {"state": AgentState.IDLE},
        {"state": AgentState.RONA},
        {"is_connected": False},
        {"is_active": False},
    ],
)
def test_an_agent_who_is_not_available_with_an_open_desk_gets_no_offer(fields):
    conversation, lucia = make.waiting_conversation(), make.agent("Lucía", **fields)

    with refuses(AgentNotAvailable):
        offers.make(conversation.pk, to=lucia.pk)


def test_an_agent_whose_lease_ran_out_gets_no_offer():
    conversation, lucia = make.waiting_conversation(), make.agent("Lucía", connected_until=make.ago(1))

    with refuses(AgentNotAvailable):
        offers.make(conversation.pk, to=lucia.pk)


@pytest.mark.parametrize("fill", [make.offer, make.active_conversation, make.wrap_up_conversation])
def test_an_agent_without_a_free_place_gets_no_offer(fill):
    lucia = make.agent("Lucía", capacity=1)
    fill(**{"to" if fill is make.offer else "lead": lucia})
    conversation = make.waiting_conversation()

    with refuses(AgentFull):
        offers.make(conversation.pk, to=lucia.pk)


def test_a_guest_takes_a_place_too():
    jonas = make.agent("Jonas", capacity=1)
    make.active_conversation(lead=make.agent("Lucía"), guests=[jonas])
    conversation = make.waiting_conversation()

    with refuses(AgentFull):
        offers.make(conversation.pk, to=jonas.pk)


def test_an_agent_of_capacity_0_gets_no_offer():
    conversation, lucia = make.waiting_conversation(), make.agent("Lucía", capacity=0)

    with refuses(AgentFull):
        offers.make(conversation.pk, to=lucia.pk)


@pytest.mark.parametrize("conversation_id", UNKNOWN)
def test_an_unknown_conversation_is_not_offered(conversation_id):
    lucia = make.agent("Lucía")

    with refuses(Gone):
        offers.make(conversation_id, to=lucia.pk)


# Accepted


def test_accepting_makes_the_agent_the_lead():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia)

    conversation = offers.accept(offer.pk, by=lucia)

    place = conversation.participants.get()
    assert (place.agent, place.role, place.left_at) == (lucia, Role.LEAD, None)
    assert fresh(conversation).state == State.ACTIVE
    assert fresh(offer).state == OfferState.ACCEPTED
    assert fresh(conversation).answered_at == fresh(offer).settled_at == place.joined_at
    assert load_of(lucia) == 1


def test_accepting_is_logged_and_told_in_the_thread():
    lucia = make.agent("Lucía Marín")
    offer = make.offer(to=lucia)

    conversation = offers.accept(offer.pk, by=lucia)

    kinds = list(conversation.events.order_by("pk").values_list("kind", flat=True))
    line = conversation.messages.get(kind=MessageKind.EVENT)
    assert kinds[-2:] == [EventKind.OFFER_ACCEPTED, EventKind.JOINED]
    assert (line.number, line.event, line.details["name"]) == (2, EventKind.JOINED, "Lucía Marín")
    assert fresh(conversation).last_number == 2


def test_a_full_agent_accepts_because_the_offer_took_its_place():
    lucia = make.agent("Lucía", capacity=1)
    offer = make.offer(to=lucia)

    offers.accept(offer.pk, by=lucia)

    assert load_of(lucia) == 1


def test_the_first_answer_stays_the_moment_of_answering():
    lucia, answered_at = make.agent("Lucía"), make.ago(500)
    offer = make.offer(to=lucia, conversation=make.waiting_conversation(answered_at=answered_at))

    offers.accept(offer.pk, by=lucia)

    assert fresh(offer.conversation).answered_at == answered_at


# Declined


def test_declining_passes_the_request_on_and_keeps_the_agent_available():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia)

    offers.decline(offer.pk, by=lucia)

    event = offer.conversation.events.order_by("pk").last()
    assert (fresh(offer).state, fresh(offer.conversation).state) == (OfferState.DECLINED, State.WAITING)
    assert (event.kind, event.by) == (EventKind.OFFER_DECLINED, lucia)
    assert (fresh(lucia).state, load_of(lucia)) == (AgentState.AVAILABLE, 0)


def test_a_queue_may_forbid_declining():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia, conversation=make.waiting_conversation(queue=make.queue(may_decline=False)))

    with refuses(MustNotDecline):
        offers.decline(offer.pk, by=lucia)


# Answers that come too late, twice, or from somebody else

ANSWERS = [offers.accept, offers.decline]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("state", SETTLED)
def test_a_settled_offer_takes_no_answer(answer, state):
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia, state=state)

    with refuses(OfferGone) as refusal:
        answer(offer.pk, by=lucia)

    assert refusal.value.status == 409


@pytest.mark.parametrize("answer", ANSWERS)
def test_somebody_elses_offer_is_as_good_as_none(answer):
    offer, jonas = make.offer(to=make.agent("Lucía")), make.agent("Jonas")

    with refuses(Gone):
        answer(offer.pk, by=jonas)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_offer_that_ran_out_takes_no_answer_even_before_the_sweep(answer):
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia, seconds=-0.1)

    with refuses(OfferGone):
        answer(offer.pk, by=lucia)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("offer_id", UNKNOWN)
def test_an_unknown_offer_takes_no_answer(answer, offer_id):
    lucia = make.agent("Lucía")

    with refuses(Gone) as refusal:
        answer(offer_id, by=lucia)

    assert refusal.value.status == 404


@pytest.mark.parametrize("first", ANSWERS)
@pytest.mark.parametrize("second", ANSWERS)
def test_the_second_answer_of_two_tabs_is_refused(first, second):
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia)
    first(offer.pk, by=lucia)

    with refuses(OfferGone):
        second(offer.pk, by=lucia)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_offer_of_a_conversation_that_its_visitor_left_takes_no_answer(answer):
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia)
    closing.end_by_visitor(offer.conversation_id)

    with refuses(OfferGone):
        answer(offer.pk, by=lucia)


# Missed


def test_a_missed_offer_makes_its_agent_rona():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia, seconds=-1)

    assert offers.miss(offer.pk)

    change = lucia.state_changes.get()
    assert (fresh(offer).state, fresh(offer.conversation).state) == (OfferState.MISSED, State.WAITING)
    assert offer.conversation.events.order_by("pk").last().kind == EventKind.OFFER_MISSED
    assert (fresh(lucia).state, change.changed_by, change.by) == (AgentState.RONA, ChangedBy.SYSTEM, None)
    assert load_of(lucia) == 0


def test_a_missed_offer_takes_the_agents_other_offers_back():
    lucia = make.agent("Lucía")
    missed, other = make.offer(to=lucia, seconds=-1), make.offer(to=lucia)
    elsewhere = make.offer(to=make.agent("Jonas"))

    offers.miss(missed.pk)

    assert fresh(other).state == OfferState.WITHDRAWN
    assert other.conversation.events.order_by("pk").last().kind == EventKind.OFFER_WITHDRAWN
    assert fresh(elsewhere).state == OfferState.PENDING


def test_a_missed_offer_keeps_its_conversations_place_in_line():
    conversation = make.waiting_conversation(waited_seconds=90)
    offer = make.offer(to=make.agent("Lucía"), conversation=conversation, seconds=-1)

    offers.miss(offer.pk)

    assert fresh(conversation).order_key == conversation.order_key
    assert fresh(conversation).queued_at == conversation.queued_at


def test_missing_leaves_the_conversations_that_the_agent_has():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)

    offers.miss(make.offer(to=lucia, seconds=-1).pk)

    assert fresh(conversation).state == State.ACTIVE
    assert conversation.participants.get().left_at is None


def test_an_offer_cannot_be_missed_too_early():
    offer = make.offer(to=make.agent("Lucía"), seconds=5)

    with nothing_changes():
        assert not offers.miss(offer.pk)


def test_an_offer_is_missed_once():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia, seconds=-1)
    offers.miss(offer.pk)

    with nothing_changes():
        assert not offers.miss(offer.pk)


@pytest.mark.parametrize("state", SETTLED)
def test_a_settled_offer_is_not_missed(state):
    offer = make.offer(to=make.agent("Lucía"), state=state, seconds=-1)

    with nothing_changes():
        assert not offers.miss(offer.pk)


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.RONA, AgentState.OFFLINE])
def test_an_agent_who_is_not_available_any_more_is_not_blamed_for_missing(state):
    lucia = make.agent("Lucía", state=state)
    offer = make.offer(to=lucia, seconds=-1)

    offers.miss(offer.pk)

    assert fresh(offer).state == OfferState.WITHDRAWN
    assert (fresh(lucia).state, lucia.state_changes.count()) == (state, 0)


# Withdrawn


def test_a_withdrawn_offer_frees_its_place():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia)
    agent_actions.become_idle(lucia.pk, None, by=lucia)

    assert presence.withdraw_from_unavailable(lucia.pk)

    assert fresh(offer).state == OfferState.WITHDRAWN
    assert fresh(offer).settled_at is not None
    assert load_of(lucia) == 0


@pytest.mark.parametrize("state", SETTLED)
def test_a_settled_offer_is_not_withdrawn(state):
    lucia = make.agent("Lucía", state=AgentState.IDLE)
    make.offer(to=lucia, state=state)

    with nothing_changes():
        presence.withdraw_from_unavailable(lucia.pk)


def test_an_offer_that_was_answered_in_this_moment_keeps_that_ending():
    lucia = make.agent("Lucía")
    offer = make.offer(to=lucia)
    stale = fresh(offer)
    offers.accept(offer.pk, by=lucia)

    with refuses(OfferGone):
        offers.settle(stale, OfferState.WITHDRAWN, at=database_now())
