"""How fast anybody may go: counted by each process, or in Redis for all of them where there is one."""

import logging
import math
import time
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from config.refusal import TooFast

logger = logging.getLogger(__name__)

_here = MemoryStorage()
_counts_here = MovingWindowRateLimiter(_here)


def _shared_storage() -> Storage:
    if not settings.REDIS_URL:
        return _here
    # Portals that share a Redis under names of their own count apart.
    layer: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    return RedisStorage(
        settings.REDIS_URL,
        key_prefix=f"{layer['prefix']}:rates",
        wrap_exceptions=True,
        socket_timeout=1,
        socket_connect_timeout=1,
    )


_everywhere = _shared_storage()
_counts_everywhere = MovingWindowRateLimiter(_everywhere)


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
    _here.reset()
    _everywhere.reset()


def _refuse_beyond(
    counts: MovingWindowRateLimiter, item: RateLimitItem, sentence: "str | Promise", who: tuple[str, ...]
) -> None:
    if counts.hit(item, *who):
        return
    seconds = max(1, math.ceil(counts.get_window_stats(item, *who).reset_time - time.time()))
    raise TooFast(sentence, retry_after_seconds=seconds, seconds=seconds)
