"""
The zone in which an agent's pages count days.

Livedesk keeps no zone for agents: the browser tells its own (Intl) in a cookie, which the desk's script writes on every
page. A browser without script, and the very first page of a browser, get the portal's TIME_ZONE.
"""

import datetime as dt
import zoneinfo
from functools import lru_cache

from django.http import HttpRequest
from django.utils import timezone

COOKIE = "livedesk_zone"


def zone_of(request: HttpRequest) -> dt.tzinfo:
    """The browser's zone; a name that is none counts as not told."""
    return _zone(request.COOKIES.get(COOKIE, "")[:60]) or timezone.get_default_timezone()


def midnight(date: dt.date, zone: dt.tzinfo) -> dt.datetime:
    """The first moment of that day there, in UTC (within one zone Python subtracts clocks, not moments)."""
    return dt.datetime.combine(date, dt.time.min, tzinfo=zone).astimezone(dt.UTC)


@lru_cache(maxsize=256)
def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None
