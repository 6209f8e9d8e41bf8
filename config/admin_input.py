"""
What a forged form or address of admin names is looked at before Django asks the database for it.

Stock admin looks rows up first and checks afterwards: a key that is none, a number beyond 64 bits or a NUL would be our
own fault (500), differently on each database.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, ActionForm
from django.contrib.admin.views.main import ChangeList
from django.db import DataError
from django.db.models import Model, QuerySet
from django.forms.formsets import TOTAL_FORM_COUNT
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from config.numbers import whole_number
from config.refusal import Invalid


class NamesNothing(Invalid):
    """What was sent names a row or a value that cannot be."""

    sentence = _("This form names something that cannot exist, so nothing was changed. Reload the page and try again.")


class BeyondThePage(Invalid):
    """An action was asked for a whole list: for rows that nobody looked at, and for as many as there ever were."""

    sentence = _(
        "An action is done for rows of one page, so nothing was changed. Choose the rows on the page, then run it."
    )


def check_keys(values: Iterable[str]) -> None:
    """Raises NamesNothing unless each value could be the key of a row."""
    if any(whole_number(value) is None for value in values):
        raise NamesNothing


def check_counts(values: Iterable[str], most: int) -> None:
    """Raises NamesNothing if a form claims more rows than it has fields: Django would make a thousand of them first."""
    counts = [whole_number(value) for value in values]
    if any(count is None or count > most for count in counts):
        raise NamesNothing


def check_address(view: Callable[..., Any]) -> Callable[..., Any]:
    """The same view, for addresses whose words can be looked for: PostgreSQL does not even look for a NUL."""

    @wraps(view)
    def careful(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if any("\0" in value for _name, values in request.GET.lists() for value in values):
            raise NamesNothing
        return view(request, *args, **kwargs)

    return careful


def references(model: type[Model]) -> set[str]:
    """The fields of a model whose values in a form are keys of rows."""
    fields = [*model._meta.concrete_fields, *model._meta.many_to_many]
    return {field.name for field in fields if field.primary_key or field.is_relation}


@contextmanager
def asked_by_address() -> Iterator[None]:
    """What fails while a list is filtered or first read is what its address asks."""
    try:
        yield
    except (OverflowError, ValueError, DataError) as impossible:
        raise NamesNothing from impossible


class CarefulChangeList(ChangeList):
    """A list whose filters may ask for what no row can have."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """The stock rows; filters work out days and keys from the address here."""
        with asked_by_address():
            return super().get_queryset(request, *args, **kwargs)

    def get_results(self, request: HttpRequest) -> None:
        """The stock results: the first query with what the address asks."""
        with asked_by_address():
            super().get_results(request)


class CarefulAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Admin of a model that refuses in words what cannot exist."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The stock list, which refuses in words."""
        return CarefulChangeList

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        """The stock answer, for rows that can exist and that were chosen one by one."""
        check_keys(request.POST.getlist(ACTION_CHECKBOX_NAME))
        if ActionForm.base_fields["select_across"].clean(request.POST.get("select_across")):
            raise BeyondThePage
        return super().response_action(request, queryset, *args)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The stock form; rows that it names, in itself and in its inlines, can exist."""
        keys = set().union(*(references(model) for model in (self.model, *(one.model for one in self.inlines))))
        for name, values in request.POST.lists():
            if name.rpartition("-")[2] in keys:
                check_keys(filter(None, values))
            if name.endswith("-" + TOTAL_FORM_COUNT):
                check_counts(values, len(request.POST))
        return super().changeform_view(request, object_id, form_url, extra_context)
