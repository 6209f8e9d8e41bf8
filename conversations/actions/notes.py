"""Notes that go with an action: to a colleague who is asked, and with the closing reason."""

from django.utils.translation import gettext_lazy as _

from conversations.actions.messaging import CONTROL, SURROGATE
from conversations.errors import MessageRefused
from conversations.masking import mask_cards

LONGEST_NOTE = 2000


def clean_note(text: str) -> str:
    """
    A note as it will be stored, without card numbers, empty when it is blank.

    Raises MessageRefused when it cannot be stored.
    """
    if "\x00" in text or SURROGATE.search(text):
        raise MessageRefused(_("The note has a character that cannot be stored. Remove it and send again."))
    text = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(text) > LONGEST_NOTE:
        raise MessageRefused(_("The note has %(length)s characters and up to 2,000 fit. Shorten it."), length=len(text))
    return mask_cards(text)
