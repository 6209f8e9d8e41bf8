"""
Exactly once, in one order; Sent means stored.

People talk while servers, Redis and PostgreSQL are killed, sockets cut, processes halted and acknowledgements lost.
Then all is mended, everybody catches up, and what each was told and saw is held against the database.
"""

import asyncio
import contextlib
import random
import shutil
import signal
from collections import Counter, defaultdict

import pytest

from tests.portals import Portal
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.people import People
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
from tests.proofs.verdict import LOST, SCREEN, TWICE, Unknown, verdict
from tests.servers import Valkey

DRAIN_SECONDS = 15
LOST_ANSWERS = 0.05
HALT_SECONDS = 3


# What happens to them


class Faults:
    """Does one thing after the other to the portal, and counts what really happened."""

    def __init__(self, luck, portals, people, postgres=None, valkey=None):
        self.luck, self.portals, self.people = luck, portals, people
        self.postgres, self.valkey = postgres, valkey
        self.happened = Counter()
        self._busy = defaultdict(asyncio.Lock)
        kinds = {"server killed": self.kill_server, "sockets cut": self.cut, "process halted": self.halt}
        if valkey:
            kinds["Redis killed"] = self.kill_redis
        if postgres:
            kinds["database killed"] = self.kill_database
        self.kinds = kinds

    async def run(self, seconds, names=None, pauses=(1, 2.5)):
        """One fault after each pause, each kind in turn; ends when everything runs again."""
        loop = asyncio.get_running_loop()
        end, under_way, turn = loop.time() + seconds, [], []
        while loop.time() < end:
            await asyncio.sleep(self.luck.uniform(*pauses))
            if not turn:
                turn = list(names or self.kinds)
                self.luck.shuffle(turn)
            under_way.append(asyncio.create_task(self._do(turn.pop())))
        await asyncio.gather(*under_way)

    async def _do(self, name):
        if await self.kinds[name]():
            self.happened[name] += 1

    async def kill_server(self):
        portal = self.luck.choice(self.portals)
        async with self._busy[portal]:
            await asyncio.to_thread(portal.kill)
            await asyncio.to_thread(portal.start)
        return True

    async def halt(self):
        portal = self.luck.choice(self.portals)
        async with self._busy[portal]:
            portal.process.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(HALT_SECONDS)
            finally:
                portal.process.send_signal(signal.SIGCONT)
        return True

    async def kill_redis(self):
        async with self._busy["Redis"]:
            await asyncio.to_thread(self.valkey.kill)
            await asyncio.sleep(self.luck.uniform(0.2, 1.5))
            await asyncio.to_thread(self.valkey.start)
        return True

    async def kill_database(self):
        async with self._busy["database"]:
            await asyncio.to_thread(self.postgres.crash)
            await asyncio.sleep(self.luck.uniform(0, 0.5))
            await asyncio.to_thread(self.postgres.start)
        return True

    async def cut(self):
        chosen = self.luck.sample(self.people.everybody, max(1, len(self.people) // 3))
        return any([person.cut() for person in chosen])


async def write_on(person, count, seconds):
    """So many messages within about this time."""
    luck = person.luck
    for place in range(count):
        await asyncio.sleep(luck.uniform(0.2, 1.8) * seconds / count)
        await person.say(f"{person.sender} {place}", lose_answer=luck.random() < LOST_ANSWERS)


async def talk_under_faults(
    database, portals, talks, luck, *, count, seconds, names=None, pauses=(1, 2.5), limit=DRAIN_SECONDS, **on
):
    """Everybody writes while faults happen; then all is mended and they catch up. Answers people, faults and drain."""
    people = People(portals, talks, luck)
    async with people:
        await people.until(lambda person: person.is_connected, "connected", 30 * patience())
        faults = Faults(luck, portals, people, **on)
        await asyncio.gather(
            faults.run(seconds, names, pauses), *[write_on(person, count, seconds) for person in people]
        )
        faults.happened["answers lost"] = sum(person.thrown_away for person in people)
        drained = await drain(people, database, limit * patience())
    return people, faults, drained


async def drain(people, database, limit):
    """Wait until everybody's messages are answered and his thread has reached the database's end."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with contextlib.suppress(AssertionError):  # what is missing then, the verdict names
        await people.until(lambda person: person.is_connected and not person.has_pending, "got answers", limit)
        ends = dict(await asyncio.to_thread(database.fetch, "SELECT id, last_number FROM conversations_conversation"))
        left = limit - (loop.time() - began)
        await people.until(lambda person: person.last >= ends[person.conversation_id], "caught up", left)
    return loop.time() - began


def report(people, faults, drained, rows):
    """What happened, for whoever reads the run."""
    written = sum(len(person.written) for person in people)
    acknowledged = sum(len(person.acknowledged) for person in people)
    told = ", ".join(f"{name} {count}×" for name, count in sorted(faults.happened.items()))
    opened = sum(person.opened for person in people)
    print(
        f"{len(people)} people wrote {written} messages, {acknowledged} were acknowledged, {len(rows)} lines stand; "
        f"{opened} connections; {told}; drained in {drained:.1f} s"
    )


def all_happened(faults, kinds):
    missing = [kind for kind in kinds if not faults.happened[kind]]
    if missing:
        raise Unknown(f"These never happened: {missing}")


@pytest.mark.only_on("postgresql")
async def test_nothing_is_lost_or_doubled_on_two_servers_with_postgresql_and_redis(soak, seed, tmp_path):
    conversations, count, seconds = (30, 40, 60) if soak else (8, 15, 16)
    luck = random.Random(seed)
    with KilledPostgres() as postgres, Valkey() as valkey:
        talks = talks_in(postgres, conversations)
        folders = [tmp_path / name for name in ("first", "second")]
        for folder in folders:
            folder.mkdir()
        environment = {**GENEROUS, "DATABASE_URL": postgres.url(), "REDIS_URL": valkey.url(), "REDIS_PREFIX": "once"}
        with running([Portal(folder, **environment) for folder in folders]) as portals:
            people, faults, drained = await talk_under_faults(
                postgres, portals, talks, luck, count=count, seconds=seconds, postgres=postgres, valkey=valkey
            )
        rows = postgres.fetch(ROWS)
    report(people, faults, drained, rows)
    all_happened(faults, [*faults.kinds, "answers lost"])
    assert not verdict(people, rows)


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
            database, portals, talks[:conversations], random.Random(seed), count=count, seconds=seconds, names=names
        )
    rows = database.fetch(ROWS)
    report(people, faults, drained, rows)
    all_happened(faults, [*names, "answers lost"])
    assert not verdict(people, rows)


# The proof must see what it says it sees


async def broken_run(world, tmp_path, seed, mutant, **options):
    """A short talk with a broken build; answers what the verdict says."""
    database, talks = world
    if mutant == "no_unique_key":
        without_key_rules(database)
    with running([one_portal(tmp_path, database, f"tests.proofs.mutants:{mutant}")]) as portals:
        people, faults, drained = await talk_under_faults(
            database, portals, talks[:10], random.Random(seed), limit=2, **options
        )
    rows = database.fetch(ROWS)
    report(people, faults, drained, rows)
    return verdict(people, rows)


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_a_missing_unique_key(world, tmp_path, seed):
    broken = await broken_run(
        world, tmp_path, seed, "no_unique_key", count=15, seconds=4, names=["sockets cut"], pauses=(0.8, 1.2)
    )
    assert TWICE in broken


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_an_acknowledgement_before_the_commit(world, tmp_path, seed):
    broken = await broken_run(
        world,
        tmp_path,
        seed,
        "acknowledge_before_commit",
        count=60,
        seconds=6,
        names=["server killed"],
        pauses=(0.5, 1.5),
    )
    assert LOST in broken


@pytest.mark.only_on("sqlite")
async def test_the_proof_sees_a_catch_up_by_time(world, tmp_path, seed):
    broken = await broken_run(
        world, tmp_path, seed, "catch_up_by_time", count=30, seconds=4, names=["sockets cut"], pauses=(0.8, 1.2)
    )
    assert SCREEN in broken


def test_an_empty_history_is_no_proof():
    with pytest.raises(Unknown):
        verdict(People([], [], random.Random(1)), [])


@pytest.mark.only_on("postgresql")
async def test_the_proof_sees_all_of_it_with_postgresql_and_redis_too(seed, tmp_path):
    """All mutants in one build."""
    mutants = "no_unique_key", "acknowledge_before_commit", "catch_up_by_time"
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
                random.Random(seed),
                count=30,
                seconds=4,
                names=names,
                pauses=(0.5, 1.2),
                limit=1,
            )
        rows = postgres.fetch(ROWS)
    report(people, faults, drained, rows)
    assert verdict(people, rows).keys() >= {TWICE, LOST, SCREEN}
