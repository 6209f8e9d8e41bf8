"""Operable: probes that are right in time, and an end that loses nothing."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from config.server import COME_BACK
from conversations.models import Message
from tests import make
from tests.live.sockets import Talk, in_database
from tests.portals import ROOT
from tests.proofs.asking import ask, post
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.places import running
from tests.proofs.verdict import Unknown
from tests.servers import Postgres, Valkey

UNREADY_WITHIN, READY_WITHIN, END_WITHIN, LAG_WITHIN = 3.0, 5.0, 10.0, 1.0
NEVER = 30.0
PROBE_SECONDS = 0.02
PAGES_WAIT = 10.0  # for the database; who waited for longer is told that it is not there
PEOPLE = 30  # who ask for pages while the database hangs
WRITERS = 10
BURST, PAUSE = 7, 0.3  # so many messages at once, and seconds between: a page may send 30 frames a second

# Readiness


@pytest.fixture
def own_postgres():
    """A PostgreSQL that this test may end."""
    with Postgres() as postgres:
        environment = {**os.environ, "DATABASE_URL": postgres.url()}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        yield postgres


def seconds_until(portal, status, since, never=NEVER):
    """Ask whether it is ready until it answers so; answers how long that took, and that it was alive all the time."""
    while portal.get("/readyz") != status:
        assert portal.get("/healthz") == 200
        told = f"never {status}: {portal.read('/readyz')}\n{portal.log()[-3000:]}"
        assert time.monotonic() - since < never, told
        time.sleep(PROBE_SECONDS)
    return time.monotonic() - since


def assert_in_time(portal, machine, status, since, within):
    """It says so within what is promised; by as much as the machine itself is late it may be later."""
    took = seconds_until(portal, status, since)
    lag = machine.lag(since, since + took)
    print(f"{status} after {took:.1f} s, the machine itself late by {lag:.2f} s")
    assert took < within + lag


def assert_unready(portal, machine, since, lost):
    """In time, and it says why."""
    print(f"{lost}:")
    assert_in_time(portal, machine, 503, since, UNREADY_WITHIN)
    faults = json.loads(portal.read("/readyz"))["faults"]
    assert any(lost in fault for fault in faults), faults


def assert_ready(portal, machine):
    assert_in_time(portal, machine, 200, time.monotonic(), READY_WITHIN)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("lost", ["database", "line to the other processes"])
def test_readiness_follows_what_the_portal_stands_on(lost, own_postgres, start_portal, machine, soak):
    with Valkey() as valkey:
        portal = start_portal(DATABASE_URL=own_postgres.url(), REDIS_URL=valkey.url())
        server = own_postgres if lost == "database" else valkey
        seconds_until(portal, 200, time.monotonic())

        for seconds_away in (0, 20 if soak else 0):
            server.kill()
            since = time.monotonic()  # it answers until it has ended
            assert_unready(portal, machine, since, lost)
            time.sleep(seconds_away)
            server.start()
            assert_ready(portal, machine)
        assert_told_once(portal.log(), lost)


def assert_told_once(log, lost):
    """Each change is told, and only changes are; a busy machine may bring about more of them than the test did."""
    said = re.findall(r"config\.probes \[.*?\] (Not ready: .*|Ready again\.)", log)
    assert sum(lost in line for line in said) >= 2, said
    assert said[-1] == "Ready again.", said
    assert not [line for line, next_one in pairwise(said) if line == next_one], said
    assert "Service Unavailable" not in log


@contextlib.contextmanager
def hanging(postgres):
    """All its processes stand still: it takes connections and answers nothing."""
    main = int((postgres.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
    os.kill(main, signal.SIGSTOP)
    backends = [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in [*backends, main]:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.only_on("postgresql")
def test_a_database_that_hangs_is_found_out_and_costs_nobody_a_page(own_postgres, start_portal, machine):
    portal = start_portal(DATABASE_URL=own_postgres.url())
    seconds_until(portal, 200, time.monotonic())
    with ThreadPoolExecutor(PEOPLE) as people:
        with hanging(own_postgres):
            since = time.monotonic()
            asked = [people.submit(ask, f"{portal.url}/chat/") for _ in range(PEOPLE)]
            assert_unready(portal, machine, since, "database")
            waited = sum(not one.done() for one in asked)
        hung = time.monotonic() - since
        assert_ready(portal, machine)
        statuses = {one.result()[0] for one in asked}

    assert waited == PEOPLE, "unknown: the database did not hang"
    assert hung < PAGES_WAIT, "unknown: it hung for longer than a page waits"
    assert statuses == {200}


@pytest.mark.only_on("postgresql")
async def test_a_database_that_stays_away_is_told_to_who_asks_and_in_a_line_to_the_log(own_postgres, start_portal):
    portal = await asyncio.to_thread(start_portal, DATABASE_URL=own_postgres.url())
    somebody = f"sessionid={'a' * 32}"
    await asyncio.to_thread(own_postgres.kill)

    answers = await asyncio.gather(
        asyncio.to_thread(ask, f"{portal.url}/chat/"),
        asyncio.to_thread(ask, f"{portal.url}/desk/", somebody),
        asyncio.to_thread(post, portal, "/sign-in/", somebody, username="lucia", password="livedesk"),
    )
    cookie = {"Cookie": somebody}
    with pytest.raises(InvalidStatus) as refused:
        async with connect(
            f"{portal.socket_url}/ws/desk/", origin=portal.url, additional_headers=cookie, open_timeout=NEVER
        ):
            pass
    await asyncio.to_thread(own_postgres.start)

    assert [status for status, _page in answers] == [503, 503, 503]
    assert all("nothing was changed" in page for _status, page in answers)
    assert refused.value.response.status_code == 403
    assert "A socket could not be served. (" in portal.log()
    assert "Traceback" not in portal.log()
    await asyncio.to_thread(seconds_until, portal, 200, time.monotonic())
    assert await asyncio.to_thread(portal.get, "/chat/") == 200


@pytest.mark.only_on("sqlite")
def test_a_router_that_hangs_is_found_out_though_the_database_answers(transactional_db, tmp_path, machine):
    portal = BrokenPortal(tmp_path, "tests.proofs.mutants_operable:router_hangs_at_signal", METRICS_TOKEN="right")
    with running([portal]):
        seconds_until(portal, 200, time.monotonic())

        since = time.monotonic()
        portal.process.send_signal(signal.SIGUSR1)

        assert_unready(portal, machine, since, "router")
        asked = time.monotonic()
        lag = float(re.search(r"^livedesk_router_lag_seconds (\S+)$", numbers_of(portal), re.MULTILINE)[1])
        told = time.monotonic()
        last_sweep = float(re.findall(r"^last sweep (\S+)$", portal.log(), re.MULTILINE)[-1])
        late = LAG_WITHIN + machine.lag(last_sweep, told)
        print(f"lag {lag:.2f} s, {asked - last_sweep:.2f} to {told - last_sweep:.2f} s after the last sweep")
        assert asked - last_sweep - late <= lag <= told - last_sweep
        assert portal.get("/chat/") == 200


@pytest.mark.only_on("sqlite")
def test_a_probe_that_is_always_content_is_found_out(transactional_db, tmp_path):
    """The mutant: whatever is missing, it says that the portal is ready."""
    mutants = "tests.proofs.mutants_operable:router_hangs_at_signal,tests.proofs.mutants_operable:always_ready"
    portal = BrokenPortal(tmp_path, mutants)
    with running([portal]):
        seconds_until(portal, 200, time.monotonic())
        portal.process.send_signal(signal.SIGUSR1)

        with pytest.raises(AssertionError, match="never 503"):
            seconds_until(portal, 503, time.monotonic(), never=UNREADY_WITHIN + 1)


def numbers_of(portal):
    return ask(f"{portal.url}/metrics", Authorization="Bearer right")[1]


# The end


@dataclass
class Writing:
    """What the writers sent, and what they were told."""

    sent: set = field(default_factory=set)
    answered: dict = field(default_factory=dict)  # by key: what
    codes: set = field(default_factory=set)

    @property
    def acknowledged(self):
        return {key for key, answer in self.answered.items() if answer == "posted"}

    @property
    def in_flight(self):
        return self.sent - self.answered.keys()

    async def write(self, talk, portal):
        """Write until the server closes the socket."""
        async with talk.chat(portal) as chat:
            while chat.code is None:
                keys = [secrets.token_hex(8) for _ in range(BURST)]
                with contextlib.suppress(ConnectionClosed):  # between the look and the sending
                    for its_key in keys:
                        await chat.send("post", key=its_key, text=make.SAID)
                        self.sent.add(its_key)
                for its_key in keys:
                    await chat.until(lambda k=its_key: chat.code is not None or chat.answers(k), "an answer", NEVER)
                    self.answered |= {answer["key"]: answer["is"] for answer in chat.answers(its_key)}
                await asyncio.sleep(PAUSE)
            self.codes.add(chat.code)


@dataclass
class Ended:
    """How a server ended while people wrote."""

    writing: Writing
    took: float
    in_flight: set
    told_after: set
    stored: set

    @property
    def lost(self):
        return self.writing.acknowledged - self.stored

    def __str__(self):
        told = (
            f"{len(self.writing.acknowledged)} acknowledged messages, {len(self.told_after)} of them after the signal"
        )
        return f"ended in {self.took:.1f} s after {told}; {len(self.in_flight)} were under way at it"


async def end_under_load(portal):
    """Tell the server to end while ten visitors write; raises Unknown when nobody was writing in that moment."""
    talks = [await in_database(Talk) for _ in range(WRITERS)]
    writing = Writing()
    writers = [asyncio.create_task(writing.write(talk, portal)) for talk in talks]
    async with asyncio.timeout(NEVER):
        while len(writing.acknowledged) < 100 or not writing.in_flight:
            await asyncio.sleep(0.001)

    began, before, in_flight = time.monotonic(), writing.acknowledged, writing.in_flight
    await asyncio.to_thread(portal.stop)  # which asserts that it ends with 0
    took = time.monotonic() - began
    await asyncio.gather(*writers)

    stored = set(await in_database(lambda: list(Message.objects.values_list("key", flat=True))))
    told_after = writing.acknowledged - before
    if not in_flight:
        raise Unknown("Nobody was writing when the server was told to end.")
    return Ended(writing, took, in_flight, told_after, stored)


async def test_a_server_that_is_told_to_end_under_load_loses_nothing(start_portal):
    portal = await asyncio.to_thread(start_portal, MESSAGES_PER_MINUTE=100_000)

    ended = await end_under_load(portal)

    print(ended)
    assert ended.took < END_WITHIN
    assert ended.writing.codes == {COME_BACK}
    assert set(ended.writing.answered.values()) == {"posted"}
    assert ended.lost == set()


@pytest.mark.only_on("sqlite")
async def test_a_server_that_drops_what_waits_at_the_end_is_found_out(transactional_db, tmp_path):
    """The mutant: messages are acknowledged when they arrive, and what waits to be stored goes with the server."""
    mutant = "tests.proofs.mutants_operable:acknowledge_what_waits"
    portal = BrokenPortal(tmp_path, mutant, MESSAGES_PER_MINUTE=100_000)
    with running([portal]):
        ended = await end_under_load(portal)

    assert ended.lost
