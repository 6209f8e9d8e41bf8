"""
An open page, kept in step with the database; the visitor's is here, the agent's in desk_page.py.

A page joins its groups first and reads second. Rings mark what is stale; one task per page does the reading and the
sending, in order. What a page was sent is remembered, so that a change goes out once and an unchanged part never.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from config import metrics
from config.live import Hub, Ring
from config.threads import in_thread
from conversations.actions.reading import Marks
from conversations.frames import Frame, lines_frame, marks_frame, reload_frame
from conversations.line import Line
from conversations.models import Message
from conversations.snapshots import VisitorView, missing_lines_of_visitor, view_of_visitor
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

    def beat_soon(self) -> None:
        """Let the heartbeat say at once who is here."""

    def remove(self, page: "Page") -> None:
        """Forget a page that closed."""

    def counted_lines(self) -> dict[int, Line]:
        """The lines that pages here wait in, as counted last, by queue."""

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
            case "closed":
                self._note_closed(ring)
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

    def _note_closed(self, ring: Ring) -> None:
        """Another page of the same person closed, in another process: this one is still here."""
        self.pages.beat_soon()

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

    async def _show_lines(self, conversation_id: int, messages: list[Message], *, frame: Frame | None = None) -> None:
        """
        Send lines that follow exactly what the page has; otherwise let it catch up.

        With their `frame` they were read from the database, so nothing else follows what the page has.
        """
        fresh = [message for message in messages if message.number > self.sent]
        if not fresh:
            return
        if frame is None and fresh[0].number != self.sent + 1:
            self._is_behind = True
            return
        if frame is None or len(fresh) < len(messages):
            frame = lines_frame(conversation_id, fresh, self.audience, self.language)
        # Before it is sent: while a slow line takes it, the page may open another conversation, with another number.
        self.sent = fresh[-1].number
        is_awaited = fresh[-1].created_at >= self._since  # what was written before nobody waited for here
        await self._send(frame)
        if is_awaited:
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
        self.line: Line | None = None  # by which the page tells its place

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
        while True:
            missing = await in_thread(missing_lines_of_visitor)(self.conversation_id, self.sent, self.language)
            await self._show_lines(self.conversation_id, missing.messages, frame=missing.frame)
            if missing.was_all:
                return  # what comes after the look rings

    async def _refresh(self) -> None:
        sent = self.sent
        self.view = await in_thread(view_of_visitor)(self.conversation_id, self.pages.counted_lines(), self.language)
        self.line = self.view.line
        conversation = self.view.conversation
        await self._leave_if_ahead(sent, conversation.last_number)
        self.pages.follow_line(self, conversation.queue_id if conversation.state == State.WAITING else None)
        self._show_marks(self.conversation_id, self.view.marks)
        await self._show_fragments(self.view.drawn)

    def line_counted(self, line: Line) -> None:
        """The line of this page's queue was counted anew; it is drawn anew if it tells this page something else."""
        before, self.line = self.line, line
        if before is None or self._told_by(before) != self._told_by(line):
            self._is_stale = True
            self._wake.set()

    def _told_by(self, line: Line) -> tuple[int, int | None, int | None]:
        return line.queue_id, line.place(self.conversation_id), line.minutes(self.conversation_id)
