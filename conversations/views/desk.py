"""The agent's pages."""

import uuid
from typing import Any

from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents import actions as agent_actions
from agents.models import Agent
from agents.requests import agent_of, sign_in_required
from agents.states import AgentState
from config.numbers import whole_number
from config.refusal import Invalid
from conversations import limits
from conversations.access import participation_of, readable_by
from conversations.actions import closing, messaging, offers, presence, reading
from conversations.customer import NO_CUSTOMER, customer_context, transcript_context
from conversations.forms import ClosingForm
from conversations.fragments import (
    closing_context,
    conversation_context,
    desk_context,
    load_desk,
    thread_context,
)
from conversations.frames import gone_frame, lines_frame, marks_frame, reload_frame
from conversations.models import Participant
from conversations.snapshots import view_of_desk
from conversations.states import MessageKind, Party
from conversations.thread import Audience, after
from conversations.views.files import one_message, post_with_files
from conversations.views.messages import answer_message, number_in


@never_cache
@require_safe
@sign_in_required
def home(request: HttpRequest) -> HttpResponse:
    """The desk without an open conversation."""
    return show(request, None)


@never_cache
@require_safe
@sign_in_required
def conversation(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """One of the agent's conversations."""
    return show(request, participation_of(agent_of(request), conversation_id))


def show(request: HttpRequest, place: Participant | None) -> HttpResponse:
    """The conversation alone for htmx, the whole desk otherwise."""
    agent = agent_of(request)
    is_live = bool(request.htmx) and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    if request.method == "POST" and not is_live:
        return redirect("desk:conversation", place.conversation_id) if place else redirect("desk:home")
    context: dict[str, Any] = {"agent": agent, **NO_CUSTOMER}
    if place is not None:
        context |= conversation_context(place) | customer_context(place.conversation)
        context["form_key"] = str(uuid.uuid4())
    if is_live:
        response = render(request, "desk/_swap.html", context)
        if place is not None and request.method == "POST":
            response.headers["HX-Push-Url"] = reverse("desk:conversation", args=[place.conversation_id])
        return response
    open_id = place.conversation_id if place else None
    return render(request, "desk/page.html", context | desk_context(load_desk(agent.pk), open_id))


def back_to_desk(request: HttpRequest) -> HttpResponse:
    """Nothing for htmx: what changed comes to every desk of the agent by itself. The whole desk otherwise."""
    return HttpResponse(status=204) if request.htmx else redirect("desk:home")  # type: ignore[attr-defined]


@require_POST
@sign_in_required
def accept_offer(request: HttpRequest, offer_id: int) -> HttpResponse:
    """Take the offered conversation."""
    agent = agent_of(request)
    taken = offers.accept(offer_id, by=agent)
    return show(request, participation_of(agent, taken.pk))


@require_POST
@sign_in_required
def decline_offer(request: HttpRequest, offer_id: int) -> HttpResponse:
    """Pass the request on."""
    offers.decline(offer_id, by=agent_of(request))
    return back_to_desk(request)


@require_POST
@sign_in_required
def change_state(request: HttpRequest) -> HttpResponse:
    """Available, or idle with a reason."""
    agent = agent_of(request)
    wanted, reason = request.POST.get("state"), request.POST.get("reason", "")
    reason_id = whole_number(reason)
    with transaction.atomic():  # what is refused changes nothing
        if wanted == AgentState.AVAILABLE:
            _at_desk(agent)
            agent_actions.become_available(agent.pk, by=agent)
        elif wanted == AgentState.IDLE and (reason == "" or reason_id is not None):
            _at_desk(agent)
            agent_actions.become_idle(agent.pk, reason_id, by=agent)
        else:
            raise Invalid(_("This state cannot be chosen. Choose one from the menu."))
    return back_to_desk(request)


def _at_desk(agent: Agent) -> None:
    """Whoever chooses a state sits at the desk, even if the system took him for gone."""
    if agent.state == AgentState.OFFLINE:
        agent_actions.sign_in(agent.pk)


@one_message
@require_POST
@sign_in_required
def post(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """A message by a page without a socket, or without script."""
    agent = agent_of(request)

    def send() -> messaging.Posted:
        limits.check_message(f"agent:{agent.pk}")
        key = request.POST.get("key") or str(uuid.uuid4())
        kind = MessageKind.NOTE if request.POST.get("note") else MessageKind.TEXT
        draft = messaging.Draft(conversation_id, Party.AGENT, request.POST.get("text", ""), key, agent.pk, kind)
        return post_with_files(request, draft)

    return answer_message(request, send, back_to=reverse("desk:conversation", args=[conversation_id]))


@require_POST
@sign_in_required
def end(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """End the talk; the closing reasons follow."""
    agent = agent_of(request)
    closing.end(conversation_id, by=agent)
    return show(request, participation_of(agent, conversation_id))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def closing_reasons(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """The dialog Closing reasons."""
    agent = agent_of(request)
    place = participation_of(agent, conversation_id)
    if request.method != "POST":
        return _closing_page(request, closing_context(place.conversation))
    form = ClosingForm(place.conversation, request.POST)
    if not form.is_valid():
        return _closing_page(request, closing_context(place.conversation, form), status=422)
    closing.finish(conversation_id, form.cleaned_data["reason"], by=agent, note=form.cleaned_data["note"])
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("desk:home")
    response = render(request, "desk/_swap.html", {"agent": agent, **NO_CUSTOMER})
    for name, value in {
        "HX-Retarget": "#conversation",
        "HX-Reswap": "outerHTML",
        "HX-Push-Url": reverse("desk:home"),
    }.items():
        response.headers[name] = value
    return response


def _closing_page(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    template = "desk/_closing.html" if request.htmx else "desk/closing.html"  # type: ignore[attr-defined]
    return render(request, template, context, status=status)


@never_cache
@require_safe
@sign_in_required
def transcript(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """An earlier conversation, to read."""
    found = readable_by(agent_of(request), conversation_id)
    before = number_in(request, "before") or None
    context = transcript_context(found) | thread_context(found, Audience.AGENTS, before=before)
    template = "desk/_transcript.html" if request.htmx else "desk/transcript.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@never_cache
@require_safe
@sign_in_required
def earlier(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """The lines above those that the page shows."""
    found = readable_by(agent_of(request), conversation_id)
    context = thread_context(found, Audience.AGENTS, before=number_in(request, "before"))
    return render(request, "desk/_earlier_lines.html", context)


@never_cache
@require_safe
@sign_in_required
def poll(request: HttpRequest) -> HttpResponse:
    """
    What a desk without a socket lacks: the same frames that the socket would send.

    The desk says with `last` what it has of the open conversation, and with `seen` what the agent saw of it.
    """
    agent = agent_of(request)
    agent_actions.desks_seen([agent.pk])
    open_id = number_in(request, "open") or None
    last, seen = number_in(request, "last"), number_in(request, "seen")
    view = view_of_desk(agent.pk, open_id, agent.language)
    frames: list[dict[str, Any]] = []
    if view.place is not None:
        if last > view.place.delivered_number or seen > view.place.read_number:
            reading.marked_by_agent(view.place.conversation_id, by=agent, delivered=last, read=seen)
        if last > view.place.conversation.last_number:
            frames.append(reload_frame())
        messages = after(view.place.conversation, last)
        if messages:
            frames.append(lines_frame(view.place.conversation_id, messages, Audience.AGENTS, agent.language))
        frames.append(marks_frame(view.place.conversation_id, view.marks))
    frames.append({"is": "fragments", "html": "".join(view.drawn.values())})
    if view.lost_id is not None:
        frames.append(gone_frame(view.lost_id))
    return JsonResponse({"frames": frames})


@require_POST
@sign_in_required
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out, unless a request waits or a conversation is open."""
    agent = agent_of(request)
    with transaction.atomic():  # who looks whether he may come back sees both, or neither
        if agent.state != AgentState.OFFLINE:
            presence.sign_out(agent.pk, by=agent)
        logout(request)
    return redirect("agents:sign-in")
