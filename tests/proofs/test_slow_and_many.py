"""
Slow and many: hundreds of pages on one server, pages that do not read, and all of them back at once.

Memory is what the server's process really occupies; latency is from sending to the acknowledgement, and for those who
write beside pages that do not read, until the other one has it, too. Whatever is measured is printed.
"""

import asyncio
import base64
import contextlib
import re
import secrets
import select
import socket
import time
from dataclasses import dataclass
from statistics import median, quantiles
from types import SimpleNamespace

import pytest
from websockets.asyncio.client import connect

from config.server import UNREAD_BYTES
from tests.portals import ROOT, Portal
from tests.proofs import people as scripted
from tests.proofs.beside import NOISE_SECONDS, TRIES, Canary, p95
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.people import People
from tests.proofs.places import ROWS, house, memory_of, patience, running
from tests.proofs.verdict import SCREEN, Unknown, verdict

MIB = 1024 * 1024
DRAIN_SECONDS = 15
# 4,000 of them are 24 kB of HTML: much is addressed with few messages.
LONG_TEXT = "'" * 4000
LONG_BYTES = 24_000
LONG_PER_SECOND = 25  # from each page; more than 30 frames are told to wait
LINES_BEHIND = 40  # of these: well below what a page may leave unread
FEWEST_SAMPLES = 20  # of which a 95th percentile says something
FLAT = 6 * MIB  # what an allocator may take after the warm-up without being a leak
SLACK = 12 * MIB  # the same, while 24 kB messages go through at full speed
POOL = 20  # DATABASE_POOL: what a process may open


@pytest.fixture(scope="module")
def place(soak, tmp_path_factory):
    """A database with the talks of all proofs in this module."""
    with house(tmp_path_factory.mktemp("many"), 300 if soak else 50) as found:
        yield found


def portal_of(place, folder, mutants="", **environment):
    environment = {**place.environment, "REDIS_PREFIX": "many", **environment}
    if not mutants:
        return Portal(folder, **environment)
    names = ",".join(f"tests.proofs.mutants:{name}" for name in mutants.split(","))
    return BrokenPortal(folder, names, **environment)


class Samples:
    """`async with`: measures something again and again while the body runs."""

    def __init__(self, measure, pause=0.2):
        self.measure, self.pause, self.values = measure, pause, []

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *problem):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self):
        while True:
            self.values.append(await asyncio.to_thread(self.measure))
            await asyncio.sleep(self.pause)


def percentiles(latencies):
    """The middle, the 75th and the 95th, in milliseconds."""
    if len(latencies) < FEWEST_SAMPLES:
        raise Unknown("Too few messages were answered to speak of a latency.")
    cuts = quantiles(latencies, n=20)
    return median(latencies) * 1000, cuts[14] * 1000, cuts[18] * 1000


async def all_connected(people):
    return await people.until(lambda person: person.is_connected, "connected", 60 * patience())


# Many, for long


async def talk_steadily(place, portal, seed, *, count, seconds, every, warm_up, drain=DRAIN_SECONDS):
    """So many talks go on; answers the verdict and how much the memory grew after the warm-up."""
    people = People([portal], place.talks[:count], seed)
    loop = asyncio.get_running_loop()

    async def write_on(person):
        end = loop.time() + seconds
        await asyncio.sleep(person.luck.uniform(0, every))
        while loop.time() < end:
            await person.say("Where is my order? It should be here.")
            await asyncio.sleep(person.luck.uniform(0.8, 1.2) * every)

    async with people:
        await all_connected(people)
        async with Samples(lambda: memory_of(portal.process)) as memory:
            await asyncio.gather(*map(write_on, people))
        with contextlib.suppress(AssertionError):  # what is missing then, the verdict names
            await people.until_caught_up(place.database, drain * patience())
    broken = verdict(people, place.database.fetch(ROWS))
    warm = memory.values[int(len(memory.values) * warm_up / seconds) :]
    third = len(warm) // 3
    if third < 5:
        raise Unknown("The memory was not measured often enough.")
    growth = median(warm[-third:]) - median(warm[:third])
    middle, _upper, high = percentiles([took for person in people for took in person.latencies])
    print(
        f"{len(people)} sockets, {sum(len(person.acknowledged) for person in people)} messages in {seconds} s; "
        f"p50 {middle:.0f} ms, p95 {high:.0f} ms; memory {median(warm) / MIB:.0f} MiB, grew by {growth / MIB:.1f} MiB"
    )
    return broken, growth


@pytest.mark.only_on("postgresql")
async def test_hundreds_of_pages_lose_nothing_and_take_no_more_memory(place, soak, seed, tmp_path):
    how = {"count": 300, "seconds": 180, "every": 10, "warm_up": 60} if soak else SHORT_TALK
    with running([portal_of(place, tmp_path)]) as (portal,):
        broken, growth = await talk_steadily(place, portal, seed, **how)
    assert not broken
    assert growth < FLAT


SHORT_TALK = {"count": 50, "seconds": 15, "every": 3, "warm_up": 6}


@pytest.mark.only_on("postgresql")
async def test_the_proof_sees_lost_lines_and_a_leak(place, seed, tmp_path):
    with running([portal_of(place, tmp_path, "leak,lose_lines")]) as (portal,):
        broken, growth = await talk_steadily(place, portal, seed, **SHORT_TALK, drain=1)
    assert SCREEN in broken
    assert growth > FLAT


# Pages that do not read


def silent_page(portal, talk, last):
    """An agent's page that opens its socket and never reads from it."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what it cannot take shall lie at the server
    plain.settimeout(30)
    plain.connect(("127.0.0.1", portal.port))
    plain.sendall(
        f"GET /ws/desk/?open={talk['conversation']}&last={last} HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\n"
        f"Origin: {portal.url}\r\nCookie: {talk['agent']}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert plain.recv(12) == b"HTTP/1.1 101"
    return plain


def is_cut(plain):
    """Whether the server has ended the connection; looks without reading."""
    look = select.poll()
    look.register(plain, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _fd, event in look.poll(0))


def said_to_be_cut(portal):
    """How often the log says that a page was cut for what it left unread."""
    return portal.log().count("bytes unread was disconnected")


async def reading_page(portal, talk, last):
    """The same page, but it reads everything at once."""
    headers = {"Cookie": talk["agent"]}
    address = f"{portal.socket_url}/ws/desk/?open={talk['conversation']}&last={last}"
    async with connect(address, origin=portal.url, additional_headers=headers, compression=None, max_size=None) as page:
        async for _text in page:
            pass


def last_of(writers, talks):
    """Each talk with the last line that its page shows already."""
    lasts = {writer.conversation_id: writer.last for writer in writers}
    return [(talk, lasts[talk["conversation"]]) for talk in talks]


def is_in_step(writer):
    """Who reads has nearly all of what was written: this process, too, must not be a slow reader by mistake."""
    return not writer.is_connected or max(writer.acknowledged.values(), default=0) - writer.last < LINES_BEHIND


async def flood(writers, size):
    """Visitors and agents write long messages until so many bytes are addressed to every page of their talks."""
    for _turn in range(size // LONG_BYTES // 2 + 1):
        for writer in writers:
            await writer.say(LONG_TEXT)
        await asyncio.sleep(1 / LONG_PER_SECOND)
        await writers.until(is_in_step, "kept in step", 30 * patience())
    await writers.until(lambda writer: not writer.has_pending, "got answers", 30 * patience())


async def waits_during(canary, work):
    """How long each message of somebody else took while this went on."""
    started = time.time()
    await work
    return canary.between(started, time.time())


@dataclass
class Meeting:
    """What pages that do not read did to the server and to others."""

    cut: int
    growth: int
    calm: list  # what others waited beside pages that read
    slow: list

    def is_as_fast(self):
        """Whether the others' 95th percentile stays within twice what it is beside pages that read."""
        if min(len(self.calm), len(self.slow)) < FEWEST_SAMPLES:
            raise Unknown("Too few messages were answered to speak of a latency.")
        calm, slow = p95(self.calm), p95(self.slow)
        print(
            f"others' p50 {median(self.calm) * 1000:.0f} → {median(self.slow) * 1000:.0f} ms, "
            f"p95 of {len(self.slow)} {calm * 1000:.0f} → {slow * 1000:.0f} ms"
        )
        return slow <= max(2 * calm, NOISE_SECONDS)


async def meet_slow_readers(portal, talks, seed, *, pages, size, calm_size=None):
    """The same flood to pages that read and then to pages that do not; the last talk is somebody else's."""
    *flooded, other = talks
    writers = People([portal], flooded, seed)
    watcher = SimpleNamespace(id=other["conversation"], visitor_cookie=other["visitor"], agent_cookie=other["agent"])
    async with writers, Canary(portal, watcher) as canary:
        await all_connected(writers)
        reading = [asyncio.create_task(reading_page(portal, *page)) for page in last_of(writers, flooded) * pages]
        cut_before = said_to_be_cut(portal)
        calm = await waits_during(canary, flood(writers, calm_size or size))
        if any(page.done() for page in reading) or said_to_be_cut(portal) > cut_before:
            raise Unknown("Not everybody who reads was there until the end.")
        for page in reading:
            page.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

        before = memory_of(portal.process)  # which holds what the same flood takes beside pages that read
        silent = [silent_page(portal, *page) for page in last_of(writers, flooded) * pages]
        async with Samples(lambda: memory_of(portal.process), 0.05) as memory:
            slow = await waits_during(canary, flood(writers, size))
            await asyncio.sleep(0.3)
        cut = sum(map(is_cut, silent))
        for page in silent:
            page.close()
    assert said_to_be_cut(portal) - cut_before == cut
    growth = max(memory.values) - before
    print(
        f"{len(silent)} pages that do not read, {size / MIB:.0f} MiB addressed to each: {cut} cut; memory grew by "
        f"{growth / MIB:.1f} of {bound(len(silent)) / MIB:.0f} MiB"
    )
    return Meeting(cut, growth, calm, slow)


def bound(pages):
    """What pages that do not read may hold together."""
    return pages * (UNREAD_BYTES + 2 * LONG_BYTES) + SLACK


FEW_SLOW = {"pages": 6, "size": 12 * MIB}


@pytest.mark.only_on("sqlite")
async def test_pages_that_do_not_read_are_cut_at_their_bound_and_slow_down_nobody(place, soak, seed, tmp_path):
    flooded, how = (4, {"pages": 5, "size": 50 * MIB}) if soak else (1, FEW_SLOW)
    with running([portal_of(place, tmp_path)]) as (portal,):
        for turn in range(TRIES):  # somebody else may use the machine in that moment
            talks = place.talks[turn * (flooded + 1) :][: flooded + 1]
            met = await meet_slow_readers(portal, talks, seed, **how)
            assert met.cut == flooded * how["pages"]
            assert met.growth < bound(met.cut)
            if is_as_fast := met.is_as_fast():
                break
    assert is_as_fast


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_a_server_that_waits_for_those_who_do_not_read(place, seed, tmp_path):
    with running([portal_of(place, tmp_path, "wait_for_readers")]) as (portal,):
        met = await meet_slow_readers(portal, place.talks[-2:], seed, pages=3, size=4 * MIB, calm_size=3 * MIB)
    assert not met.is_as_fast()


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_a_missing_bound(place, seed, tmp_path):
    with running([portal_of(place, tmp_path, "no_bound")]) as (portal,):
        # Little before it: memory that slow readers cost then would be used again, and hide the growth.
        met = await meet_slow_readers(portal, place.talks[-4:-2], seed, **FEW_SLOW, calm_size=MIB // 4)
    assert met.cut == 0
    assert met.growth > bound(FEW_SLOW["pages"])


# All of them back at once


def connections_of(database):
    """How many connections the portal holds to PostgreSQL."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return database.fetch(statement)[0][0]


async def come_back(place, portal, seed, count):
    """Restart under a message of everybody's; answers the verdict and the most connections that were seen."""
    people = People([portal], place.talks[:count], seed)
    async with people, Samples(lambda: connections_of(place.database), 0.1) as connections:
        await all_connected(people)
        for person in people:
            await person.say("Long before")
        await people.until_caught_up(place.database, DRAIN_SECONDS * patience())
        opened = {person: person.opened for person in people}
        for person in people:
            person.pauses.clear()
            await person.say("Just before")
        await asyncio.to_thread(portal.stop)
        await asyncio.to_thread(portal.start)
        took = await people.until(lambda person: person.opened > opened[person], "came back", 60 * patience())
        await people.until_caught_up(place.database, DRAIN_SECONDS * patience())
    first = [person.pauses[0] for person in people if person.pauses]
    if len(first) < len(people):
        raise Unknown("Not everybody lost the connection.")
    most = max(connections.values)
    print(
        f"{len(people)} sockets back {took:.1f} s after the restart; first pauses from {min(first):.2f} to "
        f"{max(first):.2f} s; at most {most} connections to the database"
    )
    assert max(first) - min(first) > 0.3
    return verdict(people, place.database.fetch(ROWS)), most


@pytest.mark.only_on("postgresql")
async def test_everybody_comes_back_after_a_restart_and_nothing_is_doubled(place, soak, seed, tmp_path):
    with running([portal_of(place, tmp_path)]) as (portal,):
        broken, most = await come_back(place, portal, seed, 300 if soak else 50)
    assert not broken
    assert 0 < most <= POOL


@pytest.mark.only_on("postgresql")
async def test_the_proof_sees_unbounded_connections(place, seed, tmp_path):
    with running([portal_of(place, tmp_path, "many_connections", DATABASE_POOL=250)]) as (portal,):
        _broken, most = await come_back(place, portal, seed, 50)
    assert most > POOL


def test_the_scripted_pages_pause_as_the_real_ones_do():
    script = (ROOT / "static/js/connection.js").read_text(encoding="utf-8")
    found = {name: float(value.replace("_", "")) for name, value in re.findall(r"const (\w+) = ([\d._]+);", script)}
    assert found["SHORTEST_PAUSE"] / 1000 == scripted.SHORTEST_PAUSE
    assert found["LONGEST_PAUSE"] / 1000 == scripted.LONGEST_PAUSE
    assert found["GROWTH"] == scripted.GROWTH
    assert "2 * SHORTEST_PAUSE * GROWTH ** failures" in script
    assert "longest * (0.5 + Math.random() / 2)" in script
