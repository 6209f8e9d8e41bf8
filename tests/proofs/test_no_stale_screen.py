"""
No stale screen: a page as it stood, plus what the socket brought since, equals the page rendered fresh.

For every change that the code knows, for agents and visitors, with the doorbell and without it.
"""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from config import background, live
from conversations import router, watch
from conversations.actions import closing
from tests.live.sockets import Here, in_database
from tests.proofs.changes import PARTS, QUESTIONS, STORIES, World, name_of, registry
from tests.proofs.screens import ChatScreen, DeskScreen

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


async def test_every_change_shows_by_its_rings(by_rings_alone, still):
    stories = [story for story in STORIES if not story.ends_sockets]

    faults = await follow_all(still, stories, MUST_COME + BUSY)

    assert not faults, text_of(faults)


async def test_every_change_shows_within_two_seconds_though_no_ring_came(still, without_rings, soak, seed):
    stories = STORIES if soak else random.Random(seed).sample(STORIES, SAMPLE)

    faults = await follow_all(still, stories, MUST_COME + BUSY)

    assert not faults, text_of(faults)


async def test_a_change_that_tells_nobody_is_found_out(by_rings_alone, still, monkeypatch):
    """The mutant: ending a talk forgets to ring, and no poll makes up for it."""
    monkeypatch.setattr(closing, "announce_change", lambda *arguments: None)
    monkeypatch.setattr(closing, "announce_line", lambda *queue_ids: None)
    stories = [story for story in STORIES if story.tell.__name__ == "finish"]

    faults = await follow_all(still, stories, 1.0)

    assert " instead of " in text_of(faults), faults
