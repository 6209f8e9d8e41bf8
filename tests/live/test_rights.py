"""Who may open a socket, and who loses it."""

import asyncio
import threading
from contextlib import AsyncExitStack

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from websockets.exceptions import InvalidStatus

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from conversations import watch
from conversations.actions import transfers
from conversations.desk_page import DeskPage
from tests import make
from tests.live.sockets import Page, Talk, cookie_of, in_database, in_time
from tests.proofs.asking import post

REVOKED_SECONDS = 5


@pytest.mark.parametrize(
    "origin",
    [
        "http://elsewhere.example.com",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "https://127.0.0.1:{port}",
        "ws://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.example.com",
        "http://127.0.0.1:many",
        "null",
        "",
    ],
)
async def test_a_socket_from_another_origin_is_not_opened(portal, origin):
    talk = await in_database(Talk)

    with pytest.raises(InvalidStatus) as refusal:
        async with talk.desk(portal, origin=origin.format(port=portal.port)):
            pass

    assert refusal.value.response.status_code in (400, 403)  # 400: the server itself takes no such origin


async def test_a_trusted_origin_may_open_a_socket(start_portal):
    portal = start_portal(CSRF_TRUSTED_ORIGINS="https://www.example.com")
    talk = await in_database(Talk)

    async with talk.chat(portal, origin="https://www.example.com") as chat:
        await chat.until_drawn()


@pytest.mark.parametrize(
    "path, cookie, code",
    [
        ("/ws/desk/", "", 4401),
        ("/ws/desk/", "sessionid=0123456789abcdefghijklmnopqrstuv", 4401),
        ("/ws/desk/", 'sessionid="0123456789abcdefghijklmnopqrst\\000"', 4401),
        ("/ws/chat/", "", 4403),
        ("/ws/chat/", "livedesk_visitor=forged", 4403),
        ("/ws/chat/", 'livedesk_visitor="forged\\000"', 4403),
    ],
)
async def test_a_socket_without_a_right_is_closed_with_the_reason(portal, path, cookie, code):
    async with Page(portal, path, cookie) as page:
        assert await page.until_closed() == code
    assert page.frames == []


def delete_session(talk):
    Session.objects.filter(session_key=talk.agent_cookie.partition("=")[2]).delete()


def disable(talk):
    Agent.objects.filter(pk=talk.agent.pk).update(is_active=False)


def change_password(talk):
    talk.agent.set_password("quite another word")
    talk.agent.save(update_fields=["password"])


def sign_out_by_supervisor(talk):
    agent_actions.sign_out(talk.agent.pk, by=make.supervisor())


REVOCATIONS = [delete_session, disable, change_password, sign_out_by_supervisor]


@pytest.mark.parametrize("revoke", REVOCATIONS)
async def test_an_agent_who_lost_the_right_loses_the_socket_within_five_seconds(portal, machine, revoke):
    talk = await in_database(Talk)
    async with talk.desk(portal) as desk, talk.desk(portal) as desk_too:
        await desk.until_drawn()
        await desk_too.until_drawn()

        await in_database(revoke, talk)

        closed = asyncio.gather(desk.until_closed(), desk_too.until_closed())
        assert await in_time(closed, machine, REVOKED_SECONDS) == [4401, 4401]
    async with talk.desk(portal) as back:
        assert await back.until_closed() == 4401


async def test_an_agent_who_is_signed_out_while_his_desk_opens_stays_signed_out(here, machine, monkeypatch):
    desks_seen, is_let_in, may_go_on = agent_actions.desks_seen, threading.Event(), threading.Event()
    talk = await in_database(Talk)

    def seen_late(*arguments, **named):
        is_let_in.set()
        may_go_on.wait(10)
        desks_seen(*arguments, **named)

    monkeypatch.setattr(agent_actions, "desks_seen", seen_late)
    async with talk.desk(here) as desk:
        await asyncio.to_thread(is_let_in.wait, 10)
        await in_database(sign_out_by_supervisor, talk)
        may_go_on.set()

        assert await in_time(desk.until_closed(), machine, REVOKED_SECONDS) == 4401

    await in_database(talk.agent.refresh_from_db)
    assert talk.agent.state == AgentState.OFFLINE


async def test_an_agent_who_signs_out_loses_the_sockets_within_five_seconds(portal, machine):
    agent = await in_database(make.agent)
    here, there = [await in_database(cookie_of, agent) for _ in range(2)]
    desk, desk_too, other = pages = [Page(portal, "/ws/desk/", cookie) for cookie in (here, here, there)]
    async with AsyncExitStack() as stack:
        for page in pages:
            await stack.enter_async_context(page)
            await page.until_drawn()

        assert (await asyncio.to_thread(post, portal, "/desk/sign-out/", here))[0] == 302

        closed = asyncio.gather(desk.until_closed(), desk_too.until_closed())
        assert await in_time(closed, machine, REVOKED_SECONDS) == [4401, 4401]
        assert other.code is None
    async with Page(portal, "/ws/desk/", here) as back:
        assert await back.until_closed() == 4401


def with_a_new_password(cookie):
    """The cookie of a browser that has just changed the password of its agent on the page for that."""
    browser = Client()
    browser.cookies["sessionid"] = cookie.partition("=")[2]
    fields = {"old_password": "correct horse", "new_password1": "battery and staple"}
    answer = browser.post("/password/", {**fields, "new_password2": fields["new_password1"]})
    assert answer.headers["Location"] == "/desk/"
    return f"sessionid={browser.cookies['sessionid'].value}"


async def test_an_agent_who_changes_his_password_loses_the_sockets_of_his_other_sessions(portal, machine):
    agent = await in_database(make.agent, password="correct horse")
    here, there = [await in_database(cookie_of, agent) for _ in range(2)]
    async with Page(portal, "/ws/desk/", there) as other:
        await other.until_drawn()

        here = await in_database(with_a_new_password, here)

        assert await in_time(other.until_closed(), machine, REVOKED_SECONDS) == 4401
    async with Page(portal, "/ws/desk/", there) as back, Page(portal, "/ws/desk/", here) as desk:
        assert await back.until_closed() == 4401
        await desk.until_drawn()


async def test_mutant_a_watch_that_never_revokes(here, monkeypatch):
    async def look_away(page):
        pass

    monkeypatch.setattr(DeskPage, "revoke", look_away)
    async with AsyncExitStack() as stack:
        talks = [await in_database(Talk) for _ in REVOCATIONS]
        desks = [await stack.enter_async_context(talk.desk(here)) for talk in talks]
        for desk, talk, revoke in zip(desks, talks, REVOCATIONS, strict=True):
            await desk.until_drawn()
            await in_database(revoke, talk)

        ends = [desk.until_closed(REVOKED_SECONDS) for desk in desks]
        found = await asyncio.gather(*ends, return_exceptions=True)

    assert [str(one).partition(".")[0] for one in found] == ["Never seen: the end"] * len(REVOCATIONS)


async def test_signing_out_in_one_browser_leaves_the_other_one_open(portal, machine):
    agent = await in_database(make.agent)
    here, there = [await in_database(cookie_of, agent) for _ in range(2)]
    async with Page(portal, "/ws/desk/", here) as desk, Page(portal, "/ws/desk/", there) as other:
        await in_database(lambda: Session.objects.filter(session_key=here.partition("=")[2]).delete())

        assert await in_time(desk.until_closed(), machine, REVOKED_SECONDS) == 4401
        await other.ping()


async def test_an_agent_who_is_out_of_a_conversation_gets_no_more_of_it(portal, machine):
    talk = await in_database(Talk)
    async with talk.desk(portal) as desk, talk.chat(portal) as chat:
        await desk.until_line(1)
        await desk.until_shown("tasks", f'id="task-{talk.id}"')
        supervisor = await in_database(make.superuser)

        await in_database(transfers.send_back, talk.id, by=supervisor)
        await in_time(
            desk.until(lambda: f'id="task-{talk.id}"' not in desk.shown["tasks"], "no task"), machine, REVOKED_SECONDS
        )

        lines = dict(desk.lines)
        await chat.say("Is anybody there?")
        answer = await desk.say("Yes", talk.id)
        await desk.send("open", conversation=talk.id, last=0)
        await desk.send("seen", conversation=talk.id, number=1)
        await desk.ping()
        await in_database(make.message, talk.conversation, "A line of its own", number=99)
        await chat.until_line(99)
        assert set(desk.lines) <= set(lines) | {2}  # the sentence that it went back to its queue
        assert answer["is"] == "refused"
        assert "no such conversation" in answer["sentence"]


async def test_a_page_may_not_open_or_post_to_somebody_elses_conversation(portal):
    talk, other = await in_database(Talk), await in_database(Talk, lead=await in_database(make.agent))
    async with talk.desk(portal) as desk:
        await desk.send("open", conversation=other.id, last=0)
        answers = [await desk.say("Hello", conversation) for conversation in (other.id, 2**62)]
        await desk.until_shown("tasks", "Ana")

    assert [answer["is"] for answer in answers] == ["refused", "refused"]
    assert answers[0]["sentence"] == answers[1]["sentence"]
    about = [frame for frame in desk.frames if frame.get("conversation") == other.id]
    assert about in ([], [{"is": "gone", "conversation": other.id}])  # the same as of one that never was


async def test_a_desk_that_asks_for_somebody_elses_conversation_gets_nothing_of_it(portal):
    talk, other = await in_database(Talk), await in_database(Talk, lead=await in_database(make.agent))
    path = f"/ws/desk/?open={other.id}&last=0"
    async with Page(portal, path, talk.agent_cookie) as desk:
        await desk.until_drawn()
        await desk.ping()

    assert desk.lines == {}
    assert f"panel-{other.id}" not in desk.shown


async def test_a_socket_that_is_closed_leaves_the_server_in_order(portal):
    talk = await in_database(Talk)
    async with talk.desk(portal) as desk:
        await desk.until_drawn()
        desk.socket.transport.abort()
        await desk.until_closed()

    await asyncio.to_thread(portal.stop)
    assert "Traceback" not in portal.log()


async def test_a_desk_that_opens_while_rights_are_looked_up_stays_open(here, monkeypatch):
    talk, other = await in_database(Talk), await in_database(Talk, lead=await in_database(make.agent))
    looked, may_answer = threading.Event(), threading.Event()

    def looks_slowly(*arguments):
        found = look(*arguments)
        looked.set()
        may_answer.wait(10)
        return found

    look = watch.look
    monkeypatch.setattr(watch, "look", looks_slowly)
    async with talk.desk(here) as desk:
        await asyncio.to_thread(looked.wait, 10)
        async with other.desk(here) as new:
            await new.until_drawn()
            looked.clear()
            may_answer.set()
            await asyncio.to_thread(looked.wait, 10)  # the next look: the first one has been dealt with

            for page in (desk, new):
                await page.ping()
                assert page.code is None
