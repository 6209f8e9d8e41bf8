"""What was: an agent's own conversations, and his day."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agents.requests import agent_of, sign_in_required
from agents.states import AgentState
from config.clock import database_now, duration
from conversations.access import participation_of
from conversations.customer import NO_CUSTOMER, earlier_context
from conversations.fragments import desk_context, load_desk
from conversations.reports import Day, Figures, figures
from conversations.search import SearchForm, search
from conversations.states import OfferState
from conversations.views.messages import number_in
from conversations.zones import zone_of

MOST_CLOSED = 50
STATES = (AgentState.AVAILABLE, AgentState.IDLE, AgentState.RONA, AgentState.OFFLINE)
OFFERS = {
    OfferState.ACCEPTED: pgettext_lazy("how many", "Accepted"),
    OfferState.DECLINED: pgettext_lazy("how many", "Declined"),
    OfferState.MISSED: pgettext_lazy("how many", "Missed (RONA)"),
}
FIELDS = ("customer", "text", "since", "until", "queue")


@never_cache
@require_safe
@sign_in_required
def conversations(request: HttpRequest) -> HttpResponse:
    """My conversations: the search, and what it finds."""
    zone = zone_of(request)
    form = SearchForm(request.GET)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        before = number_in(request, "before")
        context["results"] = search(agent_of(request), form.wanted(zone), before=before)
        context["is_first"] = not before
    asked = {name: request.GET[name] for name in FIELDS if request.GET.get(name)}
    context |= {"is_search": bool(asked), "asked": urlencode(asked)}
    with timezone.override(zone):
        return _show(request, "conversations", context)


@never_cache
@require_safe
@sign_in_required
def my_day(request: HttpRequest) -> HttpResponse:
    """My day: the agent's figures since midnight."""
    zone = zone_of(request)
    now = database_now()
    agent = agent_of(request)
    with timezone.override(zone):
        return _show(request, "my_day", _day_context(figures(agent, Day.until(now, zone))) | {"zone": zone, "now": now})


def _day_context(day: Figures) -> dict[str, Any]:
    """The figures as they read."""
    passed = sum(day.state_seconds.values()) or 1
    return {
        "figures": day,
        "handle_time": duration(day.handle_seconds, unknown=""),
        "first_response": duration(day.first_response_seconds, unknown=""),
        "offers": [(OFFERS[OfferState(state)], number) for state, number in day.offers.items()],
        "states": [
            {"state": state, "label": state.label, "seconds": seconds, "time": duration(seconds), "all": passed}
            for state in STATES
            for seconds in [day.state_seconds[state]]
        ],
        "closed": day.closed[:MOST_CLOSED],
        "has_more": len(day.closed) > MOST_CLOSED,
    }


@never_cache
@require_safe
@sign_in_required
def earlier_conversations(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """More of the customer's earlier conversations, below those that the panel shows."""
    place = participation_of(agent_of(request), conversation_id)
    context = earlier_context(place.conversation, before=number_in(request, "before") or None)
    return render(request, "desk/_past.html", {"conversation": place.conversation, **context})


def _show(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """The page's own part for htmx, the whole desk around it otherwise: tasks, requests and state stay live."""
    agent = agent_of(request)
    context = {"agent": agent, "page": name, **NO_CUSTOMER, **context}
    if request.htmx and not request.htmx.history_restore_request:  # type: ignore[attr-defined]
        return render(request, f"desk/_{name}.html", context)
    return render(request, f"desk/{name}.html", context | desk_context(load_desk(agent.pk), None))
