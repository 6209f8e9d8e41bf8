"""The states of an agent, and who may change them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AgentState(models.TextChoices):
    """What the agent wants, and what the system made of it. Engaged is a label, not a state."""

    OFFLINE = "offline", _("Offline")
    IDLE = "idle", _("Idle")
    AVAILABLE = "available", _("Available")
    RONA = "rona", _("RONA")


class ChangedBy(models.TextChoices):
    """Who changed a state."""

    SELF = "self", _("the agent")
    SYSTEM = "system", _("the system")
    SUPERVISOR = "supervisor", _("a supervisor")
