"""
People at scripted pages: they keep, send again and catch up as static/js/outbox.js and connection.js do.

Each message has its key before its first try and keeps it until it is answered; a page that comes back sends what is
unanswered again, in order, and asks for the lines after its last. What a person saw and was told is the history that
the proofs judge. Polling over HTTP is left out: these people have nothing but their socket.

Whatever they do by chance comes from the seed and from who they are, whenever it happens: what they write from one
generator, what their page does about its connection from another.
"""

import asyncio
import contextlib
import html
import json
import random
import re
import uuid

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

FINAL_CODES = {4401, 4403, 4404}
ANSWER_WITHIN = 20
OPEN_WITHIN = 15
MOST_UNANSWERED = 8
SHORTEST_PAUSE, LONGEST_PAUSE, GROWTH = 0.5, 30, 1.6
LINE = re.compile(
    r'<li id="message-(\d+)" class="[^"]*" data-number="(\d+)"(?: data-key="([^"]*)")?[^>]*>'
    r'(?:\s*<div class="bubble" dir="auto">(.*?)</div>)?',
    re.DOTALL,
)


def luck_of(seed, *names):
    """A generator of his own for everybody who draws: what others do, and when, changes nothing of what he draws."""
    return random.Random(" ".join(map(str, [seed, *names])))


def lines_in(drawn):
    """(id, number, key, text) of each line in what a page was sent."""
    return [(int(pk), int(number), key, html.unescape(text)) for pk, number, key, text in LINE.findall(drawn)]


def pause_after(failures, luck):
    """Growing, and jittered from the first on, so that a thousand pages do not come back at the same moment."""
    longest = min(LONGEST_PAUSE, 2 * SHORTEST_PAUSE * GROWTH**failures)
    return longest * (0.5 + luck.random() / 2)


class ThrownAway(Exception):
    """The page lost its connection before it could read this frame."""


class Person:
    """A visitor (no `conversation_id` in his commands) or an agent at the desk, at one page that comes back."""

    def __init__(self, doors, cookie, conversation_id, *, is_agent, seed):
        self.doors, self.cookie, self.conversation_id = doors, cookie, conversation_id
        self.is_agent = is_agent
        self.sender = "agent" if is_agent else "visitor"
        self.luck = luck_of(seed, self.sender, conversation_id)
        self.page_luck = luck_of(seed, self.sender, conversation_id, "page")
        self.written = {}  # key: text, in the order of writing
        self.acknowledged = {}  # key: number
        self.thread = []  # (id, number, key, text) as they came, each line once
        self.problems = []  # what no page should ever be sent
        self.pauses = []
        self.opened = 0
        self.thrown_away = 0
        self.latencies = []
        self.is_connected = False
        self._seen = set()
        self._pending = {}  # key: text
        self._unanswered = set()
        self._doomed = set()
        self._sent_at = {}
        self._socket = None
        self._answer_timer = None
        self._may_ask = True
        self._held_until = 0

    # What he does

    def write(self, text, *, lose_answer=False):
        """Send a text; with `lose_answer` his connection breaks just before the first word that it is stored."""
        key = str(uuid.UUID(int=self.luck.getrandbits(128)))
        self.written[key] = self._pending[key] = text
        if lose_answer:
            self._doomed.add(key)
        return key

    async def say(self, text, **options):
        """Write, and send what may be sent."""
        self.write(text, **options)
        await self._flush()

    @property
    def last(self):
        return max((line[1] for line in self.thread), default=0)

    @property
    def has_pending(self):
        return bool(self._pending)

    def ask_no_more(self):
        """
        Do not ask again for an answer that does not come while the connection lives.

        A page asks after ANSWER_WITHIN because the database may be away for as long. With all well, an answer is lost
        with its connection or not at all: asking again would only hide a server that passes messages over.
        """
        self._may_ask = False
        self._stop_asking()

    def cut(self):
        """Lose the connection, without a word."""
        if self._socket is not None and self.is_connected:
            self._socket.transport.abort()
            return True
        return False

    # His page

    async def live(self):
        """Stay connected until cancelled, or until the server says that there is no coming back."""
        failures = 0
        while True:
            code = None
            with contextlib.suppress(OSError, EOFError, WebSocketException, TimeoutError, ThrownAway):
                code = await self._open()
            failures = 0 if self.is_connected else failures
            self.is_connected, self._socket = False, None
            if code in FINAL_CODES:
                self.problems.append(f"sent away with {code}")
                return
            failures += 1
            pause = pause_after(failures - 1, self.page_luck)
            self.pauses.append(pause)
            await asyncio.sleep(pause)

    def _address(self, door):
        back = "&back=1" if self.opened else ""
        if self.is_agent:
            return f"{door.socket_url}/ws/desk/?open={self.conversation_id}&last={self.last}{back}"
        return f"{door.socket_url}/ws/chat/?last={self.last}{back}"

    async def _open(self):
        door = self.page_luck.choice(self.doors)
        headers = {"Cookie": self.cookie}
        async with connect(
            self._address(door),
            origin=door.url,
            additional_headers=headers,
            compression=None,
            max_size=None,
            open_timeout=OPEN_WITHIN,
            close_timeout=1,
            ping_interval=25,
            ping_timeout=10,
        ) as socket:
            self._socket = socket
            async for text in socket:
                await self._take(json.loads(text))
        return socket.close_code

    async def _take(self, frame):
        is_new = not self.is_connected
        if is_new:
            # The first frame, not the open socket, is the proof that the portal answers.
            self.is_connected = True
            self.opened += 1
            self._unanswered.clear()
        if frame["is"] == "posted":
            self._lose_if_doomed([frame["key"]])
            self._posted(frame["key"], frame["number"])
        elif frame["is"] == "refused" and frame["retry_after"]:
            self._hold(frame)
        elif frame["is"] == "refused":
            self.problems.append(f"refused: {frame['sentence']}")
        elif frame["is"] == "messages":
            lines = lines_in(frame["html"])
            self._lose_if_doomed([key for _pk, _number, key, _text in lines])
            self._show(lines)
        if is_new or frame["is"] in ("posted", "messages"):
            await self._flush()

    def _lose_if_doomed(self, keys):
        for key in self._doomed.intersection(keys):
            self._doomed.discard(key)
            self.thrown_away += 1
            self._socket.transport.abort()
            raise ThrownAway

    def _posted(self, key, number):
        known = self.acknowledged.setdefault(key, number)
        if known != number:
            self.problems.append(f"{key} acknowledged as {known} and as {number}")
        if key in self._sent_at:
            self.latencies.append(asyncio.get_running_loop().time() - self._sent_at.pop(key))
        self._settle(key)

    def _hold(self, frame):
        """The server wants a pause: without a key it may have been any of those that are unanswered."""
        loop = asyncio.get_running_loop()
        self._held_until = max(self._held_until, loop.time() + frame["retry_after"])
        self._unanswered -= {frame["key"]} if frame["key"] else set(self._unanswered)
        loop.call_at(self._held_until + 0.001, self._flush_soon)

    def _show(self, lines):
        for line in lines:
            pk, number, key, _text = line
            if pk in self._seen:
                self.problems.append(f"line {number} came twice")
            else:
                self._seen.add(pk)
                self.thread.append(line)
            self._settle(key)

    def _settle(self, key):
        self._pending.pop(key, None)
        self._unanswered.discard(key)

    async def _flush(self):
        if not self.is_connected or asyncio.get_running_loop().time() < self._held_until:
            return
        where = {"conversation": self.conversation_id} if self.is_agent else {}
        try:
            for key, text in list(self._pending.items()):
                if len(self._unanswered) >= MOST_UNANSWERED:
                    break
                if key in self._unanswered or key not in self._pending:
                    continue
                self._unanswered.add(key)
                self._sent_at.setdefault(key, asyncio.get_running_loop().time())
                await self._socket.send(json.dumps({"do": "post", "key": key, "text": text, **where}))
        except (WebSocketException, OSError, AttributeError):
            return  # the connection ended in this moment; what is unanswered goes out on the next
        self._stop_asking()
        if self._unanswered and self._may_ask:
            self._answer_timer = asyncio.get_running_loop().call_later(ANSWER_WITHIN, self._ask)

    def _stop_asking(self):
        if self._answer_timer:
            self._answer_timer.cancel()

    def _ask(self):
        """An answer that does not come, on a connection that lives, is asked for again."""
        self._unanswered.clear()
        self._flush_soon()

    def _flush_soon(self):
        self._flushing = asyncio.ensure_future(self._flush())


class People:
    """`async with`: everybody is at his page until the end."""

    def __init__(self, doors, talks, seed):
        self.everybody = []
        for talk in talks:
            for is_agent in (False, True):
                cookie = talk["agent" if is_agent else "visitor"]
                person = Person(doors, cookie, talk["conversation"], is_agent=is_agent, seed=seed)
                self.everybody.append(person)

    def __iter__(self):
        return iter(self.everybody)

    def __len__(self):
        return len(self.everybody)

    async def __aenter__(self):
        self._pages = [asyncio.create_task(person.live()) for person in self]
        return self

    async def __aexit__(self, *problem):
        for page in self._pages:
            page.cancel()
        results = await asyncio.gather(*self._pages, return_exceptions=True)
        wrong = [result for result in results if isinstance(result, Exception)]
        for person in self:
            person._stop_asking()
        if wrong and problem[0] is None:
            raise wrong[0]

    async def until(self, condition, what, seconds):
        """Wait until this is true of everybody; answers how long that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not all(condition(person) for person in self):
            if loop.time() - began > seconds:
                missing = [person for person in self if not condition(person)]
                raise AssertionError(f"{len(missing)} of {len(self)} people never {what} in {seconds:.0f} seconds")
            await asyncio.sleep(0.05)
        return loop.time() - began

    async def until_caught_up(self, database, limit):
        """Wait until everybody's messages are answered at the first try and his thread reached the database's end."""
        for person in self:
            person.ask_no_more()
        took = await self.until(lambda person: person.is_connected and not person.has_pending, "got answers", limit)
        ends = dict(await asyncio.to_thread(database.fetch, "SELECT id, last_number FROM conversations_conversation"))
        await self.until(lambda person: person.last >= ends[person.conversation_id], "caught up", limit - took)
