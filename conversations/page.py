"""
An open page, kept in step with the database.

A page joins its groups first and reads second. Rings mark what is stale; one task per page does the reading and the
sending, in order. What a page was sent is remembered, so that a change goes out once and an unchanged part never.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from config import metrics
from config.live import Hub, Ring
from config.threads import in_thread
from conversations import groups
from conversations.actions.reading import Marks
from conversations.errors import Gone
from conversations.fragments import Desk
from conversations.frames import Frame, lines_frame, marks_frame, reload_frame
from conversations.line import Line
from conversations.models import Message
from conversations.snapshots import (
    DeskView,
    VisitorView,
    draw_task,
    missing_lines,
    missing_lines_of_visitor,
    notice_of,
    view_of_desk,
    view_of_visitor,
)
from conversations.states import State
from conversations.thread import Audience

logger = logging.getLogger(__name__)

Send = Callable[[Frame], Awaitable[None]]
RETRY_SECONDS = 1.0


class House(Protocol):
    """What a page needs of the process that it lives in."""

    hub: Hub

    def now(self) -> dt.datetime:
        """The database's time."""

    def remove(self, page: "Page") -> None:
        """Forget a page that closed."""

    def line_for(self, page: "VisitorPage") -> Line | None:
        """The line that this page waits in."""

    def follow_line(self, page: "VisitorPage", queue_id: int | None) -> None:
        """Let the page follow this queue's line, and no other."""


class Page:
    """What the visitor's page and the agent's desk have in common."""

    audience: Audience

    def __init__(self, pages: House, send: Send, language: str, sent: int) -> None:
        self.pages = pages
        self.language = language
        self.sent = sent  # the number of the last line that this page has
        self._since = pages.now()  # that it shows its thread
        self.shown: dict[str, str] = {}
        self._send = send
        self.marks = Marks()
        self._posted: list[Ring] = []
        self._frames: list[Frame] = []
        self._is_behind = True
        self._is_stale = True
        self._wake = asyncio.Event()
        self._wake.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep the page in step."""
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """The page is closed: it is forgotten at once. Safe to repeat."""
        self.pages.remove(self)
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Close the page, and wait until it has ended."""
        self.close()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def ring(self, ring: Ring) -> None:
        """Note what a ring makes stale."""
        match ring["what"]:
            case "posted" if "_posted" in ring:
                self._posted.append(ring)
            case "posted":
                self._note_remote(ring)
            case "marked":
                self._note_marks(ring)
            case "typing":
                self._note_typing(ring)
            case "told":
                self._note_told(ring)
            case _:
                self._is_stale = True
        self._wake.set()

    def make_stale(self) -> None:
        """The safety poll found a change that no ring announced."""
        self._is_stale = self._is_behind = True
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._step()
            except asyncio.CancelledError:
                raise
            except Gone:
                return  # the conversation was deleted; there is nothing to keep in step with
            except Exception:
                logger.exception("A page could not be brought up to date; trying again.")
                self.make_stale()
                await asyncio.sleep(RETRY_SECONDS)

    async def _step(self) -> None:
        posted, self._posted = self._posted, []
        for ring in posted:
            await self._show_posted(ring)
        frames, self._frames = self._frames, []
        for frame in frames:
            await self._send(frame)
        if self._is_stale:
            self._is_stale = False
            await self._refresh()
        if self._is_behind:
            self._is_behind = False
            await self._catch_up()

    def _note_remote(self, ring: Ring) -> None:
        raise NotImplementedError

    def _note_marks(self, ring: Ring) -> None:
        raise NotImplementedError

    def _note_typing(self, ring: Ring) -> None:
        raise NotImplementedError

    def _note_told(self, ring: Ring) -> None:
        """Only desks are told how a request to a colleague ended."""

    def _show_marks(self, conversation_id: int, marks: Marks) -> None:
        """Tell the page how far the other side got; marks only move forward."""
        marks = Marks(max(marks.delivered, self.marks.delivered), max(marks.read, self.marks.read))
        if marks != self.marks:
            self.marks = marks
            self._frames.append(marks_frame(conversation_id, marks))
            self._wake.set()

    async def _show_posted(self, ring: Ring) -> None:
        raise NotImplementedError

    async def _refresh(self) -> None:
        raise NotImplementedError

    async def _catch_up(self) -> None:
        raise NotImplementedError

    async def _leave_if_ahead(self, sent: int, last_number: int) -> None:
        """
        A page that had more lines than the database has shows a thread that is no more.

        Lines that are written now would take the numbers of those it shows, and never come. `sent` is what the page
        had before the database was read, so that a line of this moment is no such line.
        """
        if sent > last_number:
            self.sent = last_number  # told once
            await self._send(reload_frame())

    async def _show_lines(self, conversation_id: int, messages: list[Message], *, is_all: bool = False) -> None:
        """
        Send lines that follow exactly what the page has; otherwise let it catch up.

        `is_all`: they were read from the database, so nothing else follows what the page has.
        """
        fresh = [message for message in messages if message.number > self.sent]
        if not fresh:
            return
        if fresh[0].number != self.sent + 1 and not is_all:
            self._is_behind = True
            return
        await self._send(lines_frame(conversation_id, fresh, self.audience, self.language))
        self.sent = fresh[-1].number
        if fresh[-1].created_at >= self._since:  # what was written before nobody waited for here
            metrics.delivery.observe(max(0.0, (self.pages.now() - fresh[-1].created_at).total_seconds()))

    async def _show_fragments(self, drawn: dict[str, str]) -> None:
        """Send the fragments that differ from what the page shows."""
        changed = {name: html for name, html in drawn.items() if self.shown.get(name) != html}
        if changed:
            self.shown.update(changed)
            await self._send({"is": "fragments", "html": "".join(changed.values())})


class VisitorPage(Page):
    """The chat page of one conversation."""

    audience = Audience.VISITOR

    def __init__(self, pages: House, send: Send, language: str, sent: int, conversation_id: int) -> None:
        super().__init__(pages, send, language, sent)
        self.conversation_id = conversation_id
        self.view: VisitorView | None = None

    def known(self) -> tuple[int, int, Marks]:
        """What the page knows of its conversation: its revision, its last number, and the marks of the agents."""
        return (self.view.conversation.revision if self.view else -1, self.sent, self.marks)

    def _note_remote(self, ring: Ring) -> None:
        self._is_behind = True

    def _note_marks(self, ring: Ring) -> None:
        if ring["by"]:
            self._show_marks(self.conversation_id, Marks(ring["delivered"], ring["read"]))

    def _note_typing(self, ring: Ring) -> None:
        if ring["by"]:
            self._frames.append({"is": "typing", "conversation": self.conversation_id, "who": ring["name"]})

    async def _show_posted(self, ring: Ring) -> None:
        await self._show_lines(self.conversation_id, ring["_posted"])

    async def _catch_up(self) -> None:
        while messages := await in_thread(missing_lines_of_visitor)(self.conversation_id, self.sent):
            await self._show_lines(self.conversation_id, messages, is_all=True)

    async def _refresh(self) -> None:
        line, sent = self.pages.line_for(self), self.sent
        self.view = await in_thread(view_of_visitor)(self.conversation_id, line, self.language)
        conversation = self.view.conversation
        await self._leave_if_ahead(sent, conversation.last_number)
        self.pages.follow_line(self, conversation.queue_id if conversation.state == State.WAITING else None)
        self._show_marks(self.conversation_id, self.view.marks)
        await self._show_fragments(self.view.drawn)

    def line_moved(self) -> None:
        """The line of this page's queue was counted anew."""
        self._is_stale = True
        self._wake.set()


class DeskPage(Page):
    """An agent's desk: his state, requests and tasks, and the conversation that is open on this page."""

    audience = Audience.AGENTS

    def __init__(self, pages: House, send: Send, language: str, sent: int, agent_id: int, open_id: int | None) -> None:
        super().__init__(pages, send, language, sent)
        self.agent_id = agent_id
        self.open_id = open_id
        self.desk: Desk | None = None
        self.session_key = ""
        self.credentials = ("", 0)
        self._revoke: Callable[[], Awaitable[None]] | None = None
        self._heard: set[str] = set()
        self._rows: set[int] = set()
        self._told: list[int] = []

    def keep_right(self, session_key: str, credentials: tuple[str, int], revoke: Callable[[], Awaitable[None]]) -> None:
        """Remember by what right the page is open, and how to close it when that right ends."""
        self.session_key, self.credentials, self._revoke = session_key, credentials, revoke

    async def revoke(self) -> None:
        """The agent signed out, was signed out, or may not sign in any more."""
        if self._revoke is not None:
            await self._revoke()

    def open(self, conversation_id: int | None, sent: int) -> None:
        """The page shows another conversation now, up to this number."""
        self.open_id, self.sent, self.marks = conversation_id, sent, Marks()
        self._since = self.pages.now()
        for name in ("panel", "composer", "customer", "closing"):
            self.shown.pop(name, None)
        self.make_stale()

    def _note_remote(self, ring: Ring) -> None:
        self._is_stale = True
        if ring["conversation"] == self.open_id:
            self._is_behind = True

    def _note_marks(self, ring: Ring) -> None:
        conversation_id = ring["conversation"]
        if ring["by"] == 0 and conversation_id == self.open_id:
            self._show_marks(conversation_id, Marks(ring["delivered"], ring["read"]))
        task = self.desk.tasks.get(conversation_id) if self.desk else None
        if self.desk is None or task is None:
            return
        if ring["by"] == 0:
            self.desk.tasks[conversation_id] = replace(task, visitor_marks=(ring["delivered"], ring["read"]))
        elif ring["by"] == self.agent_id:
            self.desk.tasks[conversation_id] = task.seen(ring["read_visitor_count"])
            self._rows.add(conversation_id)

    def _note_typing(self, ring: Ring) -> None:
        if ring["by"] != self.agent_id:
            self._frames.append({"is": "typing", "conversation": ring["conversation"], "who": ring["name"]})

    def _note_told(self, ring: Ring) -> None:
        self._told.append(ring["offer"])

    async def _step(self) -> None:
        await super()._step()
        rows, self._rows = self._rows, set()
        for conversation_id in rows:
            await self._show_row(conversation_id)
        told, self._told = self._told, []
        for offer_id in told:
            await self._send(await in_thread(notice_of)(offer_id, self.language))

    async def _show_row(self, conversation_id: int) -> None:
        """Send one row anew; the list that it stands in is no longer what was sent last."""
        task = self.desk.tasks.get(conversation_id) if self.desk else None
        if task is not None:
            html = draw_task(task, conversation_id == self.open_id, self.language)
            await self._show_fragments({f"task-{conversation_id}": html})
            self.shown.pop("tasks", None)

    async def _show_posted(self, ring: Ring) -> None:
        conversation_id, messages = ring["conversation"], ring["_posted"]
        if conversation_id == self.open_id:
            await self._show_lines(conversation_id, messages)
        task = self.desk.tasks.get(conversation_id) if self.desk else None
        if self.desk is None or task is None:
            self._is_stale = True
            return
        for message in messages:
            task = task.after(message, ring["visitor_count"])
        self.desk.tasks[conversation_id] = task
        self._rows.add(conversation_id)

    async def _catch_up(self) -> None:
        conversation_id = self.open_id
        while conversation_id is not None:
            try:
                messages = await in_thread(missing_lines)(self.agent_id, conversation_id, self.sent)
            except Gone:
                return  # the next refresh says so
            if not messages or conversation_id != self.open_id:
                return
            await self._show_lines(conversation_id, messages, is_all=True)

    async def _refresh(self) -> None:
        sent = self.sent
        view = await in_thread(view_of_desk)(self.agent_id, self.open_id, self.language)
        self.desk = view.desk
        if self._listen_to({groups.thread(conversation_id) for conversation_id in view.desk.heard}):
            self._is_stale = True  # something may have been written between the reading and the joining
            self._wake.set()
        self._forget_rows()
        if view.open_id == self.open_id:
            await self._show_view(view, sent)
        if self.open_id in view.desk.tasks and view.desk.tasks[self.open_id].last_number > self.sent:
            self._is_behind = True  # its ring was lost, and the safety poll compares tasks alone

    async def _show_view(self, view: DeskView, sent: int) -> None:
        if view.place is not None:
            await self._leave_if_ahead(sent, view.place.conversation.last_number)
        if self.open_id is not None:
            self._show_marks(self.open_id, view.marks)
        await self._show_fragments(view.drawn)
        if view.is_open_lost:
            self.open_id = None

    def _forget_rows(self) -> None:
        for name in [name for name in self.shown if name.startswith("task-")]:
            del self.shown[name]

    def _listen_to(self, wanted: set[str]) -> bool:
        """Hear exactly these conversations; answers whether one is new."""
        new = wanted - self._heard
        for group in new:
            self.pages.hub.join(group, self)
        for group in self._heard - wanted:
            self.pages.hub.leave(group, self)
        self._heard = wanted
        return bool(new)
