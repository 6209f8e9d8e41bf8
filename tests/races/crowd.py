"""Many at once: threads that start together and answer what became of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from config.refusal import Refused

WAIT_SECONDS = 30


def at_once(*acts):
    """Do all of these at the same moment, each on a connection of its own; refusals are answers too."""
    start = threading.Barrier(len(acts))

    def take_part(act):
        start.wait(WAIT_SECONDS)
        try:
            return act()
        except Refused as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(take_part, acts))


class Gap:
    """A place in the code where everybody waits for everybody else, so that a race that can happen does."""

    def __init__(self, parties):
        self._barrier = threading.Barrier(parties)
        self._local = threading.local()

    def wait(self):
        """Wait once per thread; later visits pass."""
        if not getattr(self._local, "was_here", False):
            self._local.was_here = True
            self._barrier.wait(WAIT_SECONDS)

    def before(self, function):
        """The same function, with the gap before it."""

        def waits(*arguments, **named):
            self.wait()
            return function(*arguments, **named)

        return waits

    def after(self, function):
        """The same function, with the gap behind it: all have looked, none has acted."""

        def waits(*arguments, **named):
            answer = function(*arguments, **named)
            self.wait()
            return answer

        return waits
