"""
The router's task, in every server process: routing at every ring, deadlines soon after one, both once a second.

Every router hears every ring, and the one that is first does the work. So that the others do not take the machine away
from it, who found nothing to offer rests before he looks again, the longer the longer his look took.
"""

import asyncio
import contextlib
import logging
import math
import time
from typing import Any

from config import metrics
from config.health import health
from config.live import Hub
from config.threads import in_thread, keepers
from conversations import groups
from conversations.actions import deadlines, routing

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
SOONEST_SWEEP_SECONDS = 0.5  # after the last one, however often it rings: deadlines take more queries than routing
SWEEP_MOST_SECONDS = 0.5  # when an office loses its line, hundreds of things are due: some now, the rest with the next
MOST_OFFERS = 25
RESTS_PER_LOOK = 10
MOST_REST_SECONDS = 0.25


class Router:
    """Sweeps when something rang for it, and each second anyway."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._rung = asyncio.Event()
        self._swept_at = -math.inf

    def ring(self, ring: dict[str, Any]) -> None:
        """Something was freed or added."""
        self._rung.set()

    async def run(self) -> None:
        """Take turns until cancelled."""
        self._hub.join(groups.ROUTER, self)
        try:
            while True:
                await self._take_turn()
        finally:
            self._hub.leave_all(self)

    async def _take_turn(self) -> None:
        """Work, rest if it was for nothing, and wait for a ring or for the next sweep."""
        self._rung.clear()
        began = time.monotonic()
        is_sweep = began >= self._swept_at + SOONEST_SWEEP_SECONDS
        made = await in_thread(work, pool=keepers)(is_sweep=is_sweep)
        now = time.monotonic()
        if is_sweep:
            self._swept_at = now
            health.swept(now - began)
            metrics.sweep.observe(now - began)
        if made == MOST_OFFERS:
            return  # more may be left
        if not made:
            await asyncio.sleep(min(RESTS_PER_LOOK * (now - began), MOST_REST_SECONDS))
        # Without a sweep in this turn, what rang may have been about a deadline.
        next_sweep = self._swept_at + (SWEEP_SECONDS if is_sweep else SOONEST_SWEEP_SECONDS)
        # Not wait_for: until Python 3.12 it swallows a cancellation that comes together with the ring.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(next_sweep - time.monotonic()):
                await self._rung.wait()


def work(*, is_sweep: bool = True) -> int:
    """All that is due, if it is time for that, then some of what can be offered; answers how many offers it made."""
    if is_sweep:
        deadlines.sweep(SWEEP_MOST_SECONDS)
    return routing.route(MOST_OFFERS)
