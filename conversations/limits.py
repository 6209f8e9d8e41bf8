"""How fast visitors and agents may write, send files and start."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from limits import RateLimitItemPerHour, RateLimitItemPerMinute

from config.rates import check, check_everywhere

UPLOADS_PER_MINUTE = 60


def check_message(sender: str) -> None:
    """Raises TooFast, with when to try again, when the sender wrote too many messages within a minute."""
    check(
        RateLimitItemPerMinute(settings.MESSAGES_PER_MINUTE),
        _("You are writing very fast. Your message was not sent; try again in %(seconds)s seconds."),
        "message",
        sender,
    )


def check_upload(sender: str) -> None:
    """Raises TooFast when the sender uploaded too many files within a minute."""
    check(
        RateLimitItemPerMinute(UPLOADS_PER_MINUTE),
        _("You are sending many files at once. Try again in %(seconds)s seconds."),
        "upload",
        sender,
    )


def check_start(address: str) -> None:
    """Raises TooFast when too many conversations were started from one address within an hour."""
    check_everywhere(
        RateLimitItemPerHour(settings.CHATS_PER_HOUR),
        _("Many chats were started from your network. Try again in %(seconds)s seconds."),
        "start",
        address,
    )
