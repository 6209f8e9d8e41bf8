"""
No stale screen: a page as it stood, plus what the socket brought since, equals the page rendered fresh.

For every change that the code knows, for agents and visitors, with the doorbell and without it; and on two servers
while Redis is away.
"""

import asyncio
import json
import random
from contextlib import AsyncExitStack

import pytest

from config import background, live
from conversations import consumers, router, watch
from conversations.actions import closing
from tests.live.sockets import Here, in_database
from tests.plugin import KINDS, kind
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.changes import PARTS, QUESTIONS, World, name_of, registry
from tests.proofs.outage import Outage, TwoTabs
from tests.proofs.places import running
from tests.proofs.screens import ChatScreen, DeskScreen
from tests.proofs.stories import STORIES
from tests.servers import Valkey

AT_ONCE = 3
SAMPLE = 12
MUST_COME = 2.0
BUSY = 4.0  # the machine that runs the tests does other things too


@pytest.fixture
async def still(transactional_db, settings, tmp_path, monkeypatch):
    """The portal in this process, where nothing happens but what the story tells: no deadline strikes by itself."""
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.FILE_SCANNER = "clamav://127.0.0.1:9"  # nobody answers there: files wait until the story says more
    monkeypatch.setattr(router, "work", lambda: None)
    monkeypatch.setattr(consumers, "LEAVING_SECONDS", 0)  # no page comes back after its story
    await background.start()
    yield Here()
    await background.stop()


@pytest.fixture
def by_rings_alone(monkeypatch):
    """The safety poll is off: what comes was rung for."""
    monkeypatch.setattr(watch, "POLL_SECONDS", 3600)


@pytest.fixture
def without_rings(monkeypatch):
    """Nobody is rung for: what comes was found by the safety poll."""
    monkeypatch.setattr(live, "send_rings", lambda rings: None)


def screens(here, world, story):
    """Everybody's pages, and second tabs."""
    opened = {
        "lucia": DeskScreen(here, world.cookies["lucia"], world.talk.pk),
        "lucia's other tab": DeskScreen(here, world.cookies["lucia"]),
        "jonas": DeskScreen(here, world.cookies["jonas"]),
        "ana": ChatScreen(here, world.cookies["ana"], world.talk.pk),
        "bea": ChatScreen(here, world.cookies["bea"], world.bea.pk),
        "carlos": ChatScreen(here, world.cookies["carlos"], world.carlos.pk),
    }
    if story.has_tabs:
        opened["lucia's third tab"] = DeskScreen(here, world.cookies["lucia"], world.talk.pk)
        opened["ana's other tab"] = ChatScreen(here, world.cookies["ana"], world.talk.pk)
    return {name: screen for name, screen in opened.items() if name not in story.without}


async def follow(here, story, seconds, alone):
    """Tell one story before open pages; answers what was wrong with them."""
    async with alone:  # names are looked for before they are taken
        world = await in_database(World)
        telling = story.tell(world)
        await in_database(next, telling)
    async with AsyncExitStack() as stack:
        opened = screens(here, world, story)
        for screen in opened.values():
            await stack.enter_async_context(screen)
        await in_database(next, telling, None)
        differences = await asyncio.gather(*(screen.until_equal(seconds) for screen in opened.values()))
        wrong = [f"{name}: {different}" for name, different in zip(opened, differences, strict=True) if different]
        has_moved = any(screen.picture() != screen.first or screen.code for screen in opened.values())
    if not has_moved and not story.is_quiet and not wrong:
        wrong.append("unknown: the change showed nowhere")
    return wrong


async def follow_all(here, stories, seconds):
    """Tell all stories, a few at a time; answers the faults by story."""
    few, alone = asyncio.Semaphore(AT_ONCE), asyncio.Lock()

    async def one(story):
        async with few:
            try:
                return story.name, await follow(here, story, seconds, alone)
            except Exception as problem:
                return story.name, [f"not told: {problem!r}"]

    told = await asyncio.gather(*(one(story) for story in stories if not story.is_alone))
    told += [await one(story) for story in stories if story.is_alone]
    assert told, "unknown: no story was told"
    return {name: wrong for name, wrong in told if wrong}


def text_of(faults):
    return "\n".join(f"{name}: {one}" for name, wrong in faults.items() for one in wrong)


def test_every_change_that_the_code_knows_has_its_story():
    told = {name_of(story.door) for story in STORIES}

    assert registry() - told - set(PARTS) - QUESTIONS == set()
    assert (told | set(PARTS) | QUESTIONS) - registry() == set()


def stories_of(soak):
    """All of them at length; in the short version every second one, and on the other database the others."""
    stories = [story for story in STORIES if not story.ends_sockets]
    return stories if soak else stories[KINDS.index(kind()) :: len(KINDS)]


async def test_every_change_shows_by_its_rings(by_rings_alone, still, soak):
    faults = await follow_all(still, stories_of(soak), MUST_COME + BUSY)

    assert not faults, text_of(faults)


async def test_every_change_shows_within_two_seconds_though_no_ring_came(still, without_rings, soak, seed):
    stories = STORIES if soak else random.Random(seed).sample(STORIES, SAMPLE)

    faults = await follow_all(still, stories, MUST_COME + BUSY)

    assert not faults, text_of(faults)


@pytest.mark.only_on("sqlite")
async def test_a_change_that_tells_nobody_is_found_out(by_rings_alone, still, monkeypatch):
    """The mutant: ending a talk forgets to ring, and no poll makes up for it."""
    monkeypatch.setattr(closing, "announce_change", lambda *arguments: None)
    monkeypatch.setattr(closing, "announce_line", lambda *queue_ids: None)
    stories = [story for story in STORIES if story.tell.__name__ == "finish"]

    faults = await follow_all(still, stories, 1.0)

    assert " instead of " in text_of(faults), faults


# Redis away


def faults_named(server):
    """What the server says is not ready."""
    return json.loads(server.read("/readyz"))["faults"]


def is_our_error(line):
    """Whether something of ours failed; that Redis is away, its own client says as an error."""
    return " ERROR " in line and " ERROR channels_redis" not in line


async def until_ready(servers):
    async with asyncio.timeout(30):
        while any([await asyncio.to_thread(faults_named, server) for server in servers]):
            await asyncio.sleep(0.1)


@pytest.mark.only_on("postgresql")
async def test_redis_away_and_back_shows_on_every_tab_and_nobody_sees_an_error(start_portal, soak):
    with Valkey() as valkey:
        servers = [await asyncio.to_thread(start_portal, REDIS_URL=valkey.url()) for _ in range(2)]
        async with Outage(servers, await in_database(TwoTabs)) as outage:
            await until_ready(servers)
            await outage.turns(1, MUST_COME + BUSY)
            there = outage.slowest()

            await asyncio.to_thread(valkey.kill)
            count = await outage.turns(30 if soak else 6, MUST_COME + BUSY)
            noticed = [await asyncio.to_thread(faults_named, server) for server in servers]
            away = outage.slowest()

            await asyncio.to_thread(valkey.start)
            await until_ready(servers)
            await outage.turns(1, MUST_COME + BUSY)
            trouble = list(outage.unlike())

    print(f"shown within (middle, longest) {there} s with Redis, {away} s without it, in {count * 4} changes")
    assert noticed == [["line to the other processes"]] * 2, "unknown: Redis was not away"
    assert outage.faults == []
    assert trouble == []
    assert away[0] <= MUST_COME
    assert [line for server in servers for line in server.log().splitlines() if is_our_error(line)] == []


@pytest.mark.only_on("postgresql")
async def test_without_redis_and_the_poll_the_other_tab_is_found_stale(transactional_db, tmp_path):
    """The mutant: nothing makes up for the rings that do not arrive."""
    with Valkey() as valkey:
        folders = [tmp_path / "first", tmp_path / "second"]
        for folder in folders:
            folder.mkdir()
        portals = [
            BrokenPortal(folder, "tests.proofs.mutants:no_safety_poll", REDIS_URL=valkey.url()) for folder in folders
        ]
        with running(portals):
            async with Outage(portals, await in_database(TwoTabs)) as outage:
                await asyncio.to_thread(valkey.kill)
                await outage.turns(0.1, 1.0)

    assert any("visitor_writes, agent on server 2" in fault for fault in outage.faults)
    assert "visitor_writes: the tabs of agent differ" in outage.faults
    assert not any("visitor_writes, visitor on server 1" in fault for fault in outage.faults)
