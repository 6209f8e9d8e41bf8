"""The pages of the live tests: a real socket, what it was sent, and who holds it."""

import asyncio
import contextlib
import json
import re
import secrets
import time

from channels.routing import get_default_application
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core import signing
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from config.threads import in_thread
from conversations import visitors
from tests import make
from tests.told import handed_out

SECONDS = 20
LINE = re.compile(r'<li id="message-(\d+)" class="(\w+)[^"]*" data-number="(\d+)"(?: data-key="([^"]*)")?')


def key():
    """As a browser makes it."""
    return secrets.token_hex(16)


def in_database(function, *arguments, **named):
    """Await something that reads or changes rows."""
    return in_thread(function)(*arguments, **named)


def cookie_of(agent):
    """The cookie of a new session of this agent."""
    session = SessionStore()
    session[SESSION_KEY] = str(agent.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = agent.get_session_auth_hash()
    session.save()
    handed_out.add(session.session_key)
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def visitor_with_cookie(name="Ana Pereira"):
    """A visitor, and the cookie that says so."""
    token = secrets.token_urlsafe(32)
    cookie = f"{visitors.COOKIE}={signing.dumps(token, salt=visitors.SALT)}"
    handed_out.update((token, cookie.partition("=")[2]))
    return make.visitor(name, token_hash=visitors.token_hash_in(cookie.partition("=")[2])), cookie


async def until(condition, seconds=10):
    """Wait for a condition on the rows."""
    async with asyncio.timeout(seconds):
        while not await in_database(condition):
            await asyncio.sleep(0.05)


async def in_time(promised, machine, seconds):
    """Await what is promised within so many seconds; by as much as the machine itself is late it may be later."""
    began = time.monotonic()
    found = await promised
    took = time.monotonic() - began
    lag = await asyncio.to_thread(machine.lag, began, began + took)
    print(f"after {took:.1f} s, the machine itself late by {lag:.2f} s")
    assert took < seconds + lag
    return found


class Talk:
    """An agent and a visitor in an active conversation, with their cookies."""

    def __init__(self, **fields):
        visitor, self.visitor_cookie = visitor_with_cookie()
        self.conversation = make.active_conversation(visitor=visitor, **fields)
        self.id = self.conversation.pk
        self.agent = self.conversation.participants.get().agent
        self.agent_cookie = cookie_of(self.agent)

    def write(self, text, **fields):
        """A line that nobody rings for."""
        self.conversation.refresh_from_db()
        return make.message(self.conversation, text, **fields)

    def desk(self, server, *, last=0, **options):
        return page_of(server)(server, f"/ws/desk/?open={self.id}&last={last}", self.agent_cookie, **options)

    def chat(self, server, *, last=0, **options):
        return page_of(server)(server, f"/ws/chat/?last={last}", self.visitor_cookie, **options)


class Page:
    """A page's socket: `async with` opens it; `until` waits for what it is sent."""

    def __init__(self, server, path, cookie="", origin=None):
        self.address = server.socket_url + path
        self.origin = server.url if origin is None else origin
        self.cookie = cookie
        self.frames = []
        self.lines = {}  # number of a line: its key
        self.order = []  # the numbers as they came
        self.shown = {}  # id of a fragment: its newest HTML
        self.code = None
        self._news = asyncio.Condition()

    async def __aenter__(self):
        headers = {"Cookie": self.cookie} if self.cookie else {}
        self.socket = await connect(
            self.address, origin=self.origin or None, additional_headers=headers, max_size=None, open_timeout=SECONDS
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *problem):
        await self.socket.close()
        await self._reader

    async def _read(self):
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                async with self._news:
                    self._take(json.loads(text))
                    self._news.notify_all()
        async with self._news:
            self.code = self.socket.close_code
            self._news.notify_all()

    def _take(self, frame):
        self.frames.append(frame)
        if frame["is"] == "messages":
            for _pk, _kind, number, its_key in LINE.findall(frame["html"]):
                self.order.append(int(number))
                self.lines[int(number)] = its_key
        elif frame["is"] == "fragments":
            for part in re.split(r'(?=<\w+ [^>]*hx-swap-oob="true")', frame["html"]):
                if found := re.search(r'\bid="([\w-]+)"', part):
                    self.shown[found[1]] = part

    def answers(self, its_key):
        return [frame for frame in self.frames if frame["is"] in ("posted", "refused") and frame["key"] == its_key]

    async def send(self, do, **values):
        await self.socket.send(json.dumps({"do": do, **values}))

    async def until(self, condition, what="", seconds=SECONDS):
        """Wait until the condition holds for this page."""
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(condition), seconds)
            except TimeoutError:
                seen = [frame["is"] for frame in self.frames]
                raise AssertionError(f"Never seen: {what}. Frames {seen}, lines {self.order}, {self.code}") from None

    async def until_shown(self, fragment, text, seconds=SECONDS):
        await self.until(lambda: text in self.shown.get(fragment, ""), f"{text!r} in #{fragment}", seconds)

    async def until_line(self, number, seconds=SECONDS):
        await self.until(lambda: number in self.lines, f"line {number}", seconds)

    async def until_closed(self, seconds=SECONDS):
        await self.until(lambda: self.code is not None, "the end", seconds)
        return self.code

    async def until_drawn(self):
        """The page has got its first fragments and is in step."""
        await self.until(lambda: self.shown, "the first fragments")

    async def ping(self):
        """What was sent before has been dealt with when this is answered."""
        before = len(self.frames)
        await self.send("ping")
        await self.until(lambda: any(frame["is"] == "pong" for frame in self.frames[before:]), "a pong")

    async def say(self, text, conversation=None, *, its_key=None):
        """Send a message and wait for the answer to it."""
        its_key = its_key or key()
        before = len(self.answers(its_key))
        where = {} if conversation is None else {"conversation": conversation}
        await self.send("post", key=its_key, text=text, **where)
        await self.until(lambda: len(self.answers(its_key)) > before, f"an answer to {text!r}")
        return self.answers(its_key)[-1]


class HereSocket:
    """A socket inside this process, with the words of the `websockets` client."""

    def __init__(self, path, headers):
        self.communicator = WebsocketCommunicator(get_default_application(), path, headers)
        self.close_code = None

    def __aiter__(self):
        return self

    async def __anext__(self):
        message = await self.communicator.receive_output(timeout=3600)
        if message["type"] == "websocket.close":
            self.close_code = message.get("code", 1000)
            raise StopAsyncIteration
        return message["text"]

    async def send(self, text):
        await self.communicator.send_to(text_data=text)


class HerePage(Page):
    """A page whose server runs in the test's own process."""

    async def __aenter__(self):
        headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", self.cookie.encode())]
        self.socket = HereSocket(self.address, headers)
        is_open, _protocol = await self.socket.communicator.connect(timeout=20)
        assert is_open
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *problem):
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self.socket.communicator.disconnect(timeout=20)


class Here:
    """Stands where a portal stands, when it runs in the test's own process."""

    url = "http://testserver"
    socket_url = ""


def page_of(server):
    """The kind of page that this server takes."""
    return HerePage if isinstance(server, Here) else Page
