"""Agents (the users), their states, and the reasons for being idle."""

import datetime as dt
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from agents.errors import AgentDisabled, AgentGone
from agents.states import AgentState, ChangedBy
from config.locks import waiting

MOST_CAPACITY = 20


class AgentManager(UserManager["Agent"]):
    """Users, with the look-ups that routing needs."""

    def lock(self, agent_id: int) -> "Agent":
        """
        The agent's row, locked until the transaction ends; unknown is AgentGone.

        On SQLite the transaction itself is the lock.
        """
        try:
            with waiting():
                return self.select_for_update(no_key=True).get(pk=agent_id)
        except (Agent.DoesNotExist, OverflowError) as nobody:
            raise AgentGone from nobody

    def lock_active(self, agent_id: int) -> "Agent":
        """The same; one who may not sign in is AgentDisabled."""
        agent = self.lock(agent_id)
        if not agent.is_active:
            raise AgentDisabled
        return agent

    def lock_all(self, agent_ids: Iterable[int]) -> "list[Agent]":
        """These agents' rows, locked in the order of their keys: two who lock the same ones never wait crosswise."""
        with waiting():
            return list(self.select_for_update(no_key=True).filter(pk__in=set(agent_ids)).order_by("pk"))


class IdleReason(models.Model):
    """Why an agent is idle: Lunch, Meeting, … Kept by supervisors."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    order = models.PositiveSmallIntegerField(
        _("order"), default=0, help_text=_("Lower numbers stand first in the menu.")
    )
    is_in_use = models.BooleanField(
        _("in use"), default=True, help_text=_("A reason that is not in use stays in the history and leaves the menu.")
    )

    class Meta:
        ordering = ["order", "name"]
        verbose_name = _("idle reason")
        verbose_name_plural = _("idle reasons")

    def __str__(self) -> str:
        return self.name


class Sound(models.TextChoices):
    """How a request rings; each is made by the page itself."""

    BELL = "bell", _("Bell")
    CHIME = "chime", _("Chime")
    PULSE = "pulse", _("Pulse")


class Agent(AbstractUser):
    """A person who signs in: an agent at the desk, a supervisor in admin, or both."""

    capacity = models.PositiveSmallIntegerField(
        _("capacity"),
        default=5,
        validators=[MaxValueValidator(MOST_CAPACITY)],
        help_text=_("How many conversations at once, 0 to 20. Requests and wrap-ups count too."),
    )
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")

    sound_volume = models.PositiveSmallIntegerField(
        _("volume of sounds"), default=70, validators=[MaxValueValidator(100)], help_text=_("0 (silent) to 100.")
    )
    request_sound = models.CharField(_("sound of requests"), max_length=10, choices=Sound, default=Sound.BELL)
    has_message_sound = models.BooleanField(_("sound for messages"), default=True)

    state = models.CharField(_("state"), max_length=10, choices=AgentState, default=AgentState.OFFLINE, editable=False)
    idle_reason = models.ForeignKey(
        IdleReason,
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("idle reason"),
    )
    state_since = models.DateTimeField(_("in this state since"), default=timezone.now, editable=False)
    seen_at = models.DateTimeField(
        _("desk last seen"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When a desk of this agent was last open."),
    )
    connected_until = models.DateTimeField(
        _("connected until"), null=True, blank=True, editable=False, help_text=_("Offers go only to a connected desk.")
    )
    last_offered_at = models.DateTimeField(_("last offer"), null=True, blank=True, editable=False)
    session_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text=_("Raised to end all sessions of this agent.")
    )

    objects: ClassVar[AgentManager] = AgentManager()

    class Meta(AbstractUser.Meta):
        verbose_name = _("agent")  # type: ignore[assignment]
        verbose_name_plural = _("agents")  # type: ignore[assignment]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="agent_capacity_is_0_to_20",
                condition=models.Q(capacity__gte=0, capacity__lte=MOST_CAPACITY),
                violation_error_message=_("Capacity goes from 0 to 20."),
            ),
            models.CheckConstraint(
                name="agent_idle_reason_only_while_idle",
                condition=models.Q(state=AgentState.IDLE) | models.Q(idle_reason=None),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["state", "seen_at"], name="agent_by_state", condition=~models.Q(state=AgentState.OFFLINE)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name that visitors and colleagues see."""
        return self.get_full_name() or self.username

    def is_connected(self, now: dt.datetime) -> bool:
        """Whether a desk of the agent is open; a desk that fell silent stops counting after its lease."""
        return self.connected_until is not None and self.connected_until > now

    def get_session_auth_hash(self) -> str:
        """Ends every session when the password changes or when a supervisor signs the agent out."""
        return self._epoch_hash(super().get_session_auth_hash())

    def _epoch_hash(self, password_hash: str) -> str:
        return salted_hmac(
            "agents.Agent.session_epoch", f"{password_hash}:{self.session_epoch}", algorithm="sha256"
        ).hexdigest()

    def get_session_auth_fallback_hash(self) -> Any:
        """The same, for keys that are being rotated (Django's SECRET_KEY_FALLBACKS)."""
        for fallback in super().get_session_auth_fallback_hash():
            yield self._epoch_hash(fallback)


class AgentStateChange(models.Model):
    """One change of an agent's state: what the reports count."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="state_changes", verbose_name=_("agent"))
    from_state = models.CharField(_("from"), max_length=10, choices=AgentState)
    to_state = models.CharField(_("to"), max_length=10, choices=AgentState)
    reason = models.ForeignKey(
        IdleReason, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("idle reason")
    )
    changed_by = models.CharField(_("changed by"), max_length=10, choices=ChangedBy)
    by = models.ForeignKey(Agent, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("person"))
    at = models.DateTimeField(_("at"))

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = _("state change")
        verbose_name_plural = _("state changes")
        indexes = [
            models.Index(fields=["agent", "-at"], name="state_change_by_agent"),
            models.Index(fields=["-at"], name="state_change_at"),
        ]

    def __str__(self) -> str:
        return f"{self.agent}: {self.get_from_state_display()} → {self.get_to_state_display()}"
