"""
The hub and its doorbell: tells the open pages of every process that something changed.

One hub and one layer channel per process. A ring carries names and numbers, never content, and may be lost, doubled or
late: pages read the database when it rings, and the safety poll finds what no ring announced.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from config.health import health

logger = logging.getLogger(__name__)

EVERY_PROCESS = "every-process"
MOST_RINGS_AT_ONCE = 500
CANCEL_SECONDS = 0.2
ECHO_SECONDS = 1.0

# group, what, ids
Ring = dict[str, Any]


class Listener(Protocol):
    """Whatever wants to hear a group: an open page, the router."""

    def ring(self, ring: Ring) -> None:
        """Take note of a ring; must not block and must not raise."""


class Hub:
    """The open pages of this process by group, and its one line to the other processes."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self.listeners: dict[str, set[Listener]] = defaultdict(set)
        self.groups_of: dict[Listener, set[str]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outgoing: list[Ring] = []
        self._has_outgoing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def join(self, group: str, listener: Listener) -> None:
        """Let the listener hear the group from now on."""
        self.listeners[group].add(listener)
        self.groups_of[listener].add(group)

    def leave(self, group: str, listener: Listener) -> None:
        """Let the listener hear the group no longer."""
        heard_by = self.listeners.get(group)
        if heard_by is not None:
            heard_by.discard(listener)
            if not heard_by:
                del self.listeners[group]
        self.groups_of.get(listener, set()).discard(group)

    def leave_all(self, listener: Listener) -> None:
        """Forget the listener."""
        for group in self.groups_of.pop(listener, set()):
            heard_by = self.listeners.get(group)
            if heard_by is not None:
                heard_by.discard(listener)
                if not heard_by:
                    del self.listeners[group]

    def ring_here(self, rings: Iterable[Ring]) -> None:
        """Ring for the listeners of this process."""
        for ring in rings:
            for listener in list(self.listeners.get(ring["group"], ())):
                try:
                    listener.ring(ring)
                except Exception:
                    logger.exception("A listener of %s failed.", ring["group"])

    def ring_everywhere(self, rings: list[Ring]) -> None:
        """Ring here at once, and in the other processes with the next batch. Call it in the hub's loop."""
        self.ring_here(rings)
        if settings.REDIS_URL:
            self._outgoing.extend(_without_objects(rings))
            self._has_outgoing.set()

    def ring_from_thread(self, rings: list[Ring]) -> None:
        """The same, from any thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        with contextlib.suppress(RuntimeError):  # the loop is closing: nobody here listens any more
            loop.call_soon_threadsafe(self.ring_everywhere, rings)

    async def start(self) -> None:
        """Open the line to the other processes; without Redis there are none."""
        self._loop = asyncio.get_running_loop()
        if settings.REDIS_URL:
            self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._send())]

    async def stop(self) -> None:
        """Close the line."""
        pending = set(self._tasks)
        while pending:
            for task in pending:
                task.cancel()
            # Again, if need be: the Redis client can swallow a cancellation that meets it while it sends.
            _ended, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks, self._loop = [], None

    async def _receive(self) -> None:
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(EVERY_PROCESS, channel)
                while True:
                    batch = await layer.receive(channel)
                    if batch["sender"] == self.name:
                        health.heard()
                    else:
                        self.ring_here(batch["rings"])
            except asyncio.CancelledError:
                raise
            except Exception as problem:
                logger.warning("The line to the other processes is down (%s); the safety poll goes on.", problem)
                await asyncio.sleep(1)

    async def _send(self) -> None:
        layer = get_channel_layer()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ECHO_SECONDS):
                    await self._has_outgoing.wait()
            self._has_outgoing.clear()
            is_quiet = not self._outgoing  # then an empty batch, to hear whether the line still answers
            while self._outgoing or is_quiet:
                is_quiet = False
                batch, self._outgoing = self._outgoing[:MOST_RINGS_AT_ONCE], self._outgoing[MOST_RINGS_AT_ONCE:]
                try:
                    await layer.group_send(EVERY_PROCESS, {"type": "rings", "sender": self.name, "rings": batch})
                except asyncio.CancelledError:
                    raise
                except Exception as problem:
                    # Old rings are worth nothing later: every process polls.
                    self._outgoing.clear()
                    logger.warning("Other processes could not be rung (%s); their safety poll will find it.", problem)
                    await asyncio.sleep(0.2)


_hub: Hub | None = None


def current_hub() -> Hub | None:
    """The hub of this process, while it serves pages."""
    return _hub


def set_hub(hub: Hub | None) -> None:
    """Make this the process's hub; whoever starts and stops the server does."""
    global _hub
    _hub = hub


def announce(group: str, what: str, **ids: Any) -> None:
    """
    Ring a doorbell once the change is really saved. Carries ids, never content.

    A name that begins with an underscore stays in this process: a shortcut for pages that are exactly in step.
    """

    def ring() -> None:
        send_rings([{"group": group, "what": what, **ids}])

    transaction.on_commit(ring, robust=True)


def send_rings(rings: list[Ring]) -> None:
    """Ring from synchronous code: through this process's hub, or straight over the layer where there is none."""
    hub = _hub
    if hub is not None:
        hub.ring_from_thread(rings)
    elif settings.REDIS_URL:
        try:
            async_to_sync(_send_alone)(rings)
        except Exception as problem:
            logger.warning("Other processes could not be rung (%s); their safety poll will find it.", problem)


async def _send_alone(rings: list[Ring]) -> None:
    rings = _without_objects(rings)
    await get_channel_layer().group_send(EVERY_PROCESS, {"type": "rings", "sender": "", "rings": rings})


def _without_objects(rings: list[Ring]) -> list[Ring]:
    return [{name: value for name, value in ring.items() if not name.startswith("_")} for ring in rings]
