"""
The figures of one agent's day.

A day goes from midnight to midnight in the agent's zone (conversations.zones); today ends now. What spans midnight is
counted once, on the day that each definition names: handling on the day of the closing, the first response on the day
of the accept, an offer on the day it was settled; only the time in a state is cut at midnight.
"""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from agents.models import Agent, AgentStateChange
from agents.states import AgentState
from conversations.models import ConversationEvent, Message, Offer, Participant
from conversations.states import EventKind, MessageKind, OfferState, Party, Role, State
from conversations.zones import midnight

# No offer waits for longer than its queue's timeout (at most 100 minutes); with room for a server that stood still.
LONGEST_OFFER = dt.timedelta(days=1)
SETTLED = (OfferState.ACCEPTED, OfferState.DECLINED, OfferState.MISSED)


@dataclass(frozen=True)
class Day:
    """A day of an agent: its first moment and the end of what is counted, both in UTC."""

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def until(cls, now: dt.datetime, zone: dt.tzinfo) -> "Day":
        """Today, up to now, as the agent's calendar has it."""
        return cls(midnight(now.astimezone(zone).date(), zone), now.astimezone(dt.UTC))

    def has(self, name: str) -> Q:
        """A condition: the field's moment lies within the day (the end itself, now, included)."""
        return Q(**{f"{name}__gte": self.start, f"{name}__lte": self.end})


@dataclass(frozen=True)
class Figures:
    """What "My day" shows; an average of nothing is None."""

    handled: int
    handle_seconds: int | None
    first_response_seconds: int | None
    state_seconds: dict[AgentState, int]
    offers: dict[OfferState, int]
    closed: list[Participant]  # his last stay in each, newest closing first; each has `led_since`


def figures(agent: Agent, day: Day) -> Figures:
    """The agent's day in five queries, whatever its length."""
    closed = list(handled(agent, day))
    return Figures(
        handled=len(closed),
        handle_seconds=_average([place.conversation.closed_at - place.led_since for place in closed]),  # type: ignore[attr-defined]
        first_response_seconds=_average(first_responses(agent, day)),
        state_seconds=state_seconds(agent, day),
        offers=settled_offers(agent, day),
        closed=closed,
    )


def handled(agent: Agent, day: Day) -> QuerySet[Participant]:
    """
    Handled: conversations closed today of which he was the lead at the closing, by whatever reason they closed.

    Each knows since when he led it (`led_since`): his joining as lead, or, for a guest who became lead, that moment.
    Handle time goes from there to the closing, wrap-up included, even when it began before midnight.
    """
    became_lead = _became_lead(agent).filter(at__gte=OuterRef("joined_at")).order_by("at", "pk")
    later_lead = Participant.objects.filter(
        conversation=OuterRef("conversation"), role=Role.LEAD, joined_at__gt=OuterRef("joined_at")
    )
    places = Participant.objects.filter(
        ~Exists(later_lead),
        day.has("conversation__closed_at"),
        agent=agent,
        role=Role.LEAD,
        conversation__state=State.CLOSED,
        left_at__gte=F("conversation__closed_at"),  # back in its queue it is nobody's
    ).annotate(led_since=Coalesce(Subquery(became_lead.values("at")[:1]), "joined_at"))
    joined = places.select_related("conversation__queue", "conversation__closing_reason")
    return joined.order_by("-conversation__closed_at", "-conversation")


def first_responses(agent: Agent, day: Day) -> list[dt.timedelta]:
    """
    First response: from accepting a request or a transfer to his first message to the customer in that stay.

    Of what he accepted today; notes do not answer anybody, and what he has not answered does not count. Who came as a
    guest and became the lead accepted no request.
    """
    until = Coalesce(OuterRef("left_at"), Value(day.end))
    answers = Message.objects.filter(
        conversation=OuterRef("conversation"),
        sender=Party.AGENT,
        agent=OuterRef("agent"),
        kind__in=[MessageKind.TEXT, MessageKind.FILE],
        created_at__gte=OuterRef("joined_at"),
        created_at__lte=until,
    )
    places = Participant.objects.filter(
        ~Exists(_became_lead(agent).filter(at__gt=OuterRef("joined_at"), at__lte=until)),
        day.has("joined_at"),
        agent=agent,
        role=Role.LEAD,
    )
    answered = places.annotate(answered_at=Subquery(answers.order_by("number").values("created_at")[:1]))
    rows = answered.exclude(answered_at=None).values_list("joined_at", "answered_at")
    return [answered_at - joined_at for joined_at, answered_at in rows]


def _became_lead(agent: Agent) -> QuerySet[ConversationEvent]:
    """The moments at which he became the lead of the outer stay's conversation in another's place."""
    return ConversationEvent.objects.filter(
        conversation=OuterRef("conversation"), kind=EventKind.LEAD_CHANGED, details__lead=agent.pk
    )


def settled_offers(agent: Agent, day: Day) -> dict[OfferState, int]:
    """Offers of every kind that he accepted, declined or missed today, by when they were settled."""
    offers = Offer.objects.filter(
        day.has("settled_at"), agent=agent, made_at__gte=day.start - LONGEST_OFFER, state__in=SETTLED
    )
    counts = dict(offers.order_by().values_list("state").annotate(number=Count("pk")))
    return {state: counts.get(state, 0) for state in SETTLED}


def state_seconds(agent: Agent, day: Day) -> dict[AgentState, int]:
    """Time in each state today, the current one up to now; together they are the day so far."""
    changes = AgentStateChange.objects.filter(agent=agent)
    today = list(changes.filter(day.has("at")).order_by("at", "pk").values_list("at", "from_state", "to_state"))
    before = changes.filter(at__lt=day.start).order_by("-at", "-pk").values_list("to_state", flat=True).first()
    state = before or (today[0][1] if today else agent.state)
    spent = dict.fromkeys(AgentState, dt.timedelta())
    since = day.start
    for at, _came_from, to_state in today:
        spent[AgentState(state)] += at - since
        since, state = at, to_state
    spent[AgentState(state)] += day.end - since
    return {state: round(time.total_seconds()) for state, time in spent.items()}


def _average(times: list[dt.timedelta]) -> int | None:
    return round(sum(times, dt.timedelta()).total_seconds() / len(times)) if times else None
