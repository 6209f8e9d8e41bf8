"""What the actions on agents refuse."""

from django.utils.translation import gettext_lazy as _

from config.refusal import Gone, Invalid, Refused

__all__ = ["AgentDisabled", "AgentGone", "AlreadySignedOut", "ReasonGone", "Refused"]


class AgentGone(Gone):
    """No such agent, or he may no longer sign in."""

    sentence = _("There is no such agent. Ask a supervisor whether the account is still active.")


class AgentDisabled(AgentGone):
    """The account is there, and not active."""

    sentence = _("This account is not active, so nothing was changed. A supervisor can make it active again.")


class AlreadySignedOut(Refused):
    """The agent is offline already, or has no desk open."""

    sentence = _("This agent is signed out. The state can change once the desk is open.")


class ReasonGone(Invalid):
    """The idle reason is unknown or no longer in use."""

    sentence = _("This idle reason is not in use any more. Choose another from the menu.")
