"""Forms of the chat page and the desk."""

import unicodedata
import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from config.numbers import whole_number
from config.refusal import Refused
from conversations.actions.messaging import Draft, clean
from conversations.errors import ReasonMissing, WrongReason
from conversations.models import LONGEST_NAME, Conversation
from conversations.states import Party
from queues.models import ClosingReason, Queue

# Directional marks could turn a name around and with it the line in which it stands.
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
KEPT = {"\u200c", "\u200d"}  # joiners: some scripts and emoji need them


def one_line(text: str) -> str:
    """Text of one line without control and directional characters, blanks folded."""
    kept = "".join(
        " " if character in "\t\r\n" else character
        for character in text
        if character in "\t\r\n" or character in KEPT or unicodedata.category(character) not in INVISIBLE
    )
    return " ".join(kept.split())


class StartForm(forms.Form):
    """How a visitor starts a conversation."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=LONGEST_NAME,
        error_messages={
            "required": _("Please tell us your name."),
            "max_length": _("This name is too long: up to %(limit_value)d characters fit."),
        },
    )
    email = forms.EmailField(
        label=_("Email"),
        required=False,
        max_length=254,
        error_messages={
            "required": _("Please enter your email address, so that we can answer you."),
            "invalid": _("Enter a full address, like ana@example.com."),
            "max_length": _("This address is too long: up to %(limit_value)d characters fit."),
        },
    )
    # A plain field: `clean` asks what holds for every message, and one sentence is enough.
    question = forms.Field(label=_("Your question"), widget=forms.Textarea, required=False)
    page = forms.CharField(required=False, widget=forms.HiddenInput)
    key = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, queue: Queue, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].required = queue.requires_email

    def clean_name(self) -> str:
        """A name of one line that shows as it is typed."""
        name = one_line(self.cleaned_data["name"])
        if not name:
            raise forms.ValidationError(_("Please tell us your name."))
        return name

    def clean_key(self) -> str:
        """The key of the first message; a form without script gets it from the page, or here."""
        return self.cleaned_data["key"] or str(uuid.uuid4())

    def clean_page(self) -> str:
        """The address of the page that the visitor came from; only web addresses are kept."""
        page = one_line(self.cleaned_data["page"])[:500]
        return page if page.startswith(("http://", "https://")) else ""

    def clean(self) -> dict[str, Any]:
        """The question is the first message: the same rules hold."""
        values = super().clean() or self.cleaned_data
        draft = Draft(0, Party.VISITOR, values.get("question") or "", values.get("key") or "")
        try:
            values["question"] = clean(draft)
        except Refused as refusal:
            self.add_error("question", str(refusal))
        return values


class ClosingForm(forms.Form):
    """The dialog Closing reasons: a reason of the conversation's queue, and a note."""

    reason = forms.CharField(required=False)
    note = forms.CharField(
        required=False,
        max_length=2000,
        error_messages={"max_length": _("The note is too long: up to %(limit_value)d characters fit.")},
    )

    def __init__(self, conversation: Conversation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reasons = ClosingReason.objects.filter(queue=conversation.queue_id, is_in_use=True).order_by(
            "order", "label"
        )

    def clean_reason(self) -> int:
        """A reason that is in the list."""
        reason = self.cleaned_data["reason"]
        if not reason:
            raise forms.ValidationError(ReasonMissing.sentence)
        reason_id = whole_number(reason)
        if reason_id is None or not self.reasons.filter(pk=reason_id).exists():
            raise forms.ValidationError(WrongReason.sentence)
        return reason_id
