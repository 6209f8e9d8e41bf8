"""The router's turns: when it looks at the deadlines, and when it rests."""

import asyncio
import contextlib
import time

import pytest

from config.health import LATE_SECONDS
from config.live import Hub
from conversations import groups, router
from conversations.actions import deadlines
from tests import make

LOOK_SECONDS = 0.02


class Turns:
    """Stands for the work: how long a turn takes, how many offers it makes, and when each was."""

    def __init__(self, made):
        self.made, self.times, self.sweeps = made, [], []

    def __call__(self, *, is_sweep):
        began = time.monotonic()
        time.sleep(LOOK_SECONDS)
        self.times.append((began, time.monotonic()))
        if is_sweep:
            self.sweeps.append(self.times[-1])
        return self.made


def pauses(times):
    return [began - ended for (_began, ended), (began, _ended) in zip(times, times[1:], strict=False)]


class Running:
    """A router that takes turns, and whoever rings for it."""

    def __init__(self):
        self.hub = Hub()
        self.task = asyncio.create_task(router.Router(self.hub).run())

    def ring(self):
        self.hub.ring_here([{"group": groups.ROUTER, "what": "work"}])

    async def until(self, is_true, *, ring=lambda: None):
        while not is_true():
            ring()
            await asyncio.sleep(0.001)


@pytest.fixture
def at_work(monkeypatch):
    """A router with these turns instead of its own, after the first of them."""

    @contextlib.asynccontextmanager
    async def at_work(turns):
        monkeypatch.setattr(router, "work", turns)
        running = Running()
        await running.until(lambda: turns.times)
        yield running
        running.task.cancel()
        await asyncio.wait([running.task])

    return at_work


async def test_deadlines_are_looked_at_twice_a_second_however_often_it_rings(at_work):
    turns = Turns(made=1)

    async with at_work(turns) as running:
        await running.until(lambda: len(turns.sweeps) == 3, ring=running.ring)

    assert min(pauses(turns.sweeps)) >= router.SOONEST_SWEEP_SECONDS
    assert len(turns.times) > 2 * len(turns.sweeps)


async def test_who_found_nothing_to_offer_rests_and_who_found_something_does_not(at_work):
    for_nothing, busy = Turns(made=0), Turns(made=1)

    for turns in (for_nothing, busy):
        async with at_work(turns) as running:
            await running.until(lambda turns=turns: len(turns.times) == 4, ring=running.ring)

    rest = router.RESTS_PER_LOOK * LOOK_SECONDS
    assert min(pauses(for_nothing.times)) >= rest
    assert min(pauses(busy.times)) < rest


async def test_what_rang_between_two_sweeps_is_found_by_one_that_comes_sooner(at_work):
    turns = Turns(made=1)

    async with at_work(turns) as running:
        running.ring()
        await running.until(lambda: len(turns.sweeps) == 2)

    assert len(turns.times) == 3
    assert pauses(turns.sweeps)[0] < router.SWEEP_SECONDS


async def test_a_quiet_house_is_looked_through_once_a_second(at_work):
    turns = Turns(made=0)

    async with at_work(turns) as running:
        await running.until(lambda: len(turns.times) == 3)

    assert turns.times == turns.sweeps
    assert min(pauses(turns.times)) >= router.SWEEP_SECONDS - 0.01


async def test_a_router_that_is_told_to_end_in_the_moment_of_a_ring_ends(at_work):
    async with at_work(Turns(made=1)) as running:
        for _ in range(10):
            await asyncio.sleep(0)  # now it waits

        running.ring()
        running.task.cancel()
        await asyncio.wait([running.task], timeout=10)

        assert running.task.cancelled()


@pytest.mark.django_db
def test_a_sweep_that_takes_too_long_does_one_of_each_kind_and_the_next_one_goes_on():
    make.closing_reason(orders := make.queue("Orders"), is_default=True)
    for _ in range(3):
        make.wrap_up_conversation(lead=make.agent(queues=[orders]), deadline_seconds=-1)
        make.offer(to=make.agent(queues=[orders]), seconds=-1)

    assert deadlines.sweep(most_seconds=0) == 2
    assert deadlines.sweep(most_seconds=0) == 2
    assert deadlines.sweep() == 2


@pytest.mark.django_db
def test_a_router_makes_its_offers_between_such_sweeps(monkeypatch):
    asked = []
    monkeypatch.setattr(deadlines, "sweep", asked.append)

    router.work()

    assert 0 < asked[0] < LATE_SECONDS / 2
