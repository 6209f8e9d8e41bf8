"""What was: an agent's own conversations, and his day."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agents.requests import agent_of, sign_in_required
from config.clock import database_now
from conversations.access import participation_of
from conversations.customer import NO_CUSTOMER, earlier_context
from conversations.fragments import desk_context, load_desk
from conversations.reports import Day, figures
from conversations.search import PAGE, SearchForm, search
from conversations.views.messages import number_in
from conversations.zones import zone_of

FIELDS = ("customer", "text", "since", "until", "queue")


@never_cache
@require_safe
@sign_in_required
def conversations(request: HttpRequest) -> HttpResponse:
    """My conversations: the search, and what it finds."""
    zone = zone_of(request)
    form = SearchForm(request.GET)
    context: dict[str, Any] = {"form": form, "page_size": PAGE}
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
    day = Day.until(now, zone)
    context = {"figures": figures(agent, day), "day": day, "zone": zone, "now": now}
    with timezone.override(zone):
        return _show(request, "my_day", context)


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
    context = {"agent": agent, **NO_CUSTOMER, **context}
    if request.htmx and not request.htmx.history_restore_request:  # type: ignore[attr-defined]
        return render(request, f"desk/_{name}.html", context)
    return render(request, f"desk/{name}.html", context | desk_context(load_desk(agent.pk), None))
