"""
Broken requests, broken frames and slow headers against one running server, while a canary talks.
"""

import asyncio
import itertools
import struct
import time

import pytest

from conversations.actions.messaging import SURROGATE
from conversations.models import Message
from tests.live.sockets import Talk, in_database
from tests.proofs import corpus
from tests.proofs.beside import Canary, is_untouched
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.forms import Forms
from tests.proofs.places import patience, running
from tests.proofs.raw import ANSWER_SECONDS, close_code, doors, exchange, handshake, is_in_order, line_to, words_in
from tests.proofs.slow_lines import slow_lines
from tests.proofs.verdict import Unknown

AT_ONCE = 4
HURRY_SECONDS = 2.0
SILENCE_SECONDS = 1.0
FRAMES = 20  # on one socket: fewer than count as a flood
NO_ANSWER = "no answer"
GUARDS = (b"content-security-policy: default-src 'none'", b"x-content-type-options: nosniff", b"referrer-policy: ")


async def few_at_once(works):
    """Do all of them, a few at the same time: what each found wrong, or None."""
    few = asyncio.Semaphore(AT_ONCE)

    async def one(work):
        async with few:
            return await work

    return await asyncio.gather(*map(one, works))


def judge(findings):
    """All of them were answered as they must be; when few were answered at all, nothing is known."""
    faults = [finding for finding in findings if finding]
    silent = [fault for fault in faults if fault.startswith(NO_ANSWER)]
    if len(silent) > len(findings) / 10:
        raise Unknown(f"Few answered: {silent}")
    assert faults == []


# Requests


def fault_of_answer(name, line):
    """What is wrong with the answer to a request that must have one, or None."""
    answer, status = bytes(line.got), status_of(line.got)
    if name in corpus.ENDING_REQUESTS:
        is_right = not answer or 400 <= status < 500
    elif name in corpus.SERVED_REQUESTS:
        is_right = 200 <= status < 400
    else:
        is_right = 400 <= status < 500 or status in (501, 505)
    if not is_right or (answer and not is_guarded(answer)):
        return f"{name}: {answer[:400]!r}"
    return None


def status_of(answer):
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0


def is_guarded(answer):
    """Whether an answer has the headers that keep what is in it from running."""
    head = answer.partition(b"\r\n\r\n")[0].lower()
    return all(guard in head for guard in GUARDS)


async def broken_request(portal, name, sent):
    async with line_to(portal) as line:
        line.write(sent)
        if not await line.until(seconds=ANSWER_SECONDS * patience()):
            return f"{NO_ANSWER} to {name}: {bytes(line.got[:80])!r}"
        return fault_of_answer(name, line)


async def silent_request(portal, name, sent):
    """It is not whole and gets no answer, or the one that it is wrong."""
    answer = await exchange(portal, sent, seconds=SILENCE_SECONDS)
    return f"{name}: {answer[:80]!r}" if answer and not 400 <= status_of(answer) < 500 else None


async def broken_requests(portal):
    named = corpus.RAW_REQUESTS.items()
    silent = [silent_request(portal, *one) for one in named if one[0] in corpus.SILENT_REQUESTS]
    waiting = asyncio.gather(*silent)
    judge(await few_at_once([broken_request(portal, *one) for one in named if one[0] not in corpus.SILENT_REQUESTS]))
    judge(await waiting)


async def ordinary_requests(portal):
    judge(await few_at_once([ordinary_request(portal) for _ in corpus.RAW_REQUESTS]))


async def ordinary_request(portal):
    answer = await exchange(portal, corpus.request())
    return None if status_of(answer) == 200 else f"{answer[:80]!r}"


# Frames


async def broken_frame(portal, door, name, sent):
    wanted = corpus.ANSWERED_FRAMES.get(name)

    def is_enough(got):
        words = [word["is"] for word in words_in(got)] if wanted else []
        return close_code(got) is not None or wanted in words

    async with line_to(portal, greeting=handshake(portal, *door)) as line:
        line.write(sent)
        if not await line.until(is_enough, seconds=ANSWER_SECONDS * patience()):
            return f"{NO_ANSWER} to {name}"
        code = close_code(line.got)
        if wanted:
            return None if code is None else f"{name}: closed with {code}"
        if name in corpus.ENDING_FRAMES:
            return None if code in corpus.RIGHT_CODES | {None} else f"{name}: closed with {code}"
        return None if code == corpus.OTHER_CODES.get(name, 1002) else f"{name}: closed with {code}"


async def silent_frame(portal, door, name, sent):
    answer = await exchange(portal, sent, greeting=handshake(portal, *door), seconds=SILENCE_SECONDS)
    is_right = b" 101 " in answer[:40] and close_code(answer) in corpus.RIGHT_CODES | {None}
    return None if is_right else f"{name}: {answer[:80]!r}"


async def broken_frames(portal, talk):
    named = [(door, *one) for door in doors(talk) for one in corpus.RAW_FRAMES.items()]
    silent = [silent_frame(portal, *one) for one in named if one[1] in corpus.SILENT_FRAMES]
    waiting = asyncio.gather(*silent)
    judge(await few_at_once([broken_frame(portal, *one) for one in named if one[1] not in corpus.SILENT_FRAMES]))
    judge(await waiting)


# Words


async def told(portal, door, frames):
    """Say these over one socket, and then that it is well: what is wrong with the answers, or None."""
    close = corpus.frame(corpus.CLOSE, struct.pack(">H", 1000))
    async with line_to(portal, greeting=handshake(portal, *door)) as line:
        line.write(b"".join(corpus.frame(corpus.TEXT, text.encode()) for text in [*frames, corpus.HELLO.decode()]))

        def is_well(got):
            return close_code(got) is not None or "pong" in [word["is"] for word in words_in(got)]

        if not await line.until(is_well, seconds=ANSWER_SECONDS * patience()):
            return f"{NO_ANSWER} to {frames[:3]!r:.200}"
        line.write(close)
        await line.until()
    answers = [word for word in words_in(line.got) if word["is"] in ("refused", "posted")]
    is_each_answered = len(answers) >= sum(map(corpus.must_be_answered, frames))
    if close_code(line.got) != 1000 or not is_each_answered:
        return f"{close_code(line.got)} and {len(answers)} answers to {frames[:3]!r:.200}"
    return None


async def broken_words(portal, talk):
    """Every wrong value of every field of every command: answered in words, and the socket stays."""
    frames = [*corpus.BROKEN_JSON.values(), *corpus.wrong_frames(talk.id)]
    judge(await few_at_once([told(portal, door, some) for door in doors(talk) for some in parts(frames)]))


def parts(things, size=FRAMES):
    return [things[start : start + size] for start in range(0, len(things), size)]


def texts_of_messages():
    """All texts and the lengths of a message and its key, in parts that one socket can send in every field."""
    limits = [Message._meta.get_field(name).max_length for name in ("text", "key")]
    texts = corpus.TEXTS | corpus.HALVES | corpus.lengths(limits[0]) | corpus.lengths(limits[1])
    return [dict(some) for some in parts(list(texts.items()), FRAMES // corpus.FIELDS)]


async def broken_texts(portal, talks):
    """Texts in every field of a message, and a talk for each part of them: otherwise each page would draw them all."""
    said = [(talk, list(corpus.text_frames(talk.id, texts))) for talk, texts in talks]
    judge(await few_at_once([told(portal, door, frames) for talk, frames in said for door in doors(talk)]))


async def ordinary_words(portal, talk):
    """As many sockets as the broken frames and the wrong values take."""
    sockets = len(corpus.RAW_FRAMES) + len(parts(list(corpus.wrong_frames(talk.id))))
    judge(await few_at_once([told(portal, door, []) for door in doors(talk) for _ in range(sockets)]))


async def ordinary_texts(portal, talks):
    """As many messages as the texts that fit."""
    said = [(talk, [corpus.message(talk.id) for _ in range(FRAMES // 2)]) for talk, _texts in talks]
    judge(await few_at_once([told(portal, door, frames) for talk, frames in said for door in doors(talk)]))


def is_fit(talks):
    """What was stored of the texts can be shown; raises Unknown when the longest one was not."""
    stored = Message.objects.filter(conversation__in=[talk.id for talk, _texts in talks]).values_list("text", flat=True)
    longest = max(map(len, stored))
    if longest < 4_000:
        raise Unknown(f"The longest text has {longest} characters.")
    return longest == 4_000 and not any("\0" in text or SURROGATE.search(text) for text in stored)


# Forms


async def heavy_forms(portal, forms):
    """The heavy texts in every field of the forms that anybody may send."""
    judge(await few_at_once([forms.send(portal, *one) for one in forms.heavy()]))


async def ordinary_forms(portal, forms):
    """As many forms with ordinary words."""
    judge(await few_at_once([forms.send(portal, *one) for one in forms.ordinary()]))


# All of it


async def test_broken_requests_and_frames_reach_nobody_else(start_portal, soak):
    portal = start_portal(MESSAGES_PER_MINUTE=100_000, CHATS_PER_HOUR=1_000_000, SIGN_INS_PER_MINUTE=100_000)
    talk, victim, forms = await in_database(Talk), await in_database(Talk), await in_database(Forms)
    talks = [(await in_database(Talk), texts) for texts in texts_of_messages()]
    halves = itertools.cycle([talks] if soak else [talks[::2], talks[1::2]])  # there are two turns at least

    async def ordinary():
        await ordinary_requests(portal)
        await ordinary_words(portal, victim)
        await ordinary_texts(portal, talks if soak else talks[::2])
        await ordinary_forms(portal, forms)

    async def broken():
        async with slow_lines(portal):
            await broken_requests(portal)
            await broken_frames(portal, victim)
            await broken_words(portal, victim)
            await broken_texts(portal, next(halves))
            await heavy_forms(portal, forms)

    async with Canary(portal, talk) as canary:
        await canary.alone()
        assert await is_untouched(canary, ordinary, broken)
        assert canary.process.returncode is None
    assert await in_database(is_fit, talks)
    assert forms.were_taken(), "unknown: hardly any form was taken"
    assert is_in_order(portal)


@pytest.mark.only_on("sqlite")
async def test_what_the_proof_looks_at_is_found_out(transactional_db, tmp_path):
    """The mutants: a server that stops while it refuses a frame, and whose answers have no headers; no slow line."""
    mutants = "tests.proofs.mutants_of_input:stops_for_bad_frames,tests.proofs.mutants_of_input:bare_answers"
    mutants += ",tests.proofs.mutants:headers_in_time"
    talk, victim = await in_database(Talk), await in_database(Talk)
    with running([BrokenPortal(tmp_path, mutants, HEADERS_SECONDS=1)]) as (portal,):
        door = doors(victim)[0]

        async def ordinary():
            assert await told(portal, door, []) is None

        async def bad():
            assert await told(portal, door, ["{"]) is None

        async with Canary(portal, talk) as canary:
            assert not await is_untouched(canary, ordinary, bad, tries=1, samples=12)
        for name in ("no version", "a query in Latin-1", "a socket of an old version"):
            assert await broken_request(portal, name, corpus.RAW_REQUESTS[name])
        with pytest.raises(Unknown):
            async with slow_lines(portal, every=60) as slow:
                await asyncio.gather(*[line.until() for line in slow])


# Slow headers


async def drip(portal, beginning, seconds):
    """Send these bytes and then a letter now and then: the answer, and after how long the server ended it."""
    async with line_to(portal) as line:
        began = time.monotonic()  # the server may have read it before we go on
        line.write(beginning)
        while time.monotonic() - began < seconds:
            if await line.until(seconds=0.2):
                return bytes(line.got), time.monotonic() - began
            line.write(b"x")
        return bytes(line.got), None


HALF_A_REQUEST = b"GET /chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
WHOLE_REQUEST = b"GET /chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HALF_A_BODY = corpus.request(corpus.POST, b"Content-Length: 5000", body=b"username=")


async def asked_twice(portal, pause):
    """Two requests over one connection, with a pause in between: how often the page came."""
    async with line_to(portal) as line:
        for place, wait in enumerate((0, pause), start=1):
            await asyncio.sleep(wait)
            line.write(WHOLE_REQUEST)
            await line.until(lambda got, place=place: got.count(b"</html>") == place)
        return line.got.count(b"HTTP/1.1 200")


async def slow_requests(tmp_path, seconds, longest):
    """A server that gives headers so long, and what it does to who is slow."""
    with running([BrokenPortal(tmp_path, "tests.proofs.mutants:headers_in_time", HEADERS_SECONDS=seconds)]) as (
        portal,
    ):
        slow = [drip(portal, HALF_A_REQUEST, longest) for _ in range(20)]
        results = await asyncio.gather(
            *slow,
            drip(portal, WHOLE_REQUEST + HALF_A_REQUEST, longest),
            drip(portal, HALF_A_BODY, min(seconds, longest) + 1),
            asked_twice(portal, min(seconds, longest) + 1),
        )
        assert is_in_order(portal)
    return results


async def test_headers_that_come_letter_by_letter_have_a_deadline(transactional_db, tmp_path):
    *slow, body, pages = await slow_requests(tmp_path, HURRY_SECONDS, ANSWER_SECONDS)

    assert [answer[-200:] for answer, took in slow if took is None or took < HURRY_SECONDS * 0.9] == []
    assert all(b"HTTP/1.1 408 " in answer for answer, _took in slow)
    assert all(is_guarded(answer) for answer, _took in slow[:-1])
    assert slow[-1][0].startswith(b"HTTP/1.1 200")
    assert body == (b"", None)  # a form over a slow line has its time
    assert pages == 2


@pytest.mark.only_on("sqlite")
async def test_headers_without_a_deadline_are_found_out(transactional_db, tmp_path):
    """The mutant: as long as letters come, the server waits."""
    *slow, _body, _pages = await slow_requests(tmp_path, 3_600, HURRY_SECONDS * 2)

    assert {took for _answer, took in slow} == {None}
