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

from django.db import connections
from django.db.utils import InterfaceError, OperationalError

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 6
readers = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
writer = ThreadPoolExecutor(1, thread_name_prefix="writer")


def in_thread(function: Callable[P, T], *, pool: ThreadPoolExecutor = readers) -> Callable[P, Awaitable[T]]:
    """The same function, awaited: it runs on one of the process's database threads."""

    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        context = contextvars.copy_context()
        work = partial(context.run, _run, partial(function, *args, **kwargs))
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    return call


def _run(work: Callable[[], T]) -> T:
    try:
        return work()
    except (OperationalError, InterfaceError):
        # The connection may be dead; the next call on this thread opens a new one.
        connections.close_all()
        raise


def close_connections() -> None:
    """Close what the threads hold: when the server stops, and after each test."""
    for pool, size in ((readers, THREADS), (writer, 1)):
        # Each waits for the others, so that no thread takes two and leaves another's connection open.
        together = threading.Barrier(size)
        for done in [pool.submit(_close, together) for _ in range(size)]:
            done.result()


def _close(together: threading.Barrier) -> None:
    connections.close_all()
    with contextlib.suppress(threading.BrokenBarrierError):
        together.wait(timeout=5)
