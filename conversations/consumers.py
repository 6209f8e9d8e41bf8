"""The sockets: one per page, both ways. Up come messages, marks and pings; down go lines and fragments."""

import asyncio
import datetime as dt
import json
import logging
import time
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.db import DatabaseError
from django.http.request import QueryDict
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from agents import actions as agent_actions
from agents.models import Agent
from config import metrics
from config.logs import belongs_to, new_id
from config.numbers import whole_number
from config.outage import TRY_AGAIN
from config.refusal import Refused, TooFast
from config.threads import in_thread
from conversations import groups, limits, visitors
from conversations.access import conversation_in, is_another
from conversations.actions import presence
from conversations.actions.files import clean_handles
from conversations.actions.messaging import KEY, Draft, Posted
from conversations.actions.reading import Mark
from conversations.desk_page import DeskPage
from conversations.frames import posted_frame, reload_frame
from conversations.models import Conversation
from conversations.page import Page, VisitorPage
from conversations.pages import current_pages
from conversations.returns import count_return
from conversations.states import MessageKind, Party
from conversations.watch import right_of, rightful

logger = logging.getLogger(__name__)

LONGEST_FRAME = 64 * 1024
MOST_NUMBER = 2**31 - 1
MOST_ID = 2**63 - 1
FRAMES_PER_SECOND = 30
LEAVING_SECONDS = 1.5  # a reload is not a departure

SIGNED_OUT, NO_RIGHT, FLOODED = 4401, 4403, 4429

BAD_FRAME = _("The page sent something that cannot be understood. Reload it.")


class BadFrame(Exception):
    """A frame that no page of ours sends."""


class Flood(Exception):
    """So many frames that even answering them would be too much."""


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """What both sockets share: parsing, limits, answers, and one page that is kept in step."""

    channel_layer_alias = "none"  # the process has one channel; a socket needs none
    commands: ClassVar[frozenset[str]] = frozenset()
    page: Page | None = None
    is_sent_away = False
    is_counted = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """
        Serve the socket, and leave no page behind however that ends.

        A command may hang longer than its socket lives, while the database is away: then the server cancels all of
        this, and nobody is told that the socket closed.
        """
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._forget_page()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler, without Channels' hop to a thread for each event: no database work runs here."""
        match message["type"]:
            case "websocket.receive":
                await self.websocket_receive(message)
            case "websocket.connect":
                await self.websocket_connect(message)
            case "websocket.disconnect":
                await self.websocket_disconnect(message)

    async def connect(self) -> None:
        """Let the person in, or close with the code that says why not."""
        belongs_to.set(new_id("socket"))
        self.language = translation.get_language() or settings.LANGUAGE_CODE
        self.second, self.frames = 0, 0
        try:
            self.query = QueryDict(self.scope.get("query_string", b"").decode("latin1"))
        except TooManyFieldsSent:
            await self.close()  # no page of ours has so many; not accepted yet, it is refused with 403
            return
        await self.accept()
        try:
            code = await self.enter()
        except DatabaseError:
            logger.exception("A socket could not be opened.")
            code = TRY_AGAIN
        if code is not None:
            await self.close(code)
            return
        await self.send_frame({"is": "hello", "now": current_pages().now().isoformat()})
        if self.page is not None:
            metrics.sockets.labels(page=self.page.audience).inc()
            self.is_counted = True
            sent = self.page.sent
            self.page.start()
            if "back" in self.query:
                await count_return(self.page, sent)

    async def enter(self) -> int | None:
        """Make the page; answers a close code instead when the person has no right to it."""
        raise NotImplementedError

    async def send_frame(self, frame: dict[str, Any]) -> None:
        """Send one frame of JSON."""
        await self.send(text_data=json.dumps(frame, ensure_ascii=False))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Do one command; what is wrong with it gets a sentence, and the socket stays."""
        if self.is_sent_away:
            return  # what came right behind a message that failed must not be stored before it
        key: str | None = None
        try:
            self._count_frame()
            frame = _parse(text_data)
            key = _key(frame)
            await self._do(frame)
        except BadFrame:
            with translation.override(self.language):
                await self._refuse(key, str(BAD_FRAME), None)
        except Refused as refusal:
            with translation.override(self.language):
                await self._refuse(key, str(refusal), refusal.retry_after_seconds)
        except Flood:
            self.is_sent_away = True
            await self.close(FLOODED)
        except DatabaseError:
            # Nothing was acknowledged: the page comes back and sends it again under its key.
            logger.exception("A command could not be done.")
            self.is_sent_away = True
            await self.close(TRY_AGAIN)

    async def _refuse(self, key: str | None, sentence: str, retry_after: int | None) -> None:
        frame = {"is": "refused", "key": key, "sentence": sentence, "retry_after": retry_after}
        await self.send_frame(frame)

    async def _do(self, frame: dict[str, Any]) -> None:
        command = frame.get("do")
        if command == "ping":
            await self.send_frame({"is": "pong", "now": current_pages().now().isoformat()})
        elif isinstance(command, str) and command in self.commands and self.page is not None:
            await getattr(self, f"do_{command}")(frame)
        else:
            raise BadFrame

    def _count_frame(self) -> None:
        second = int(time.monotonic())
        if second != self.second:
            self.second, self.frames = second, 0
        self.frames += 1
        if self.frames > FRAMES_PER_SECOND * 10:
            raise Flood
        if self.frames > FRAMES_PER_SECOND:
            raise TooFast(_("Too much at once. Wait a second and try again."), retry_after_seconds=1)

    async def post(self, draft: Draft) -> None:
        """Store a message with the process's writer, and acknowledge it after COMMIT."""
        answer = await current_pages().writer.post(draft)
        if isinstance(answer, Refused):
            raise answer
        await self.acknowledge(answer)

    async def acknowledge(self, posted: Posted) -> None:
        """Tell the sender that the message is stored, and under which number."""
        with translation.override(self.language):
            frame = posted_frame(posted)
        await self.send_frame(frame)

    def tell_typing(self, conversation_id: int, by: int, name: str) -> None:
        """Ring for the others who see the conversation; nothing is stored, and a lost ring costs nothing."""
        ring = {"group": groups.thread(conversation_id), "what": "typing", "conversation": conversation_id}
        current_pages().hub.ring_everywhere([{**ring, "by": by, "name": name}])

    async def disconnect(self, code: int) -> None:
        """Forget the page."""
        if self.page is not None:
            self._forget_page()
            await self.page.stop()
            await self.left(await current_pages().closed_at())

    def _forget_page(self) -> None:
        """At once and without waiting for anything; safe to repeat."""
        if self.page is not None:
            self.page.close()
            if self.is_counted:
                self.is_counted = False
                metrics.sockets.labels(page=self.page.audience).dec()

    async def left(self, closed_at: dt.datetime) -> None:
        """The person's page closed at this time of the database's clock."""


class ChatConsumer(LiveConsumer):
    """The visitor's socket."""

    commands = frozenset({"post", "got", "seen", "typing"})
    conversation: Conversation

    async def enter(self) -> int | None:
        conversation = await in_thread(conversation_in)(self.scope.get("cookies", {}).get(visitors.COOKIE))
        if conversation is None:
            return NO_RIGHT
        if is_another(conversation, self.query.get("conversation")):
            await self.send_frame(reload_frame())  # in a tab of his that he left open, the visitor began a new one
            return NO_RIGHT
        self.conversation = conversation
        self.language = _language(self.query.get("language")) or conversation.language
        pages = current_pages()
        self.page = VisitorPage(
            pages, self.send_frame, self.language, whole_number(self.query.get("last")) or 0, conversation.pk
        )
        pages.add(self.page)
        await in_thread(presence.visitors_seen)([conversation.pk])
        return None

    async def do_post(self, frame: dict[str, Any]) -> None:
        """A message by the visitor."""
        limits.check_message(f"visitor:{self.conversation.visitor_id}")
        text, key, files = _text(frame, "text"), _text(frame, "key"), _handles(frame)
        await self.post(Draft(self.conversation.pk, Party.VISITOR, text, key, files=files))

    async def do_seen(self, frame: dict[str, Any]) -> None:
        """The visitor saw the thread up to a number."""
        number = _count(frame, "number")
        current_pages().marker.note(Mark(self.conversation.pk, number, number))

    async def do_got(self, frame: dict[str, Any]) -> None:
        """The visitor's page has the thread up to a number."""
        current_pages().marker.note(Mark(self.conversation.pk, _count(frame, "number")))

    async def do_typing(self, frame: dict[str, Any]) -> None:
        """The visitor is writing."""
        self.tell_typing(self.conversation.pk, 0, self.conversation.visitor_name.split(" ")[0])

    async def left(self, closed_at: dt.datetime) -> None:
        pages = current_pages()
        if self.conversation.pk not in pages.visitors:
            pages.hub.ring_everywhere([{"group": groups.thread(self.conversation.pk), "what": "closed"}])
        await asyncio.sleep(LEAVING_SECONDS)
        if self.conversation.pk not in pages.visitors:
            # He may be here in another tab or back, on another server, which saw him since.
            await in_thread(presence.visitor_left)(self.conversation.pk, closed_at=closed_at)


class DeskConsumer(LiveConsumer):
    """The agent's socket: all of the agent's conversations, not just the open one."""

    commands = frozenset({"post", "got", "seen", "open", "typing"})
    agent: Agent

    async def enter(self) -> int | None:
        agent = self.scope["user"]
        if not agent.is_authenticated:
            return SIGNED_OUT
        self.agent = agent
        self.language = agent.language
        pages = current_pages()
        page = DeskPage(
            pages,
            self.send_frame,
            agent.language,
            whole_number(self.query.get("last")) or 0,
            agent.pk,
            whole_number(self.query.get("open")) or None,
        )
        page.keep_right(self.scope["session"].session_key, (agent.password, agent.session_epoch), self._revoke)
        self.page = page
        pages.add(page)
        # A supervisor may have signed him out since his socket was let in.
        await in_thread(agent_actions.desks_seen)([agent.pk], may_return=lambda: rightful([right_of(page)]))
        return None

    async def _revoke(self) -> None:
        await self.close(SIGNED_OUT)

    async def do_post(self, frame: dict[str, Any]) -> None:
        """A message by the agent."""
        limits.check_message(f"agent:{self.agent.pk}")
        conversation_id = _count(frame, "conversation", most=MOST_ID)
        kind = MessageKind.NOTE if frame.get("note") is True else MessageKind.TEXT
        text, key = _text(frame, "text"), _text(frame, "key")
        await self.post(Draft(conversation_id, Party.AGENT, text, key, self.agent.pk, kind, _handles(frame)))

    async def do_open(self, frame: dict[str, Any]) -> None:
        """The page shows another conversation now, or none."""
        assert isinstance(self.page, DeskPage)  # noqa: S101 - commands run only with a page
        conversation_id = None if frame.get("conversation") is None else _count(frame, "conversation", most=MOST_ID)
        self.page.open(conversation_id, _count(frame, "last"))

    async def do_seen(self, frame: dict[str, Any]) -> None:
        """The agent saw a thread up to a number."""
        conversation_id = _count(frame, "conversation", most=MOST_ID)
        number = _count(frame, "number")
        current_pages().marker.note(Mark(conversation_id, number, number, self.agent.pk))

    async def do_got(self, frame: dict[str, Any]) -> None:
        """A page of the agent has a thread up to a number."""
        conversation_id = _count(frame, "conversation", most=MOST_ID)
        current_pages().marker.note(Mark(conversation_id, _count(frame, "number"), agent_id=self.agent.pk))

    async def do_typing(self, frame: dict[str, Any]) -> None:
        """The agent is writing to the visitor; who does not take part is not heard."""
        conversation_id = _count(frame, "conversation", most=MOST_ID)
        assert isinstance(self.page, DeskPage)  # noqa: S101 - commands run only with a page
        if self.page.desk is not None and conversation_id in self.page.desk.tasks:
            self.tell_typing(conversation_id, self.agent.pk, self.agent.get_short_name() or self.agent.name)

    async def left(self, closed_at: dt.datetime) -> None:
        if self.agent.pk not in current_pages().desks:
            await in_thread(agent_actions.desk_closed)(self.agent.pk, unless_seen_after=closed_at)


def _parse(text: str | None) -> dict[str, Any]:
    if text is None or len(text) > LONGEST_FRAME:
        raise BadFrame
    try:
        frame = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise BadFrame from problem
    if not isinstance(frame, dict):
        raise BadFrame
    return frame


def _no_constant(name: str) -> None:
    raise BadFrame


def _key(frame: dict[str, Any]) -> str | None:
    """The key to answer under; one that no page makes is not sent back: it may be huge, or be no text at all."""
    key = frame.get("key")
    return key if isinstance(key, str) and KEY.fullmatch(key) else None


def _text(frame: dict[str, Any], name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise BadFrame
    return value


def _handles(frame: dict[str, Any]) -> tuple[str, ...]:
    value = frame.get("files", [])
    if not isinstance(value, list):
        raise BadFrame
    return clean_handles(value)


def _count(frame: dict[str, Any], name: str, *, most: int = MOST_NUMBER) -> int:
    value = frame.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise BadFrame
    return value


def _language(code: str | None) -> str | None:
    return code if code in dict(settings.LANGUAGES) else None


websocket_urls = [
    path("ws/chat/", ChatConsumer.as_asgi()),
    path("ws/desk/", DeskConsumer.as_asgi()),
]
