"""How fast anybody may go: counted by each process, or in Redis for all of them where there is one."""

import logging
import math
import threading
import time
from collections import deque
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from limits.util import WindowStats

from config.refusal import TooFast

logger = logging.getLogger(__name__)

CLEAR_SECONDS = 60.0


class CountsHere:
    """
    The moving window of `limits`, in the memory of this process.

    The library's own memory keeps every sender for ever, and looks through all of them in a thread of its own after
    almost every message.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_until: dict[str, deque[float]] = {}  # of each hit, the oldest first, by the monotonic clock
        self._cleared_at = 0.0

    def hit(self, item: RateLimitItem, *who: str) -> bool:
        """Count one more, unless that would be too many; answers whether it was counted."""
        now = time.monotonic()
        with self._lock:
            self._forget_silent(now)
            hits = self._counted_until.setdefault(item.key_for(*who), deque())
            while hits and hits[0] <= now:
                hits.popleft()
            if len(hits) >= item.amount:
                return False
            hits.append(now + item.get_expiry())
            return True

    def get_window_stats(self, item: RateLimitItem, *who: str) -> WindowStats:
        """When the oldest hit is counted no longer, and how many more are free until then."""
        now = time.monotonic()
        with self._lock:
            hits = [until for until in self._counted_until.get(item.key_for(*who), ()) if until > now]
        return WindowStats(time.time() + (hits[0] - now if hits else 0.0), item.amount - len(hits))

    def clear(self, item: RateLimitItem, *who: str) -> None:
        """Forget what this one did."""
        with self._lock:
            self._counted_until.pop(item.key_for(*who), None)

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counted_until.clear()

    def _forget_silent(self, now: float) -> None:
        if now < self._cleared_at + CLEAR_SECONDS:
            return
        self._cleared_at = now
        for key in [key for key, hits in self._counted_until.items() if hits[-1] <= now]:
            del self._counted_until[key]


_counts_here = CountsHere()


def _shared_counts() -> MovingWindowRateLimiter | CountsHere:
    if not settings.REDIS_URL:
        return _counts_here
    # Portals that share a Redis under names of their own count apart.
    layer: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    storage = RedisStorage(
        settings.REDIS_URL,
        key_prefix=f"{layer['prefix']}:rates",
        wrap_exceptions=True,
        socket_timeout=1,
        socket_connect_timeout=1,
    )
    return MovingWindowRateLimiter(storage)


_counts_everywhere = _shared_counts()


def check(item: RateLimitItem, sentence: "str | Promise", *who: str) -> None:
    """Raises TooFast, with when to try again, when this process counted too many."""
    _refuse_beyond(_counts_here, item, sentence, who)


def check_everywhere(item: RateLimitItem, sentence: "str | Promise", *who: str) -> None:
    """The same for all processes together; while Redis is away, each counts for itself."""
    try:
        _refuse_beyond(_counts_everywhere, item, sentence, who)
    except StorageError as problem:
        logger.warning("Rates are counted by each process alone (%s).", problem)
        _refuse_beyond(_counts_here, item, sentence, who)


def forgive_everywhere(item: RateLimitItem, *who: str) -> None:
    """Forget what was counted: it was no guessing."""
    try:
        _counts_everywhere.clear(item, *who)
    except StorageError as problem:
        logger.warning("Rates are counted by each process alone (%s).", problem)
        _counts_here.clear(item, *who)


def forget_all() -> None:
    """Start counting anew, in this process and in Redis."""
    _counts_here.reset()
    if isinstance(_counts_everywhere, MovingWindowRateLimiter):
        _counts_everywhere.storage.reset()


def _refuse_beyond(
    counts: MovingWindowRateLimiter | CountsHere, item: RateLimitItem, sentence: "str | Promise", who: tuple[str, ...]
) -> None:
    if counts.hit(item, *who):
        return
    seconds = max(1, math.ceil(counts.get_window_stats(item, *who).reset_time - time.time()))
    raise TooFast(sentence, retry_after_seconds=seconds, seconds=seconds)
