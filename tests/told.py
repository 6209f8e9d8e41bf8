"""What of conversations, sessions and visitors' tokens stands in the log of a server: it must hold none of it."""

import contextlib
import sqlite3

import psycopg

LONG_WORD = 12  # short words stand in any log
AWAY_SECONDS = 5
SAID = "SELECT text FROM conversations_message WHERE kind <> 'event'"
SESSIONS = "SELECT session_key FROM django_session"
# Who holds one of these is somebody: sessions and visitors' tokens that a test made; forgotten before the next one.
handed_out = set()


def connect_to(address, seconds=AWAY_SECONDS):
    """A connection to the database of this address that knows nothing of Django, and waits so long for others."""
    if address.startswith("sqlite:///"):
        return sqlite3.connect(address.removeprefix("sqlite:///"), timeout=seconds)
    user, _, rest = address.removeprefix("postgresql://").partition("@/")
    folder, _, name = rest.rpartition("/")
    return psycopg.connect(host=folder, user=user, dbname=name, connect_timeout=seconds, autocommit=True)


def told_by(log, address):
    """What its database holds and its log repeats; while the database is away, what was handed out alone."""
    words = set(handed_out)
    with contextlib.suppress(sqlite3.Error, psycopg.Error), contextlib.closing(connect_to(address)) as database:
        words |= {word for what in (SAID, SESSIONS) for (word,) in database.execute(what).fetchall()}
    return [word for word in words if len(word) >= LONG_WORD and word in log]
