"""Bytes to a running server as no browser would send them, and what comes back."""

import asyncio
import contextlib
import secrets
import struct
from urllib.parse import urlencode

from tests.proofs import corpus
from tests.proofs.asking import TOKEN

ANSWER_SECONDS = 20


def some_address():
    """An address of this machine that no other test counted on."""
    return f"127.{secrets.randbelow(250) + 1}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 2}"


async def exchange(portal, sent, *, greeting=b"", source=None, seconds=ANSWER_SECONDS):
    """What the server answers to these bytes, until it closes or says nothing more; a greeting is answered first."""
    local = (source, 0) if source else None
    reader, writer = await asyncio.open_connection("127.0.0.1", portal.port, local_addr=local)
    got = b""
    try:
        with contextlib.suppress(ConnectionError, TimeoutError):
            if greeting:
                writer.write(greeting)
                got = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_SECONDS)
            async with asyncio.timeout(seconds):
                writer.write(sent)
                await writer.drain()
                while piece := await reader.read(65536):
                    got += piece
    finally:
        writer.transport.abort()
    return got


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


def close_code(answer):
    """The code of the close frame in what a socket sent, or None."""
    data = answer.partition(b"\r\n\r\n")[2]
    while len(data) >= 2:
        opcode, size, start = data[0] & 15, data[1] & 127, 2
        if size == 126:
            size, start = struct.unpack(">H", data[2:4])[0], 4
        elif size == 127:
            size, start = struct.unpack(">Q", data[2:10])[0], 10
        if opcode == corpus.CLOSE:
            return struct.unpack(">H", data[start : start + 2])[0] if size >= 2 else 1000
        data = data[start + size :]
    return None


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
