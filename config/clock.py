"""
The database's clock: every time and deadline is taken from it, so servers with wrong clocks agree.

And how a time that has passed reads.
"""

import datetime as dt

from django.db import connection

NOW = {
    "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
    "postgresql": "SELECT CLOCK_TIMESTAMP()",
}


def database_now() -> dt.datetime:
    """The moment it is now for the database, in UTC (milliseconds on SQLite, microseconds on PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute(NOW[connection.vendor])
        (now,) = cursor.fetchone()
    if isinstance(now, str):
        return dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    moment: dt.datetime = now
    return moment.astimezone(dt.UTC)


def duration(seconds: float | None, *, unknown: str = "–") -> str:
    """A duration as people read it: 0:38, 4:40, or 1:02:03 from an hour on."""
    if seconds is None:
        return unknown
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
