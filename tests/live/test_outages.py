"""Two servers of one portal, and what they stand on away for a while."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys

import psycopg
import pytest
import redis
from django.conf import settings
from websockets.exceptions import ConnectionClosed

from tests.live.sockets import Page, Talk, in_database, in_time, key
from tests.portals import ROOT
from tests.servers import Postgres, Valkey

pytestmark = pytest.mark.only_on("postgresql")
MUST_COME = 4.0  # two seconds, on a machine that does other things too


async def test_a_talk_goes_across_processes(two_portals):
    talk = await in_database(Talk)
    async with talk.desk(two_portals[0]) as desk, talk.chat(two_portals[1]) as chat:
        for place in range(10):
            await chat.say(f"visitor {place}")
            await desk.say(f"agent {place}", talk.id)
        await desk.until_line(21)
        await chat.until_line(21)

    assert desk.order == chat.order == list(range(1, 22))


async def test_a_talk_goes_on_without_redis_and_nobody_sees_an_error(start_portal, machine):
    with Valkey() as valkey:
        first, second = [start_portal(REDIS_URL=valkey.url()) for _ in range(2)]
        talk = await in_database(Talk)
        async with talk.desk(first) as desk, talk.chat(second) as chat:
            await chat.say("Hello")
            await desk.until_line(2)

            await asyncio.to_thread(valkey.kill)
            for number in (3, 5, 7):
                await chat.say("Are you there?")
                await in_time(desk.until_line(number), machine, MUST_COME)
                await desk.say("Yes", talk.id)
                await in_time(chat.until_line(number + 1), machine, MUST_COME)

            await asyncio.to_thread(valkey.start)
            for number in (9, 11, 13):
                await chat.say("Still there?")
                await in_time(desk.until_line(number), machine, MUST_COME)
                await desk.say("Yes", talk.id)
                await in_time(chat.until_line(number + 1), machine, MUST_COME)

            assert desk.order == chat.order == list(range(1, 15))
            assert {frame["is"] for frame in chat.frames} == {"hello", "fragments", "messages", "posted"}
            assert chat.code is None
            assert desk.code is None


async def test_a_process_has_one_line_to_the_others_whatever_the_number_of_pages(portal):
    talk = await in_database(Talk)
    prefix = os.environ["REDIS_PREFIX"]
    with redis.Redis.from_url(settings.REDIS_URL) as valkey:
        async with talk.desk(portal) as desk:
            await desk.until_drawn()
            with_one = valkey.pubsub_channels(f"{prefix}*")
        pages = [talk.chat(portal) if place % 2 else talk.desk(portal) for place in range(50)]
        opened = [await page.__aenter__() for page in pages]
        for page in opened:
            await page.until_drawn()

        assert sorted(valkey.pubsub_channels(f"{prefix}*")) == sorted(with_one)
        assert len(with_one) <= 2

        for page in opened:
            await page.__aexit__()


@pytest.fixture
def own_postgres():
    """A PostgreSQL that this test may end, with a talk in it."""
    with Postgres() as postgres:
        environment = {**os.environ, "DATABASE_URL": postgres.url()}
        run = {"cwd": ROOT, "env": environment, "check": True, "capture_output": True, "text": True}
        # As in production: what was committed outlives the server's sudden end.
        with psycopg.connect(host=postgres.folder, user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute("ALTER DATABASE postgres SET synchronous_commit = on")
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], **run)
        made = subprocess.run([sys.executable, "-m", "tests.live.small_world"], **run)
        yield postgres, json.loads(made.stdout)


class Writer:
    """A visitor who writes on, as the page's script does: what was not acknowledged is sent again under its key."""

    def __init__(self, portal, cookie):
        self.portal, self.cookie = portal, cookie
        self.pending, self.acknowledged = [], {}
        self.order, self.codes = [], []

    async def write(self, count):
        while len(self.acknowledged) < count:
            path = f"/ws/chat/?last={max(self.order, default=0)}"
            async with Page(self.portal, path, self.cookie) as chat:
                with contextlib.suppress(ConnectionClosed):
                    while chat.code is None and len(self.acknowledged) < count:
                        await self._send(chat)
            self.codes.append(chat.code)
            self.order += chat.order

    async def _send(self, chat):
        self.pending = self.pending or [key(), key()]
        for its_key in self.pending:
            await chat.send("post", key=its_key, text="Hello")
        await chat.until(lambda: chat.code or all(map(chat.answers, self.pending)), "answers", 60)
        answers = [answer for its_key in self.pending for answer in chat.answers(its_key)]
        self.acknowledged |= {answer["key"]: answer["number"] for answer in answers if answer["is"] == "posted"}
        self.pending = [its_key for its_key in self.pending if its_key not in self.acknowledged]


async def thread_of(portal, cookie, last):
    """A chat page with everything up to this number; one that is told to try again does."""
    while True:
        async with Page(portal, "/ws/chat/?last=0", cookie) as chat:
            await chat.until(lambda chat=chat: chat.code or last in chat.lines, f"line {last}")
            if last in chat.lines:
                return chat
        assert chat.code == 4013


async def test_the_database_away_for_a_moment_costs_no_message(own_postgres, start_portal):
    postgres, cookies = own_postgres
    portal = start_portal(DATABASE_URL=postgres.url(), REDIS_PREFIX="own", MESSAGES_PER_MINUTE=10_000)
    writer = Writer(portal, cookies["visitor"])
    async with Page(portal, f"/ws/desk/?open={cookies['conversation']}&last=0", cookies["agent"]) as desk:
        writing = asyncio.create_task(writer.write(2_000))
        await desk.until_line(15)
        await asyncio.to_thread(postgres.kill)
        written = len(writer.acknowledged)
        await asyncio.to_thread(postgres.start)
        async with asyncio.timeout(90):
            while len(writer.acknowledged) < written + 20:
                await asyncio.sleep(0.05)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        last = max(writer.acknowledged.values())
        chat = await thread_of(portal, cookies["visitor"], last)
        await desk.until_line(last)

    kept = {its_key: number for number, its_key in chat.lines.items()}
    assert len(kept) == len(chat.lines)
    assert kept.items() >= writer.acknowledged.items()
    assert chat.order == list(range(1, len(chat.order) + 1))
    assert desk.order[:last] == chat.order[:last]
    assert {*writer.codes, desk.code} <= {None, 1000, 4013}
