"""What a page reads when something rang: everything it shows, drawn, in a handful of queries."""

from dataclasses import dataclass

from agents.models import Agent
from conversations.access import participation_of
from conversations.errors import Gone
from conversations.fragments import (
    Desk,
    Task,
    draw,
    draw_conversation,
    draw_desk,
    draw_status,
    load_desk,
)
from conversations.line import Line
from conversations.models import Conversation, Message
from conversations.thread import after


@dataclass
class VisitorView:
    """The chat page, drawn."""

    conversation: Conversation
    drawn: dict[str, str]


@dataclass
class DeskView:
    """A desk, drawn; `is_open_lost` when the conversation that was open is not the agent's any more."""

    desk: Desk
    open_id: int | None
    drawn: dict[str, str]
    is_open_lost: bool = False


def view_of_visitor(conversation_id: int, line: Line | None, language: str) -> VisitorView:
    """Read and draw the chat page's header and composer."""
    conversation = Conversation.objects.select_related("queue").get(pk=conversation_id)
    return VisitorView(conversation, draw_status(conversation, line, language))


def view_of_desk(agent_id: int, open_id: int | None, language: str) -> DeskView:
    """Read and draw the desk and, if it is still the agent's, the open conversation."""
    desk = load_desk(agent_id)
    view = DeskView(desk, open_id, draw_desk(desk, open_id, language))
    if open_id is None:
        return view
    try:
        view.drawn |= draw_conversation(participation_of(desk.agent, open_id), language)
    except Gone:
        view.is_open_lost = True
    return view


def draw_task(task: Task, is_open: bool, language: str) -> str:
    """One row of the task list."""
    return draw("desk/_task.html", {"task": task.opened(is_open)}, language)


def missing_lines(agent_id: int, conversation_id: int, number: int) -> list[Message]:
    """The next lines that a desk lacks; asks again whether the agent may read them, and raises Gone."""
    agent = Agent(pk=agent_id)
    return after(participation_of(agent, conversation_id).conversation, number)


def missing_lines_of_visitor(conversation_id: int, number: int) -> list[Message]:
    """The next lines that a chat page lacks."""
    return after(Conversation.objects.get(pk=conversation_id), number)
