"""Frames that no page of ours sends, by name: each is answered in words, changes nothing, and the socket stays."""

import json

import pytest
from django.utils import translation

from conversations.consumers import BAD_FRAME, LONGEST_FRAME
from conversations.errors import AlreadyEnded, Gone
from tests import make
from tests.live.sockets import Talk, cookie_of, in_database, page_of
from tests.pages.browsing import KEY, everything

DEEP = 10_000
MALFORMED = {
    "no JSON": "{",
    "a trailing comma": '{"do": "ping",}',
    "two values": '{"do": "ping"}{"do": "ping"}',
    "no object": '["ping"]',
    "NaN": '{"do": "ping", "last": NaN}',
    "Infinity": '{"do": "ping", "last": -Infinity}',
    "a number of 5,000 digits": '{"do": "ping", "last": ' + "9" * 5_000 + "}",
    "lists 10,000 deep": "[" * DEEP + "]" * DEEP,
    "objects 10,000 deep": '{"do":' * DEEP + "1" + "}" * DEEP,
    "a deep value": '{"do": "ping", "last": ' + "[" * DEEP + "]" * DEEP + "}",
    "too long": json.dumps({"do": "ping", "text": "x" * LONGEST_FRAME}),
    "an unknown command": '{"do": "accept", "offer": 1}',
    "a method of the server": '{"do": "disconnect"}',
    "a private name": '{"do": "__init__"}',
    "no command": '{"is": "posted"}',
    "a command that is none": '{"do": {"post": 1}}',
    "NUL outside": "\x00",
}
BAD_TEXTS = {
    "empty": ("", "The message is empty. Write something first."),
    "blank": (" \n\t", "The message is empty. Write something first."),
    "4,001 characters": (
        "x" * 4001,
        "The message has 4001 characters and up to 4,000 fit. Shorten it, or send it in parts.",
    ),
    "NUL": ("nu\0l", "The message has a character that cannot be stored. Remove it and send again."),
    "a lone surrogate": ("\ud83d", "The message has a character that cannot be stored. Remove it and send again."),
    "half a surrogate pair": (
        "\udc00\ud800",
        "The message has a character that cannot be stored. Remove it and send again.",
    ),
}
BAD_KEYS = ["", "short", "k" * 65, "k" * 20_000, "\ud83d" * 10, "nul\0" * 3, "ключ" * 3, "with blanks in it"]
NO_TEXT = [None, 7, 1.5, True, ["Hi"], {"html": "Hi"}]


async def answer_to(page, text):
    """The one answer to a raw frame; the socket still answers afterwards."""
    before = len(page.frames)

    await page.socket.send(text)
    await page.socket.send('{"do": "ping"}')

    await page.until(lambda: any(f["is"] == "pong" for f in page.frames[before:]), f"a pong after {text[:60]!r}")
    answers = [f for f in page.frames[before:] if f["is"] in ("refused", "posted")]
    assert len(answers) == 1, (text[:60], answers)
    # A frame that cannot become bytes would end the socket, and only outside of this test.
    assert len(json.dumps(answers[0], ensure_ascii=False).encode()) < 1_000
    page.frames.clear()
    return answers[0]


def slowly(monkeypatch):
    """These tests send more in a second than any page may."""
    monkeypatch.setattr("conversations.consumers.FRAMES_PER_SECOND", 10_000)
    monkeypatch.setattr("django.conf.settings.MESSAGES_PER_MINUTE", 10_000)


def opened(talk, here, side, language):
    if side == "desk":
        return talk.desk(here)
    return page_of(here)(here, f"/ws/chat/?last=0&language={language}", talk.visitor_cookie)


def talk_in(language):
    return Talk(lead=make.agent("Lucía", language=language))


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("side", ["desk", "chat"])
async def test_malformed_frames(here, monkeypatch, side, language):
    slowly(monkeypatch)
    talk = await in_database(talk_in, language)
    with translation.override(language):
        words = str(BAD_FRAME)
    async with opened(talk, here, side, language) as page:
        await page.until_drawn()
        before = await in_database(everything)

        for name, text in MALFORMED.items():
            answer = await answer_to(page, text)
            assert (answer["is"], answer["key"], answer["sentence"]) == ("refused", None, words), name

        assert await in_database(everything) == before


@pytest.mark.parametrize("side", ["desk", "chat"])
async def test_values_of_the_wrong_type(here, monkeypatch, side):
    slowly(monkeypatch)
    talk = await in_database(Talk)
    numbers = [None, "1", 1.5, -1, True, [1], {"a": 1}, 2**63, 10**300]
    frames = [{"do": "seen", "conversation": talk.id, "number": number} for number in numbers]
    frames += [{"do": "post", "key": KEY, "conversation": talk.id, "text": text} for text in NO_TEXT]
    frames += [{"do": "post", "key": text, "conversation": talk.id, "text": "Hi"} for text in NO_TEXT]
    if side == "desk":
        frames += [{"do": "post", "key": KEY, "conversation": number, "text": "Hi"} for number in numbers]
        frames += [{"do": "open", "conversation": number, "last": 0} for number in numbers[1:]]
        frames += [{"do": "open", "conversation": None, "last": number} for number in numbers]
    async with opened(talk, here, side, "en") as page:
        await page.until_drawn()
        before = await in_database(everything)

        for frame in frames:
            answer = await answer_to(page, json.dumps(frame))
            assert (answer["is"], answer["sentence"]) == ("refused", str(BAD_FRAME)), frame

        assert await in_database(everything) == before


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("side", ["desk", "chat"])
async def test_messages_that_cannot_be_sent(here, monkeypatch, side, language):
    slowly(monkeypatch)
    talk = await in_database(talk_in, language)
    async with opened(talk, here, side, language) as page:
        await page.until_drawn()
        before = await in_database(everything)

        for name, (text, words) in BAD_TEXTS.items():
            frame = {"do": "post", "key": KEY, "text": text, "conversation": talk.id}
            answer = await answer_to(page, json.dumps(frame))
            assert (answer["is"], answer["key"]) == ("refused", KEY), name
            assert answer["sentence"] if language == "es" else answer["sentence"] == words, name
        for key in BAD_KEYS:
            frame = {"do": "post", "key": key, "text": "Hi", "conversation": talk.id}
            answer = await answer_to(page, json.dumps(frame))
            assert (answer["is"], answer["key"]) == ("refused", None), key
            assert answer["sentence"], key

        assert await in_database(everything) == before


async def test_conversations_that_are_not_the_agents_own(here, monkeypatch):
    slowly(monkeypatch)
    talk = await in_database(Talk)
    foreign = await in_database(make.active_conversation, lead=await in_database(make.agent, "Jonas"))
    async with talk.desk(here) as page:
        await page.until_drawn()
        before = await in_database(everything)

        for pk in (foreign.pk, 999_999, 0, 2**63 - 1):
            frame = {"do": "post", "key": KEY, "text": "Hi", "conversation": pk}
            answer = await answer_to(page, json.dumps(frame))
            assert (answer["is"], answer["key"], answer["sentence"]) == ("refused", KEY, str(Gone.sentence)), pk

        assert await in_database(everything) == before


@pytest.mark.parametrize("side", ["desk", "chat"])
async def test_a_message_into_a_conversation_that_has_ended(here, monkeypatch, side):
    slowly(monkeypatch)
    talk = await in_database(Talk)
    talk.conversation = await in_database(end_of, talk)
    async with opened(talk, here, side, "en") as page:
        await page.until_drawn()
        before = await in_database(everything)

        frame = {"do": "post", "key": KEY, "text": "Hi", "conversation": talk.id}
        answer = await answer_to(page, json.dumps(frame))

        assert (answer["key"], answer["sentence"]) == (KEY, str(AlreadyEnded.sentence))
        assert await in_database(everything) == before


def end_of(talk):
    talk.conversation.state, talk.conversation.ended_at = "wrap_up", make.database_now()
    talk.conversation.save()
    return talk.conversation


@pytest.mark.parametrize("last", ["-1", "x", "NaN", "9" * 30, "%00", "%FF", ""])
async def test_an_address_with_numbers_that_are_none_opens_with_everything(here, last):
    talk = await in_database(Talk)
    for page in (
        talk.chat(here, last=last),
        page_of(here)(here, f"/ws/desk/?open={talk.id}&last={last}", await in_database(cookie_of, talk.agent)),
    ):
        async with page:
            await page.until_line(1)
