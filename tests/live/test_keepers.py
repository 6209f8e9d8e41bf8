"""What keeps a house in order does not stand in line behind its pages."""

import asyncio
import contextlib
import threading

import pytest

from config import threads
from conversations import router, watch
from tests.live.sockets import Talk, in_database

PAGES = 600


@contextlib.contextmanager
def crowd():
    """As many pages as a restart brings back at once, all of whom want to read, until the end of this."""
    may_go = threading.Event()
    line = [threads.readers.submit(may_go.wait, 60) for _ in range(PAGES)]
    yield line
    may_go.set()


@pytest.mark.parametrize("module, function", [(router, "work"), (watch, "look"), (watch, "renew")])
async def test_the_router_the_poll_and_the_leases_wait_for_no_page(here, monkeypatch, module, function):
    works, has_worked = getattr(module, function), threading.Event()

    def work(*arguments, **named):
        found = works(*arguments, **named)
        has_worked.set()
        return found

    talk = await in_database(Talk)
    async with talk.desk(here) as desk:
        await desk.until_drawn()
        with crowd() as line:
            monkeypatch.setattr(module, function, work)
            is_in_time = await asyncio.to_thread(has_worked.wait, 10)
            served = [one for one in line if one.done()]

    assert is_in_time
    assert served == []
