"""A talk over real sockets, on both servers: order, catching up, keys, tabs and coming back."""

import asyncio
import json
import urllib.parse
import urllib.request

import pytest
from django.db import DatabaseError

from conversations import writer
from conversations.actions import transfers
from conversations.models import Message
from tests import make
from tests.live.sockets import SECONDS, Talk, in_database, key


async def test_both_sides_see_the_same_order(server):
    talk = await in_database(Talk)
    async with talk.desk(server) as desk, talk.chat(server) as chat:
        from_chat = [chat.say(f"visitor {place}") for place in range(15)]
        from_desk = [desk.say(f"agent {place}", talk.id) for place in range(15)]
        answers = await asyncio.gather(*from_chat, *from_desk)

        await desk.until_line(31)
        await chat.until_line(31)

    assert desk.order == chat.order == list(range(1, 32))
    assert desk.lines == chat.lines
    assert {answer["number"]: answer["key"] for answer in answers}.items() <= chat.lines.items()


@pytest.mark.parametrize("side", ["chat", "desk"])
async def test_a_page_that_has_more_than_the_database_is_told_once_to_be_loaded_anew(server, side):
    """A backup was restored: what is written now takes the numbers of lines that the page still shows."""
    talk = await in_database(Talk)
    async with getattr(talk, side)(server, last=2) as page:
        await page.until_drawn()
        await in_database(talk.write, "Two")
        await page.until_line(2)
        told = [frame["is"] for frame in page.frames].count("reload")
    async with getattr(talk, side)(server, last=2) as page:
        await page.until_drawn()
        await page.ping()
        told_again = [frame["is"] for frame in page.frames].count("reload")

    assert (told, told_again) == (1, 0)


@pytest.mark.parametrize("side", ["chat", "desk"])
async def test_a_page_catches_up_from_any_number(server, side):
    talk = await in_database(Talk)
    for place in range(4):
        await in_database(make.message, talk.conversation, f"line {place}")
    last = talk.conversation.last_number

    for number in range(last + 1):
        async with getattr(talk, side)(server, last=number) as page:
            await page.until_drawn()
            if number < last:
                await page.until_line(last)
            await page.ping()
        assert page.order == list(range(number + 1, last + 1))


async def test_a_page_catches_up_with_more_lines_than_one_look_fetches(server):
    talk = await in_database(Talk)
    await in_database(write_lines, talk.conversation, 450)

    async with talk.chat(server, last=3) as page:
        await page.until_line(451)

    assert page.order == list(range(4, 452))


def write_lines(conversation, count):
    for _ in range(count):
        make.message(conversation)


async def test_a_message_is_in_the_database_when_it_is_acknowledged(server):
    talk = await in_database(Talk)
    async with talk.chat(server) as chat:
        for place in range(20):
            answer = await chat.say(f"line {place}")
            stored = await in_database(Message.objects.get, conversation=talk.id, key=answer["key"])
            assert (stored.text, stored.number) == (f"line {place}", answer["number"])


async def test_a_key_that_comes_again_is_one_message_with_the_same_answer(server):
    talk = await in_database(Talk)
    its_key = key()
    async with talk.chat(server) as chat, talk.chat(server) as other:
        first = await chat.say(make.SAID, its_key=its_key)
        again = await chat.say(make.SAID, its_key=its_key)
        elsewhere = await other.say(make.SAID, its_key=its_key)
        posted = await asyncio.to_thread(post, server, talk, its_key, make.SAID)
    async with talk.chat(server) as later:
        after_coming_back = await later.say(make.SAID, its_key=its_key)
        await later.until_line(2)

    assert first == again == elsewhere == posted == after_coming_back
    assert await in_database(count, talk, its_key) == 1
    assert later.order == [1, 2]


async def test_an_agent_who_left_gets_the_same_answer_to_a_key_and_a_refusal_to_a_new_one(server):
    talk, its_key = await in_database(Talk), key()
    async with talk.desk(server) as desk:
        stored = await desk.say("On its way", talk.id, its_key=its_key)
        await in_database(transfers.to_queue, talk.id, talk.conversation.queue_id, by=talk.agent)

        again = await desk.say("On its way", talk.id, its_key=its_key)
        other = await desk.say("Still here", talk.id)

    assert again == stored
    assert other["is"] == "refused"
    assert await in_database(Message.objects.filter(text="On its way").count) == 1


async def test_a_key_sent_twice_at_once_is_one_message(server):
    talk = await in_database(Talk)
    its_key = key()
    async with talk.desk(server) as first, talk.desk(server) as second:
        for page in (first, second, first):
            await page.send("post", conversation=talk.id, key=its_key, text=make.SAID)
        await first.until(lambda: len(first.answers(its_key)) == 2, "two answers")
        await second.until(lambda: second.answers(its_key), "an answer")

    assert [answer["number"] for answer in first.answers(its_key) + second.answers(its_key)] == [2, 2, 2]
    assert await in_database(count, talk, its_key) == 1


async def test_a_key_with_another_text_is_refused(server):
    talk = await in_database(Talk)
    its_key = key()
    async with talk.chat(server) as chat:
        await chat.say(make.SAID, its_key=its_key)

        answer = await chat.say("Something else", its_key=its_key)

    assert answer["is"] == "refused"
    assert "under this key" in answer["sentence"]
    assert await in_database(count, talk, its_key) == 1


async def test_the_same_key_of_agent_and_visitor_are_two_messages(server):
    talk = await in_database(Talk)
    its_key = key()
    async with talk.chat(server) as chat, talk.desk(server) as desk:
        assert (await chat.say(make.SAID, its_key=its_key))["number"] == 2
        assert (await desk.say(make.SAID, talk.id, its_key=its_key))["number"] == 3


async def test_two_tabs_of_each_side_stay_equal(server):
    talk = await in_database(Talk)
    async with (
        talk.desk(server) as desk,
        talk.desk(server) as desk_too,
        talk.chat(server) as chat,
        talk.chat(server) as chat_too,
    ):
        pages = [desk, desk_too, chat, chat_too]
        for page, where in ((chat, None), (chat_too, None), (desk, talk.id), (desk_too, talk.id)):
            await page.say(make.SAID, where)
        for page in pages:
            await page.until_line(5)
            await page.until_drawn()

        await in_database(talk.write, "Nobody rang for this")  # the poll finds it
        for page in pages:
            await page.until_line(6)
        assert all(page.order == [1, 2, 3, 4, 5, 6] for page in pages)
        async with asyncio.timeout(SECONDS):  # the line may come before the list in which it shows, too
            while desk.shown["tasks"] != desk_too.shown["tasks"] or chat.shown["status"] != chat_too.shown["status"]:
                await asyncio.sleep(0.01)


async def test_coming_back_in_the_middle_of_a_talk_loses_and_doubles_nothing(server):
    talk = await in_database(Talk)
    keys = [key() for _ in range(12)]
    order, last = [], 0
    async with talk.desk(server) as desk:
        for start in range(0, 12, 4):
            async with talk.chat(server, last=last) as chat:
                for its_key in keys[start : start + 4]:
                    await chat.send("post", key=its_key, text=make.SAID)
                await chat.until(lambda chat=chat, start=start: chat.answers(keys[start]), "an answer")
                # The connection breaks: no word of farewell.
                chat.socket.transport.abort()
                await chat.until_closed()
            order += chat.order
            last = max(order, default=0)
        async with talk.chat(server, last=last) as chat:
            for its_key in keys:
                assert (await chat.say(make.SAID, its_key=its_key))["is"] == "posted"
            await chat.until(lambda: max(order + chat.order, default=0) == 13, "the last line")
            order += chat.order
        await desk.until_line(13)

    assert order == desk.order == list(range(1, 14))


def post(server, talk, its_key, text):
    """The same message without a socket."""
    token = "0" * 32
    headers = {
        "Cookie": f"{talk.visitor_cookie}; csrftoken={token}",
        "X-CSRFToken": token,
        "Accept": "application/json",
    }
    data = urllib.parse.urlencode({"key": its_key, "text": text}).encode()
    request = urllib.request.Request(server.url + "/chat/current/messages/", data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.loads(response.read())["frames"][0]


def count(talk, its_key):
    return Message.objects.filter(conversation=talk.id, key=its_key).count()


async def test_what_came_behind_a_message_that_failed_is_not_stored_before_it(here, monkeypatch):
    talk = await in_database(Talk)
    store = writer.post_batch

    def store_all_but_the_first(drafts):
        if any(draft.text == "first" for draft in drafts):
            raise DatabaseError("no reason")
        return store(drafts)

    monkeypatch.setattr(writer, "post_batch", store_all_but_the_first)
    async with talk.chat(here) as chat, talk.desk(here) as desk:
        await chat.until_drawn()
        for text in ("first", "second"):
            await chat.send("post", key=key(), text=text)
        assert await chat.until_closed() == 4013
        await desk.say("third", talk.id)

    texts = await in_database(lambda: list(Message.objects.exclude(key="").values_list("text", flat=True)))
    assert texts == ["Where is my order?", "third"]
