"""The whole life cycle at random: whatever people and clocks do, in whatever order, the rules hold."""

import itertools
import random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from config.refusal import Refused
from conversations.actions import (
    closing,
    conferences,
    deadlines,
    messaging,
    offers,
    opening,
    presence,
    routing,
    transfers,
)
from conversations.load import load_of
from conversations.models import Conversation, Offer, Participant
from conversations.states import OfferKind, OfferState, Party, Role, State
from tests import make
from tests.conversations.always_holds import AlwaysHolds
from tests.conversations.moments import change

pytestmark = pytest.mark.django_db

pick = st.integers(min_value=0, max_value=99)
serial = itertools.count()
BUSY_STEPS = 40
BUSY = {
    "a_visitor_writes_first": 4,
    "an_agent_becomes_available": 6,
    "the_next_request_is_accepted": 6,
    "a_free_colleague_is_asked_and_accepts": 6,
    "a_colleague_is_asked": 3,
    "an_agent_answers": 3,
    "a_lead_ends": 2,
    "a_lead_finishes": 4,
}


def one_of(rows, number):
    """One of these rows, the same for the same number; None when there are none."""
    rows = list(rows.order_by("pk"))
    return rows[number % len(rows)] if rows else None


def where(what):
    """The rule has something to do only where there is such a thing."""
    return precondition(lambda machine: what in machine.there)


class LifeCycle(AlwaysHolds):
    """Four agents, two queues, and everything that can happen to them."""

    def __init__(self):
        super().__init__()
        self.world = transaction.atomic()
        self.world.__enter__()
        self.there = set()

    @invariant()
    def somebody_looks_around(self):
        """What is there decides which rules come next: most of them would find nothing to do."""
        talks = Conversation.objects.exclude(state=State.CLOSED)
        places = Participant.objects.filter(left_at=None)
        pending = Offer.objects.filter(state=OfferState.PENDING)
        served = places.filter(conversation__state=State.ACTIVE)
        rows = {
            "waiting": talks.filter(state=State.WAITING),
            "served": served,
            "served, and a colleague free": routing.free_agents(make.database_now())
            if served.exists()
            else places.none(),
            "guests": places.filter(role=Role.GUEST),
            "wrap-ups": talks.filter(state=State.WRAP_UP),
            "wrap-ups with a limit": talks.filter(state=State.WRAP_UP, wrap_up_deadline__isnull=False),
            "visitors away": talks.filter(is_visitor_here=False),
            "offers": pending,
            "colleagues asked": pending.exclude(kind=OfferKind.REQUEST),
        }
        self.there = {what for what, found in rows.items() if found.exists()}

    def teardown(self):
        transaction.set_rollback(True)
        self.world.__exit__(None, None, None)

    @initialize(
        capacities=st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.integers(1, 3)),
        may_decline=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
        data=st.data(),
    )
    def house(self, capacities, may_decline, seed, data):
        self.returns = make.queue("Returns", wrap_up_limit_seconds=0)
        self.orders = make.queue(
            "Orders", priority=2, may_decline=may_decline, overflow_queue=self.returns, overflow_after_seconds=300
        )
        make.closing_reason(self.orders, is_default=True)
        make.closing_reason(self.returns)
        self.agents = [
            make.agent(name, queues=queues, capacity=capacity)
            for name, queues, capacity in zip(
                ("Lucía", "Jonas", "Sofía", "Wanjiru"),
                ([self.orders, self.returns], [(self.orders, 2)], [self.returns], []),
                capacities,
                strict=True,
            )
        ]
        self.busy_hour(random.Random(seed), data)

    def busy_hour(self, chance, data):
        """
        The usual happens more often than the rest, and nothing where there is nothing to do.

        Hypothesis itself leaves some rules out of each run and repeats others: it hardly ever gets to a conference.
        """
        for _ in range(BUSY_STEPS):
            able = [one for one in self.rules if all(holds(self) for holds in one.preconditions)]
            (act,) = chance.choices(able, [BUSY.get(one.function.__name__, 1) for one in able])
            act.function(self, **{name: data.draw(values) for name, values in act.arguments.items()})
            for always in self.invariants:
                always.function(self)

    def agent(self, number):
        return Agent.objects.get(pk=self.agents[number % len(self.agents)].pk)

    # Visitors

    @rule(number=pick, is_routed=st.booleans())
    def a_visitor_writes_first(self, number, is_routed):
        n = next(serial)
        hello = opening.Opening(f"{n:064d}", f"Visitor {n}", "", "Hello", f"first-key-{n}")
        queue = (self.orders, self.returns)[number % 2]
        attempt(opening.open_conversation, queue.pk, hello)
        if is_routed:
            routing.route()

    @rule(number=pick, is_agent=st.booleans())
    def somebody_writes(self, number, is_agent):
        conversation = one_of(Conversation.objects.all(), number)
        if conversation is not None:
            key, agent = f"next-key-{next(serial)}", self.agent(number)
            sender = (Party.AGENT, agent.pk) if is_agent else (Party.VISITOR, None)
            draft = messaging.Draft(conversation.pk, sender[0], "And?", key, agent_id=sender[1])
            if attempt(messaging.post, draft):
                assert messaging.post(draft).is_repeat

    @rule(number=pick)
    def a_visitor_leaves(self, number):
        if conversation := one_of(Conversation.objects.filter(is_visitor_here=True), number):
            presence.visitor_left(conversation.pk)

    @where("visitors away")
    @rule(number=pick)
    def a_visitor_comes_back(self, number):
        if conversation := one_of(Conversation.objects.filter(is_visitor_here=False), number):
            presence.visitors_seen([conversation.pk])

    @rule(number=pick)
    def a_visitor_ends(self, number):
        if conversation := one_of(Conversation.objects.all(), number):
            attempt(closing.end_by_visitor, conversation.pk)

    # Offers

    @rule()
    def the_router_runs(self):
        routing.route()

    @rule(number=pick)
    def the_next_request_is_accepted(self, number):
        routing.route()
        self.an_agent_answers(number, offers.accept)

    @where("offers")
    @rule(number=pick, answer=st.sampled_from([offers.accept, offers.decline]))
    def an_agent_answers(self, number, answer):
        offer = one_of(Offer.objects.filter(state=OfferState.PENDING), number)
        if offer is not None:
            attempt(answer, offer.pk, by=offer.agent)

    @rule(number=pick, answer=st.sampled_from([offers.accept, offers.decline]))
    def somebody_answers_what_is_not_his_to_answer(self, number, answer):
        agent = self.agent(number)
        if offer := one_of(Offer.objects.exclude(agent=agent, state=OfferState.PENDING), number):
            assert attempt(answer, offer.pk, by=agent) is None

    # Agents

    @rule(number=pick)
    def an_agent_becomes_available(self, number):
        agent_actions.desks_seen([self.agent(number).pk])  # he sits at it
        attempt(agent_actions.become_available, self.agent(number).pk, by=self.agent(number))

    @rule(number=pick)
    def an_agent_becomes_idle(self, number):
        attempt(agent_actions.become_idle, self.agent(number).pk, None, by=self.agent(number))

    @rule(number=pick)
    def an_agent_signs_out(self, number):
        agent = self.agent(number)
        load = load_of(agent)
        attempt(presence.sign_out, agent.pk, by=agent)
        assert self.agent(number).state != AgentState.OFFLINE or load == 0 or agent.state == AgentState.OFFLINE

    @rule(number=pick)
    def a_desk_opens(self, number):
        agent_actions.desks_seen([self.agent(number).pk])

    @rule(number=pick)
    def a_desk_closes(self, number):
        agent_actions.desk_closed(self.agent(number).pk)

    # Conversations

    @where("served")
    @rule(number=pick)
    def a_lead_ends(self, number):
        if place := one_of(Participant.objects.filter(left_at=None), number):
            attempt(closing.end, place.conversation_id, by=place.agent)

    @where("wrap-ups")
    @rule(number=pick)
    def a_lead_finishes(self, number):
        places = Participant.objects.filter(left_at=None, conversation__state=State.WRAP_UP)
        if place := one_of(places, number):
            reason = place.conversation.queue.closing_reasons.get()
            assert attempt(closing.finish, place.conversation_id, reason.pk, by=place.agent)

    @where("served")
    @rule(number=pick)
    def a_lead_puts_it_in_line_again(self, number):
        if place := one_of(Participant.objects.filter(left_at=None), number):
            queue = (self.orders, self.returns)[number % 2]
            attempt(transfers.to_queue, place.conversation_id, queue.pk, by=place.agent)

    # Colleagues

    @where("served")
    @rule(number=pick, other=pick, ask=st.sampled_from([transfers.to_agent, conferences.invite]))
    def a_colleague_is_asked(self, number, other, ask):
        if place := one_of(Participant.objects.filter(left_at=None), number):
            attempt(ask, place.conversation_id, self.agent(other).pk, by=place.agent, note="She moved.")

    @where("served, and a colleague free")
    @rule(number=pick, ask=st.sampled_from([transfers.to_agent, conferences.invite, conferences.invite]))
    def a_free_colleague_is_asked_and_accepts(self, number, ask):
        place = one_of(Participant.objects.filter(left_at=None, role=Role.LEAD), number)
        free = routing.free_agents(make.database_now())
        if place and (colleague := one_of(free.exclude(pk=place.agent_id), number)):
            offer = attempt(ask, place.conversation_id, colleague.pk, by=place.agent)
            if offer:
                assert offers.accept(offer.pk, by=colleague)

    @where("colleagues asked")
    @rule(number=pick)
    def a_request_to_a_colleague_is_taken_back(self, number):
        asked = Offer.objects.filter(state=OfferState.PENDING).exclude(kind=OfferKind.REQUEST)
        if offer := one_of(asked, number):
            lead = offer.conversation.participants.get(role=Role.LEAD, left_at=None)
            transfers.cancel(offer.conversation_id, by=lead.agent)

    @where("guests")
    @rule(number=pick)
    def somebody_takes_back_what_is_not_his_to_take_back(self, number):
        if place := one_of(Participant.objects.filter(left_at=None, role=Role.GUEST), number):
            assert attempt(transfers.cancel, place.conversation_id, by=place.agent) is None

    @where("guests")
    @rule(number=pick, act=st.sampled_from([conferences.leave, conferences.end]))
    def somebody_leaves_or_ends_the_conference(self, number, act):
        if place := one_of(Participant.objects.filter(left_at=None), number):
            attempt(act, place.conversation_id, by=place.agent)

    # Time passes for one thing, and the sweep does what is due

    @where("offers")
    @rule(number=pick)
    def an_offer_runs_out(self, number):
        if offer := one_of(Offer.objects.filter(state=OfferState.PENDING), number):
            change(offer, expires_at=make.ago(1))
            self.the_sweep_runs()

    @where("wrap-ups with a limit")
    @rule(number=pick)
    def a_wrap_up_runs_out(self, number):
        wrap_ups = Conversation.objects.filter(state=State.WRAP_UP, wrap_up_deadline__isnull=False)
        if conversation := one_of(wrap_ups, number):
            change(conversation, wrap_up_deadline=make.ago(1))
            self.the_sweep_runs()

    @rule(number=pick)
    def a_visitor_is_gone_for_long(self, number):
        if conversation := one_of(Conversation.objects.exclude(state=State.CLOSED), number):
            change(conversation, visitor_seen_at=make.ago(1000), is_visitor_here=False)
            self.the_sweep_runs()

    @rule(number=pick)
    def an_agent_is_gone_for_long(self, number):
        place = one_of(Participant.objects.filter(left_at=None), number)
        agent = place.agent if place else self.agent(number)
        change(agent, seen_at=make.ago(1000), connected_until=make.ago(990))
        self.the_sweep_runs()

    @where("waiting")
    @rule(number=pick)
    def a_conversation_waits_for_long(self, number):
        if conversation := one_of(Conversation.objects.filter(state=State.WAITING), number):
            change(conversation, entered_queue_at=make.ago(1000))
            Agent.objects.update(state_since=make.ago(1000))
            self.the_sweep_runs()

    @rule()
    def the_sweep_runs(self):
        deadlines.sweep()
        for conversation in Conversation.objects.filter(state=State.ACTIVE):
            lead = conversation.participants.get(role=Role.LEAD, left_at=None)
            is_asked = conversation.offers.filter(state=OfferState.PENDING, kind=OfferKind.TRANSFER).exists()
            assert lead.agent.state != AgentState.OFFLINE or is_asked
        for conversation in Conversation.objects.filter(state=State.WRAP_UP, wrap_up_deadline=None):
            assert conversation.participants.get(left_at=None).agent.state != AgentState.OFFLINE
        assert not Offer.objects.filter(state=OfferState.PENDING).exclude(agent__state=AgentState.AVAILABLE).exists()
        assert deadlines.sweep() == 0


def attempt(action, *args, **kwargs):
    """What the action answers; None when it refuses."""
    try:
        return action(*args, **kwargs)
    except Refused:
        return None


def test_whatever_happens_the_rules_hold():
    run_state_machine_as_test(
        LifeCycle,
        settings=settings(
            max_examples=10,
            stateful_step_count=10,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # so few steps can be read; making them fewer takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
