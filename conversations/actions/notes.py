"""Notes that go with an action: to a colleague who is asked, and with the closing reason."""

from conversations.actions import messaging
from conversations.masking import mask_cards


def clean_note(text: str) -> str:
    """A note as it will be stored, without card numbers; raises MessageRefused when it cannot be stored."""
    return mask_cards(messaging.clean_note(text))
