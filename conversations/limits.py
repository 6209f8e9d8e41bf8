"""How fast anybody may go; each process counts for itself."""

import math
import time

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from conversations.errors import TooFast

UPLOADS_PER_MINUTE = 60

_storage = MemoryStorage()
_limiter = MovingWindowRateLimiter(_storage)


def check_message(sender: str) -> None:
    """Raises TooFast, with when to try again, when the sender wrote too many messages within a minute."""
    _check(
        RateLimitItemPerMinute(settings.MESSAGES_PER_MINUTE),
        _("You are writing very fast. Your message was not sent; try again in %(seconds)s seconds."),
        "message",
        sender,
    )


def check_upload(sender: str) -> None:
    """Raises TooFast when the sender uploaded too many files within a minute."""
    _check(
        RateLimitItemPerMinute(UPLOADS_PER_MINUTE),
        _("You are sending many files at once. Try again in %(seconds)s seconds."),
        "upload",
        sender,
    )


def check_start(address: str) -> None:
    """Raises TooFast when too many conversations were started from one address within an hour."""
    _check(
        RateLimitItemPerHour(settings.CHATS_PER_HOUR),
        _("Many chats were started from your network. Try again in %(seconds)s seconds."),
        "start",
        address,
    )


def forget_all() -> None:
    """Start counting anew."""
    _storage.reset()


def _check(item: RateLimitItem, sentence: object, *who: str) -> None:
    if _limiter.hit(item, *who):
        return
    seconds = max(1, math.ceil(_limiter.get_window_stats(item, *who).reset_time - time.time()))
    raise TooFast(sentence, retry_after_seconds=seconds, seconds=seconds)  # type: ignore[arg-type]
