"""What the admin pages of every app share. Knows no app."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected as delete_selected_stock
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from config.admin_input import CarefulAdmin
from config.refusal import Refused

MOST_LISTED = 10_000


def moment(at: Any) -> str | SafeString:
    """A time that the page's script shows in the reader's own zone."""
    if at is None:
        return "–"
    return format_html('<time datetime="{}" data-moment="minute">{} UTC</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M}")


class LatestPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and shows the latest rows only, so that a list costs the same whatever the history."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, up to the most that a list shows."""
        rows = self.object_list[:MOST_LISTED]
        return rows.count() if isinstance(rows, QuerySet) else len(rows)


class LabelledInline(admin.TabularInline):  # type: ignore[type-arg]
    """Rows of a table whose fields say what they are to people who do not see the head of the column."""

    extra = 0

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest | None, **kwargs: Any) -> Any:
        """The stock field, with its label."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[arg-type]
        if field is not None:
            widget: Any = getattr(field.widget, "widget", field.widget)
            widget.attrs["aria-label"] = capfirst(field.label)
            for link in ("can_add_related", "can_change_related", "can_view_related"):
                setattr(field.widget, link, False)
        return field

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The stock formset, with a label for Delete."""
        stock: Any = super().get_formset(request, obj, **kwargs)

        class Labelled(stock):  # type: ignore[misc]
            def add_fields(self, form: Any, index: int | None) -> None:
                super().add_fields(form, index)
                if DELETION_FIELD_NAME in form.fields:
                    form.fields[DELETION_FIELD_NAME].widget.attrs["aria-label"] = gettext("Delete")

        return Labelled


class ReadOnlyAdmin(CarefulAdmin):
    """A list and a page to read, never to edit."""

    paginator = LatestPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: the portal writes these rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: the history stays as it was."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: the history stays as it was."""
        return False


class RetiredNotDeletedAdmin(CarefulAdmin):
    """Rows with `is_in_use`: what has a history is taken out of use; only what never served can be deleted."""

    actions = ["delete_selected", "retire"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_history(self, row: Model) -> bool:
        """Whether something refers to the row, so that it must stay."""
        raise NotImplementedError

    def why_not_retire(self, row: Model) -> str:
        """A sentence when the row must stay in use, else nothing."""
        return ""

    def why_not_delete(self, row: Model) -> str:
        """A sentence when the row must not be deleted, else nothing."""
        if self.has_history(row):
            return gettext(
                "“%(name)s” is part of the history and cannot be deleted. Retire it instead: it leaves the lists."
            ) % {"name": row}
        return ""

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The stock page, or the sentence why not on the row's own page."""
        row = self.get_object(request, unquote(object_id))
        if row is not None and self.has_delete_permission(request, row) and (why_not := self.why_not_delete(row)):
            self.message_user(request, why_not, messages.WARNING)
            opts = self.opts
            return redirect(f"admin:{opts.app_label}_{opts.model_name}_change", row.pk)
        return super().delete_view(request, object_id, extra_context)

    @admin.action(description=_("Delete selected %(verbose_name_plural)s"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """The stock action, unless one of the rows must stay: then nothing is deleted."""
        reasons = [why_not for row in queryset if (why_not := self.why_not_delete(row))]
        for why_not in reasons:
            self.message_user(request, why_not, messages.WARNING)
        return None if reasons else delete_selected_stock(self, request, queryset)

    @admin.action(description=_("Retire"), permissions=["change"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Take the rows out of use."""

        def retire(row: Any) -> None:
            if why_not := self.why_not_retire(row):
                raise Refused(why_not)
            row.is_in_use = False
            row.save(update_fields=["is_in_use"])
            self.log_change(request, row, [{"changed": {"fields": [gettext("in use")]}}])

        do_each(self, request, queryset, retire, gettext("%d retired."))


def do_each(
    model_admin: admin.ModelAdmin,  # type: ignore[type-arg]
    request: HttpRequest,
    rows: Iterable[Any],
    do: Callable[[Any], object],
    done_sentence: str,
) -> None:
    """Do it to each row; a refusal becomes a warning with the row's name, and the others go on."""
    done = 0
    for row in rows:
        try:
            do(row)
        except Refused as refusal:
            model_admin.message_user(request, f"{row}: {refusal}", messages.WARNING)
        else:
            done += 1
    if done:
        model_admin.message_user(request, done_sentence % done, messages.SUCCESS)


def ask(
    model_admin: admin.ModelAdmin,  # type: ignore[type-arg]
    request: HttpRequest,
    queryset: QuerySet[Any],
    form: forms.Form,
    *,
    action: str,
    title: str,
    button: str,
) -> TemplateResponse:
    """The page between an action and its doing: what it needs to know, and for which rows."""
    opts = model_admin.opts
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "form": form,
        "rows": queryset,
        "action": action,
        "button": button,
        "opts": opts,
        "checkbox": ACTION_CHECKBOX_NAME,
        "back": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
        "media": model_admin.media,
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "admin/ask.html", context, status=422 if form.errors else 200)
