"""Our admin: the portal's look, one sign-in, and the numbers of the floor on its first page."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import PasswordChangeView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, Min, OuterRef, Q, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agents.forms import OwnPasswordForm
from agents.models import Agent
from agents.states import AgentState
from config.admin_input import check_address
from config.clock import database_now, duration
from conversations.models import Conversation
from conversations.states import State
from conversations.views.desk import sign_out
from queues.models import Queue, QueueMembership

# What supervisors look for most stands first.
ORDER = ["conversations", "queues", "agents", "auth"]
MODELS = [
    "Conversation",
    "ReplyTemplate",
    "RestrictedWord",
    "Queue",
    "ClosingReason",
    "Agent",
    "IdleReason",
    "AgentStateChange",
    "Group",
]


class LivedeskAdminSite(admin.AdminSite):
    """Django admin in Livedesk's colours, with the counts that matter now on its first page."""

    site_title = _("Livedesk")
    site_header = _("Livedesk")
    index_title = _("Supervision")
    site_url = reverse_lazy("desk:home")  # type: ignore[assignment]
    empty_value_display = "–"

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Every page of admin, for addresses that can be looked for."""
        return super().admin_view(check_address(view), cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One door for everybody, the portal's own; who came through it without staff rights is told so."""
        wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
            wanted = reverse("admin:index", current_app=self.name)
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        if request.user.is_authenticated:
            raise PermissionDenied(gettext("Supervision is for supervisors. Ask one of them, or go back to your desk."))
        return redirect_to_login(wanted)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The stock page with a form that leaves the rest of the agent as it is now."""
        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            template_name="registration/password_change_form.html",
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """One way out for everybody, the desk's: who still has work is told so."""
        return sign_out(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The floor in numbers, then the lists."""
        context = dict(extra_context or {})
        if request.user.has_perm("conversations.view_conversation"):
            context["floor"] = floor()
        return super().index(request, context)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """In the order of a supervisor's day, not of the alphabet."""
        apps = sorted(super().get_app_list(request, app_label), key=lambda app: _place(ORDER, app["app_label"]))
        for app in apps:
            app["models"].sort(key=lambda model: _place(MODELS, model["object_name"]))
        return apps


def _place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def floor() -> dict[str, Any]:
    """What matters now, in four queries however much there is: who waits, who is served, who is there."""
    now = database_now()
    lines = {row["queue"]: row for row in _counts_by_queue()}
    states = {row["state"]: row for row in _agents_by_state()}
    queues = [
        _queue_row(queue, lines.get(queue.pk, {}), now=now)
        for queue in Queue.objects.filter(Q(is_in_use=True) | Q(pk__in=lines))
        .annotate(
            available=Count(
                "memberships",
                filter=Q(memberships__agent__state=AgentState.AVAILABLE, memberships__agent__is_active=True),
            )
        )
        .order_by("name")
    ]
    oldest = min((row["oldest"] for row in lines.values() if row["oldest"]), default=None)
    return {
        "waiting": sum(row["waiting"] for row in lines.values()),
        "longest": duration((now - oldest).total_seconds()) if oldest else None,
        "is_late": any(queue["is_late"] for queue in queues),
        "active": sum(row["active"] for row in lines.values()),
        "wrap_up": sum(row["wrap_up"] for row in lines.values()),
        "places": sum(row["places"] for state, row in states.items() if state != AgentState.OFFLINE),
        "states": [
            {"state": state.value, "label": state.label, "count": states.get(state, {}).get("count", 0)}
            for state in (AgentState.AVAILABLE, AgentState.IDLE, AgentState.RONA, AgentState.OFFLINE)
        ],
        "available": states.get(AgentState.AVAILABLE, {}).get("count", 0),
        "queues": queues,
    }


def _counts_by_queue() -> Any:
    """Unfinished conversations only: the index holds no others, whatever the history."""
    return (
        Conversation.objects.unfinished()
        .order_by()
        .values("queue")
        .annotate(
            waiting=Count("pk", filter=Q(state=State.WAITING)),
            active=Count("pk", filter=Q(state=State.ACTIVE)),
            wrap_up=Count("pk", filter=Q(state=State.WRAP_UP)),
            oldest=Min("queued_at", filter=Q(state=State.WAITING)),
        )
    )


def _agents_by_state() -> Any:
    """Of those who serve a queue: a supervisor at the desk is no place for a conversation."""
    return (
        Agent.objects.filter(Exists(QueueMembership.objects.filter(agent=OuterRef("pk"))), is_active=True)
        .order_by()
        .values("state")
        .annotate(count=Count("pk"), places=Sum("capacity"))
    )


def _queue_row(queue: Any, counts: dict[str, Any], *, now: Any) -> dict[str, Any]:
    oldest = counts.get("oldest")
    longest = (now - oldest).total_seconds() if oldest else None
    return {
        "pk": queue.pk,
        "name": queue.name,
        "waiting": counts.get("waiting", 0),
        "longest": duration(longest),
        "available": queue.available,
        "active": counts.get("active", 0),
        "is_late": longest is not None and longest > queue.service_level_seconds,
    }
