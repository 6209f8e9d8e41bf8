"""Admin of queues, with their members, hours and closing reasons on one page."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agents.states import AgentState
from config.admin_parts import LabelledInline, RetiredNotDeletedAdmin
from queues.forms import (
    ClosingReasonForm,
    ClosingReasonFormSet,
    MembershipFormSet,
    OpeningHoursForm,
    OpeningHoursFormSet,
    QueueForm,
    ReasonAloneForm,
    why_default_stays,
)
from queues.hours import is_open
from queues.models import ClosingReason, Holiday, OpeningHours, Queue, QueueMembership


class MembersInline(LabelledInline):
    """Who serves the queue."""

    model = QueueMembership
    formset = MembershipFormSet
    fields = ["agent", "rank"]
    autocomplete_fields = ["agent"]
    ordering = ["rank", "agent__first_name"]


class QueuesOfAgentInline(LabelledInline):
    """Which queues an agent serves."""

    model = QueueMembership
    formset = MembershipFormSet
    fields = ["queue", "rank"]
    autocomplete_fields = ["queue"]
    ordering = ["queue__name"]
    verbose_name = _("queue")
    verbose_name_plural = _("queues")


class OpeningHoursInline(LabelledInline):
    """When the queue is open; always, while there is none."""

    model = OpeningHours
    form = OpeningHoursForm
    formset = OpeningHoursFormSet
    ordering = ["weekday", "opens_at"]


class HolidayInline(LabelledInline):
    """Days on which the queue is closed."""

    model = Holiday
    fields = ["date", "name"]
    ordering = ["date"]


class ClosingReasonInline(LabelledInline):
    """Why conversations of the queue end."""

    model = ClosingReason
    form = ClosingReasonForm
    formset = ClosingReasonFormSet
    ordering = ["order", "label"]
    min_num = 1


class QueueAdmin(RetiredNotDeletedAdmin):
    """Queues. The app that knows conversations registers it, with who waits."""

    form = QueueForm
    inlines = [MembersInline, OpeningHoursInline, HolidayInline, ClosingReasonInline]
    list_display: Any = ["name", "is_in_use", "priority", "shown_members", "shown_open"]
    list_filter = ["is_in_use", "priority"]
    search_fields = ["name", "slug"]
    search_help_text = _("Name or slug.")
    ordering = ["name"]
    prepopulated_fields = {"slug": ["name"]}
    autocomplete_fields = ["overflow_queue"]
    fieldsets = [
        (_("Basics"), {"fields": ["name", "slug", "is_in_use", "greeting", "requires_email"]}),
        (
            _("Routing"),
            {"fields": ["priority", "may_decline", ("service_level_seconds", "service_level_percent")]},
        ),
        (
            _("Times"),
            {
                "fields": [
                    "offer_timeout_seconds",
                    "widening_seconds",
                    "wrap_up_limit_seconds",
                    "waiting_grace_seconds",
                    "visitor_gone_seconds",
                    "inactivity_limit_seconds",
                ]
            },
        ),
        (
            _("Opening hours and messages"),
            {"fields": ["time_zone", "holiday_country", "message_when_closed", "message_when_unattended"]},
        ),
        (_("Overflow"), {"fields": ["overflow_queue", "overflow_after_seconds"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Queue]:
        """With the members counted and the hours at hand: constant queries, however many queues."""
        available = Q(memberships__agent__state=AgentState.AVAILABLE, memberships__agent__is_active=True)
        queues: QuerySet[Queue] = super().get_queryset(request)
        return queues.prefetch_related("opening_hours", "holidays").annotate(
            members_total=Count("memberships", filter=Q(memberships__agent__is_active=True)),
            members_available=Count("memberships", filter=available),
            now=Now(),
        )

    def has_history(self, row: Model) -> bool:
        """Whether the queue ever had a conversation."""
        return bool(row.conversations.exists())  # type: ignore[attr-defined]

    @admin.display(description=_("members available"), ordering="members_available")
    def shown_members(self, queue: Any) -> str:
        """How many of the members take offers now."""
        return f"{queue.members_available} / {queue.members_total}"

    @admin.display(description=_("open now"), boolean=True)
    def shown_open(self, queue: Queue) -> bool:
        """Whether the queue takes new conversations now."""
        return is_open(queue, queue.now)  # type: ignore[attr-defined]


@admin.register(ClosingReason)
class ClosingReasonAdmin(RetiredNotDeletedAdmin):
    """Closing reasons of all queues in one list; new ones and defaults are made on the page of their queue."""

    form = ReasonAloneForm
    fields = ["queue", "label", "order", "is_in_use", "is_default"]
    readonly_fields = ["queue", "is_default"]
    list_display = ["label", "queue", "order", "is_in_use", "is_default"]
    list_filter = ["is_in_use", "queue"]
    list_select_related = ["queue"]
    search_fields = ["label", "queue__name"]
    search_help_text = _("Label or queue.")
    ordering = ["queue__name", "order", "label"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """On the page of its queue, where the default is checked."""
        return False

    def has_history(self, row: Model) -> bool:
        """Whether a conversation was ever closed with it."""
        return bool(row.conversations.exists())  # type: ignore[attr-defined]

    def why_not_delete(self, row: Model) -> str:
        """Neither what has a history nor the default."""
        return super().why_not_delete(row) or self.why_not_retire(row)

    def why_not_retire(self, row: Model) -> str:
        """The default of a queue stays in use."""
        return why_default_stays(row) if isinstance(row, ClosingReason) and row.is_default else ""
