"""A talk on two servers while Redis is away: everybody has a tab on each, and every change must reach all of them."""

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from statistics import median
from typing import NamedTuple

from tests import make
from tests.live.sockets import Talk, visitor_with_cookie
from tests.proofs.asking import post
from tests.proofs.screens import ChatScreen, DeskScreen

PLACES = 60  # visitors in line before Bea, who leave one after the other
ANSWERS = {
    "hello",
    "fragments",
    "messages",
    "posted",
    "marks",
    "typing",
}  # what a page may be told; the rest is trouble


class Shown(NamedTuple):
    """How many seconds it took so many pages to show a change."""

    middle: float
    longest: float
    pages: int

    def __str__(self):
        return f"{self.middle:.2f} s (middle) and {self.longest:.2f} s (longest of {self.pages})"


class TwoTabs:
    """A visitor and his agent, and Bea in line: all of them with one tab on each server."""

    def __init__(self):
        self.lead = make.agent("Lucía", capacity=1)  # who has no place for those in line
        self.queue = make.queue("Orders", members=[self.lead])
        self.talk = Talk(lead=self.lead, queue=self.queue)
        self.before = [self._waiting(f"Visitor {place}") for place in range(PLACES)]
        self.bea_cookie, self.bea = self._waiting("Bea")

    def _waiting(self, name):
        visitor, cookie = visitor_with_cookie(name)
        fields = {"visitor_name": name, "visitor_seen_at": make.ago(-3600)}
        return cookie, make.waiting_conversation(queue=self.queue, visitor=visitor, **fields).pk

    def screens(self, servers):
        """Everybody's pages, by who and which server."""
        opened = {}
        for number, server in enumerate(servers, start=1):
            opened["agent", number] = DeskScreen(server, self.talk.agent_cookie, self.talk.id)
            opened["visitor", number] = ChatScreen(server, self.talk.visitor_cookie, self.talk.id)
            opened["Bea", number] = ChatScreen(server, self.bea_cookie, self.bea)
        return opened


class Outage:
    """`async with`: all tabs are open; `turns` lets things change, and notes how long each tab took to show it."""

    def __init__(self, servers, world):
        self.servers, self.world = servers, world
        self.tabs = world.screens(servers)
        self.faults, self.seconds, self.turn = [], [], 0

    async def __aenter__(self):
        self._stack = AsyncExitStack()
        for tab in self.tabs.values():
            await self._stack.enter_async_context(tab)
        return self

    async def __aexit__(self, *problem):
        await self._stack.aclose()

    async def turns(self, seconds, limit):
        """Let everything change, again and again for so long; answers how many times."""
        began, first = time.monotonic(), self.turn
        while time.monotonic() - began < seconds:
            for change in (self._visitor_writes, self._agent_writes, self._agent_is_idle, self._somebody_leaves):
                since = time.monotonic()
                await change(self.turn)
                await self._show(change.__name__.strip("_"), since, limit)
            self.turn += 1
        return self.turn - first

    async def _show(self, change, since, limit):
        """All tabs show it, and the two tabs of a person show the same."""
        tabs = self.tabs.items()
        differences = await asyncio.gather(*(tab.until_equal(limit) for _whose, tab in tabs))
        is_shown = False
        for ((who, number), tab), different in zip(tabs, differences, strict=True):
            if took := tab.took(since):
                self.seconds.append(took)
                is_shown = True
            if different:
                self.faults.append(f"{change}, {who} on server {number}: {different}")
        if not is_shown:
            self.faults.append(f"{change}: unknown, no tab had anything new to show")
        for who in {who for who, _number in self.tabs}:
            if self.tabs[who, 1].picture() != self.tabs[who, 2].picture():
                self.faults.append(f"{change}: the tabs of {who} differ")

    def unlike(self):
        """What pages were told that nobody should be told, and pages that were closed."""
        for (who, number), tab in self.tabs.items():
            told = {frame["is"] for frame in tab.frames} - ANSWERS
            if told or tab.code is not None:
                yield f"{who} on server {number}: {told}, {tab.code}"

    def slowest(self):
        """How long it took the tabs that showed something new, and start anew."""
        found, self.seconds = Shown(median(self.seconds), max(self.seconds), len(self.seconds)), []
        return found

    # What changes

    def _server(self, turn):
        return self.servers[turn % 2]

    async def _visitor_writes(self, turn):
        answer = await self.tabs["visitor", turn % 2 + 1].say(f"Where is it? {turn}")
        assert answer["is"] == "posted", answer

    async def _agent_writes(self, turn):
        answer = await self.tabs["agent", 2 - turn % 2].say(f"On its way {turn}", self.world.talk.id)
        assert answer["is"] == "posted", answer

    async def _agent_is_idle(self, turn):
        state = "available" if turn % 2 else "idle"
        await self._post(turn, "/desk/state/", self.world.talk.agent_cookie, state=state)

    async def _somebody_leaves(self, turn):
        cookie, _pk = self.world.before[turn]
        await self._post(turn, "/chat/current/end/", cookie, key=secrets.token_hex(8))

    async def _post(self, turn, path, cookie, **fields):
        status, text = await asyncio.to_thread(post, self._server(turn), path, cookie, **fields)
        assert status in (200, 302), f"{path}: {status} {text[:300]}"
