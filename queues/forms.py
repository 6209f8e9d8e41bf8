"""Forms of a queue and its parts: what admin refuses."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import holidays
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from config.clock import database_now
from queues.hours import COUNTRY_CODE, MIDNIGHT
from queues.models import ClosingReason, OpeningHours, Queue, QueueMembership, Weekday

END_OF_DAY = 24 * 60


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]
    """A queue: its overflow leads somewhere else, its holidays are known ones."""

    class Meta:
        model = Queue
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets choose among them

    def clean_holiday_country(self) -> str:
        """A country, or a country with a region, that has public holidays in the world's table."""
        code: str = self.cleaned_data["holiday_country"].strip()
        country, _dash, region = code.partition("-")
        spellings = [f"{country.upper()}-{region}", f"{country.upper()}-{region.upper()}"] if region else [code.upper()]
        for spelling in spellings if code else []:
            if _has_holidays(spelling):
                return spelling
        if code:
            sentence = _("No public holidays are known for “%(code)s”; write a code like ES, or ES-MD with a region.")
            raise ValidationError(sentence, params={"code": code})
        return ""

    def clean(self) -> dict[str, Any]:
        """Overflow needs a queue to go to, and no chain of overflows may lead back here."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        overflow = cleaned.get("overflow_queue")
        if overflow is None and cleaned.get("overflow_after_seconds"):
            self.add_error("overflow_queue", _("Choose where conversations go, or set “overflow after” to 0."))
        if overflow is not None and self.instance.pk and self.instance.pk in _overflow_chain(overflow):
            self.add_error(
                "overflow_queue",
                ValidationError(
                    _("Conversations that overflow to “%(queue)s” would come back here; choose another queue."),
                    params={"queue": overflow},
                ),
            )
        return cleaned


def _has_holidays(code: str) -> bool:
    found = COUNTRY_CODE.fullmatch(code)
    if found is None:
        return False
    try:
        holidays.country_holidays(found[1], subdiv=found[2])
    except NotImplementedError:
        return False
    return True


def _overflow_chain(first: Queue) -> Iterator[int]:
    """The queues that a conversation passes when it overflows to the first and on from there."""
    next_of = dict(Queue.objects.exclude(overflow_queue=None).values_list("pk", "overflow_queue_id"))
    passed: set[int] = set()
    place: int | None = first.pk
    while place is not None and place not in passed:
        yield place
        passed.add(place)
        place = next_of.get(place)


def is_deleted(formset: Any, form: Any) -> bool:
    """Whether the row is marked for deletion."""
    return bool(formset.can_delete and formset._should_delete_form(form))


def kept(formset: forms.BaseInlineFormSet) -> Iterator[dict[str, Any]]:  # type: ignore[type-arg]
    """The rows that will stand after the save, as far as they are valid."""
    for form in formset.forms:
        if is_deleted(formset, form) or form.errors or (not form.instance.pk and not form.has_changed()):
            continue
        yield form.cleaned_data


class MembershipFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Who serves which queue, seen from the queue or from the agent."""

    def save(self, commit: bool = True) -> Any:
        """Note when a queue loses a member: its visitors are given up a grace later, not at once."""
        known = QueueMembership.objects.filter(pk__in=[form.instance.pk for form in self.initial_forms]).order_by()
        before = set(known.values_list("queue", "agent"))
        saved = super().save(commit)
        left = {queue for queue, _agent in before - set(known.all().values_list("queue", "agent"))}
        if left:
            Queue.objects.filter(pk__in=left).update(member_left_at=database_now())
        return saved


class OpeningHoursFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The spans of a week; those of one day do not overlap."""

    def clean(self) -> None:
        """Refuse two spans of a day that share a minute."""
        super().clean()
        days: dict[int, list[tuple[int, int]]] = {}
        for row in kept(self):
            days.setdefault(row["weekday"], []).append(_minutes(row["opens_at"], row["closes_at"]))
        for weekday, spans in sorted(days.items()):
            spans.sort()
            if any(second[0] < first[1] for first, second in zip(spans, spans[1:], strict=False)):
                sentence = _("The opening hours of %(day)s overlap; make one span of them.")
                raise ValidationError(sentence, params={"day": Weekday(weekday).label})


def _minutes(opens_at: dt.time, closes_at: dt.time) -> tuple[int, int]:
    closes = END_OF_DAY if closes_at == MIDNIGHT else closes_at.hour * 60 + closes_at.minute
    return opens_at.hour * 60 + opens_at.minute, closes


class ClosingReasonForm(forms.ModelForm):  # type: ignore[type-arg]
    """One closing reason among the others of its queue, which check the default together."""

    class Meta:
        model = ClosingReason
        fields = ["label", "order", "is_in_use", "is_default"]

    def _get_validation_exclusions(self) -> set[str]:
        # The default moves from one row to another in one save; alone, each row would see the old one.
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]


class ClosingReasonFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The closing reasons of a queue: at least one in use, exactly one default, nothing of the history deleted."""

    def clean(self) -> None:
        """Refuse what would leave agents or the wrap-up limit without a reason to submit."""
        # First, because the stock check names every conversation that used the reason.
        for form in self.forms:
            if form.instance.pk and is_deleted(self, form) and form.instance.conversations.exists():
                sentence = _(
                    "“%(name)s” is part of the history and cannot be deleted. Take it out of use instead: "
                    "it leaves the list."
                )
                raise ValidationError(sentence, params={"name": form.instance})
        super().clean()
        if any(form.errors for form in self.forms if not is_deleted(self, form)):
            return
        rows = list(kept(self))
        labels = [row["label"].lower() for row in rows]
        if len(labels) != len(set(labels)):
            raise ValidationError(_("Two closing reasons have the same label."))
        if not any(row["is_in_use"] for row in rows):
            raise ValidationError(_("A queue needs at least one closing reason in use."))
        defaults = [row for row in rows if row["is_default"]]
        if len(defaults) != 1:
            raise ValidationError(_("Mark exactly one closing reason as the default."))
        if not defaults[0]["is_in_use"]:
            raise ValidationError(_("The default closing reason must be in use."))

    def save(self, commit: bool = True) -> Any:
        """The old default goes first: there is never more than one."""
        if commit and self.instance.pk:
            default = [form.instance.pk for form in self.initial_forms if form.cleaned_data.get("is_default")]
            self.instance.closing_reasons.filter(is_default=True).exclude(pk__in=default).update(is_default=False)
        return super().save(commit)


class ReasonAloneForm(forms.ModelForm):  # type: ignore[type-arg]
    """A closing reason on its own page, where its queue and whether it is the default stay as they are."""

    class Meta:
        model = ClosingReason
        fields = ["label", "order", "is_in_use"]

    def clean(self) -> dict[str, Any]:
        """The default stays in use, and no label stands twice in a queue."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.is_default and not cleaned.get("is_in_use"):
            self.add_error("is_in_use", why_default_stays(self.instance))
        others = ClosingReason.objects.filter(queue=self.instance.queue_id).exclude(pk=self.instance.pk)
        if others.filter(label__iexact=cleaned.get("label", "")).exists():
            self.add_error("label", _("This queue has a closing reason of that label already."))
        return cleaned


def why_default_stays(reason: ClosingReason) -> str:
    """Why the default reason can be neither retired nor deleted."""
    return gettext("“%(name)s” is the default of %(queue)s; choose another default there first.") % {
        "name": reason,
        "queue": reason.queue,
    }


class OpeningHoursForm(forms.ModelForm):  # type: ignore[type-arg]
    """A span of opening hours, to the minute."""

    class Meta:
        model = OpeningHours
        fields = ["weekday", "opens_at", "closes_at"]
