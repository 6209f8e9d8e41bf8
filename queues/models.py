"""Queues: what they promise, who serves them, when they are open, and why their conversations end."""

import zoneinfo
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from agents.models import Agent

RESERVED_SLUGS = frozenset({"current", "new"})


def check_time_zone(name: str) -> None:
    """Refuse a time zone that the world's time zone table does not know."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is no time zone; write one like Europe/Madrid."), params={"name": name})


def check_slug(slug: str) -> None:
    """Refuse a slug that the chat page uses for itself."""
    if slug in RESERVED_SLUGS:
        raise ValidationError(_("“%(slug)s” is used by the chat page itself; choose another."), params={"slug": slug})


class Queue(models.Model):
    """A line of conversations with its promises and its members."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    slug = models.SlugField(
        _("slug"), max_length=60, unique=True, validators=[check_slug], help_text=_("Its chat page is /chat/slug/.")
    )
    greeting = models.TextField(
        _("greeting"), max_length=500, blank=True, help_text=_("Shown to the visitor above the start form.")
    )
    is_in_use = models.BooleanField(
        _("in use"), default=True, help_text=_("A queue that is not in use takes no new conversations.")
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(9)],
        help_text=_("1 (first) to 9. Each step is a head start of one minute in line."),
    )
    service_level_seconds = models.PositiveIntegerField(
        _("service level, seconds"),
        default=30,
        validators=[MinValueValidator(1)],
        help_text=_("Answer within so many seconds …"),
    )
    service_level_percent = models.PositiveSmallIntegerField(
        _("service level, percent"),
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("… in so many of a hundred conversations."),
    )
    offer_timeout_seconds = models.PositiveIntegerField(
        _("offer timeout"),
        default=30,
        validators=[MinValueValidator(5), MaxValueValidator(6000)],
        help_text=_("Seconds that a request rings before it counts as missed (RONA), 5 to 6,000."),
    )
    may_decline = models.BooleanField(_("agents may decline"), default=True, help_text=_("Shows Decline on requests."))
    widening_seconds = models.PositiveIntegerField(
        _("widening time"),
        default=0,
        validators=[MaxValueValidator(86_400)],
        help_text=_("Seconds that a conversation waits for the lowest rank before higher ranks join. 0: all at once."),
    )
    wrap_up_limit_seconds = models.PositiveIntegerField(
        _("wrap-up limit"),
        default=120,
        validators=[MaxValueValidator(86_400)],
        help_text=_("Seconds to choose a closing reason before the default one is submitted. 0: no limit."),
    )
    waiting_grace_seconds = models.PositiveIntegerField(
        _("grace while waiting"),
        default=60,
        validators=[MinValueValidator(5), MaxValueValidator(86_400)],
        help_text=_("Seconds that a waiting visitor may be gone before the conversation counts as abandoned."),
    )
    visitor_gone_seconds = models.PositiveIntegerField(
        _("grace while active"),
        default=300,
        validators=[MinValueValidator(5), MaxValueValidator(86_400)],
        help_text=_("Seconds that a visitor may be gone from an active conversation before it goes to wrap-up."),
    )
    inactivity_limit_seconds = models.PositiveIntegerField(
        _("inactivity limit"),
        default=0,
        validators=[MaxValueValidator(86_400)],
        help_text=_("Seconds of a visitor's silence before he is asked once; after as long again it ends. 0: none."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        default="UTC",
        validators=[check_time_zone],
        help_text=_("For opening hours, like Europe/Madrid."),
    )
    holiday_country = models.CharField(
        _("public holidays of"),
        max_length=10,
        blank=True,
        help_text=_(
            "Country code, like ES, or country and region, like ES-MD: closed on its public holidays. Empty: none."
        ),
    )
    message_when_closed = models.TextField(_("message when closed"), max_length=500, blank=True)
    message_when_unattended = models.TextField(_("message when nobody is signed in"), max_length=500, blank=True)
    requires_email = models.BooleanField(
        _("email required"), default=False, help_text=_("The start form asks for an email address.")
    )
    overflow_queue = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("overflow queue"),
        help_text=_("Where conversations go that waited too long here."),
    )
    overflow_after_seconds = models.PositiveIntegerField(
        _("overflow after"),
        default=0,
        validators=[MaxValueValidator(86_400)],
        help_text=_("Seconds in this queue before a conversation moves to the overflow queue. 0: never."),
    )
    member_left_at = models.DateTimeField(_("last member taken out"), null=True, editable=False)
    members = models.ManyToManyField(Agent, through="QueueMembership", related_name="queues", verbose_name=_("members"))

    class Meta:
        ordering = ["name"]
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="queue_priority_is_1_to_9", condition=models.Q(priority__gte=1, priority__lte=9)
            ),
            models.CheckConstraint(
                name="queue_offer_timeout_is_5_to_6000",
                condition=models.Q(offer_timeout_seconds__gte=5, offer_timeout_seconds__lte=6000),
            ),
            models.CheckConstraint(
                name="queue_does_not_overflow_to_itself",
                condition=models.Q(overflow_queue=None) | ~models.Q(overflow_queue=models.F("id")),
                violation_error_message=_("A queue cannot overflow to itself."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QueueMembership(models.Model):
    """An agent serves a queue, with a rank: lower ranks are asked first."""

    queue = models.ForeignKey(Queue, models.CASCADE, related_name="memberships", verbose_name=_("queue"))
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="memberships", verbose_name=_("agent"))
    rank = models.PositiveSmallIntegerField(
        _("rank"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(9)],
        help_text=_("1 is asked first, 9 last."),
    )

    class Meta:
        ordering = ["queue", "rank", "agent"]
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["queue", "agent"], name="one_membership_per_queue_and_agent"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} · {self.queue}"


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class OpeningHours(models.Model):
    """A span of a weekday in which the queue is open. A queue without any span is always open."""

    queue = models.ForeignKey(Queue, models.CASCADE, related_name="opening_hours", verbose_name=_("queue"))
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    opens_at = models.TimeField(_("opens"), help_text=_("In the queue's time zone."))
    closes_at = models.TimeField(_("closes"), help_text=_("00:00 is the end of the day."))

    class Meta:
        ordering = ["queue", "weekday", "opens_at"]
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="opening_hours_open_before_they_close",
                condition=models.Q(opens_at__lt=models.F("closes_at")) | models.Q(closes_at="00:00"),
                violation_error_message=_("Closing comes after opening; write 00:00 for the end of the day."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens_at:%H:%M}–{self.closes_at:%H:%M}"


class Holiday(models.Model):
    """A day on which the queue is closed, whatever its hours say."""

    queue = models.ForeignKey(Queue, models.CASCADE, related_name="holidays", verbose_name=_("queue"))
    date = models.DateField(_("date"))
    name = models.CharField(_("name"), max_length=60, blank=True)

    class Meta:
        ordering = ["queue", "date"]
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["queue", "date"], name="one_holiday_per_queue_and_date"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.name}".strip()


class ClosingReason(models.Model):
    """Why a conversation of a queue ended, chosen by the agent."""

    queue = models.ForeignKey(Queue, models.CASCADE, related_name="closing_reasons", verbose_name=_("queue"))
    label = models.CharField(_("label"), max_length=80)
    order = models.PositiveSmallIntegerField(
        _("order"), default=0, help_text=_("Lower numbers stand first in the list.")
    )
    is_in_use = models.BooleanField(
        _("in use"), default=True, help_text=_("A reason that is not in use stays in the history and leaves the list.")
    )
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Submitted automatically when the wrap-up limit ends. One per queue.")
    )

    class Meta:
        ordering = ["queue", "order", "label"]
        verbose_name = _("closing reason")
        verbose_name_plural = _("closing reasons")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint("queue", Lower("label"), name="one_closing_reason_per_queue_and_label"),
            models.UniqueConstraint(
                fields=["queue"],
                condition=models.Q(is_default=True),
                name="one_default_closing_reason_per_queue",
                violation_error_message=_("A queue has one default closing reason."),
            ),
            models.CheckConstraint(
                name="default_closing_reason_is_in_use",
                condition=models.Q(is_default=False) | models.Q(is_in_use=True),
                violation_error_message=_("The default closing reason must be in use."),
            ),
        ]

    def __str__(self) -> str:
        return self.label
