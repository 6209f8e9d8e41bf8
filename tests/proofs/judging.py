"""What is wrong with the answer to a bad request."""

import time

from config import rates
from conversations.actions.messaging import SURROGATE
from tests.proofs import rights
from tests.proofs.places import patience

TOO_MUCH = 500
SLOW_SECONDS = 2.0  # no answer takes so long, whatever it was asked with


def judged(what, ask):
    """Ask, take it back, and say what was wrong: a fault of ours, too long a wait, or something unfit to be stored."""
    rates.forget_all()
    with rights.undone(keeps_rows=False) as watch:
        response, text, took = timed(ask)
        if response.status_code >= TOO_MUCH:
            yield f"{what}: {response.status_code}"
        is_slow = took > SLOW_SECONDS * patience()
        if is_unfit(watch.values):
            yield f"{what}: stored what cannot be shown"
        if "Traceback" in text:
            yield f"{what}: a traceback"
    if is_slow and all(seconds_again(ask) > SLOW_SECONDS * patience() for _ in range(2)):
        yield f"{what}: took {took:.1f} s, and as long again"


def timed(ask):
    """The answer, its text, and how many seconds both took."""
    began = time.monotonic()
    response = ask()
    text = rights.text_of(response)
    return response, text, time.monotonic() - began


def seconds_again(ask):
    """How long the same takes once more: of a machine that stood still for a moment, nothing is left."""
    rates.forget_all()
    with rights.undone(keeps_rows=False):
        return timed(ask)[2]


def is_unfit(written):
    """Whether NUL, half a character or a text beyond every limit was to be stored."""
    texts = [value for values in written for value in values or () if isinstance(value, str)]
    return any("\0" in text or len(text) > 4_000 or SURROGATE.search(text) for text in texts)
