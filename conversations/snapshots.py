"""What a page reads when something rang: everything it shows, drawn, in a handful of queries."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils import translation

from agents.models import Agent
from config.stamps import stamp
from conversations.access import participation_of
from conversations.actions.offers import EVENT_OF
from conversations.actions.reading import Marks, marks_for_agents, marks_for_visitor
from conversations.errors import Gone
from conversations.file_lines import draw_files
from conversations.fragments import (
    Desk,
    Task,
    draw_conversation,
    draw_desk,
    draw_status,
    load_desk,
)
from conversations.frames import Frame, lines_frame
from conversations.line import Line, line_of
from conversations.models import Conversation, Message, Offer, Participant
from conversations.states import OfferKind, OfferState, State
from conversations.thread import Audience, after, refusal, was_all

# What the row of a task asks, and what it only prints.
TASK_LOOKED_AT = ("state", "is_open", "is_visitor_here", "has_deadline", "unread")
TASK_PRINTED = ("conversation_id", "address", "initials", "customer", "line", "since_at", "deadline_at")


@dataclass
class VisitorView:
    """The chat page, drawn; `line` is the one by which its place is told, while it waits."""

    conversation: Conversation
    drawn: dict[str, str]
    marks: Marks
    line: Line | None


@dataclass
class DeskView:
    """A desk, drawn; `lost_id` is the conversation that was open when it is not the agent's any more."""

    desk: Desk
    open_id: int | None
    drawn: dict[str, str]
    lost_id: int | None = None
    place: Participant | None = None
    marks: Marks = field(default_factory=Marks)


@dataclass(frozen=True)
class Newest:
    """What the row of a task says of its thread, as the database has it now."""

    last_number: int
    line: str
    line_by: str
    visitor_count: int
    read_visitor_count: int

    def on(self, task: Task) -> Task:
        """The task with this in its row; its revision stays, which also stands for what was not read here."""
        if self.last_number <= task.last_number:
            return task  # drawn before this was read
        read = max(self.read_visitor_count, task.read_visitor_count)
        return replace(
            task,
            last_number=self.last_number,
            line=self.line,
            line_by=self.line_by,
            read_visitor_count=read,
            unread=max(0, self.visitor_count - read),
        )


def view_of_visitor(conversation_id: int, lines: Mapping[int, Line], language: str) -> VisitorView:
    """
    Read and draw the chat page's header and composer.

    His place is told by the one of these lines that he waits in, by queue; who is not in it yet has it counted anew.
    """
    conversation = Conversation.objects.select_related("queue").get(pk=conversation_id)
    line = lines.get(conversation.queue_id) if conversation.state == State.WAITING else None
    if conversation.state == State.WAITING and (line is None or not line.reaches(conversation_id)):
        line = line_of(conversation.queue_id)
    drawn = draw_status(conversation, line, language) | draw_files(conversation, language, with_notes=False)
    return VisitorView(conversation, drawn, marks_for_visitor(conversation), line)


def heard_by(agent_id: int) -> set[int]:
    """The conversations whose news shows on an agent's desk, as `Desk.heard` says of one that was read."""
    tasks = Participant.objects.filter(agent=agent_id, left_at=None).order_by()
    requests = Offer.objects.filter(agent=agent_id, state=OfferState.PENDING).order_by()
    return set(tasks.values_list("conversation", flat=True).union(requests.values_list("conversation", flat=True)))


def newest_of(agent_id: int, conversation_ids: set[int]) -> dict[int, Newest]:
    """What the rows of these conversations say now, of those that are still the agent's."""
    places = Participant.objects.filter(agent=agent_id, left_at=None, conversation__in=conversation_ids)
    names = ("last_number", "last_line", "last_line_by", "visitor_count")
    rows = places.values_list("conversation", *(f"conversation__{name}" for name in names), "read_visitor_count")
    return {conversation_id: Newest(*values) for conversation_id, *values in rows}


def view_of_desk(agent_id: int, open_id: int | None, language: str) -> DeskView:
    """Read and draw the desk and, if it is still the agent's, the open conversation."""
    desk = load_desk(agent_id)
    view = DeskView(desk, open_id, draw_desk(desk, open_id, language))
    if open_id is None:
        return view
    try:
        view.place = participation_of(desk.agent, open_id)
        view.drawn |= draw_conversation(view.place, language)
        view.drawn |= draw_files(view.place.conversation, language, with_notes=True)
        view.marks = marks_for_agents(view.place.conversation)
    except Gone:
        view.lost_id = open_id
    return view


def draw_task(task: Task, is_open: bool, language: str) -> str:
    """One row of the task list."""
    return stamp("desk/_task.html", "task", task.opened(is_open), TASK_LOOKED_AT, TASK_PRINTED, language)


def notice_of(offer_id: int, language: str) -> dict[str, Any]:
    """How a request to a colleague ended, as a frame for the desk of who asked."""
    offer = Offer.objects.select_related("agent", "conversation").get(pk=offer_id)
    with translation.override(language):
        sentence = refusal(EVENT_OF[OfferState(offer.state)], offer.kind == OfferKind.CONFERENCE, offer.agent.name)
    customer = offer.conversation.visitor_name
    return {"is": "notice", "sentence": f"{customer}: {sentence}", "conversation": offer.conversation_id}


@dataclass(frozen=True)
class Missing:
    """The next lines that a page lacks, drawn; there is no frame when there is none."""

    messages: list[Message]
    frame: Frame | None
    was_all: bool


def missing_lines(agent_id: int, conversation_id: int, number: int, language: str) -> Missing:
    """What a desk lacks; asks again whether the agent may read it, and raises Gone."""
    place = participation_of(Agent(pk=agent_id), conversation_id)
    return _missing(place.conversation, number, Audience.AGENTS, language)


def missing_lines_of_visitor(conversation_id: int, number: int, language: str) -> Missing:
    """What a chat page lacks."""
    return _missing(Conversation.objects.get(pk=conversation_id), number, Audience.VISITOR, language)


def _missing(conversation: Conversation, number: int, audience: Audience, language: str) -> Missing:
    # Drawn in this thread: on the event loop, hundreds of long lines would let all pages of the process wait.
    messages = after(conversation, number)
    frame = lines_frame(conversation.pk, messages, audience, language) if messages else None
    return Missing(messages, frame, was_all(messages))
