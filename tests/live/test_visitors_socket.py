"""Whom the visitor's socket belongs to: what his cookie is good for."""

import time

from django.core import signing

from conversations import visitors
from conversations.actions import closing
from tests.live.sockets import HerePage, Talk, in_database

OLD = 2 * visitors.ONE_DAY


def aged(cookie, monkeypatch):
    """The same cookie, given out two days ago."""
    token = signing.loads(cookie.partition("=")[2], salt=visitors.SALT)
    now = time.time()
    with monkeypatch.context() as past:
        past.setattr(signing.time, "time", lambda: now - OLD)
        return f"{visitors.COOKIE}={signing.dumps(token, salt=visitors.SALT)}"


async def test_a_socket_comes_back_after_the_session_while_the_conversation_is_open(here, monkeypatch):
    talk = await in_database(Talk)
    cookie = aged(talk.visitor_cookie, monkeypatch)

    async with HerePage(here, "/ws/chat/?last=0", cookie) as chat:
        assert (await chat.say("Still here"))["is"] == "posted"
    await in_database(closing.end_by_visitor, talk.id)
    async with HerePage(here, "/ws/chat/?last=0", cookie) as chat:
        assert await chat.until_closed() == 4403
