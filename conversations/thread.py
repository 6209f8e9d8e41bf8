"""Lines of a thread as people see them: text with links, authors, and events as sentences in the reader's language."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any

from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from linkify_it import LinkifyIt

from config.stamps import stamp
from conversations.file_lines import FileLine, fetch_files, file_lines, scan_states
from conversations.models import Conversation, Message
from conversations.states import EventKind, MessageKind, OfferKind, Party, Remark, SystemReason

PAGE = 100  # lines that a page shows at first
CATCH_UP = 200  # lines that one look fetches
KEPT = 4096  # rendered lines kept for the next reader,
KEPT_CHARACTERS = 4_000_000  # and of long ones fewer

_linkify = LinkifyIt(options={"fuzzy_link": False, "fuzzy_email": True, "fuzzy_ip": False})
_linkify.add("//", None)
_linkify.add("ftp:", None)


class Audience(StrEnum):
    """Who reads: a line is drawn once for each audience and language, not for each person."""

    VISITOR = "visitor"
    AGENTS = "agents"


# What the templates of a line without files ask, and what they only print.
LOOKED_AT = ("is_event", "kind", "sender")
PRINTED = ("pk", "number", "key", "html", "author", "sentence", "at", "clock")
TEMPLATES = {Audience.VISITOR: "chat/_message.html", Audience.AGENTS: "desk/_message.html"}


@dataclass(frozen=True)
class Line:
    """A message as the templates take it."""

    pk: int
    number: int
    kind: str
    sender: str
    key: str
    text: str
    html: SafeString
    created_at: dt.datetime
    author: str
    sentence: str
    details: dict[str, Any]
    files: list[FileLine]

    @property
    def at(self) -> str:
        """When it was written, for machines (ISO 8601)."""
        return self.created_at.isoformat()

    @property
    def clock(self) -> str:
        """When it was written, for pages without script: in the portal's time zone, which it names."""
        return timezone.localtime(self.created_at).strftime("%H:%M %Z")

    @property
    def is_event(self) -> bool:
        """Whether it is something that happened, for everybody or for colleagues alone."""
        return bool(self.sentence)


def visible_to(audience: Audience, messages: QuerySet[Message]) -> QuerySet[Message]:
    """What this audience may ever get: notes never leave the agents' side."""
    return messages.exclude(kind=MessageKind.NOTE) if audience == Audience.VISITOR else messages


def is_visible(message: Message, audience: Audience) -> bool:
    """The same, for one message in hand."""
    return audience == Audience.AGENTS or message.kind != MessageKind.NOTE


def last_page(conversation: Conversation, audience: Audience, *, before: int | None = None) -> list[Message]:
    """The newest lines before a number, oldest first; the whole thread's length does not matter."""
    messages = visible_to(audience, conversation.messages.select_related("agent"))
    if before is not None:
        messages = messages.filter(number__lt=before)
    newest = list(messages.order_by("-number")[:PAGE])
    for message in newest:
        message.conversation = conversation
    fetch_files(newest)
    return newest[::-1]


def after(conversation: Conversation, number: int) -> list[Message]:
    """Everything behind a number, notes too (the caller filters when it draws), a bounded stretch at a time."""
    behind = conversation.messages.select_related("agent").filter(number__gt=number).order_by("number")
    messages = list(behind[:CATCH_UP])
    for message in messages:
        message.conversation = conversation
    fetch_files(messages)
    return messages


def was_all(stretch: Sequence[Message]) -> bool:
    """Whether nothing stood behind these when `after` read them."""
    return len(stretch) < CATCH_UP


def lines(messages: Iterable[Message], audience: Audience) -> list[Line]:
    """Messages as lines for this audience, in the language that is active."""
    return [line(message, audience) for message in messages]


def line(message: Message, audience: Audience) -> Line:
    """One message as a line."""
    text = message.text_for_agents() if audience == Audience.AGENTS else message.text
    return Line(
        pk=message.pk,
        number=message.number,
        kind=message.kind,
        sender=message.sender,
        key=message.key,
        text=text,
        html=with_links(text),
        created_at=message.created_at,
        author=author(message),
        sentence=sentence(message, audience) if message.event else "",
        details=message.details,
        files=file_lines(message),
    )


def draw_line(message: Message, audience: Audience, language: str) -> str:
    """One message as this audience sees it."""
    if message.event or message.handles:
        with translation.override(language):
            shown = line(message, audience)
    else:
        shown = line(message, audience)
    if shown.files:
        with translation.override(language):
            return render_to_string(TEMPLATES[audience], {"message": shown})
    return stamp(TEMPLATES[audience], "message", shown, LOOKED_AT, PRINTED, language)


def author(message: Message) -> str:
    """The short name under a bubble."""
    if message.sender == Party.VISITOR:
        return message.conversation.visitor_name.split(" ")[0]
    if message.agent is not None:
        return message.agent.get_short_name() or message.agent.name
    return ""


def with_links(text: str) -> SafeString:
    """The text, escaped, with its http(s) and mail addresses as links; nothing else is markup."""
    matches = _linkify.match(text) if ("://" in text or "@" in text) else None
    if not matches:
        return escape(text)
    parts: list[tuple[SafeString]] = []
    done = 0
    for match in matches:
        parts.append((escape(text[done : match.index]),))
        parts.append((_link(match.url, match.text),))
        done = match.last_index
    parts.append((escape(text[done:]),))
    return format_html_join("", "{}", parts)


def _link(url: str, text: str) -> SafeString:
    if not url.lower().startswith(("http://", "https://", "mailto:")):
        return escape(text)
    return format_html('<a href="{}" target="_blank" rel="noopener nofollow">{}</a>', url, text)


def sentence(message: Message, audience: Audience) -> str:
    """What an event says to this audience."""
    details = message.details
    name = details.get("name", "")
    match message.event:
        case EventKind.JOINED:
            return _("%(name)s joined the conversation") % {"name": name}
        case EventKind.LEFT:
            return _("%(name)s left the conversation") % {"name": name}
        case EventKind.LEAD_CHANGED:
            return _("%(name)s has taken over") % {"name": name}
        case EventKind.TRANSFERRED:
            return _("The conversation was transferred to %(queue)s") % {"queue": details.get("queue", "")}
        case EventKind.RETURNED:
            return _("The conversation is back in line; the next free agent takes it")
        case EventKind.ASKED_IF_THERE:
            if audience == Audience.VISITOR:
                return _("Are you still there? Write a word to stay in the conversation")
            return _("The customer was asked whether they are still there")
        case EventKind.ENDED:
            return _ending(details, name, audience)
        case EventKind.OFFER_DECLINED | EventKind.OFFER_MISSED | EventKind.OFFER_WITHDRAWN:
            return refusal(message.event, details.get("offered") == OfferKind.CONFERENCE, name)
    return message.get_event_display()


def _ending(details: dict[str, Any], name: str, audience: Audience) -> str:
    if details.get("system_reason") == SystemReason.NOBODY_AVAILABLE:
        return _("Nobody is available to answer any more. Please try again later")
    if details.get("remark") == Remark.IDLE:
        return _("The conversation ended because nobody wrote any more")
    if details.get("remark") == Remark.VISITOR_GONE and audience == Audience.VISITOR:
        return _("The conversation ended because you were away for too long")
    if details.get("ended_by") == Party.VISITOR:
        return (
            _("You ended the conversation") if audience == Audience.VISITOR else _("The customer left the conversation")
        )
    if name:
        return _("%(name)s ended the conversation") % {"name": name}
    return _("The conversation has ended")


REFUSALS = {
    (EventKind.OFFER_DECLINED, False): gettext_lazy(
        "%(name)s declined the transfer; the conversation stays where it is"
    ),
    (EventKind.OFFER_MISSED, False): gettext_lazy(
        "%(name)s did not answer the transfer; the conversation stays where it is"
    ),
    (EventKind.OFFER_WITHDRAWN, False): gettext_lazy(
        "%(name)s is not available any more; the conversation stays where it is"
    ),
    (EventKind.OFFER_DECLINED, True): gettext_lazy("%(name)s declined to join the conversation"),
    (EventKind.OFFER_MISSED, True): gettext_lazy("%(name)s did not answer the invitation to the conversation"),
    (EventKind.OFFER_WITHDRAWN, True): gettext_lazy("%(name)s is not available any more and did not join"),
}


def refusal(event: str, is_conference: bool, name: str) -> str:
    """How a request to a colleague ended without an accept."""
    return str(REFUSALS[EventKind(event), is_conference]) % {"name": name}


class RenderedLines:
    """Lines drawn once for each audience and language, the author's name and the virus check: nothing else changes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, Audience, str, str, tuple[str, ...]], str] = OrderedDict()
        self._length = 0
        self._lock = Lock()

    def render(self, messages: Sequence[Message], audience: Audience, language: str) -> SafeString:
        """The HTML of those that this audience may see, in order."""
        drawn = [self._one(message, audience, language) for message in messages if is_visible(message, audience)]
        return mark_safe("".join(drawn))  # noqa: S308 - each part was escaped by its template

    def forget(self) -> None:
        """Draw every line anew."""
        with self._lock:
            self._kept.clear()
            self._length = 0

    def _one(self, message: Message, audience: Audience, language: str) -> str:
        key = (message.pk, audience, language, author(message), scan_states(message))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        drawn = draw_line(message, audience, language)
        with self._lock:
            if key not in self._kept:  # another thread may have drawn it meanwhile
                self._kept[key] = drawn
                self._length += len(drawn)
            while len(self._kept) > KEPT or self._length > KEPT_CHARACTERS:
                _key, oldest = self._kept.popitem(last=False)
                self._length -= len(oldest)
        return drawn


rendered = RenderedLines()
