"""Broken builds that a server process of its own runs; see broken_serve.py. Each says which promise it breaks."""

import asyncio
import datetime as dt
import itertools
import os
import time

from agents import actions as agent_actions
from config import server, threads
from config.threads import in_thread
from conversations import consumers, pages, watch
from conversations.actions import messaging
from conversations.frames import lines_frame
from conversations.models import Conversation, Message


def no_unique_key():
    """What was sent again is stored again (the test drops the database's own rule)."""
    messaging._known = lambda drafts: {}


def acknowledge_before_commit():
    """The sender is told "stored" when the message has only arrived."""

    async def post(self, draft):
        frame = {"is": "posted", "key": draft.key, "number": 0, "conversation": draft.conversation_id}
        await self.send_frame(frame)
        await asyncio.sleep(0.05)
        await consumers.current_pages().writer.post(draft)

    consumers.LiveConsumer.post = post


def drop_posts():
    """Every tenth message is passed over without a word."""
    post, count = consumers.LiveConsumer.post, itertools.count(1)

    async def post_most(self, draft):
        if next(count) % 10:
            await post(self, draft)

    consumers.LiveConsumer.post = post_most


def catch_up_by_time():
    """A page that comes back gets what was written after the second of its last line."""

    async def catch_up(self):
        conversation_id = self.open_id if isinstance(self, pages.DeskPage) else self.conversation_id
        messages = await in_thread(lines_since)(conversation_id, self.sent)
        if messages:
            await self._send(lines_frame(conversation_id, messages, self.audience, self.language))
            self.sent = messages[-1].number

    pages.VisitorPage._catch_up = pages.DeskPage._catch_up = catch_up


def lines_since(conversation_id, number):
    conversation = Conversation.objects.get(pk=conversation_id)
    messages = Message.objects.filter(conversation=conversation).select_related("agent").order_by("number")
    if last := messages.filter(number=number).first():
        messages = messages.filter(created_at__gte=last.created_at.replace(microsecond=0) + dt.timedelta(seconds=1))
    found = list(messages)
    for message in found:
        message.conversation = conversation
    return found


def catch_up_from_the_first():
    """A page that comes back gets the whole thread again."""
    begin = pages.Page.__init__

    def begin_with_nothing(self, pages, send, language, sent, *more):
        begin(self, pages, send, language, 0, *more)

    pages.Page.__init__ = begin_with_nothing


def no_bound():
    """A page that does not read is kept, whatever is addressed to it."""
    server.UNREAD_BYTES = 2**62


def wait_for_readers():
    """The whole process waits a moment with each frame for a page that left something unread."""
    handle = server.DrainingServer.handle_reply

    async def handle_and_wait(self, protocol, message):
        is_unread = message["type"] == "websocket.send" and server.unread_bytes(protocol.transport) > 256 * 1024
        await handle(self, protocol, message)
        if is_unread:
            time.sleep(0.04)

    server.DrainingServer.handle_reply = handle_and_wait


def leak():
    """Something of every frame is kept for ever."""
    send, kept = consumers.LiveConsumer.send_frame, []

    async def send_and_keep(self, frame):
        kept.append(bytearray(b"x" * 65536))
        await send(self, frame)

    consumers.LiveConsumer.send_frame = send_and_keep


def lose_lines():
    """Every tenth line that a page should show is taken for shown."""
    show = pages.Page._show_lines

    async def show_most(self, conversation_id, messages, **how):
        if messages[-1].number % 10:
            await show(self, conversation_id, messages, **how)
        else:
            self.sent = messages[-1].number

    pages.Page._show_lines = show_most


def many_connections():
    """As many threads for the database as there is work, each with its connection."""
    threads.readers._max_workers = 250


def no_safety_poll():
    """What no ring announced is never found."""
    watch.POLL_SECONDS = 3600


def heartbeats_when_asked():
    """A server says who is here when a page opens here or closes elsewhere, and never by itself."""
    agent_actions.HEARTBEAT_SECONDS = 3600


def headers_in_time():
    """Headers have HEADERS_SECONDS: fewer for a test that does not take half a minute, many for the mutant."""
    server.PromptChannel.headers_seconds = float(os.environ["HEADERS_SECONDS"])
