"""How long anybody waits for a row that somebody else holds: never for ever, and no sweep for more than a blink."""

import contextlib
from collections.abc import Iterator

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _
from psycopg.errors import LockNotAvailable

from config.refusal import Refused

BLINK = "200ms"


class Busy(Refused):
    """The row stayed locked for too long."""

    sentence = _("Somebody else is changing this right now, so nothing was changed. Try again in a few seconds.")


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """A statement in here may wait for a lock; one that waited in vain raises Busy."""
    try:
        yield
    except OperationalError as problem:
        if isinstance(problem.__cause__, LockNotAvailable):
            raise Busy from problem
        raise


@contextlib.contextmanager
def impatiently() -> Iterator[None]:
    """
    A transaction for work that others are waiting behind, and that can be done a second later as well: it waits for a
    lock no longer than a blink, then raises Busy.

    SQLite has no locks of rows: there the transaction itself waits until it is its turn to write.
    """
    with waiting(), transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{BLINK}'")
        yield
