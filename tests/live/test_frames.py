"""What a page sends: bounded, counted, and answered with a sentence."""

import contextlib

import pytest
from websockets.exceptions import ConnectionClosed

from conversations.models import Message
from tests.live.sockets import Talk, in_database, key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"ping"',
        "{}",
        '{"do": "unknown"}',
        '{"do": "enter"}',
        '{"do": ["post"]}',
        '{"do": "post"}',
        '{"do": "post", "key": 7, "text": "Hello"}',
        '{"do": "post", "key": "0123456789abcdef", "text": {"html": "Hello"}, "conversation": 1}',
        '{"do": "post", "key": "0123456789abcdef", "text": "Hello", "conversation": 1.5}',
        '{"do": "post", "key": "0123456789abcdef", "text": "Hello", "conversation": -1}',
        '{"do": "post", "key": "0123456789abcdef", "text": "Hello", "conversation": 9223372036854775808}',
        '{"do": "seen", "conversation": true, "number": 1}',
        '{"do": "seen", "conversation": 1, "number": NaN}',
        '{"do": "open", "conversation": "1", "last": 0}',
        "[" * 30_000,
        b"\x00\xff",
    ],
    ids=lambda text: str(text[:60]) or "empty",
)
async def test_a_frame_that_no_page_sends_gets_a_sentence_and_changes_nothing(here, text):
    talk = await in_database(Talk)
    async with talk.desk(here) as desk:
        await desk.until_drawn()
        field = {"bytes": text} if isinstance(text, bytes) else {"text": text}

        await desk.socket.communicator.send_input({"type": "websocket.receive", **field})

        await desk.until(lambda: frames_of(desk, "refused"), "a refusal")
        assert "cannot be understood" in frames_of(desk, "refused")[-1]["sentence"]
        await desk.send("ping")
        await desk.until(lambda: frames_of(desk, "pong"), "a pong")
    assert await in_database(lambda: Message.objects.count()) == 1


def frames_of(page, kind):
    return [frame for frame in page.frames if frame["is"] == kind]


async def test_messages_are_counted_and_the_sender_is_told_when_to_try_again(start_portal):
    portal = start_portal(MESSAGES_PER_MINUTE=3)
    talk = await in_database(Talk)
    async with talk.chat(portal) as chat, talk.desk(portal) as desk:
        for place in range(3):
            assert (await chat.say(f"line {place}"))["is"] == "posted"

        answer = await chat.say("one more")

        assert answer["is"] == "refused"
        assert 1 <= answer["retry_after"] <= 60
        assert str(answer["retry_after"]) in answer["sentence"]
        assert (await desk.say("Slowly, please", talk.id))["is"] == "posted"
    assert await in_database(lambda: Message.objects.filter(text="one more").exists()) is False


async def test_a_page_that_sends_too_many_frames_is_told_and_then_closed(portal):
    talk = await in_database(Talk)
    async with talk.chat(portal) as chat:
        for _ in range(100):
            await chat.send("ping")
        await chat.until(lambda: any(frame["is"] == "refused" for frame in chat.frames), "a refusal")
        assert {frame["retry_after"] for frame in chat.frames if frame["is"] == "refused"} == {1}
        assert chat.code is None

        with contextlib.suppress(ConnectionClosed):
            for _ in range(3_000):
                await chat.send("ping")

        assert await chat.until_closed() == 4429
    assert "Traceback" not in portal.log()


async def test_a_refused_message_names_its_key(portal):
    talk = await in_database(Talk)
    async with talk.desk(portal) as desk:
        its_key = key()

        answer = await desk.say("Hello <name>", talk.id, its_key=its_key)

        assert (answer["is"], answer["key"], answer["retry_after"]) == ("refused", its_key, None)
        assert "templates" in answer["sentence"]
