"""Conversations, who takes part, what was offered to whom, what was written, and what happened."""

import datetime as dt
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from config.locks import waiting
from conversations.errors import Gone, NotNow
from conversations.states import (
    MOVES,
    OPEN_STATES,
    UNFINISHED_STATES,
    EventKind,
    MessageKind,
    OfferKind,
    OfferState,
    Party,
    Remark,
    Role,
    State,
    SystemReason,
)
from queues.models import ClosingReason, Queue

LONGEST_MESSAGE = 4000
LONGEST_NAME = 80
LONGEST_KEY = 64
MOST_GUESTS = 3


class Visitor(models.Model):
    """A visitor's session: whoever holds the token of its cookie. The token itself is not kept."""

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=LONGEST_NAME)
    email = models.EmailField(_("email"), blank=True)
    created_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        indexes = [models.Index(fields=["email"], name="visitor_by_email", condition=~Q(email=""))]

    def __str__(self) -> str:
        return self.name


class ConversationManager(models.Manager["Conversation"]):
    """Conversations, with the lock that every action takes first."""

    def unfinished(self, *states: State) -> "models.QuerySet[Conversation]":
        """
        Those in one of these states, or all that are not closed.

        The condition of their index stands in the query: SQLite takes a partial index for nothing less, and would read
        the whole history.
        """
        return self.exclude(state=State.CLOSED).filter(state__in=states or UNFINISHED_STATES)

    def lock(self, **which: Any) -> "Conversation":
        """The conversation's row, locked until the transaction ends; unknown is Gone."""
        try:
            with waiting():
                return self.select_for_update(no_key=True, of=("self",)).get(**which)
        except (Conversation.DoesNotExist, OverflowError) as nothing:
            raise Gone from nothing


class Conversation(models.Model):
    """One visitor's talk with a queue's agents, from the first word to the closing reason."""

    queue = models.ForeignKey(Queue, models.PROTECT, related_name="conversations", verbose_name=_("queue"))
    visitor = models.ForeignKey(Visitor, models.PROTECT, related_name="conversations", verbose_name=_("visitor"))
    visitor_name = models.CharField(_("customer"), max_length=LONGEST_NAME)
    visitor_email = models.EmailField(_("email"), blank=True)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")
    page_address = models.CharField(_("page"), max_length=500, blank=True)
    user_agent = models.CharField(_("device"), max_length=400, blank=True)

    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    revision = models.PositiveIntegerField(default=0, editable=False)

    queued_at = models.DateTimeField(_("queued"))
    entered_queue_at = models.DateTimeField(_("in this queue since"))
    order_key = models.DateTimeField(editable=False)
    has_overflowed = models.BooleanField(default=False, editable=False)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.CharField(_("ended by"), max_length=10, choices=Party, blank=True)
    remark = models.CharField(_("remark"), max_length=20, choices=Remark, blank=True)
    wrap_up_deadline = models.DateTimeField(null=True, blank=True, editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closing_reason = models.ForeignKey(
        ClosingReason,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="conversations",
        verbose_name=_("closing reason"),
    )
    system_reason = models.CharField(_("system reason"), max_length=20, choices=SystemReason, blank=True)
    is_closed_automatically = models.BooleanField(_("automatic"), default=False)
    wrap_up_note = models.TextField(_("wrap-up note"), max_length=2000, blank=True)

    last_number = models.PositiveIntegerField(default=0, editable=False)
    visitor_count = models.PositiveIntegerField(
        default=0, editable=False
    )  # messages by the visitor: unread marks count on it
    last_line = models.CharField(max_length=120, blank=True, editable=False)
    last_line_by = models.CharField(max_length=10, choices=Party, blank=True, editable=False)
    last_message_at = models.DateTimeField(null=True, blank=True, editable=False)
    visitor_spoke_at = models.DateTimeField(null=True, blank=True, editable=False)
    asked_if_there_at = models.DateTimeField(null=True, blank=True, editable=False)
    visitor_seen_at = models.DateTimeField(_("visitor last seen"), editable=False)
    is_visitor_here = models.BooleanField(default=True, editable=False)
    visitor_delivered_number = models.PositiveIntegerField(default=0, editable=False)
    visitor_read_number = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[ConversationManager] = ConversationManager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions = [("supervise_conversation", _("Can send back, finish and read all conversations"))]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["visitor"], condition=Q(state__in=OPEN_STATES), name="one_open_conversation_per_visitor"
            ),
            models.CheckConstraint(
                name="closed_means_a_reason_and_a_time",
                condition=(
                    (~Q(state=State.CLOSED) & Q(closed_at=None, closing_reason=None, system_reason=""))
                    | (
                        Q(state=State.CLOSED, closed_at__isnull=False)
                        & (
                            Q(closing_reason__isnull=False, system_reason="")
                            | (Q(closing_reason=None) & ~Q(system_reason=""))
                        )
                    )
                ),
            ),
            models.CheckConstraint(
                name="ended_means_a_time",
                condition=Q(state__in=OPEN_STATES, ended_at=None)
                | (~Q(state__in=OPEN_STATES) & Q(ended_at__isnull=False)),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["queue", "order_key", "id"], name="conversation_line", condition=Q(state=State.WAITING)
            ),
            models.Index(
                fields=["queue", "entered_queue_at"], name="conversation_entered", condition=Q(state=State.WAITING)
            ),
            # The state as a column, too: SQLite counts columns when it chooses among several indexes, not conditions.
            models.Index(
                fields=["state", "visitor_seen_at"], name="conversation_seen", condition=~Q(state=State.CLOSED)
            ),
            models.Index(fields=["wrap_up_deadline"], name="conversation_wrap_up", condition=Q(state=State.WRAP_UP)),
            models.Index(fields=["state", "queue"], name="conversation_unfinished", condition=~Q(state=State.CLOSED)),
            models.Index(fields=["visitor", "-id"], name="conversation_of_visitor"),
            models.Index(fields=["visitor_email", "-id"], name="conversation_of_email", condition=~Q(visitor_email="")),
            models.Index(
                fields=["queue", "answered_at"], name="conversation_answered", condition=Q(answered_at__isnull=False)
            ),
            models.Index(fields=["-closed_at"], name="conversation_closed"),
            models.Index(fields=["-queued_at"], name="conversation_queued"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_name} · {self.queue}"

    @property
    def is_open(self) -> bool:
        """Whether the visitor and the agents can still write."""
        return self.state in OPEN_STATES

    def waited_seconds(self) -> int | None:
        """How long the visitor waited for the first answer or, unanswered, until the end; None while he waits."""
        until = self.answered_at or self.ended_at
        return None if until is None else max(0, int((until - self.queued_at).total_seconds()))

    def move_to(
        self, state: State, *, kind: EventKind, at: dt.datetime, by: Agent | None = None, **fields: Any
    ) -> None:
        """
        Make one move of the table, with the fields that go with it, and log it. Only actions call this.

        Raises NotNow when the table has no such move.
        """
        if state not in MOVES[State(self.state)]:
            raise NotNow
        came_from, self.state = self.state, state
        details = fields.pop("details", {})
        for name, value in fields.items():
            setattr(self, name, value)
        self.revision += 1
        self.save(update_fields=["state", "revision", *fields])
        self.log(kind, at=at, by=by, from_state=came_from, to_state=state, **details)

    def log(
        self,
        kind: EventKind,
        *,
        at: dt.datetime,
        by: Agent | None = None,
        from_state: str = "",
        to_state: str = "",
        **details: Any,
    ) -> None:
        """Write what happened into the conversation's history. Only actions call this."""
        self.events.create(kind=kind, at=at, by=by, from_state=from_state, to_state=to_state, details=details)


class Participant(models.Model):
    """An agent in a conversation: its lead, or a guest. Open until he left."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="participants", db_index=False, verbose_name=_("conversation")
    )
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="participations", verbose_name=_("agent"))
    role = models.CharField(_("role"), max_length=10, choices=Role)
    joined_at = models.DateTimeField(_("joined"))
    left_at = models.DateTimeField(_("left"), null=True, blank=True)
    read_number = models.PositiveIntegerField(default=0, editable=False)
    read_visitor_count = models.PositiveIntegerField(default=0, editable=False)
    delivered_number = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["joined_at", "pk"]
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(role=Role.LEAD, left_at=None), name="one_lead_per_conversation"
            ),
            models.UniqueConstraint(
                fields=["conversation", "agent"], condition=Q(left_at=None), name="one_place_per_agent_and_conversation"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["agent", "left_at", "joined_at"], name="participant_open", condition=Q(left_at=None)),
            models.Index(fields=["conversation", "agent"], name="participant_of_conversation"),
            models.Index(fields=["agent", "-joined_at"], name="participant_history"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} ({self.get_role_display()})"


class Offer(models.Model):
    """A conversation put to an agent, until he accepts, declines or misses it, or it is withdrawn."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="offers", verbose_name=_("conversation")
    )
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="offers", verbose_name=_("agent"))
    kind = models.CharField(_("kind"), max_length=10, choices=OfferKind, default=OfferKind.REQUEST)
    state = models.CharField(_("outcome"), max_length=10, choices=OfferState, default=OfferState.PENDING)
    made_at = models.DateTimeField(_("made"))
    expires_at = models.DateTimeField(_("expires"))
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    made_by = models.ForeignKey(
        Agent, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    note = models.TextField(_("note"), max_length=2000, blank=True)
    is_sender_told = models.BooleanField(default=True, editable=False)  # who asked a colleague learns how it ended

    class Meta:
        ordering = ["made_at", "pk"]
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(state=OfferState.PENDING),
                name="one_pending_offer_per_conversation",
            ),
            models.CheckConstraint(
                name="settled_offer_has_a_time",
                condition=Q(state=OfferState.PENDING, settled_at=None)
                | (~Q(state=OfferState.PENDING) & Q(settled_at__isnull=False)),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["agent", "state", "made_at"],
                name="offer_pending_by_agent",
                condition=Q(state=OfferState.PENDING),
            ),
            models.Index(fields=["expires_at"], name="offer_pending_expires", condition=Q(state=OfferState.PENDING)),
            models.Index(fields=["agent", "-made_at"], name="offer_by_agent"),
            models.Index(fields=["settled_at"], name="offer_to_tell", condition=Q(is_sender_told=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.conversation} → {self.agent}"


class Message(models.Model):
    """A line of the thread. Its number is its place: 1, 2, 3, … in its conversation."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", verbose_name=_("conversation")
    )
    number = models.PositiveIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=10, choices=MessageKind, default=MessageKind.TEXT)
    sender = models.CharField(_("sender"), max_length=10, choices=Party)
    agent = models.ForeignKey(Agent, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("agent"))
    key = models.CharField(max_length=LONGEST_KEY, blank=True, editable=False)
    text = models.TextField(_("text"), max_length=LONGEST_MESSAGE, blank=True)
    event = models.CharField(_("event"), max_length=20, choices=EventKind, blank=True)
    details = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(_("sent"))

    class Meta:
        ordering = ["conversation", "number"]
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["conversation", "number"], name="one_message_per_number"),
            # Two, because NULLs differ from each other: the visitor's keys have no agent.
            models.UniqueConstraint(
                fields=["conversation", "key"],
                condition=Q(sender=Party.VISITOR) & ~Q(key=""),
                name="one_message_per_visitor_key",
            ),
            models.UniqueConstraint(
                fields=["conversation", "agent", "key"],
                condition=Q(sender=Party.AGENT) & ~Q(key=""),
                name="one_message_per_agent_key",
            ),
            models.CheckConstraint(
                name="agents_messages_name_their_agent",
                condition=Q(sender=Party.AGENT, agent__isnull=False) | (~Q(sender=Party.AGENT) & Q(agent=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.text[:40]}"

    def text_for_agents(self) -> str:
        """The text as agents see it: with restricted words masked."""
        masked: str = self.details.get("for_agents", self.text)
        return masked

    @property
    def handles(self) -> list[str]:
        """The handles of its files, in the sender's order."""
        handles: list[str] = self.details.get("files", [])
        return handles

    def line_for_agents(self) -> str:
        """The beginning of the text on one line, for lists; the names of its files when there is no text."""
        text = " ".join(self.text_for_agents().split())
        return (text or ", ".join(self.details.get("names", [])))[:120]


class ConversationEvent(models.Model):
    """One thing that happened to a conversation: what, who, when, details."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="events", verbose_name=_("conversation")
    )
    kind = models.CharField(_("what"), max_length=20, choices=EventKind)
    from_state = models.CharField(_("from"), max_length=10, choices=State, blank=True)
    to_state = models.CharField(_("to"), max_length=10, choices=State, blank=True)
    by = models.ForeignKey(Agent, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("who"))
    at = models.DateTimeField(_("when"))
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [models.Index(fields=["conversation", "at"], name="event_of_conversation")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.at:%H:%M:%S}"
