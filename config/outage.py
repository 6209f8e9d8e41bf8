"""The database is away: who asks is told to try again, and the log gets a line, as a traceback would say no more."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError

from config.logs import without_rows

TRY_AGAIN = 4013

# Of PostgreSQL: no connection, no room for one, going down or coming up. A connection that broke has no state at all.
AWAY_STATES = ("08", "53", "57P")
# Of SQLite: its file cannot be opened, read or written, or another process has been writing for too long.
AWAY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}

logger = logging.getLogger(__name__)
Application = Callable[[dict[str, Any], Any, Any], Awaitable[Any]]


def is_outage(problem: BaseException | None) -> bool:
    """Whether the database did not answer; what it refuses is a fault of what was asked."""
    if not isinstance(problem, DatabaseError | InterfaceError):
        return False
    match problem.__cause__:
        case psycopg.OperationalError() as cause:
            return cause.sqlstate is None or cause.sqlstate.startswith(AWAY_STATES)
        case sqlite3.Error() as cause:
            return getattr(cause, "sqlite_errorcode", 0) & 0xFF in AWAY_CODES
        case _:
            return isinstance(problem, InterfaceError)  # the connection broke earlier in the same piece of work


class Briefly(logging.Filter):
    """What failed because the database is away is a line with the reason."""

    def filter(self, record: logging.LogRecord) -> bool:
        problem = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if is_outage(problem):
            reason = " ".join(without_rows(str(problem)).split())
            record.msg, record.args, record.exc_info = "%s (%s)", (record.getMessage(), reason), None
        return True


class ComingBack:
    """A socket whose person cannot be looked up is closed, with the code that says to come back; the page does."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            await self.application(scope, receive, send)
        except (DatabaseError, InterfaceError) as problem:
            if not is_outage(problem):
                raise
            logger.exception("A socket could not be served.")
            await send({"type": "websocket.close", "code": TRY_AGAIN})
