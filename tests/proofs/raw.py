"""Bytes to a running server as no browser would send them, and what comes back."""

import asyncio
import json
import secrets
import struct
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from tests.proofs import corpus
from tests.proofs.asking import TOKEN

ANSWER_SECONDS = 20


def some_address():
    """An address of this machine that no other test counted on."""
    return f"127.{secrets.randbelow(250) + 1}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 2}"


class Line(asyncio.Protocol):
    """A connection: all that came over it (a stream would forget the last words before a reset), and its end."""

    def __init__(self):
        self.got = bytearray()
        self.is_ended = False
        self._news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.got += data
        self._news.set()

    def connection_lost(self, problem):
        self.is_ended = True
        self._news.set()

    def write(self, sent):
        self.transport.write(sent)

    async def until(self, is_enough=lambda got: False, *, seconds=ANSWER_SECONDS):
        """Wait until it was told enough, or the server ends the connection: whether one of them came in time."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_ended and not is_enough(self.got):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def line_to(portal, *, greeting=b"", source=None):
    """An open connection; a greeting is answered first."""
    local = (source, 0) if source else None
    loop = asyncio.get_running_loop()
    _transport, line = await loop.create_connection(Line, "127.0.0.1", portal.port, local_addr=local)
    try:
        if greeting:
            line.write(greeting)
            await line.until(lambda got: b"\r\n\r\n" in got)
        yield line
    finally:
        line.transport.abort()
        await line.until()


async def exchange(portal, sent, *, greeting=b"", source=None, seconds=ANSWER_SECONDS):
    """What the server answers to these bytes, until it closes or says nothing more; a greeting is answered first."""
    async with line_to(portal, greeting=greeting, source=source) as line:
        line.write(sent)
        await line.until(seconds=seconds)
        return bytes(line.got)


class Running:
    """Asks a server process."""

    def __init__(self, portal):
        self.portal = portal

    async def post(self, path, fields, *, cookie="", source=None, headers=()):
        """A form as a page sends it: (status, seconds until the next try or None)."""
        body = urlencode(fields).encode()
        lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{self.portal.port}", "Connection: close"]
        lines += [f"Cookie: csrftoken={TOKEN}; {cookie}", f"X-CSRFToken: {TOKEN}", f"Content-Length: {len(body)}"]
        lines += ["Content-Type: application/x-www-form-urlencoded", *headers, "", ""]
        answer = await exchange(self.portal, "\r\n".join(lines).encode() + body, source=source, seconds=60)
        head = answer.partition(b"\r\n\r\n")[0].decode("latin1").split("\r\n")
        waits = [line.partition(": ")[2] for line in head if line.lower().startswith("retry-after")]
        return int(head[0].split(" ")[1]), int(waits[0]) if waits else None


def handshake(portal, path, cookie):
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{portal.port}", f"Origin: {portal.url}", f"Cookie: {cookie}"]
    lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*lines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]).encode()


def pieces_in(answer):
    """The whole frames in what a socket sent: kind and payload."""
    data = bytes(answer).partition(b"\r\n\r\n")[2]
    while len(data) >= 2:
        opcode, size, start = data[0] & 15, data[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10]), 10
        if len(data) < start + size:
            return
        yield opcode, data[start : start + size]
        data = data[start + size :]


def close_code(answer):
    """The code of the close frame in what a socket sent, or None."""
    for opcode, payload in pieces_in(answer):
        if opcode == corpus.CLOSE:
            return struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1000
    return None


def words_in(answer):
    """The frames of JSON in what a socket sent."""
    return [json.loads(payload) for opcode, payload in pieces_in(answer) if opcode == corpus.TEXT]


def doors(talk):
    """The sockets of a talk: path and cookie."""
    return (("/ws/chat/", talk.visitor_cookie), (f"/ws/desk/?open={talk.id}", talk.agent_cookie))


def is_in_order(portal):
    """The process lives, and found nothing to complain of."""
    log = portal.log()
    bad = [line for line in log.splitlines() if "Traceback" in line or " ERROR " in line or " CRITICAL " in line]
    assert portal.is_running
    assert bad == []
    assert portal.get("/healthz") == 200
    return True
