"""Floods against a running server: who floods is limited and told when to try again, and nobody else is."""

import asyncio
import json
import secrets
import time

import pytest
from django.test import Client

from agents.limits import TRIES_PER_ADDRESS
from config import addresses, rates
from conversations.consumers import FRAMES_PER_SECOND
from conversations.models import Conversation, Message
from conversations.states import Party
from tests import make
from tests.live.sockets import Talk, in_database, visitor_with_cookie
from tests.proofs import corpus
from tests.proofs.beside import Canary, is_untouched
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.mutants_of_rights import always, broken
from tests.proofs.places import running
from tests.proofs.raw import Running, close_code, doors, exchange, handshake, is_in_order, some_address

SHOTS = 1_000
FEW_SHOTS = 300  # in the short version, where each is a request of its own


class Here:
    """Asks the same application in this process, where a test can break it."""

    async def post(self, path, fields, *, cookie="", source="127.0.0.1", headers=()):
        def ask():
            client = Client(REMOTE_ADDR=source, headers=dict(line.split(": ", 1) for line in headers))
            if cookie:
                client.cookies.load(cookie)
            response = client.post(path, fields)
            return response.status_code, int(response.headers.get("Retry-After", 0)) or None

        return await in_database(ask)


async def test_a_visitor_at_a_thousand_messages_a_second_is_slowed_down_alone(start_portal):
    portal = start_portal(MESSAGES_PER_MINUTE=1_000)
    talk, lively, loud = [await in_database(Talk) for _ in range(3)]
    floods, seconds = [], 0

    async def talkative():
        second = asyncio.create_task(asyncio.sleep(1))
        async with lively.chat(portal) as chat:
            for _ in range(5):
                assert (await chat.say("!"))["is"] == "posted"
        await second

    async def flood():
        nonlocal seconds
        began, second = time.monotonic(), asyncio.create_task(asyncio.sleep(1))
        floods.append(await flood_of_messages(portal, loud))
        seconds += 2 + time.monotonic() - began  # in parts of how many seconds of the clock it fell
        await second

    async with Canary(portal, talk) as canary:
        assert await is_untouched(canary, talkative, flood)
        assert canary.process.returncode is None
    assert are_floods_stopped(floods)
    stored = await in_database(Message.objects.filter(conversation=loud.id, sender=Party.VISITOR).count)
    assert 1 <= stored <= seconds * FRAMES_PER_SECOND
    assert is_in_order(portal)


async def flood_of_messages(portal, talk, seconds=5):
    """A thousand messages at once by the visitor: what his socket says to that."""
    sent = b"".join(corpus.frame(corpus.TEXT, json.dumps(post_frame()).encode()) for _ in range(SHOTS))
    return await exchange(portal, sent, greeting=handshake(portal, *doors(talk)[0]), seconds=seconds)


def are_floods_stopped(floods):
    """Each was told when to try again, and who did not listen was disconnected."""
    return all(b'"retry_after": 1' in answer for answer in floods) and 4429 in map(close_code, floods)


@pytest.mark.only_on("sqlite")
async def test_a_socket_whose_frames_nobody_counts_is_found_out(transactional_db, tmp_path):
    """The mutant: no limit on the frames of a second."""
    talk, mutant = await in_database(Talk), "tests.proofs.mutants_of_input:no_limit_of_frames"
    with running([BrokenPortal(tmp_path, mutant, MESSAGES_PER_MINUTE=1_000)]) as (portal,):
        flood = await flood_of_messages(portal, talk, seconds=2)

    assert b'"posted"' in flood, "unknown: nothing was taken"
    assert not are_floods_stopped([flood])


async def messages(ask, talk, number):
    """Post so many of them as a page does: the answers, and the waits named."""
    where, accept = "/chat/current/messages/", ("Accept: application/json",)
    return [await ask.post(where, message_fields(), cookie=talk.visitor_cookie, headers=accept) for _ in range(number)]


def are_stopped_after(answers, most):
    """So many messages are taken; all the others are told when to try again."""
    is_told = [status == 429 and wait and 1 <= wait <= 60 for status, wait in answers[most:]]
    return answers[:most] == [(200, None)] * most and len(answers) > most and all(is_told)


async def test_a_page_that_posts_too_much_is_told_in_json_when_to_try_again(start_portal):
    ask, talk = Running(start_portal(MESSAGES_PER_MINUTE=10)), await in_database(Talk)

    assert are_stopped_after(await messages(ask, talk, 20), 10)


def post_frame():
    return {"do": "post", **message_fields()}


def message_fields():
    return {"key": secrets.token_hex(16), "text": make.SAID}


async def chats(ask, queue, number, *, source, headers=lambda shot: ()):
    """Start so many chats from one address, each with a session of its own: how many began, and the waits named."""
    began, waits = 0, []
    for shot in range(number):
        _visitor, cookie = await in_database(visitor_with_cookie, f"Visitor {shot}")
        fields = {"name": "Zoe", "question": "Why?", "key": secrets.token_hex(16)}
        status, wait = await ask.post(
            f"/chat/{queue.slug}/", fields, cookie=cookie, source=source, headers=headers(shot)
        )
        began += status == 302
        if status == 429:
            waits.append(wait)
        else:
            assert status == 302, status
    return began, waits


def forged(shot):
    return (f"X-Forwarded-For: 203.0.113.{shot % 250}, 198.51.100.{shot % 250}",)


def a_queue():
    return make.queue(members=[make.agent()])


def is_limited(answers, number, most):
    began, waits = answers
    return began <= most and len(waits) == number - began and all(wait and 1 <= wait <= 3600 for wait in waits)


async def test_an_address_that_opens_a_thousand_chats_is_stopped_and_others_are_not(start_portal, soak):
    ask, shots = Running(start_portal(CHATS_PER_HOUR=10)), SHOTS if soak else FEW_SHOTS
    queue, source = await in_database(a_queue), some_address()

    assert is_limited(await chats(ask, queue, shots, source=source, headers=forged), shots, 10)
    assert await chats(ask, queue, 2, source=some_address()) == (2, [])
    assert await in_database(Conversation.objects.count) == 12
    assert is_in_order(ask.portal)


async def test_behind_a_trusted_proxy_only_its_own_entry_counts(start_portal):
    ask = Running(start_portal(CHATS_PER_HOUR=5, TRUSTED_PROXY=1))
    queue, me, other = await in_database(a_queue), some_address(), some_address()

    answers = await chats(
        ask, queue, 30, source="127.0.0.1", headers=lambda shot: (f"X-Forwarded-For: 9.9.9.{shot}, {me}",)
    )
    others = await chats(ask, queue, 2, source="127.0.0.1", headers=lambda _: (f"X-Forwarded-For: {me}, {other}",))

    assert is_limited(answers, 30, 5)
    assert others == (2, [])


@pytest.mark.only_on("postgresql")
async def test_two_servers_count_an_address_together(start_portal):
    first, second = [Running(start_portal(CHATS_PER_HOUR=5)) for _ in range(2)]
    queue, source = await in_database(a_queue), some_address()

    at_the_first, _waits = await chats(first, queue, 4, source=source)
    at_the_second, waits = await chats(second, queue, 4, source=source)
    await in_database(rates.forget_all)
    afterwards, _waits = await chats(second, queue, 2, source=source)

    assert (at_the_first, at_the_second, len(waits), afterwards) == (4, 1, 3, 2)


async def wrong_sign_ins(ask, number, source, *, name=lambda shot: "lucia", headers=lambda shot: ()):
    """Try so many wrong passwords: how many were looked at, and the waits named."""
    looked, waits = 0, []
    for shot in range(number):
        fields = {"username": name(shot), "password": f"guess {shot}"}
        status, wait = await ask.post("/sign-in/", fields, source=source, headers=headers(shot))
        looked += status == 200
        if status == 429:
            waits.append(wait)
    return looked, waits


def are_slowed_down(looked, waits, shots, most):
    """So many were looked at and no more; all the others were told when to try again."""
    return looked <= most and len(waits) == shots - looked > 0 and all(wait and 1 <= wait <= 60 for wait in waits)


async def test_a_thousand_wrong_sign_ins_are_slowed_down_and_lock_out_nobody_else(start_portal, soak):
    ask, shots = Running(start_portal(SIGN_INS_PER_MINUTE=2)), SHOTS if soak else FEW_SHOTS
    await in_database(make.agent, "Lucía", username="lucia", password="her own long word")
    source, started = some_address(), time.monotonic()

    looked, waits = await wrong_sign_ins(ask, shots // 2, source, headers=forged)
    also, waits_too = await wrong_sign_ins(ask, shots // 2, source, name=lambda shot: f"name-{shot}", headers=forged)
    minutes = 1 + (time.monotonic() - started) // 60
    right = {"username": "lucia", "password": "her own long word"}

    assert are_slowed_down(looked, waits, shots // 2, 2 * (minutes + 1))
    assert are_slowed_down(looked + also, waits + waits_too, shots, 2 * TRIES_PER_ADDRESS * (minutes + 1))
    assert (await ask.post("/sign-in/", right, source=some_address()))[0] == 302
    assert is_in_order(ask.portal)


# The proof turns red with each of these


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mutant", ["none", "no limit", "the header is believed"])
async def test_mutants_of_the_limits(monkeypatch, settings, mutant):
    settings.CHATS_PER_HOUR = 3
    if mutant == "no limit":
        monkeypatch.setattr(type(rates._counts_everywhere), "hit", lambda *whatever, **named: True)
    if mutant == "the header is believed":
        monkeypatch.setattr(addresses.address_of, "__code__", first_entry_of.__code__)
    queue = await in_database(a_queue)

    answers = await chats(Here(), queue, 8, source=some_address(), headers=forged)

    assert is_limited(answers, 8, 3) == (mutant == "none")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mutant", ["none", "no limit on messages", "no limit on sign-ins"])
async def test_mutants_of_the_limits_on_messages_and_sign_ins(monkeypatch, settings, mutant):
    settings.MESSAGES_PER_MINUTE, settings.SIGN_INS_PER_MINUTE = 3, 2
    if mutant == "no limit on messages":
        broken(monkeypatch, rates.check, always)
    if mutant == "no limit on sign-ins":
        broken(monkeypatch, rates.check_everywhere, always)
    talk = await in_database(Talk)

    answers = await messages(Here(), talk, 6)
    tries = await wrong_sign_ins(Here(), 6, some_address())

    assert are_stopped_after(answers, 3) == (mutant != "no limit on messages")
    assert are_slowed_down(*tries, 6, 2) == (mutant != "no limit on sign-ins")


def first_entry_of(request):
    return request.headers.get("X-Forwarded-For", "").split(",")[0]
