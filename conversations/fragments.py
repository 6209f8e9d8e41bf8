"""Contexts and rendering of everything that changes live: the page includes a fragment, the socket sends it again."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from django.db.models import OuterRef, Q, Subquery
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from agents.models import Agent, IdleReason
from agents.states import AgentState
from conversations.actions.reading import marks_for_agents, marks_for_visitor
from conversations.customer import customer_context
from conversations.forms import ClosingForm
from conversations.line import Line, line_of
from conversations.models import MOST_GUESTS, Conversation, Message, Offer, Participant
from conversations.states import MessageKind, OfferState, Party, Role, State
from conversations.thread import Audience, last_page, rendered

PREVIEW_LINES = 5
DESK_PARTS = ("state", "rona", "tasks", "requests")

Context = dict[str, Any]


def initials(name: str) -> str:
    """Up to two letters for the round picture."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper() or "?"


@lru_cache(maxsize=10_000)
def desk_address(conversation_id: int) -> str:
    """Where a conversation opens on the desk."""
    return reverse("desk:conversation", args=[conversation_id])


@dataclass(frozen=True)
class Task:
    """A conversation in the agent's task list."""

    conversation_id: int
    customer: str
    queue: str
    state: str
    line: str
    line_by: str
    since: dt.datetime
    unread: int
    deadline: dt.datetime | None
    is_visitor_here: bool
    role: str
    is_open: bool = False
    revision: int = 0
    last_number: int = 0
    read_visitor_count: int = 0
    visitor_marks: tuple[int, int] = (0, 0)  # delivered, read

    @property
    def initials(self) -> str:
        return initials(self.customer)

    @property
    def address(self) -> str:
        """Where the conversation opens on the desk."""
        return desk_address(self.conversation_id)

    @property
    def since_at(self) -> str:
        """Since when it is the agent's, for machines."""
        return self.since.isoformat()

    @property
    def has_deadline(self) -> bool:
        """Whether its wrap-up has a limit."""
        return self.deadline is not None

    @property
    def deadline_at(self) -> str:
        """When its wrap-up ends, for machines."""
        return self.deadline.isoformat() if self.deadline else ""

    @classmethod
    def of(cls, place: Participant) -> "Task":
        """The task that an open participation is."""
        conversation = place.conversation
        return cls(
            conversation_id=conversation.pk,
            customer=conversation.visitor_name,
            queue=conversation.queue.name,
            state=conversation.state,
            line=conversation.last_line,
            line_by=conversation.last_line_by,
            since=place.joined_at,
            unread=max(0, conversation.visitor_count - place.read_visitor_count),
            deadline=conversation.wrap_up_deadline,
            is_visitor_here=conversation.is_visitor_here,
            role=place.role,
            revision=conversation.revision,
            last_number=conversation.last_number,
            read_visitor_count=place.read_visitor_count,
            visitor_marks=(conversation.visitor_delivered_number, conversation.visitor_read_number),
        )

    def opened(self, is_open: bool) -> "Task":
        """The same task, marked as the open one or not."""
        return replace(self, is_open=is_open)

    def seen(self, read_visitor_count: int) -> "Task":
        """The same task after the agent saw so many of the visitor's messages."""
        unread = max(0, self.unread + self.read_visitor_count - read_visitor_count)
        return replace(self, read_visitor_count=read_visitor_count, unread=unread)

    def after(self, message: Message, visitor_count: int) -> "Task":
        """The same task after one more message, without a look at the database; what was read may know it already."""
        if message.number <= self.last_number:
            return self
        if message.kind in (MessageKind.EVENT, MessageKind.NOTE):
            return replace(self, last_number=message.number)
        return replace(
            self,
            last_number=message.number,
            line=message.line_for_agents(),
            line_by=message.sender,
            unread=max(0, visitor_count - self.read_visitor_count),
        )


@dataclass(frozen=True)
class Request:
    """A pending offer as its popover shows it."""

    offer_id: int
    conversation_id: int
    kind: str
    customer: str
    queue: str
    lines: list[tuple[str, str]]
    agent: str
    made_at: dt.datetime
    expires_at: dt.datetime
    may_decline: bool
    note: str
    made_by: str

    @property
    def initials(self) -> str:
        return initials(self.customer)

    @property
    def seconds(self) -> int:
        """The whole time to answer, in seconds."""
        return round((self.expires_at - self.made_at).total_seconds())


@dataclass
class Desk:
    """Everything that shows on one agent's desk, read in a handful of queries."""

    agent: Agent
    requests: list[Request]
    tasks: dict[int, Task]
    offers: dict[int, int]  # the last number of the conversation that each pending offer is about
    missed: Offer | None
    idle_reasons: list[IdleReason] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The colour of the state: engaged is Available or Idle with a conversation open."""
        state = self.agent.state
        is_engaged = self.tasks and state in (AgentState.AVAILABLE, AgentState.IDLE)
        return "engaged" if is_engaged else str(state)

    @property
    def load(self) -> int:
        return len(self.tasks) + len(self.requests)

    @property
    def heard(self) -> set[int]:
        """The conversations whose news shows on the desk: a request shows the newest lines of its thread."""
        return {*self.tasks, *(request.conversation_id for request in self.requests)}


def load_desk(agent_id: int) -> Desk:
    """Read an agent's desk: constant queries, whatever the history."""
    agent = Agent.objects.select_related("idle_reason").get(pk=agent_id)
    offers = list(
        Offer.objects.filter(agent=agent, state=OfferState.PENDING)
        .select_related("conversation__queue", "made_by")
        .order_by("made_at", "pk")
    )
    places = Participant.objects.filter(agent=agent, left_at=None).select_related("conversation__queue")
    tasks = [Task.of(place) for place in places.order_by("joined_at", "pk")]
    return Desk(
        agent=agent,
        requests=_requests(agent, offers),
        tasks={task.conversation_id: task for task in tasks},
        offers={offer.pk: offer.conversation.last_number for offer in offers},
        missed=_last_missed(agent),
        idle_reasons=list(IdleReason.objects.filter(is_in_use=True)),
    )


def _requests(agent: Agent, offers: list[Offer]) -> list[Request]:
    previews = _previews([offer.conversation for offer in offers])
    return [
        Request(
            offer_id=offer.pk,
            conversation_id=offer.conversation_id,
            kind=offer.kind,
            customer=offer.conversation.visitor_name,
            queue=offer.conversation.queue.name,
            lines=previews[offer.conversation_id],
            agent=agent.name,
            made_at=offer.made_at,
            expires_at=offer.expires_at,
            may_decline=offer.conversation.queue.may_decline,
            note=offer.note,
            made_by=offer.made_by.name if offer.made_by else "",
        )
        for offer in offers
    ]


def _previews(conversations: Iterable[Conversation]) -> dict[int, list[tuple[str, str]]]:
    """The newest lines of each thread, two queries for all, however long they are."""
    by_pk = {conversation.pk: conversation for conversation in conversations}
    previews: dict[int, list[tuple[str, str]]] = defaultdict(list)
    if not by_pk:
        return previews
    talk = (MessageKind.TEXT, MessageKind.FILE)
    newest = Message.objects.filter(conversation=OuterRef("pk"), kind__in=talk).order_by("-number").values("number")
    first = Subquery(newest[PREVIEW_LINES - 1 : PREVIEW_LINES])
    wanted = Q()
    for pk, number in Conversation.objects.filter(pk__in=by_pk).order_by().values_list("pk", first):
        wanted |= Q(conversation=pk, number__gte=number or 0)
    messages = Message.objects.filter(wanted, kind__in=talk).select_related("agent").order_by("conversation", "number")
    for message in messages:
        conversation = by_pk[message.conversation_id]
        who = conversation.visitor_name if message.sender == Party.VISITOR else (message.agent and message.agent.name)
        previews[conversation.pk].append((who or "", message.text_for_agents() or message.line_for_agents()))
    return previews


def _last_missed(agent: Agent) -> Offer | None:
    if agent.state != AgentState.RONA:
        return None
    missed = Offer.objects.filter(agent=agent, state=OfferState.MISSED).select_related("conversation__queue", "made_by")
    return missed.order_by("-made_at").first()


def desk_context(desk: Desk, open_id: int | None) -> Context:
    """The context of the desk's own fragments, DESK_PARTS."""
    tasks = [task.opened(task.conversation_id == open_id) for task in desk.tasks.values()]
    return {
        "agent": desk.agent,
        "agent_initials": initials(desk.agent.name),
        "label": desk.label,
        "idle_reasons": desk.idle_reasons,
        "missed": desk.missed,
        "requests": desk.requests,
        "active": [task for task in tasks if task.state != State.WRAP_UP],
        "wrap_ups": [task for task in tasks if task.state == State.WRAP_UP],
        "load": desk.load,
        "capacity": desk.agent.capacity,
    }


def panel_context(place: Participant) -> Context:
    """The context of the open conversation's header, composer and closing dialog."""
    conversation = place.conversation
    participants = list(conversation.participants.filter(left_at=None).select_related("agent"))
    asked = conversation.offers.filter(state=OfferState.PENDING).select_related("agent").first()
    is_leading = place.role == Role.LEAD and conversation.state == State.ACTIVE
    guests = [one for one in participants if one.role == Role.GUEST]
    context: Context = {
        "conversation": conversation,
        "initials": initials(conversation.visitor_name),
        "role": place.role,
        "with_you_since": place.joined_at,
        "participants": participants,
        "guests": guests,
        "asked": asked,  # the colleague who is asked to take over or to join, if any
        "may_end": is_leading,
        "may_transfer": is_leading and asked is None,
        "may_invite": is_leading and asked is None and len(guests) < MOST_GUESTS,
        "may_cancel": is_leading and asked is not None,
        "may_leave": place.role == Role.GUEST and conversation.state == State.ACTIVE,
        "may_write": conversation.is_open,
    }
    if conversation.state == State.WRAP_UP and place.role == Role.LEAD:
        context |= closing_context(conversation)
    return context


def closing_context(conversation: Conversation, form: ClosingForm | None = None) -> Context:
    """The context of the dialog Closing reasons."""
    form = form or ClosingForm(conversation)
    return {
        "conversation": conversation,
        "form": form,
        "reasons": list(form.reasons),
        "deadline": conversation.wrap_up_deadline,
    }


def thread_context(conversation: Conversation, audience: Audience, *, before: int | None = None) -> Context:
    """The context of a thread: its newest page, and whether there is more above it."""
    messages = last_page(conversation, audience, before=before)
    first = messages[0].number if messages else 0
    return {
        "conversation": conversation,
        "lines": rendered.render(messages, audience, translation.get_language()),
        "first_number": first,
        "has_earlier": first > 1 and _has_earlier(conversation, audience, first),
        "marks": marks_for_visitor(conversation) if audience == Audience.VISITOR else marks_for_agents(conversation),
    }


def _has_earlier(conversation: Conversation, audience: Audience, number: int) -> bool:
    earlier = conversation.messages.filter(number__lt=number)
    if audience == Audience.VISITOR:
        earlier = earlier.exclude(kind=MessageKind.NOTE)
    return earlier.exists()


def conversation_context(place: Participant) -> Context:
    """The context of the whole conversation on the desk."""
    return panel_context(place) | thread_context(place.conversation, Audience.AGENTS)


def status_context(conversation: Conversation, line: Line | None = None) -> Context:
    """The context of the chat page's header: who serves, or the place in line."""
    context: Context = {
        "conversation": conversation,
        "lead": None,
        "others": [],
        "place": None,
        "minutes": None,
        "is_ended": not conversation.is_open,
        "may_write": conversation.is_open,
    }
    if conversation.state == State.WAITING:
        line = line or line_of(conversation.queue_id)
        context |= {"place": line.place(conversation.pk), "minutes": line.minutes(conversation.pk)}
    elif conversation.state == State.ACTIVE:
        places = conversation.participants.filter(left_at=None).select_related("agent")
        for place in places:
            if place.role == Role.LEAD:
                context["lead"] = place.agent
            else:
                context["others"].append(place.agent)
        if context["lead"]:
            context["lead_initials"] = initials(context["lead"].name)
    return context


def draw(template: str, context: Context, language: str) -> str:
    """A fragment as the socket sends it: it replaces the one with its id."""
    with translation.override(language):
        return render_to_string(template, {**context, "oob": True})


def draw_desk(desk: Desk, open_id: int | None, language: str) -> dict[str, str]:
    """The desk's own fragments by name."""
    with translation.override(language):
        context = desk_context(desk, open_id)
    return {name: draw(f"desk/_{name}.html", context, language) for name in DESK_PARTS}


def draw_conversation(place: Participant, language: str) -> dict[str, str]:
    """The open conversation's fragments by name; the thread itself grows by messages."""
    with translation.override(language):
        context = panel_context(place) | customer_context(place.conversation)
    names = ["panel", "composer", "customer"]
    if "form" in context:
        names.append("closing")
    return {name: draw(f"desk/_{name}.html", context, language) for name in names}


def draw_status(conversation: Conversation, line: Line | None, language: str) -> dict[str, str]:
    """The chat page's fragments by name."""
    with translation.override(language):
        context = status_context(conversation, line)
    return {name: draw(f"chat/_{name}.html", context, language) for name in ("status", "composer")}
