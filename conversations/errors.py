"""What the actions on conversations refuse, each with its sentence."""

from django.utils.translation import gettext_lazy as _

from config.refusal import Gone as ConfigGone
from config.refusal import Invalid, Refused, TooFast

__all__ = [
    "AgentFull",
    "AgentNotAvailable",
    "AlreadyHere",
    "ConferenceFull",
    "FileRefused",
    "FileTooLarge",
    "NotAGuest",
    "NotToYourself",
    "NothingToCancel",
    "NothingToEnd",
    "AlreadyEnded",
    "Gone",
    "Invalid",
    "KeyUsedTwice",
    "MessageRefused",
    "MustNotDecline",
    "NobodyThere",
    "NotEndedYet",
    "NotLead",
    "NotNow",
    "OfferGone",
    "OfferPending",
    "QueueClosed",
    "QueueGone",
    "ReasonMissing",
    "Refused",
    "StillBusy",
    "TooFast",
    "WrongReason",
]


class Gone(ConfigGone):
    """No such conversation or offer, or it is somebody else's."""

    sentence = _("There is no such conversation here. It may have ended or gone to a colleague. Go back to your list.")


class QueueGone(ConfigGone):
    """No such queue, or it is not in use any more."""

    sentence = _("There is no such chat. Choose one from the list.")


class NotNow(Refused):
    """The conversation is not in a state for this."""

    sentence = _("This is not possible now: the conversation has moved on. The page shows how it stands.")


class NotLead(Refused):
    """Only the lead may do this."""

    sentence = _("Only the agent who leads the conversation can do this.")


class AlreadyEnded(NotNow):
    """The conversation has ended: it takes no more messages and no second end."""

    sentence = _("This conversation has ended; nobody can write in it any more.")


class NotEndedYet(NotNow):
    """A closing reason before the end, or after the close."""

    sentence = _("This conversation does not wait for a closing reason. The page shows how it stands.")


class OfferGone(Refused):
    """The offer is not this agent's, not pending, or out of time."""

    sentence = _("This request is no longer yours: it ran out, was answered already or went to somebody else.")


class OfferPending(Refused):
    """There is an offer already, and one at most."""

    sentence = _("Somebody has already been asked. Wait for the answer, or cancel that request first.")


class MustNotDecline(Refused):
    """The queue does not let agents decline."""

    sentence = _("Requests of this queue cannot be declined. Accept it, or let it ring out.")


class AgentFull(Refused):
    """The agent's load has reached his capacity."""

    sentence = _("This agent has no free place at the moment. Choose somebody else.")


class AgentNotAvailable(Refused):
    """The agent is not Available, or no desk of his is connected."""

    sentence = _("This agent is not available at the moment. Choose somebody else.")


class NotToYourself(Invalid):
    """Transferring to oneself, or inviting oneself."""

    sentence = _("You have this conversation already. Choose a colleague.")


class NothingToCancel(Refused):
    """No transfer and no invitation is pending."""

    sentence = _("There is nothing to cancel any more: the request was answered or withdrawn.")


class AlreadyHere(Refused):
    """The colleague is a guest of this conversation already."""

    sentence = _("This colleague is in the conversation already.")


class ConferenceFull(Refused):
    """Three guests are the most."""

    sentence = _(
        "Three colleagues have joined already, which is the most. Choose another time, or let one leave first."
    )


class NotAGuest(Refused):
    """The lead cannot leave; he transfers or ends."""

    sentence = _("You lead this conversation, so you cannot leave it. Transfer or end it.")


class NothingToEnd(Refused):
    """There is no conference."""

    sentence = _("There is no conference to end: no colleague is in the conversation any more.")


class StillBusy(Refused):
    """Signing out with work in hand."""


class QueueClosed(Refused):
    """The queue is outside its opening hours, or not in use."""

    sentence = _("This chat is closed at the moment. The page says when it opens again.")


class NobodyThere(Refused):
    """No member of the queue is signed in."""

    sentence = _("Nobody is here to answer at the moment. Please try again later.")


class MessageRefused(Invalid):
    """The text cannot be sent as it is."""


class KeyUsedTwice(Refused):
    """The same key with another text."""

    sentence = _("A different message was already sent under this key. Send it again as a new message.")


class ReasonMissing(Invalid):
    """Finishing without a reason."""

    sentence = _("Choose a closing reason first.")


class WrongReason(Invalid):
    """A reason of another queue, or one that is not in use."""

    sentence = _("This closing reason does not belong to this queue or is not in use any more. Choose another.")


class FileRefused(Invalid):
    """A file that cannot be sent, whoever sends it."""


class FileTooLarge(Refused):
    """More bytes than a file, or a request, may have."""

    status = 413
