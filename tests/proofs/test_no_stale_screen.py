"""
No stale screen: a page as it stood, plus what the socket brought since, equals the page rendered fresh.

For every change that the code knows, for agents and visitors, with the doorbell and without it; and on two servers
while Redis is away.
"""

import asyncio
import json
import math
import random
import sys
import time
from contextlib import AsyncExitStack

import pytest

from config import background, live
from conversations import consumers, desk_page, page, router, watch
from conversations.actions import closing
from tests.live.sockets import Here, in_database
from tests.plugin import KINDS, kind
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.changes import PARTS, QUESTIONS, World, called_from_outside, count_parts, name_of, registry, tell
from tests.proofs.outage import Outage, TwoTabs
from tests.proofs.places import patience, running
from tests.proofs.screens import ChatScreen, DeskScreen
from tests.proofs.stories import STORIES
from tests.servers import Valkey

AT_ONCE = 3
SAMPLE = 12
MUST_COME = 2.0
NEVER = 30.0  # what did not come by then does not come
TRIES = 3
LATE = "only after"
POLLED = 1.5  # by then the safety poll has mostly been; who looks earlier only takes time from it


@pytest.fixture
async def still(transactional_db, settings, tmp_path, monkeypatch):
    """The portal in this process, where nothing happens but what the story tells: no deadline strikes by itself."""
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.FILE_SCANNER = "clamav://127.0.0.1:9"  # nobody answers there: files wait until the story says more
    monkeypatch.setattr(router, "work", lambda *, is_sweep: 0)
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


@pytest.fixture
def with_late_polls(monkeypatch):
    """The safety poll tells what it found when the promise is over, however long the pages took to open."""
    monkeypatch.setattr(watch, "SETTLING_SECONDS", (MUST_COME + 1) * patience())


@pytest.fixture
def part_calls(monkeypatch):
    """By the name of each story: the parts that its change called."""
    return count_parts(monkeypatch)


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


class Following:
    """One story before open pages; `wrong` says what was wrong with them."""

    def __init__(self, here, story, *, is_away=False):
        self.here, self.story, self.is_away = here, story, is_away
        self.wrong, self.slowest = [], 0.0
        self._stack = AsyncExitStack()

    async def begin(self):
        """What stands before the change, and everybody's pages."""
        self.world = await in_database(World)
        self.telling = self.story.tell(self.world)
        await in_database(next, self.telling)
        self.opened = screens(self.here, self.world, self.story)
        for screen in self.opened.values():
            await (screen.fetch() if self.is_away else self._stack.enter_async_context(screen))

    async def change(self):
        """The change itself; pages that were away come back after it."""
        self.changed_at = time.monotonic()
        await in_database(tell, self.story, self.telling)
        if self.is_away:
            for screen in self.opened.values():
                await self._stack.enter_async_context(screen)

    async def judge(self, limit):
        """All pages equal the fresh ones, and came to it in time where there is a limit (seconds, by the moment)."""
        pages = self.opened.items()
        differences = await asyncio.gather(*(screen.until_equal(NEVER * patience()) for _name, screen in pages))
        self.wrong += [f"{name}: {one}" for (name, _screen), one in zip(pages, differences, strict=True) if one]
        took = {name: screen.took(self.changed_at) for name, screen in pages}
        self.slowest = max(took.values())
        allowed = await asyncio.to_thread(limit, self.changed_at) if limit else math.inf
        self.wrong += [f"{name}: {LATE} {one:.2f} s" for name, one in took.items() if one > allowed]
        has_moved = any(screen.picture() != screen.first or screen.code for _name, screen in pages)
        if not has_moved and not self.story.is_quiet and not self.wrong:
            self.wrong.append("unknown: the change showed nowhere")

    async def end(self):
        await self._stack.aclose()


async def follow(here, stories, *, first_look=0.0, limit=None, **options):
    """Tell these stories together: while the pages of one open, no other is timed. Answers what became of each."""
    followed = [Following(here, story, **options) for story in stories]
    try:
        for step in ("begin", "change"):
            for one in followed:
                await noting(one, step)
        await asyncio.sleep(first_look)
        await asyncio.gather(*(noting(one, "judge", limit) for one in followed))
    finally:
        for one in followed:
            await one.end()
    return followed


async def noting(following, step, *arguments):
    """Take a step, unless one before it failed."""
    if following.wrong:
        return
    try:
        await getattr(following, step)(*arguments)
    except Exception as problem:
        following.wrong.append(f"not told: {problem!r}")


async def follow_all(here, stories, *, at_once=AT_ONCE, **options):
    """Tell all stories, a few at a time; answers the faults by story."""
    together = [story for story in stories if not story.is_alone]
    groups = [together[first : first + at_once] for first in range(0, len(together), at_once)]
    groups += [[story] for story in stories if story.is_alone]
    assert groups, "unknown: no story was told"
    followed = [one for group in groups for one in await follow(here, group, **options)]
    print(f"{len(followed)} changes, shown within {max(one.slowest for one in followed):.2f} s")
    return {one.story.name: one.wrong for one in followed if one.wrong}


def promised(since, machine=None):
    """Within how many seconds a change must show, and by as much more as the machine itself was late since then."""
    return MUST_COME * patience() + (machine.lag(since, time.monotonic()) if machine else 0.0)


async def follow_in_time(here, stories, machine):
    """
    The same with the promised limit.

    What was late and nothing else is told anew, each by itself, as others use this machine too.
    """
    faults, anew = {}, stories
    for at_once in (AT_ONCE, *[1] * (TRIES - 1)):
        timed = {"first_look": POLLED, "limit": lambda since: promised(since, machine), "at_once": at_once}
        told = await follow_all(here, anew, **timed) if anew else {}
        faults = {name: wrong for name, wrong in faults.items() if name not in {story.name for story in anew}} | told
        anew = [story for story in anew if story.name in told and all(LATE in one for one in told[story.name])]
    return faults


def text_of(faults):
    return "\n".join(f"{name}: {one}" for name, wrong in faults.items() for one in wrong)


def test_every_change_that_the_code_knows_has_its_story():
    told = {name_of(story.door) for story in STORIES}

    assert registry() - told - set(PARTS) - QUESTIONS == set()
    assert (told | set(PARTS) | QUESTIONS) - registry() == set()


def test_parts_belong_to_a_story_and_to_nobody_else():
    assert set(PARTS.values()) <= {story.tell.__name__ for story in stories_of(soak=True)}
    assert called_from_outside() == []


def stories_of(soak):
    """All of them at length; in the short version every second one, and on the other database the others."""
    stories = [story for story in STORIES if not story.ends_sockets]
    return stories if soak else stories[KINDS.index(kind()) :: len(KINDS)]


async def test_every_change_shows_by_its_rings(by_rings_alone, still, part_calls, soak):
    stories = stories_of(soak)

    faults = await follow_all(still, stories)

    told = {story.tell.__name__ for story in stories}
    parts = {part: name for part, name in PARTS.items() if name in told}
    assert not faults, text_of(faults)
    assert len(parts) >= (len(PARTS) if soak else 5), "unknown: hardly any part belongs to these stories"
    assert {part: name for part, name in parts.items() if part not in part_calls[name]} == {}


async def test_every_change_shows_within_two_seconds_though_no_ring_came(still, without_rings, machine, soak, seed):
    stories = STORIES if soak else random.Random(seed).sample(STORIES, SAMPLE)

    faults = await follow_in_time(still, stories, machine)

    assert not faults, text_of(faults)


async def test_a_page_that_was_away_shows_every_change_when_it_comes_back(by_rings_alone, still, soak, seed):
    """Fetched before the change; its socket opens after it, with the number of the last line that the page had."""
    stories = STORIES if soak else random.Random(seed).sample(STORIES, SAMPLE)

    faults = await follow_all(still, stories, is_away=True)

    assert not faults, text_of(faults)


@pytest.mark.only_on("sqlite")
async def test_a_change_that_tells_nobody_is_found_out(by_rings_alone, still, monkeypatch):
    """The mutant: ending a talk forgets to ring, and no poll makes up for it."""
    monkeypatch.setattr(closing, "announce_change", lambda *arguments: None)
    monkeypatch.setattr(closing, "announce_line", lambda *queue_ids: None)
    monkeypatch.setattr(sys.modules[__name__], "NEVER", 1.0)

    faults = await follow_all(still, [told_by("finish")])

    assert " instead of " in text_of(faults), faults


@pytest.mark.only_on("sqlite")
async def test_a_page_that_comes_back_and_is_not_told_is_found_out(by_rings_alone, still, monkeypatch):
    """The mutants: what a page missed is taken for sent, lines and everything else."""
    monkeypatch.setattr(sys.modules[__name__], "NEVER", 1.0)

    async def nothing(self):
        pass

    monkeypatch.setattr(page.VisitorPage, "_catch_up", nothing)
    lines = text_of(await follow_all(still, [told_by("post_by_agent")], is_away=True))
    monkeypatch.setattr(desk_page.DeskPage, "_refresh", nothing)
    rest = text_of(await follow_all(still, [told_by("make_offer")], is_away=True))

    assert "ana: " in lines, lines
    assert "jonas: " in rest, rest


@pytest.mark.only_on("sqlite")
async def test_a_late_page_is_found_out(without_rings, with_late_polls, still):
    """The mutant: the safety poll says what it found only seconds later."""
    faults = await follow_all(still, [told_by("become_idle")], limit=promised)

    assert LATE in text_of(faults), faults


async def test_what_is_no_longer_there_is_found_out(still):
    """A page that still shows a part which the fresh page does not have."""
    world = await in_database(World)
    async with DeskScreen(still, world.cookies["lucia"], world.talk.pk) as desk:
        desk.parts = (f"thread-{world.talk.pk}",)
        shown = await desk.until_equal(NEVER)
        desk.page = "/desk/"
        gone = await desk.until_equal(0)

    assert shown == ""
    assert gone.endswith(" instead of None")


def told_by(name):
    return next(story for story in STORIES if story.tell.__name__ == name)


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
async def test_redis_away_and_back_shows_on_every_tab_and_nobody_sees_an_error(start_portal, machine, soak):
    with Valkey() as valkey:
        servers = [await asyncio.to_thread(start_portal, REDIS_URL=valkey.url()) for _ in range(2)]
        async with Outage(servers, await in_database(TwoTabs)) as outage:
            await until_ready(servers)
            await outage.turns(1, NEVER * patience())
            there = outage.slowest()

            await asyncio.to_thread(valkey.kill)
            for _try in range(TRIES):  # others use this machine too
                began = time.monotonic()
                count = await outage.turns(30 if soak else 6, NEVER * patience())
                away, limit = outage.slowest(), await asyncio.to_thread(promised, began, machine)
                print(f"shown within {away} without Redis, in {count * 4} changes; {there} with it")
                if away.longest <= limit:
                    break
            noticed = [await asyncio.to_thread(faults_named, server) for server in servers]

            await asyncio.to_thread(valkey.start)
            await until_ready(servers)
            await outage.turns(1, NEVER * patience())
            trouble = list(outage.unlike())

    # A router that is late on a slow machine may be named beside it.
    assert all("line to the other processes" in faults for faults in noticed), "unknown: Redis was not away"
    assert outage.faults == []
    assert trouble == []
    assert away.longest <= limit, away
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
