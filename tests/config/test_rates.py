"""What this process counts by itself: a moving window for each sender, and nothing of who fell silent."""

import threading

import pytest
from limits import RateLimitItemPerMinute

from config import rates
from config.refusal import TooFast

TWO_A_MINUTE = RateLimitItemPerMinute(2)


class Clock:
    """The machine's clock, for the limits alone."""

    def __init__(self):
        self.seconds = 1_000.0

    def monotonic(self):
        return self.seconds

    def time(self):
        return 1_700_000_000 + self.seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(rates, "time", clock)
    return clock


def test_who_is_too_fast_is_told_when_to_try_again(clock):
    rates.check(TWO_A_MINUTE, "Wait %(seconds)s.", "message", "ana")
    clock.seconds += 20
    rates.check(TWO_A_MINUTE, "Wait %(seconds)s.", "message", "ana")
    rates.check(TWO_A_MINUTE, "Wait %(seconds)s.", "message", "ben")

    with pytest.raises(TooFast) as refusal:
        rates.check(TWO_A_MINUTE, "Wait %(seconds)s.", "message", "ana")

    assert refusal.value.retry_after_seconds == 40
    clock.seconds += 39
    with pytest.raises(TooFast):
        rates.check(TWO_A_MINUTE, "Wait %(seconds)s.", "message", "ana")
    clock.seconds += 1
    rates.check(TWO_A_MINUTE, "Wait %(seconds)s.", "message", "ana")


def test_a_success_forgives_the_tries_before_it(clock):
    for _ in range(2):
        rates.check(TWO_A_MINUTE, "Wait.", "sign-in", "ana")

    rates._counts_here.clear(TWO_A_MINUTE, "sign-in", "ana")

    rates.check(TWO_A_MINUTE, "Wait.", "sign-in", "ana")


def test_who_fell_silent_is_forgotten_and_no_thread_looks_for_him(clock, monkeypatch):
    counts, started = rates.CountsHere(), []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread))
    for number in range(1_000):
        counts.hit(TWO_A_MINUTE, "message", str(number))
    clock.seconds += 61

    counts.hit(TWO_A_MINUTE, "message", "ana")

    assert list(counts._counted_until) == [TWO_A_MINUTE.key_for("message", "ana")]
    assert started == []


def test_the_silent_are_looked_for_once_a_minute(clock):
    counts = rates.CountsHere()
    counts.hit(TWO_A_MINUTE, "message", "ana")
    clock.seconds += 61
    counts.hit(TWO_A_MINUTE, "message", "ben")  # now they are

    clock.seconds += 59
    counts.hit(TWO_A_MINUTE, "message", "carlos")
    clock.seconds += 1.5
    counts.hit(TWO_A_MINUTE, "message", "diego")  # now again
    clock.seconds += 59
    counts.hit(TWO_A_MINUTE, "message", "eva")  # Carlos is silent since a second

    assert len(counts._counted_until) == 3
