"""
Database work beside the event loop.

Not `database_sync_to_async`: that runs everything on one thread, or opens a connection for every call. These threads
are few, belong to the process, and keep their connections while they are good.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import connection, connections
from django.db.utils import InterfaceError, OperationalError

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 6
KEEPERS = 2
readers = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
# For the router, the safety poll and the leases: behind the pages of a whole house that comes back they would be late.
keepers = ThreadPoolExecutor(KEEPERS, thread_name_prefix="keeper")
# For what may take a minute and nobody waits for: the virus check, and the clearing of files.
chores = ThreadPoolExecutor(1, thread_name_prefix="chores")
KEPT_CONNECTIONS = THREADS + 1 + KEEPERS + 1


def in_thread(function: Callable[P, T], *, pool: ThreadPoolExecutor = readers) -> Callable[P, Awaitable[T]]:
    """
    The same function, awaited: it runs on one of the process's database threads.

    When the database was restarted, the first call that notices fails, and all threads open new connections.
    """

    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        context = contextvars.copy_context()
        work = partial(context.run, _run, partial(function, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    return call


class Outages:
    """Counts the faults of connections in this process: what breaks one has mostly broken them all."""

    def __init__(self) -> None:
        self.seen = 0
        self._mine = threading.local()

    def note(self) -> None:
        """A connection broke."""
        self.seen += 1

    def leave_broken(self) -> None:
        """Close this thread's connections if one broke anywhere since they were opened; the next use opens new ones."""
        if getattr(self._mine, "known", 0) != self.seen:
            self._mine.known = self.seen
            connections.close_all()


outages = Outages()


def _run(work: Callable[[], T]) -> T:
    outages.leave_broken()
    try:
        return work()
    except (OperationalError, InterfaceError):
        outages.note()
        raise


def let_go() -> None:
    """
    Give this thread's connection back: what follows takes seconds and asks nothing, and others wait for one.

    The next question takes one anew. Inside a transaction nothing is given back.
    """
    if not connection.in_atomic_block:
        connection.close()


def close_connections() -> None:
    """Close what the threads hold: when the server stops, and after each test."""
    for pool, size in ((readers, THREADS), (writer, 1), (keepers, KEEPERS), (chores, 1)):
        # Each waits for the others, so that no thread takes two and leaves another's connection open.
        together = threading.Barrier(size)
        for done in [pool.submit(_close, together) for _ in range(size)]:
            done.result()


def _close(together: threading.Barrier) -> None:
    connections.close_all()
    with contextlib.suppress(threading.BrokenBarrierError):
        together.wait(timeout=5)
