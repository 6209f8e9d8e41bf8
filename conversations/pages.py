"""The open pages of this process, and the lines that its visitors wait in."""

import asyncio
import datetime as dt
import logging
from collections import defaultdict
from typing import Any

from django.utils import timezone

from config.live import Hub, Ring
from config.threads import in_thread
from conversations import groups
from conversations.desk_page import DeskPage
from conversations.line import Line, line_of
from conversations.page import Page, VisitorPage
from conversations.writer import Marker, Writer

logger = logging.getLogger(__name__)

LINE_SECONDS = 1.0


class QueueLine:
    """The line of one queue, counted once for all pages that wait in it, at most once a second."""

    def __init__(self, queue_id: int) -> None:
        self.queue_id = queue_id
        self.line: Line | None = None
        self.pages: set[VisitorPage] = set()
        self._is_due = False
        self._counting: asyncio.Task[None] | None = None

    def ring(self, ring: Ring) -> None:
        """Places moved."""
        self.count_soon()

    def count_soon(self) -> None:
        """Count anew; what comes while that is under way may be newer than what it reads, and is counted after it."""
        self._is_due = True
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count())

    async def _count(self) -> None:
        while self._is_due:
            await asyncio.sleep(LINE_SECONDS if self.line else 0)
            self._is_due = False
            try:
                line = await in_thread(line_of)(self.queue_id)
            except Exception as problem:
                logger.warning("A line could not be counted (%s); the safety poll tries again.", problem)
                return
            if self.line is None or line != self.line:
                self.line = line
            # Also when nothing moved since the last count: a page that came after it may have drawn something older.
            for page in list(self.pages):
                page.line_counted(self.line)


class Pages:
    """All open pages of this process."""

    def __init__(self, hub: Hub, writer: Writer, marker: Marker) -> None:
        self.hub = hub
        self.writer = writer
        self.marker = marker
        self.visitors: dict[int, set[VisitorPage]] = defaultdict(set)
        self.desks: dict[int, set[DeskPage]] = defaultdict(set)
        self.lines: dict[int, QueueLine] = {}
        self.is_beat_due = asyncio.Event()
        self.beating = asyncio.Lock()  # held while a heartbeat says who is here
        self.clock_lead = dt.timedelta()  # of the database's clock over this process's

    def now(self) -> dt.datetime:
        """The database's time, as of the last heartbeat: pages count their timers by it."""
        return timezone.now() + self.clock_lead

    def beat_soon(self) -> None:
        """Let the heartbeat say at once who is here."""
        self.is_beat_due.set()

    async def closed_at(self) -> dt.datetime:
        """
        When a page that was just removed counts as closed, by the database's clock.

        A heartbeat that is under way may say yet that the page is open, so that is awaited: the time is after it.
        """
        async with self.beating:
            return self.now()

    def add(self, page: Page) -> None:
        """Join first; the page reads when it starts."""
        if isinstance(page, VisitorPage):
            self.visitors[page.conversation_id].add(page)
            self.hub.join(groups.thread(page.conversation_id), page)
        elif isinstance(page, DeskPage):
            self.desks[page.agent_id].add(page)
            self.hub.join(groups.desk(page.agent_id), page)

    def remove(self, page: Page) -> None:
        """Forget a page that closed."""
        self.hub.leave_all(page)
        if isinstance(page, VisitorPage):
            self.follow_line(page, None)
            _discard(self.visitors, page.conversation_id, page)
        elif isinstance(page, DeskPage):
            _discard(self.desks, page.agent_id, page)

    def counted_lines(self) -> dict[int, Line]:
        """The lines that pages here wait in, as counted last, by queue."""
        return {queue_id: counted.line for queue_id, counted in self.lines.items() if counted.line is not None}

    def follow_line(self, page: VisitorPage, queue_id: int | None) -> None:
        """Let the page follow this queue's line, and no other."""
        for followed in [line for line in self.lines.values() if page in line.pages and line.queue_id != queue_id]:
            followed.pages.discard(page)
            if not followed.pages:
                self.hub.leave_all(followed)
                del self.lines[followed.queue_id]
        if queue_id is None:
            return
        line = self.lines.get(queue_id)
        if line is None:
            line = self.lines[queue_id] = QueueLine(queue_id)
            self.hub.join(groups.line(queue_id), line)
        if page not in line.pages:
            line.pages.add(page)
            line.count_soon()


def _discard(pages: dict[int, set[Any]], key: int, page: Page) -> None:
    here = pages.get(key)
    if here is not None:
        here.discard(page)
        if not here:
            del pages[key]


_pages: Pages | None = None


def current_pages() -> Pages:
    """The pages of this process; there are none before the background has started."""
    if _pages is None:
        raise RuntimeError("The server's background is not running.")
    return _pages


def set_pages(pages: Pages | None) -> None:
    """Make these the process's pages; whoever starts and stops the background does."""
    global _pages
    _pages = pages
