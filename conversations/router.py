"""The router's task: deadlines and routing, at every ring and once a second, in every server process."""

import asyncio
import logging
import time
from typing import Any

from config import metrics
from config.health import health
from config.live import Hub
from config.threads import in_thread
from conversations import groups
from conversations.actions import deadlines, routing

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
MOST_OFFERS = 25


class Router:
    """Sweeps when something rang for it, and each second anyway."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._rung = asyncio.Event()

    def ring(self, ring: dict[str, Any]) -> None:
        """Something was freed or added."""
        self._rung.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        self._hub.join(groups.ROUTER, self)
        try:
            while True:
                self._rung.clear()
                began = time.monotonic()
                is_more = await in_thread(work)()
                took = time.monotonic() - began
                health.swept(took)
                metrics.sweep.observe(took)
                if is_more:
                    continue
                try:
                    await asyncio.wait_for(self._rung.wait(), SWEEP_SECONDS)
                except TimeoutError:
                    continue
        finally:
            self._hub.leave_all(self)


def work() -> bool:
    """All that is due, then what can be offered; answers whether more may be left: deadlines do not wait for it."""
    deadlines.sweep()
    return routing.route(MOST_OFFERS) == MOST_OFFERS
