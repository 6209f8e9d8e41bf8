"""
Exactly once, in one order; Sent means stored.

People talk while servers, Redis and PostgreSQL are killed, sockets cut, processes halted and acknowledgements lost.
Then all is mended, everybody catches up, and what each was told and saw is held against the database.
"""

import asyncio
import contextlib
import shutil
import signal
from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest

from tests.portals import Portal
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.people import People, luck_of
from tests.proofs.places import (
    GENEROUS,
    ROWS,
    KilledPostgres,
    SqliteFile,
    patience,
    running,
    talks_in,
    without_key_rules,
)
from tests.proofs.verdict import LOST, OTHER, SCREEN, TWICE, UNANSWERED, Unknown, verdict
from tests.servers import Valkey

DRAIN_SECONDS = 15
LOST_ANSWERS = 0.05
HALT_SECONDS = 3
RETURN_SECONDS = 60  # within which somebody is connected again, whatever happened


# What happens to them


class Faults:
    """
    Does one thing after the other to the portal, and counts what really happened.

    Each draws from a generator of its own, so that none waits for another to know what to do.
    """

    def __init__(self, seed, portals, people, postgres=None, valkey=None):
        self.seed, self.portals, self.people = seed, portals, people
        self.postgres, self.valkey = postgres, valkey
        self.happened = Counter()
        self.fell = []  # servers that ended though nobody had killed them
        self._busy = defaultdict(asyncio.Lock)
        kinds = {"server killed": self.kill_server, "sockets cut": self.cut, "process halted": self.halt}
        if valkey:
            kinds["Redis killed"] = self.kill_redis
        if postgres:
            kinds["database killed"] = self.kill_database
        self.kinds = kinds

    async def run(self, seconds, names=None, pauses=(1, 2.5)):
        """One fault after each pause, each kind in turn; ends when everything runs again."""
        loop, luck = asyncio.get_running_loop(), luck_of(self.seed, "faults")
        end, under_way, turn = loop.time() + seconds, [], []
        while loop.time() < end:
            await asyncio.sleep(luck.uniform(*pauses))
            if not turn:
                turn = list(names or self.kinds)
                luck.shuffle(turn)
            under_way.append(asyncio.create_task(self._do(turn.pop(), len(under_way))))
        await asyncio.gather(*under_way)

    async def _do(self, name, place):
        if await self.kinds[name](luck_of(self.seed, "fault", place)):
            self.happened[name] += 1

    def look_at_servers(self):
        """Note those that do not run or do not answer."""
        self.fell += [portal.log()[-2000:] for portal in self.portals if not is_alive(portal)]

    async def kill_server(self, luck):
        portal = luck.choice(self.portals)
        async with self._busy[portal]:
            if not portal.is_running:
                self.fell.append(portal.log()[-2000:])
            await asyncio.to_thread(portal.kill)
            await asyncio.to_thread(portal.start)
        return True

    async def halt(self, luck):
        portal = luck.choice(self.portals)
        async with self._busy[portal]:
            portal.process.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(HALT_SECONDS)
            finally:
                portal.process.send_signal(signal.SIGCONT)
        return True

    async def kill_redis(self, luck):
        async with self._busy["Redis"]:
            await asyncio.to_thread(self.valkey.kill)
            await asyncio.sleep(luck.uniform(0.2, 1.5))
            await asyncio.to_thread(self.valkey.start)
        return True

    async def kill_database(self, luck):
        async with self._busy["database"]:
            await asyncio.to_thread(self.postgres.crash)
            await asyncio.sleep(luck.uniform(0, 0.5))
            await asyncio.to_thread(self.postgres.start)
        return True

    async def cut(self, luck):
        """Cut some of those who are connected; while the server is away nobody is, and it waits for the first."""
        loop = asyncio.get_running_loop()
        end = loop.time() + RETURN_SECONDS * patience()
        while not (connected := [person for person in self.people if person.is_connected]) and loop.time() < end:
            await asyncio.sleep(0.05)
        chosen = luck.sample(connected, min(len(connected), max(1, len(self.people) // 3)))
        return any([person.cut() for person in chosen])


def is_alive(portal):
    try:
        return portal.is_running and portal.get("/healthz") == 200
    except AssertionError:
        return False


async def write_on(person, count, seconds):
    """So many messages within about this time."""
    luck = person.luck
    for place in range(count):
        await asyncio.sleep(luck.uniform(0.2, 1.8) * seconds / count)
        await person.say(f"{person.sender} says number {place}", lose_answer=luck.random() < LOST_ANSWERS)


async def talk_under_faults(
    database, portals, talks, seed, *, count, seconds, names=None, pauses=(1, 2.5), limit=DRAIN_SECONDS, **on
):
    """Everybody writes while faults happen; then all is mended and they catch up. Answers people, faults and drain."""
    people = People(portals, talks, seed)
    async with people:
        await people.until(lambda person: person.is_connected, "connected", 30 * patience())
        faults = Faults(seed, portals, people, **on)
        await asyncio.gather(
            faults.run(seconds, names, pauses), *[write_on(person, count, seconds) for person in people]
        )
        drained = await drain(people, database, limit * patience())
        faults.happened["answers lost"] = sum(person.thrown_away for person in people)
        await asyncio.to_thread(faults.look_at_servers)
    return people, faults, drained


@dataclass
class Drained:
    """How long it took until everybody had everything, and how long it might."""

    seconds: float
    limit: float

    @property
    def is_in_time(self):
        return self.seconds <= self.limit


async def drain(people, database, limit):
    """Wait until everybody's messages are answered and his thread has reached the database's end."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with contextlib.suppress(AssertionError):  # what is missing then, the verdict names
        await people.until_caught_up(database, limit)
    return Drained(loop.time() - began, limit)


def report(people, faults, drained, rows):
    """What happened, for whoever reads the run."""
    written = sum(len(person.written) for person in people)
    acknowledged = sum(len(person.acknowledged) for person in people)
    told = ", ".join(f"{name} {count}×" for name, count in sorted(faults.happened.items()))
    opened = sum(person.opened for person in people)
    print(
        f"{len(people)} people wrote {written} messages, {acknowledged} were acknowledged, {len(rows)} lines stand; "
        f"{opened} connections; {told}; drained in {drained.seconds:.1f} s"
    )


def all_happened(faults, kinds):
    missing = [kind for kind in kinds if not faults.happened[kind]]
    if missing:
        raise Unknown(f"These never happened: {missing}")


def all_kept(people, faults, drained, rows):
    """Nothing is broken, everybody had everything in time, and no server ended by itself."""
    assert not verdict(people, rows)
    assert drained.is_in_time, f"{drained.seconds:.1f} s of {drained.limit:.1f}"
    assert not faults.fell, faults.fell[0]


@pytest.mark.only_on("postgresql")
async def test_nothing_is_lost_or_doubled_on_two_servers_with_postgresql_and_redis(soak, seed, tmp_path):
    conversations, count, seconds = (30, 40, 60) if soak else (8, 15, 16)
    with KilledPostgres() as postgres, Valkey() as valkey:
        talks = talks_in(postgres, conversations)
        folders = [tmp_path / name for name in ("first", "second")]
        for folder in folders:
            folder.mkdir()
        environment = {**GENEROUS, "DATABASE_URL": postgres.url(), "REDIS_URL": valkey.url(), "REDIS_PREFIX": "once"}
        with running([Portal(folder, **environment) for folder in folders]) as portals:
            people, faults, drained = await talk_under_faults(
                postgres, portals, talks, seed, count=count, seconds=seconds, postgres=postgres, valkey=valkey
            )
        rows = postgres.fetch(ROWS)
    report(people, faults, drained, rows)
    all_happened(faults, [*faults.kinds, "answers lost"])
    all_kept(people, faults, drained, rows)


# On SQLite: one process


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    """A database with talks, to be copied, and their cookies."""
    world = SqliteFile(tmp_path_factory.mktemp("once") / "world.sqlite3")
    return world, talks_in(world, 30)


@pytest.fixture
def world(small_world, tmp_path):
    """A copy that a test may fill."""
    original, talks = small_world
    original.run("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(original.path, tmp_path / "once.sqlite3")
    return SqliteFile(tmp_path / "once.sqlite3"), talks


def one_portal(tmp_path, database, mutant=""):
    environment = {**GENEROUS, "DATABASE_URL": database.address()}
    return BrokenPortal(tmp_path, mutant, **environment) if mutant else Portal(tmp_path, **environment)


@pytest.mark.only_on("sqlite")
async def test_nothing_is_lost_or_doubled_on_one_server_with_sqlite(soak, seed, world, tmp_path):
    conversations, count, seconds = (30, 40, 30) if soak else (8, 15, 10)
    database, talks = world
    names = ["server killed", "sockets cut"]
    with running([one_portal(tmp_path, database)]) as portals:
        people, faults, drained = await talk_under_faults(
            database, portals, talks[:conversations], seed, count=count, seconds=seconds, names=names
        )
    rows = database.fetch(ROWS)
    report(people, faults, drained, rows)
    all_happened(faults, [*names, "answers lost"])
    all_kept(people, faults, drained, rows)


# The proof must see what it says it sees


async def broken_run(world, tmp_path, seed, mutant, *, limit=2, **options):
    """A short talk with a broken build; answers what the verdict says."""
    database, talks = world
    if mutant == "no_unique_key":
        without_key_rules(database)
    with running([one_portal(tmp_path, database, f"tests.proofs.mutants:{mutant}")]) as portals:
        people, faults, drained = await talk_under_faults(database, portals, talks[:10], seed, limit=limit, **options)
    rows = database.fetch(ROWS)
    report(people, faults, drained, rows)
    return verdict(people, rows), people


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_a_missing_unique_key(world, tmp_path, seed):
    broken, _people = await broken_run(
        world, tmp_path, seed, "no_unique_key", count=15, seconds=4, names=["sockets cut"], pauses=(0.8, 1.2)
    )
    assert TWICE in broken


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_an_acknowledgement_before_the_commit(world, tmp_path, seed):
    broken, _people = await broken_run(
        world,
        tmp_path,
        seed,
        "acknowledge_before_commit",
        count=40,
        seconds=6,
        limit=5,  # most must be acknowledged, though the server is away for half of the time
        names=["server killed"],
        pauses=(0.5, 1.5),
    )
    assert LOST in broken


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_a_catch_up_by_time(world, tmp_path, seed):
    broken, people = await broken_run(
        world, tmp_path, seed, "catch_up_by_time", count=30, seconds=4, names=["sockets cut"], pauses=(0.8, 1.2)
    )
    assert SCREEN in broken
    assert any(map(lacks_a_line, people))  # more than the last ones, which may only be late


def lacks_a_line(person):
    """Whether somebody has a later line and not an earlier one."""
    return [line[1] for line in person.thread] != list(range(1, len(person.thread) + 1))


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_lines_that_come_twice(world, tmp_path, seed):
    broken, _people = await broken_run(
        world, tmp_path, seed, "catch_up_from_the_first", count=15, seconds=3, names=["sockets cut"], pauses=(0.8, 1.2)
    )
    assert OTHER in broken


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_messages_that_are_passed_over(world, tmp_path, seed):
    broken, _people = await broken_run(
        world, tmp_path, seed, "drop_posts", count=15, seconds=3, names=["sockets cut"], pauses=(0.8, 1.2)
    )
    assert UNANSWERED in broken


@pytest.mark.only_on("postgresql")
async def test_the_proof_sees_all_of_it_with_postgresql_and_redis_too(seed, tmp_path):
    """All mutants in one build."""
    mutants = "no_unique_key", "acknowledge_before_commit", "catch_up_by_time", "drop_posts"
    with KilledPostgres() as postgres, Valkey() as valkey:
        talks = talks_in(postgres, 8)
        without_key_rules(postgres)
        environment = {**GENEROUS, "DATABASE_URL": postgres.url(), "REDIS_URL": valkey.url(), "REDIS_PREFIX": "once"}
        names = ",".join(f"tests.proofs.mutants:{mutant}" for mutant in mutants)
        with running([BrokenPortal(tmp_path, names, **environment)]) as portals:
            names = ["server killed", "sockets cut"]
            people, faults, drained = await talk_under_faults(
                postgres,
                portals,
                talks,
                seed,
                count=30,
                seconds=4,
                names=names,
                pauses=(0.5, 1.2),
                limit=4,
            )
        rows = postgres.fetch(ROWS)
    report(people, faults, drained, rows)
    assert verdict(people, rows).keys() >= {TWICE, LOST, SCREEN, UNANSWERED}
    assert any(map(lacks_a_line, people))
