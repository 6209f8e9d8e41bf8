"""Several routers at work on the same lines, as processes of their own."""

import os
import subprocess
import sys
import threading

import pytest
from django.db import connection, transaction
from django.db.models import Count, F

from agents.models import Agent
from agents.states import AgentState
from conversations.actions import offers, routing
from conversations.load import with_load
from conversations.models import Conversation, Offer
from conversations.states import OfferState
from queues.models import Queue
from tests import make
from tests.portals import ROOT, database_url
from tests.races.crowd import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUTERS, QUEUES, AGENTS, CAPACITY, CONVERSATIONS = 8, 4, 20, 5, 200
WAIT_SECONDS = 120


@pytest.fixture
def routers():
    """Eight processes that are ready to route."""
    environment = {**os.environ, "DATABASE_URL": database_url()}
    command = [sys.executable, "-m", "tests.races.routing_process"]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(ROUTERS)
    ]  # fmt: skip
    assert [router.stdout.readline() for router in started] == ["ready\n"] * ROUTERS
    yield started
    for router in started:
        router.kill()
        router.communicate()


def a_busy_house():
    """Four queues with five agents each who are about to be Available, and twice as many visitors as places."""
    queues = [make.queue(f"Queue {place}") for place in range(QUEUES)]
    for place in range(AGENTS):
        make.agent(queues=[queues[place % QUEUES]], capacity=CAPACITY, state=AgentState.IDLE)
    for place in range(CONVERSATIONS):
        make.waiting_conversation(queue=queues[place % QUEUES], waited_seconds=CONVERSATIONS - place)
    return queues


def overloaded():
    """Agents with more than their capacity, at this moment, in one statement."""
    return with_load(Agent.objects.all()).filter(load__gt=F("capacity")).count()


def test_eight_routers_fill_every_place_once_along_the_line(routers):
    queues = a_busy_house()
    Agent.objects.update(state=AgentState.AVAILABLE)
    samples, is_over = [], threading.Event()

    def sample():
        while not is_over.is_set():
            samples.append(overloaded())

    def route():
        for router in routers:
            router.stdin.write("x")
            router.stdin.flush()
        try:
            return [router.communicate(timeout=WAIT_SECONDS) for router in routers]
        finally:
            is_over.set()

    _, said = at_once(sample, route)

    assert [errors for _made, errors in said] == [""] * ROUTERS
    assert sum(int(made) for made, _errors in said) == AGENTS * CAPACITY
    assert len(samples) > 5
    assert set(samples) == {0}
    pending = Offer.objects.filter(state=OfferState.PENDING)
    assert pending.count() == pending.values("conversation").distinct().count() == AGENTS * CAPACITY
    assert set(with_load(Agent.objects.all()).values_list("load", flat=True)) == {CAPACITY}
    for queue in queues:
        line = queue.conversations.order_by("order_key").values_list("offers", flat=True)
        places = AGENTS // QUEUES * CAPACITY
        assert [bool(offer) for offer in line] == [True] * places + [False] * (len(line) - places)


def test_fifteen_router_calls_at_once_offer_each_conversation_once():
    queue = make.queue()
    for _ in range(5):
        make.agent(queues=[queue], capacity=3)
    for _ in range(20):
        make.waiting_conversation(queue=queue)

    made = at_once(*[routing.route] * 15)

    assert sum(made) == 15
    offered = Conversation.objects.annotate(count=Count("offers"))
    assert sorted(offered.values_list("count", flat=True)) == [0] * 5 + [1] * 15
    assert overloaded() == 0


def test_no_free_place_is_left_when_agents_answer_while_routers_work():
    queue = make.queue()
    agents = [make.agent(queues=[queue], capacity=2) for _ in range(3)]
    for _ in range(12):
        make.waiting_conversation(queue=queue)

    def decline_all(agent):
        for offer in Offer.objects.filter(agent=agent, state=OfferState.PENDING):
            offers.decline(offer.pk, by=agent)
        return routing.route()

    routing.route()
    at_once(*[lambda agent=agent: decline_all(agent) for agent in agents], routing.route, routing.route)
    routing.route()

    assert set(with_load(Agent.objects.all()).values_list("load", flat=True)) == {2}
    assert Offer.objects.filter(state=OfferState.PENDING).count() == 6


@pytest.mark.only_on("postgresql")
def test_routers_do_not_wait_for_a_conversation_that_another_holds():
    """What one router holds, the others pass over: a slow one keeps nobody from work."""
    queue = make.queue()
    make.agent(queues=[queue], capacity=5)
    held, free = make.waiting_conversation(queue=queue, waited_seconds=60), make.waiting_conversation(queue=queue)
    is_held, may_let_go = threading.Event(), threading.Event()

    def hold():
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM conversations_conversation WHERE id = %s FOR UPDATE", [held.pk])
            is_held.set()
            may_let_go.wait(WAIT_SECONDS)
            cursor.execute("ROLLBACK")

    def route():
        is_held.wait(WAIT_SECONDS)
        try:
            return routing.route()
        finally:
            may_let_go.set()

    _, made = at_once(hold, route)

    assert made == 1
    assert Offer.objects.get().conversation == free


def while_another_serves(queue, act):
    """What this answers while another router holds the queue's line; it is given what makes the other let go."""
    is_held, may_let_go, has_let_go = threading.Event(), threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
            is_held.set()
            may_let_go.wait(WAIT_SECONDS)
        has_let_go.set()

    def let_go():
        may_let_go.set()
        assert has_let_go.wait(WAIT_SECONDS)

    def acted():
        is_held.wait(WAIT_SECONDS)
        try:
            return act(let_go)
        finally:
            may_let_go.set()

    return at_once(hold, acted)[1]


@pytest.mark.only_on("postgresql")
def test_an_agent_is_left_to_the_line_ahead_while_another_router_serves_it():
    first, second = make.queue("First"), make.queue("Second")
    lucia = make.agent("Lucía", queues=[first, second], capacity=1)
    early = make.waiting_conversation(queue=first, waited_seconds=60)
    late = make.waiting_conversation(queue=second)

    assert while_another_serves(first, lambda _: (routing.route(), Offer.objects.count())) == (0, 0)

    assert routing.route() == 1
    assert early.offers.get().agent == lucia
    assert not late.offers.exists()


@pytest.mark.only_on("postgresql")
def test_a_line_that_another_router_serves_keeps_nobody_else_from_work():
    first, second = make.queue("First"), make.queue("Second")
    make.agent("Lucía", queues=[first, second], capacity=1)
    jonas = make.agent("Jonas", queues=[second], capacity=1)
    make.waiting_conversation(queue=first, waited_seconds=60)
    late = make.waiting_conversation(queue=second)

    assert while_another_serves(first, lambda _: routing.route()) == 1

    assert late.offers.get().agent == jonas


@pytest.mark.only_on("postgresql")
def test_a_router_that_left_an_agent_to_the_line_ahead_looks_once_more(monkeypatch):
    """The other may have had nobody to offer there, and have found the second line held."""
    first, second = make.queue("First", widening_seconds=3600), make.queue("Second")
    make.agent("Lucía", queues=[(first, 2), second], capacity=1)
    make.agent("Jonas", queues=[(first, 1)], state=AgentState.IDLE)
    make.waiting_conversation(queue=first, waited_seconds=60)
    late = make.waiting_conversation(queue=second)
    found = routing._lines

    def route(let_go):
        def lines():
            if looks:
                let_go()
            looks.append(found())
            return looks[-1]

        looks = []
        monkeypatch.setattr(routing, "_lines", lines)
        return routing.route()

    assert while_another_serves(first, route) == 1

    assert late.offers.exists()
