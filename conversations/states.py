"""The states of conversations and offers, and the table of allowed moves."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class State(models.TextChoices):
    """Where a conversation stands."""

    WAITING = "waiting", _("Waiting")
    ACTIVE = "active", _("Active")
    WRAP_UP = "wrap_up", _("Wrap-up")
    CLOSED = "closed", _("Closed")


# Active → active is the lead changing; active → waiting is a transfer to a queue or a lost lead.
MOVES: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.ACTIVE, State.CLOSED}),
    State.ACTIVE: frozenset({State.ACTIVE, State.WAITING, State.WRAP_UP}),
    State.WRAP_UP: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
}
UNFINISHED_STATES = (State.WAITING, State.ACTIVE, State.WRAP_UP)  # somebody has something to do
OPEN_STATES = (State.WAITING, State.ACTIVE)  # the visitor can write


class OfferState(models.TextChoices):
    """How an offer stands; it ends exactly once."""

    PENDING = "pending", _("Pending")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    MISSED = "missed", _("Missed (RONA)")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class OfferKind(models.TextChoices):
    """What the agent is asked to do."""

    REQUEST = "request", _("Request")
    TRANSFER = "transfer", pgettext_lazy("kind", "Transfer")
    CONFERENCE = "conference", _("Conference")


class Role(models.TextChoices):
    """What a participant may do: the lead answers for the conversation, guests help."""

    LEAD = "lead", _("Lead")
    GUEST = "guest", _("Guest")


class Party(models.TextChoices):
    """Who did something or wrote something."""

    VISITOR = "visitor", _("Visitor")
    AGENT = "agent", _("Agent")
    SYSTEM = "system", _("System")


class MessageKind(models.TextChoices):
    """What a line of the thread is. Notes are for colleagues only."""

    TEXT = "text", _("Text")
    FILE = "file", _("File")
    NOTE = "note", _("Note")
    EVENT = "event", _("Event")


class SystemReason(models.TextChoices):
    """Why a conversation closed without an agent's reason."""

    ABANDONED = "abandoned", _("Abandoned")
    NOBODY_AVAILABLE = "nobody_available", _("Nobody available")
    IDLE = "idle", pgettext_lazy("conversation", "Idle")
    NO_REASON = "no_reason", _("No reason given")


class Remark(models.TextChoices):
    """What the system remarks on an ending."""

    IDLE = "idle", pgettext_lazy("conversation", "Idle")
    VISITOR_GONE = "visitor_gone", _("Visitor gone")


class EventKind(models.TextChoices):
    """What happened to a conversation. Past tense; every transition writes one."""

    OPENED = "opened", _("Opened")
    OFFER_MADE = "offer made", _("Offer made")
    OFFER_ACCEPTED = "offer accepted", _("Offer accepted")
    OFFER_DECLINED = "offer declined", _("Offer declined")
    OFFER_MISSED = "offer missed", _("Offer missed")
    OFFER_WITHDRAWN = "offer withdrawn", _("Offer withdrawn")
    LEAD_CHANGED = "lead changed", _("Lead changed")
    RETURNED = "returned", _("Returned to its queue")
    TRANSFERRED = "transferred", _("Transferred")
    OVERFLOWED = "overflowed", _("Overflowed")
    JOINED = "joined", _("Joined")
    LEFT = "left", _("Left")
    VISITOR_LEFT = "visitor left", _("Visitor left")
    VISITOR_RETURNED = "visitor returned", _("Visitor returned")
    ASKED_IF_THERE = "asked if there", _("Asked whether still there")
    ENDED = "ended", _("Ended")
    CLOSED = "closed", _("Closed")


class ScanState(models.TextChoices):
    """What the scanner said of a file."""

    PENDING = "pending", _("Being checked")
    CLEAN = "clean", _("Checked")
    REFUSED = "refused", _("Refused")
