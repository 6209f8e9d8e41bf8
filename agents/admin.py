"""Admin of agents: who they are and what they may do. Their states change through the actions alone."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agents import actions as doors
from agents.forms import AgentForm, AgentPasswordForm, IdleForm, NewAgentForm
from agents.models import Agent, AgentStateChange, IdleReason
from agents.requests import agent_of
from config.admin_input import CarefulAdmin
from config.admin_parts import ReadOnlyAdmin, RetiredNotDeletedAdmin, ask, do_each, moment
from config.refusal import Refused

# Who may sign in to admin and what he may do there is for superusers alone to say.
RIGHTS = ("is_staff", "groups", "is_superuser", "user_permissions")


def may_edit(editor: Any, agent: Agent) -> bool:
    """Nobody edits a person who may do more than he: with that person's password he would be that person."""
    if editor.is_superuser:
        return True
    if agent.is_superuser:
        return False
    rights = Permission.objects.filter(Q(user=agent) | Q(group__user=agent))
    own = Permission.objects.filter(Q(user=editor) | Q(group__user=editor))
    return not rights.exclude(pk__in=own.values("pk")).exists()


class AgentAdmin(CarefulAdmin, UserAdmin):  # type: ignore[type-arg]
    """Agents. The app that knows conversations registers it, with their queues and their load."""

    form = AgentForm
    add_form = NewAgentForm
    change_password_form = AgentPasswordForm
    list_display: Any = ["shown_name", "username", "shown_state", "capacity", "is_active"]
    list_display_links = ["shown_name"]
    list_filter: ClassVar[Any] = ["state", "is_active", "is_staff"]
    search_fields = ["username", "first_name", "last_name", "email"]
    search_help_text = _("Name, username or email.")
    ordering = ["first_name", "last_name", "username"]
    list_select_related = ["idle_reason"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    filter_horizontal = ["groups", "user_permissions"]
    readonly_fields: ClassVar[Any] = ["shown_state", "shown_seen_at", "last_login", "date_joined"]
    actions = ["make_available", "make_idle", "sign_out"]
    add_fieldsets: Any = [
        (None, {"fields": ["username", "usable_password", "password1", "password2"]}),
        (_("Person"), {"fields": ["first_name", "last_name", "email", "language"]}),
        (_("Work"), {"fields": ["capacity"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        """By subject. What only superusers may see stands at the end, for them."""
        if obj is None:
            return self.add_fieldsets
        rights = RIGHTS if request.user.is_superuser else ("is_staff", "groups")
        return [
            (None, {"fields": ["username", "password"]}),
            (_("Person"), {"fields": ["first_name", "last_name", "email", "language"]}),
            (_("Work"), {"fields": ["capacity", "shown_state", "shown_seen_at"]}),
            (_("Rights"), {"fields": ["is_active", *rights, "last_login", "date_joined"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        """Rights are read-only but for superusers: a forged field changes nothing."""
        rights = () if request.user.is_superuser else RIGHTS
        return [*super().get_readonly_fields(request, obj), *rights]

    def has_change_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        """Not to a person who may do more than oneself."""
        return super().has_change_permission(request, obj) and (obj is None or may_edit(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        """Nobody: an agent who leaves is made inactive, and the history keeps the name."""
        return False

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """Save what the form says and nothing else: the state may have changed while the page was open."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        fields = {field.name for field in obj._meta.concrete_fields} & set(form.changed_data)
        if "is_active" in fields and not obj.is_active:
            self._end_sessions(request, obj)  # first: the actions know no inactive agents
        if fields:
            obj.save(update_fields=fields)

    def _end_sessions(self, request: HttpRequest, agent: Agent) -> None:
        """Who may no longer sign in is signed out as well; who is Offline is left as he is."""
        try:
            doors.sign_out(agent.pk, by=agent_of(request))
        except Refused:
            return
        self.message_user(request, gettext("%s is signed out.") % agent, messages.INFO)

    @admin.display(description=_("name"), ordering="first_name")
    def shown_name(self, agent: Agent) -> str:
        """The name that visitors see."""
        return agent.name

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, agent: Agent) -> SafeString:
        """The state, why, and for how long."""
        words = [agent.get_state_display()]
        if agent.idle_reason:
            words.append(agent.idle_reason.name)
        words.append(timesince(agent.state_since, depth=1))
        return format_html(
            '<span class="state" data-state="{}"><span class="dot"></span>{}</span>', agent.state, " · ".join(words)
        )

    @admin.display(description=_("desk last seen"))
    def shown_seen_at(self, agent: Agent) -> str | SafeString:
        """When a desk of the agent was last open."""
        return moment(agent.seen_at)

    @admin.action(description=_("Make Available"), permissions=["change"])
    def make_available(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        """The agents take offers from now on."""

        def available(agent: Agent) -> None:
            doors.become_available(self._editable(request, agent), by=agent_of(request))

        do_each(self, request, queryset, available, gettext("%d made Available."))

    @admin.action(description=_("Make Idle …"), permissions=["change"])
    def make_idle(self, request: HttpRequest, queryset: QuerySet[Agent]) -> HttpResponse | None:
        """The agents get nothing new, for a reason that the supervisor chooses."""
        form = IdleForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            title, button = gettext("Make Idle"), gettext("Make Idle")
            return ask(self, request, queryset, form, action="make_idle", title=title, button=button)
        reason = form.cleaned_data["reason"]
        reason_id = reason.pk if reason else None

        def idle(agent: Agent) -> None:
            doors.become_idle(self._editable(request, agent), reason_id, by=agent_of(request))

        do_each(self, request, queryset, idle, gettext("%d made Idle."))
        return None

    @admin.action(description=_("Sign out"), permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        """The agents are Offline at once; what they had is handed on."""

        def out(agent: Agent) -> None:
            doors.sign_out(self._editable(request, agent), by=agent_of(request))

        do_each(self, request, queryset, out, gettext("%d signed out."))

    def _editable(self, request: HttpRequest, agent: Agent) -> int:
        if not may_edit(request.user, agent):
            raise Refused(_("This person may do more than you; ask an administrator."))
        return agent.pk


admin.site.unregister(Group)


@admin.register(Group)
class CarefulGroupAdmin(CarefulAdmin, GroupAdmin):
    """The stock admin of groups, which refuses in words what cannot exist."""


@admin.register(IdleReason)
class IdleReasonAdmin(RetiredNotDeletedAdmin):
    """Idle reasons, in the order of the menu."""

    list_display = ["name", "order", "is_in_use"]
    list_filter = ["is_in_use"]
    search_fields = ["name"]
    ordering = ["order", "name"]

    def has_history(self, row: Model) -> bool:
        """Whether an agent is or was ever idle for this reason."""
        return (
            AgentStateChange.objects.filter(reason=row.pk).exists() or Agent.objects.filter(idle_reason=row.pk).exists()
        )


@admin.register(AgentStateChange)
class AgentStateChangeAdmin(ReadOnlyAdmin):
    """Who changed which state, when and why: to read."""

    list_display = ["agent", "from_state", "to_state", "reason", "changed_by", "by", "shown_at"]
    list_filter = ["to_state", "changed_by", "at"]
    list_select_related = ["agent", "reason", "by"]
    search_fields = ["agent__username", "agent__first_name", "agent__last_name"]
    search_help_text = _("Name or username of the agent.")
    ordering = ["-pk"]
    sortable_by: ClassVar[Any] = []

    @admin.display(description=_("at"))
    def shown_at(self, change: AgentStateChange) -> str | SafeString:
        """When."""
        return moment(change.at)
