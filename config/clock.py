"""The database's clock: every time and deadline is taken from it, so servers with wrong clocks agree."""

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
