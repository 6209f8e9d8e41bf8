"""
Broken requests, broken frames and slow headers against one running server, while a canary talks.
"""

import asyncio
import contextlib
import struct
import time

import pytest

from tests.live.sockets import Talk, in_database
from tests.proofs import corpus
from tests.proofs.beside import Canary, is_untouched
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.places import running
from tests.proofs.raw import ANSWER_SECONDS, close_code, doors, exchange, handshake, is_in_order

AT_ONCE = 4
HURRY_SECONDS = 2.0


async def few_at_once(works):
    """Do all of them, a few at the same time: most of them wait for an answer that does not come."""
    few = asyncio.Semaphore(AT_ONCE)

    async def one(work):
        async with few:
            await work

    await asyncio.gather(*map(one, works))


async def broken_request(portal, name, sent):
    answer = await exchange(portal, sent, seconds=0.5)
    if answer:
        status = answer.split(b" ", 2)[1] if answer.startswith(b"HTTP/") else b"none"
        assert not status.startswith(b"5") or status in (b"501", b"505"), (name, answer[:80])


async def broken_requests(portal):
    await few_at_once([broken_request(portal, *named) for named in corpus.RAW_REQUESTS.items()])


async def ordinary_requests(portal):
    for _ in corpus.RAW_REQUESTS:
        assert b" 200 " in (await exchange(portal, corpus.request()))[:40]


async def broken_frame(portal, door, name, sent):
    answer = await exchange(portal, sent, greeting=handshake(portal, *door), seconds=0.5)
    assert b" 101 " in answer[:40], (name, answer[:80])
    assert close_code(answer) in corpus.RIGHT_CODES | {None}, name


async def broken_frames(portal, talk):
    works = [broken_frame(portal, door, *named) for door in doors(talk) for named in corpus.RAW_FRAMES.items()]
    await few_at_once(works)


async def broken_words(portal, talk):
    """Every wrong value of every field of every command, a few on each socket: answered in words, and it stays."""
    frames = [text.encode() for text in [*corpus.BROKEN_JSON.values(), *corpus.wrong_frames(talk.id)]]
    ping = corpus.frame(corpus.TEXT, corpus.HELLO)
    close = corpus.frame(corpus.CLOSE, struct.pack(">H", 1000))

    for door in doors(talk):
        for start in range(0, len(frames), 20):
            some = frames[start : start + 20]
            sent = b"".join(corpus.frame(corpus.TEXT, text) for text in some) + ping + close
            answer = await exchange(portal, sent, greeting=handshake(portal, *door))
            assert close_code(answer) == 1000, some[:3]


async def ordinary_words(portal, talk):
    ping = corpus.frame(corpus.TEXT, corpus.HELLO) + corpus.frame(corpus.CLOSE, struct.pack(">H", 1000))
    for door in doors(talk):
        for _ in corpus.RAW_FRAMES:
            assert close_code(await exchange(portal, ping, greeting=handshake(portal, *door))) == 1000


async def test_broken_requests_and_frames_reach_nobody_else(start_portal):
    portal = start_portal(MESSAGES_PER_MINUTE=100_000)
    talk, victim = await in_database(Talk), await in_database(Talk)
    slow = [await asyncio.open_connection("127.0.0.1", portal.port) for _ in range(100)]
    for _reader, writer in slow:
        writer.write(b"GET /chat/ HTTP/1.1\r\nX-Slow: ")

    async def ordinary():
        await ordinary_requests(portal)
        await ordinary_words(portal, victim)

    async def broken():
        for _reader, writer in slow:
            writer.write(b"x")
        await broken_requests(portal)
        await broken_frames(portal, victim)
        await broken_words(portal, victim)

    async with Canary(portal, talk) as canary:
        assert await is_untouched(canary, ordinary, broken)
        assert canary.process.returncode is None
    for _reader, writer in slow:
        writer.transport.abort()
    assert is_in_order(portal)


# Slow headers


async def drip(portal, beginning, patience):
    """Send these bytes and then a letter now and then: the answer, and after how long the server ended it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", portal.port)
    writer.write(beginning)
    began, got = time.monotonic(), b""
    try:
        while time.monotonic() - began < patience:
            with contextlib.suppress(TimeoutError):
                piece = await asyncio.wait_for(reader.read(65536), 0.2)
                if not piece:
                    return got, time.monotonic() - began
                got += piece
            writer.write(b"x")
    except ConnectionError:
        return got, time.monotonic() - began
    finally:
        writer.transport.abort()
    return got, None


HALF_A_REQUEST = b"GET /chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
WHOLE_REQUEST = b"GET /chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HALF_A_BODY = corpus.request(corpus.POST, b"Content-Length: 5000", body=b"username=")


async def asked_twice(portal, pause):
    """Two requests over one connection, with a pause in between: how often the page came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", portal.port)
    got = b""
    for wait in (0, pause):
        await asyncio.sleep(wait)
        writer.write(WHOLE_REQUEST)
        with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
            got += await asyncio.wait_for(reader.readuntil(b"</html>"), ANSWER_SECONDS)
    writer.transport.abort()
    return got.count(b"HTTP/1.1 200")


async def slow_requests(tmp_path, seconds, patience):
    """A server that gives headers so long, and what it does to who is slow."""
    with running([BrokenPortal(tmp_path, "tests.proofs.mutants:headers_in_time", HEADERS_SECONDS=seconds)]) as (
        portal,
    ):
        slow = [drip(portal, HALF_A_REQUEST, patience) for _ in range(20)]
        results = await asyncio.gather(
            *slow,
            drip(portal, WHOLE_REQUEST + HALF_A_REQUEST, patience),
            drip(portal, HALF_A_BODY, min(seconds, patience) + 1),
            asked_twice(portal, min(seconds, patience) + 1),
        )
        assert is_in_order(portal)
    return results


async def test_headers_that_come_letter_by_letter_have_a_deadline(transactional_db, tmp_path):
    *slow, body, pages = await slow_requests(tmp_path, HURRY_SECONDS, ANSWER_SECONDS)

    assert [answer[-200:] for answer, took in slow if took is None or took < HURRY_SECONDS * 0.9] == []
    assert all(b"HTTP/1.1 408 " in answer for answer, _took in slow)
    assert slow[-1][0].startswith(b"HTTP/1.1 200")
    assert body == (b"", None)  # a form over a slow line has its time
    assert pages == 2


@pytest.mark.only_on("sqlite")
async def test_headers_without_a_deadline_are_found_out(transactional_db, tmp_path):
    """The mutant: as long as letters come, the server waits."""
    *slow, _body, _pages = await slow_requests(tmp_path, 3_600, HURRY_SECONDS * 2)

    assert {took for _answer, took in slow} == {None}
