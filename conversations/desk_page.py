"""An agent's desk that is open, kept in step with the database."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from config.live import Ring
from config.threads import in_thread
from conversations import groups
from conversations.actions.reading import Marks
from conversations.errors import Gone
from conversations.fragments import Desk
from conversations.frames import gone_frame
from conversations.page import House, Page, Send
from conversations.snapshots import DeskView, draw_task, heard_by, missing_lines, newest_of, notice_of, view_of_desk
from conversations.thread import Audience


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
        self._written: set[int] = set()  # conversations in which another process stored lines
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
        conversation_id = ring["conversation"]
        if conversation_id == self.open_id:
            self._is_behind = True
        if self._is_only_a_task(conversation_id):
            self._written.add(conversation_id)
        else:
            self._is_stale = True

    def _is_only_a_task(self, conversation_id: int) -> bool:
        """Whether a line shows nowhere on the desk but in a row and in the thread: a request shows the newest ones."""
        desk = self.desk
        if desk is None or conversation_id not in desk.tasks:
            return False
        return all(request.conversation_id != conversation_id for request in desk.requests)

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

    def _note_closed(self, ring: Ring) -> None:
        if ring["group"] == groups.desk(self.agent_id):  # and no visitor's page
            super()._note_closed(ring)

    async def _step(self) -> None:
        await super()._step()
        await self._read_written()
        rows, self._rows = self._rows, set()
        for conversation_id in rows:
            await self._show_row(conversation_id)
        told, self._told = self._told, []
        for offer_id in told:
            await self._send(await in_thread(notice_of)(offer_id, self.language))

    async def _read_written(self) -> None:
        """Bring the rows up to date in whose conversations another process stored lines: one query for all of them."""
        written, self._written = self._written, set()
        if not written:
            return
        found = await in_thread(newest_of)(self.agent_id, written)
        for conversation_id in written:
            if self.desk is None or conversation_id not in found or not self._is_only_a_task(conversation_id):
                self._is_stale = True
                self._wake.set()
            else:
                self.desk.tasks[conversation_id] = found[conversation_id].on(self.desk.tasks[conversation_id])
                self._rows.add(conversation_id)

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
            sent = self.sent
            try:
                missing = await in_thread(missing_lines)(self.agent_id, conversation_id, sent, self.language)
            except Gone:
                return  # the next refresh says so
            if (conversation_id, sent) != (self.open_id, self.sent):
                return  # opened anew meanwhile, even the same: the next turn catches up from what it has now
            await self._show_lines(conversation_id, missing.messages, frame=missing.frame)
            if missing.was_all:
                return  # what comes after the look rings

    async def _refresh(self) -> None:
        if self.desk is None:
            # Join first, read second: who learned from a drawn desk what it hears would have to draw it again.
            self._listen_to(await in_thread(heard_by)(self.agent_id))
        self._written.clear()  # read with everything else
        sent = self.sent
        view = await in_thread(view_of_desk)(self.agent_id, self.open_id, self.language)
        self.desk = view.desk
        if self._listen_to(view.desk.heard):
            self._is_stale = True  # something may have been written between the reading and the joining
            self._wake.set()
        self._forget_rows()
        if view.open_id == self.open_id:
            await self._show_view(view, sent)
        if self.open_id in view.desk.tasks and view.desk.tasks[self.open_id].last_number > self.sent:
            self._is_behind = True  # its ring was lost, and the safety poll compares tasks alone

    async def _show_view(self, view: DeskView, sent: int) -> None:
        # Noted before anything is sent: while a slow line takes it, the page may open another conversation.
        if view.open_id is not None:
            self._show_marks(view.open_id, view.marks)
        if view.lost_id is not None:
            self.open_id = None
        if view.place is not None:
            await self._leave_if_ahead(sent, view.place.conversation.last_number)
        await self._show_fragments(view.drawn)
        if view.lost_id is not None:
            await self._send(gone_frame(view.lost_id))

    def _forget_rows(self) -> None:
        for name in [name for name in self.shown if name.startswith("task-")]:
            del self.shown[name]

    def _listen_to(self, conversation_ids: set[int]) -> bool:
        """Hear exactly these conversations; answers whether one is new."""
        wanted = {groups.thread(conversation_id) for conversation_id in conversation_ids}
        new = wanted - self._heard
        for group in new:
            self.pages.hub.join(group, self)
        for group in self._heard - wanted:
            self.pages.hub.leave(group, self)
        self._heard = wanted
        return bool(new)
