"""Broken builds for the proofs of routing and deadlines; see broken_serve.py. Each says which promise it breaks."""

import asyncio
import datetime as dt
import os
import time
from importlib import import_module

MOMENT_SECONDS = 0.5


def read_before_lock():
    """An accept is judged by what was read before the lock was taken."""
    offers = import_module("conversations.actions.offers")
    models, states = import_module("conversations.models"), import_module("conversations.states")
    transaction = import_module("django.db").transaction

    def accept(offer_id, *, by):
        offer = models.Offer.objects.get(pk=offer_id)
        if offer.agent_id != by.pk or offer.state != states.OfferState.PENDING:
            raise offers.OfferGone
        with transaction.atomic():
            conversation = models.Conversation.objects.lock(offers=offer_id)
            now = offers.database_now()
            models.Offer.objects.filter(pk=offer_id).update(state=states.OfferState.ACCEPTED, settled_at=now)
            conversation.log(states.EventKind.OFFER_ACCEPTED, at=now, by=by, agent=by.pk, offer=offer_id)
            offers.JOIN[states.OfferKind(offer.kind)](conversation, offer, by, at=now)
            return conversation

    offers.accept = accept


def no_capacity_check_under_lock():
    """Whether there is a free place is asked before the lock alone."""
    import_module("conversations.actions.offers").load_of = lambda agent: 0


def slow_to_act():
    """No fault: it says what is due and does it a moment later, so that others find the same."""
    deadlines = import_module("conversations.actions.deadlines")
    each = deadlines._each

    def after_a_moment(ids, act, until):
        if ids:
            print("found", time.monotonic(), act.__name__, *ids, flush=True)
            time.sleep(MOMENT_SECONDS)
        return each(ids, act, until)

    deadlines._each = after_a_moment


def lost_by_what_was_read():
    """An agent's grace is judged by what was read before the lock was taken."""
    presence, agents = import_module("conversations.actions.presence"), import_module("agents.actions")
    models, transaction = import_module("agents.models"), import_module("django.db").transaction

    def lose_agent(agent_id, *, grace_seconds):
        agent = models.Agent.objects.get(pk=agent_id)
        time.sleep(MOMENT_SECONDS)
        with transaction.atomic():
            models.Agent.objects.lock(agent_id)
            agents.go_offline(agent, by=None, at=presence.database_now())
        return True

    presence.lose_agent = lose_agent


def nobody_routes():
    """The lines are forgotten; deadlines go on."""
    import_module("conversations.actions.routing").route = lambda most=None: 0


def rare_sweeps():
    """Routers look every 10 s alone, and hear no ring."""
    router = import_module("conversations.router")
    router.SWEEP_SECONDS = 10
    router.Router.ring = lambda self, ring: None


def one_offer_a_second():
    """Routers make one offer when they look, and look once a second."""
    routing, router = import_module("conversations.actions.routing"), import_module("conversations.router")
    route = routing.route
    routing.route = lambda most=None: route(1)
    router.Router.ring = lambda self, ring: None


def late_first_sweep():
    """A router that waits for two minutes before it looks for the first time."""
    router = import_module("conversations.router").Router
    run = router.run

    async def late(self):
        await asyncio.sleep(120)
        await run(self)

    router.run = late


def early_shifted_clock():
    """This process's clock is wrong by CLOCK_SHIFT seconds; the database's is not."""
    shift = float(os.environ["CLOCK_SHIFT"])
    true_time, true_datetime = time.time, dt.datetime

    class AsInstance(type):
        def __instancecheck__(cls, one):
            return isinstance(one, true_datetime)

        def __subclasscheck__(cls, one):
            return issubclass(one, true_datetime)

    class ShiftedDatetime(true_datetime, metaclass=AsInstance):
        @classmethod
        def now(cls, tz=None):
            return true_datetime.fromtimestamp(true_time() + shift, tz)

        @classmethod
        def utcnow(cls):
            return true_datetime.fromtimestamp(true_time() + shift, dt.UTC).replace(tzinfo=None)

    time.time = lambda: true_time() + shift
    dt.datetime = ShiftedDatetime


def early_pythons_clock():
    """Deadlines are read by the process's own clock."""
    import_module("config.clock").database_now = lambda: dt.datetime.now(dt.UTC)
