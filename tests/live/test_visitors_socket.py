"""Whom the visitor's socket belongs to, and what: his cookie, and the conversation that his page shows."""

import time

import pytest
from django.core import signing

from conversations import visitors
from conversations.actions import closing
from conversations.models import Conversation
from tests import make
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

    async with HerePage(here, f"/ws/chat/?conversation={talk.id}&last=0", cookie) as chat:
        assert (await chat.say("Still here"))["is"] == "posted"
    await in_database(closing.end_by_visitor, talk.id)
    async with HerePage(here, f"/ws/chat/?conversation={talk.id}&last=0", cookie) as chat:
        assert await chat.until_closed() == 4403


def begin_another(talk):
    """The visitor ended that conversation and began a new one in another tab, an hour ago."""
    closing.end_by_visitor(talk.id)
    current = make.waiting_conversation(visitor=talk.conversation.visitor)
    Conversation.objects.filter(pk=current.pk).update(is_visitor_here=False, visitor_seen_at=make.ago(3600))
    return current


@pytest.mark.parametrize("named", [None, "x", ""])
async def test_a_page_of_another_conversation_is_told_to_load_itself_anew_and_gets_nothing(here, named):
    talk = await in_database(Talk)
    current = await in_database(begin_another, talk)
    path = f"/ws/chat/?conversation={talk.id if named is None else named}&last=0"

    async with HerePage(here, path, talk.visitor_cookie) as chat:
        assert await chat.until_closed() == 4403

    assert chat.frames == [{"is": "reload"}]
    await in_database(current.refresh_from_db)
    assert not current.is_visitor_here  # that page does not show it


@pytest.mark.parametrize("query", ["conversation={}&last=0", "last=0"])
async def test_a_page_that_names_the_current_conversation_or_none_gets_it(here, query):
    talk = await in_database(Talk)
    current = await in_database(begin_another, talk)

    async with HerePage(here, f"/ws/chat/?{query.format(current.pk)}", talk.visitor_cookie) as chat:
        await chat.until_line(1)
