"""What the actions on conversations refuse, each with its sentence."""

from django.utils.translation import gettext_lazy as _

from config.refusal import Gone as ConfigGone
from config.refusal import Invalid, Refused, TooFast

__all__ = ["Gone", "Invalid", "NotNow", "Refused", "TooFast"]


class Gone(ConfigGone):
    """No such conversation or offer, or it is somebody else's."""

    sentence = _("There is no such conversation here. It may have ended or gone to a colleague. Go back to your list.")


class NotNow(Refused):
    """The conversation is not in a state for this."""

    sentence = _("This is not possible now: the conversation has moved on. The page shows how it stands.")
