"""Offers under races: however many answer, and whatever comes in between, an offer ends once."""

import pytest
from django.db import models, transaction

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from config.refusal import Refused
from conversations.actions import closing, offers, presence, routing
from conversations.errors import AgentFull, AlreadyEnded, OfferGone
from conversations.load import load_of
from conversations.models import Conversation, Offer, Participant
from conversations.states import EventKind, OfferState, Role, State
from tests import make
from tests.races.crowd import Gap, at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 6
ENDINGS = {
    EventKind.OFFER_ACCEPTED,
    EventKind.OFFER_DECLINED,
    EventKind.OFFER_MISSED,
    EventKind.OFFER_WITHDRAWN,
}


def ended_once(offer):
    """The offer has one outcome, one row of history, and the conversation goes with it."""
    offer.refresh_from_db()
    conversation = Conversation.objects.get(pk=offer.conversation_id)
    endings = [event for event in conversation.events.filter(kind__in=ENDINGS) if event.details["offer"] == offer.pk]
    leads = conversation.participants.filter(role=Role.LEAD, left_at=None).count()
    is_accepted = offer.state == OfferState.ACCEPTED
    return offer.state != OfferState.PENDING and len(endings) == 1 and leads <= is_accepted


def names(answers):
    return sorted(type(answer).__name__ for answer in answers)


def test_of_twenty_accepts_at_once_one_wins():
    offer = make.offer()

    answers = at_once(*[lambda: offers.accept(offer.pk, by=offer.agent)] * 20)

    assert names(answers) == ["Conversation"] + ["OfferGone"] * 19
    assert ended_once(offer)
    assert Participant.objects.count() == 1


def test_accept_against_decline():
    for _ in range(ROUNDS):
        offer = make.offer()

        answers = at_once(
            lambda offer=offer: offers.accept(offer.pk, by=offer.agent),
            lambda offer=offer: offers.decline(offer.pk, by=offer.agent),
        )

        assert [isinstance(answer, OfferGone) for answer in answers].count(True) == 1
        assert ended_once(offer)


def test_accept_against_an_agent_who_becomes_idle_in_another_tab():
    for _ in range(ROUNDS):
        offer = make.offer()

        def becomes_idle(lucia=offer.agent):
            agent_actions.become_idle(lucia.pk, None, by=lucia)
            return presence.withdraw_from_unavailable(lucia.pk)

        accepted, _looked = at_once(lambda offer=offer: offers.accept(offer.pk, by=offer.agent), becomes_idle)

        assert ended_once(offer)
        assert isinstance(accepted, Refused) == (offer.state == OfferState.WITHDRAWN)


@pytest.mark.parametrize("answer", [offers.accept, offers.decline])
@pytest.mark.parametrize("seconds", [-0.001, 0.02, 0.05])
def test_an_answer_against_the_deadline(answer, seconds):
    for _ in range(ROUNDS):
        offer = make.offer(seconds=seconds)

        def miss(offer=offer):
            while Offer.objects.filter(pk=offer.pk, state=OfferState.PENDING).exists():
                if offers.miss(offer.pk):
                    return True
            return False

        answered, is_missed = at_once(lambda offer=offer: answer(offer.pk, by=offer.agent), miss)

        assert isinstance(answered, OfferGone) == is_missed
        assert ended_once(offer)
        offer.agent.refresh_from_db()
        assert offer.agent.state == (AgentState.RONA if is_missed else AgentState.AVAILABLE)


def test_several_misses_of_one_offer_are_one():
    offer = make.offer(seconds=-1)

    answers = at_once(*[lambda: offers.miss(offer.pk)] * 8)

    assert sorted(answers) == [False] * 7 + [True]
    assert ended_once(offer)
    assert offer.agent.state_changes.count() == 1


def test_two_missed_offers_of_one_agent_at_once():
    for _ in range(ROUNDS):
        lucia = make.agent(capacity=4)
        made = [make.offer(to=lucia, seconds=-1) for _ in range(4)]

        at_once(*[lambda offer=offer: offers.miss(offer.pk) for offer in made])

        assert all(ended_once(offer) for offer in made)
        assert lucia.state_changes.count() == 1
        assert load_of(lucia) == 0


def test_the_visitor_ends_while_the_agent_accepts():
    for _ in range(ROUNDS):
        offer = make.offer()

        accepted, ended = at_once(
            lambda offer=offer: offers.accept(offer.pk, by=offer.agent),
            lambda offer=offer: closing.end_by_visitor(offer.conversation_id),
        )

        assert not isinstance(ended, AlreadyEnded)
        assert ended_once(offer)
        offer.conversation.refresh_from_db()
        was_accepted = not isinstance(accepted, OfferGone)
        assert offer.conversation.state == (State.WRAP_UP if was_accepted else State.CLOSED)


def test_one_place_is_not_filled_twice():
    for _ in range(ROUNDS):
        lucia = make.agent(capacity=1, queues=[make.some_queue()])
        line = [make.waiting_conversation() for _ in range(4)]

        answers = at_once(*[lambda one=one, lucia=lucia: offers.make(one.pk, to=lucia.pk) for one in line])

        assert [isinstance(answer, AgentFull) for answer in answers].count(True) == 3
        assert load_of(lucia) == 1


def test_two_offers_of_one_conversation_are_one():
    conversation = make.waiting_conversation()
    agents = [make.agent(queues=[conversation.queue]) for _ in range(4)]

    answers = at_once(*[lambda one=one: offers.make(conversation.pk, to=one.pk) for one in agents])

    assert names(answers) == ["Offer"] + ["OfferPending"] * 3


def test_an_offer_against_the_capacity_being_filled_by_an_accept():
    for _ in range(ROUNDS):
        lucia = make.agent(capacity=2, queues=[make.some_queue()])
        offer = make.offer(to=lucia)
        line = [make.waiting_conversation() for _ in range(2)]

        at_once(
            lambda offer=offer: offers.accept(offer.pk, by=offer.agent),
            *[lambda one=one, lucia=lucia: offers.make(one.pk, to=lucia.pk) for one in line],
        )

        assert load_of(lucia) == 2


# The twins: the same without its lock, and the race happens.


@pytest.fixture
def without_locks(monkeypatch):
    """Rows are read as they stand, by whoever wants to."""

    def select_without(self, *arguments, **named):
        return self.all()

    monkeypatch.setattr(models.QuerySet, "select_for_update", select_without)


@pytest.mark.only_on("postgresql")
def test_without_the_agents_lock_a_place_is_filled_twice(without_locks, monkeypatch):
    lucia = make.agent(capacity=1, queues=[make.some_queue()])
    line = [make.waiting_conversation() for _ in range(2)]
    gap = Gap(2)
    monkeypatch.setattr(offers, "load_of", gap.after(load_of))

    at_once(*[lambda one=one, lucia=lucia: offers.make(one.pk, to=lucia.pk) for one in line])

    assert load_of(lucia) == 2


@transaction.atomic
def is_free(agent):
    """Whether nobody holds the agent's lock."""
    return Agent.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=agent.pk).exists()


@pytest.mark.only_on("postgresql")
def test_with_the_agents_lock_the_same_gap_fills_the_place_once(monkeypatch):
    lucia = make.agent(capacity=1, queues=[make.some_queue()])
    line = [make.waiting_conversation() for _ in range(2)]
    is_locked = []

    def load_while_locked(agent):
        is_locked.extend(at_once(lambda: not is_free(agent)))
        return load_of(agent)

    monkeypatch.setattr(offers, "load_of", load_while_locked)

    at_once(*[lambda one=one, lucia=lucia: offers.make(one.pk, to=lucia.pk) for one in line])

    assert is_locked == [True, True]
    assert load_of(lucia) == 1


@pytest.mark.only_on("postgresql")
def test_without_the_conditional_update_an_offer_ends_twice(monkeypatch):
    """An agent's offers are withdrawn without their conversations' locks: only the update itself decides."""
    lucia = make.agent()
    offer = make.offer(to=lucia)
    gap = Gap(2)

    def settle_whatever_it_is(offer, state, *, at, by=None):
        gap.wait()
        Offer.objects.filter(pk=offer.pk).update(state=state, settled_at=at)
        offer.conversation.log(offers.EVENT_OF[state], at=at, by=by, agent=offer.agent_id, offer=offer.pk)

    monkeypatch.setattr(offers, "settle", settle_whatever_it_is)
    at_once(
        lambda: offers.accept(offer.pk, by=lucia),
        lambda: offers.withdraw_all_of(lucia.pk, at=make.ago(0)),
    )

    assert not ended_once(offer)


@pytest.mark.only_on("postgresql")
def test_with_the_conditional_update_the_same_gap_ends_it_once(monkeypatch):
    lucia = make.agent()
    offer = make.offer(to=lucia)
    gap = Gap(2)
    monkeypatch.setattr(offers, "settle", gap.before(offers.settle))

    at_once(
        lambda: offers.accept(offer.pk, by=lucia),
        lambda: offers.withdraw_all_of(lucia.pk, at=make.ago(0)),
    )

    assert ended_once(offer)


@pytest.mark.only_on("postgresql")
def test_without_the_conversations_lock_two_routers_ask_for_one_conversation(without_locks, monkeypatch):
    """The constraint is the last guard: without the lock it has to stop one of them with an error."""
    conversation = make.waiting_conversation()
    for _ in range(2):
        make.agent(queues=[conversation.queue])
    gap = Gap(2)
    monkeypatch.setattr(offers, "lock_agent", gap.before(offers.lock_agent))  # both have seen no pending offer
    broken = []

    def offer():
        try:
            return routing.offer_next(conversation.queue_id)
        except Exception as problem:
            broken.append(problem)
            return None

    at_once(offer, offer)

    assert len(broken) == 1
    assert "one_pending_offer_per_conversation" in str(broken[0])
