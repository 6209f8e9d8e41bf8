"""Admin of conversations: read as transcripts, repaired through the actions; and what admin shows live elsewhere."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Count, IntegerField, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agents.admin import AgentAdmin
from agents.models import Agent
from agents.requests import agent_of
from config.admin_parts import ReadOnlyAdmin, ask, do_each, moment
from config.clock import duration
from config.numbers import whole_number
from conversations import admin_files as admin_files  # registers its own models
from conversations import admin_texts as admin_texts  # registers its own models
from conversations import thread
from conversations.actions import closing, transfers
from conversations.devices import device_of
from conversations.event_words import in_words
from conversations.file_lines import fetch_files
from conversations.load import with_load
from conversations.models import Conversation, Message, Participant
from conversations.states import MessageKind, Role, State, SystemReason
from queues.admin import QueueAdmin, QueuesOfAgentInline
from queues.models import ClosingReason, Queue

PAGE = 500  # lines of a transcript on one page
MOST_ROWS = 500  # events and offers shown with it
SEARCHED_MESSAGES = 200_000
LONGEST_SEARCH = 200


class ReasonFilter(admin.SimpleListFilter):
    """By closing reason, with its queue, or by the system's reason."""

    title = _("closing reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The reasons of every queue, then the system's."""
        reasons = ClosingReason.objects.select_related("queue").order_by("queue__name", "order", "label")
        own = [(str(reason.pk), f"{reason.queue} · {reason}") for reason in reasons]
        return own + [(value, str(label)) for value, label in SystemReason.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        """Those closed with it."""
        value = self.value()
        if not value:
            return queryset
        reason_id = whole_number(value)
        if reason_id is not None:
            return queryset.filter(closing_reason=reason_id)
        return queryset.filter(system_reason=value)


class LeadFilter(admin.SimpleListFilter):
    """By the agent who leads it, or led it once."""

    title = _("lead")
    parameter_name = "lead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those who work here; of those who left, the one who was asked for."""
        agents = Agent.objects.filter(Q(is_active=True) | Q(pk=whole_number(self.value())))
        return [(str(agent.pk), agent.name) for agent in agents.order_by("first_name", "last_name", "username")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        """Those in which he has or had that place."""
        if not self.value():
            return queryset
        places = Participant.objects.filter(agent=whole_number(self.value()), role=Role.LEAD)
        return queryset.filter(pk__in=places.order_by().values("conversation"))


class FinishForm(forms.Form):
    """With which reason of their queue conversations are finished."""

    reason = forms.ModelChoiceField(ClosingReason.objects.none(), label=_("Closing reason"))
    note = forms.CharField(
        label=_("Wrap-up note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, queue_id: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reason"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        field.queryset = ClosingReason.objects.filter(queue=queue_id, is_in_use=True)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations, the latest first: their transcripts, and the repairs that a supervisor may make."""

    list_display = [
        "visitor_name",
        "queue",
        "shown_state",
        "shown_lead",
        "shown_queued",
        "shown_waited",
        "shown_closed",
        "shown_reason",
    ]
    list_filter = ["state", "queue", LeadFilter, ReasonFilter, "is_closed_automatically", "queued_at", "closed_at"]
    list_select_related = ["queue", "closing_reason"]
    list_per_page = 50
    search_fields = ["visitor_name"]
    search_help_text = _(
        "A name, an exact email address, the number of a conversation like #42, "
        "or words of its messages in “quotation marks” (the latest 200,000 messages are searched)."
    )
    ordering = ["-pk"]
    sortable_by: ClassVar[Any] = []
    fields = ["visitor_name"]
    actions = ["send_back", "finish"]
    change_form_template = "admin/conversations/conversation/change_form.html"

    def has_supervise_permission(self, request: HttpRequest) -> bool:
        """Who may repair conversations; nobody edits them."""
        return request.user.has_perm("conversations.supervise_conversation")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        """With the leads at hand, in one query for all of them."""
        leads = Participant.objects.filter(role=Role.LEAD).select_related("agent").order_by("pk")
        return super().get_queryset(request).prefetch_related(Prefetch("participants", queryset=leads, to_attr="leads"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        """By number, by words of the latest messages, by exact address, or by name."""
        term = search_term.strip().replace("\0", "")[:LONGEST_SEARCH]
        if not term:
            return queryset, False
        if term.startswith("#") and (number := whole_number(term[1:])) is not None:
            return queryset.filter(pk=number), False
        if len(term) > 2 and term[0] in '"“«' and term[-1] in '"”»':
            return queryset.filter(pk__in=_with_words(term[1:-1])), False
        if "@" in term:
            return queryset.filter(visitor_email__in={term, term.lower()}), False
        return queryset.filter(visitor_name__icontains=term), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The transcript, a page of it at a time from the end."""
        conversation = self.get_object(request, unquote(object_id))
        context = {**(extra_context or {}), "title": gettext("Transcript")}
        if conversation is not None and self.has_view_permission(request, conversation):
            context |= _transcript(conversation, before=whole_number(request.GET.get("before")))
            context["device"] = device_of(conversation.user_agent)
            context["may_supervise"] = self.has_supervise_permission(request)
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("state"))
    def shown_state(self, conversation: Conversation) -> str:
        """Where it stands."""
        return conversation.get_state_display()

    @admin.display(description=_("lead"))
    def shown_lead(self, conversation: Any) -> str:
        """Who leads it, or led it last."""
        return conversation.leads[-1].agent.name if conversation.leads else "–"

    @admin.display(description=_("queued"))
    def shown_queued(self, conversation: Conversation) -> str | SafeString:
        """When the visitor came."""
        return moment(conversation.queued_at)

    @admin.display(description=_("waited"))
    def shown_waited(self, conversation: Conversation) -> str:
        """How long he waited for the answer."""
        return duration(conversation.waited_seconds())

    @admin.display(description=_("closed"))
    def shown_closed(self, conversation: Conversation) -> str | SafeString:
        """When it was closed."""
        return moment(conversation.closed_at)

    @admin.display(description=_("reason"))
    def shown_reason(self, conversation: Conversation) -> str:
        """Why it closed, and whether nobody chose that."""
        return reason_of(conversation)

    @admin.action(description=_("Send back to its queue"), permissions=["supervise"])
    def send_back(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> None:
        """Active conversations wait again, at their first queuing moment."""

        def send(conversation: Conversation) -> None:
            transfers.send_back(conversation.pk, by=agent_of(request))

        do_each(self, request, queryset, send, gettext("%d sent back."))

    @admin.action(description=_("Finish with a reason …"), permissions=["supervise"])
    def finish(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> HttpResponse | None:
        """Close conversations of one queue with one of its reasons."""
        queue_ids = set(queryset.order_by().values_list("queue_id", flat=True).distinct()[:2])
        if len(queue_ids) > 1:
            sentence = gettext("These conversations have different closing reasons; choose those of one queue.")
            self.message_user(request, sentence, messages.WARNING)
            return None
        if not queue_ids:
            return None
        form = FinishForm(queue_ids.pop(), request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            title, button = gettext("Finish with a reason"), gettext("Finish")
            return ask(self, request, queryset, form, action="finish", title=title, button=button)
        reason_id, note = form.cleaned_data["reason"].pk, form.cleaned_data["note"]

        def close(conversation: Conversation) -> None:
            closing.finish_by_supervisor(conversation.pk, reason_id, by=agent_of(request), note=note)

        do_each(self, request, queryset, close, gettext("%d finished."))
        return None


def _with_words(words: str) -> QuerySet[Message, Any]:
    """The conversations whose latest messages hold the words."""
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    latest = Message.objects.filter(pk__gt=newest - SEARCHED_MESSAGES).exclude(kind=MessageKind.EVENT)
    return latest.filter(text__icontains=words).order_by().values("conversation_id")


def _transcript(conversation: Conversation, *, before: int | None) -> dict[str, Any]:
    """What the page of one conversation shows: facts, a page of the thread, events, offers, participants."""
    rows = conversation.messages.select_related("agent")
    if before is not None:
        rows = rows.filter(number__lt=before)
    page = list(rows.order_by("-number")[:PAGE])[::-1]
    for message in page:
        message.conversation = conversation
    fetch_files(page)
    return {
        "conversation": conversation,
        "lines": thread.lines(page, thread.Audience.AGENTS),
        "earlier_than": page[0].number if page and page[0].number > 1 else None,
        "is_last_page": before is None,
        "participants": conversation.participants.select_related("agent"),
        "offers": conversation.offers.select_related("agent", "made_by").order_by("-pk")[:MOST_ROWS],
        "events": in_words(conversation.events.select_related("by").order_by("-pk")[:MOST_ROWS]),
        "waited": duration(conversation.waited_seconds()),
        "reason": reason_of(conversation),
        "is_active": conversation.state == State.ACTIVE,
        "is_unfinished": conversation.state != State.CLOSED,
    }


def reason_of(conversation: Conversation) -> str:
    """Why a conversation closed."""
    if conversation.state != State.CLOSED:
        return "–"
    reason = str(conversation.closing_reason or conversation.get_system_reason_display())
    is_automatic = conversation.is_closed_automatically and conversation.closing_reason_id is not None
    return gettext("%(reason)s (automatic)") % {"reason": reason} if is_automatic else reason


@admin.register(Agent)
class AgentWithWorkAdmin(AgentAdmin):
    """Agents, with their queues and their load."""

    inlines = [QueuesOfAgentInline]
    list_display: Any = ["shown_name", "username", "shown_state", "capacity", "shown_load", "shown_queues", "is_active"]
    list_filter = ["state", "queues", "is_active", "is_staff"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        """With load and queues: constant queries, however many agents."""
        queryset: QuerySet[Agent] = super().get_queryset(request)
        return with_load(queryset).prefetch_related("queues")

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """A capacity below the load takes nothing away: it counts once the agent has finished what he has."""
        super().save_model(request, obj, form, change)
        load = getattr(obj, "load", 0)
        if change and "capacity" in form.changed_data and load > obj.capacity:
            sentence = gettext("%(name)s has %(load)d conversations now and keeps them; nothing new comes before.")
            self.message_user(request, sentence % {"name": obj, "load": load}, messages.WARNING)

    @admin.display(description=_("load"), ordering="load")
    def shown_load(self, agent: Any) -> SafeString:
        """How many of the places are taken, and the way to the conversations that he leads or led."""
        talks = reverse("admin:conversations_conversation_changelist")
        return format_html('<a href="{}?lead={}">{} / {}</a>', talks, agent.pk, agent.load, agent.capacity)

    @admin.display(description=_("queues"))
    def shown_queues(self, agent: Agent) -> str:
        """Which queues the agent serves."""
        return ", ".join(queue.name for queue in agent.queues.all()) or "–"


@admin.register(Queue)
class QueueWithLineAdmin(QueueAdmin):
    """Queues, with who waits in them."""

    list_display: Any = ["name", "is_in_use", "priority", "shown_members", "shown_waiting", "shown_open"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Queue]:
        """With the line counted by its index."""
        line = Conversation.objects.filter(Q(state=State.WAITING), queue=OuterRef("pk")).order_by().values("queue")
        waiting = Subquery(line.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
        return super().get_queryset(request).annotate(waiting=Coalesce(waiting, Value(0)))

    @admin.display(description=_("waiting now"), ordering="waiting")
    def shown_waiting(self, queue: Any) -> int:
        """How many wait."""
        return int(queue.waiting)
