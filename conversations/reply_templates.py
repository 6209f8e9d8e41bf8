"""Templates of replies: which ones an agent is offered, and what their <parameters> become."""

import re
import unicodedata
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from agents.models import Agent
from conversations.models import Conversation, ReplyTemplate

MOST_SHOWN = 20
LONGEST_QUERY = 100
PREVIEW = 120
PARAMETER = re.compile(r"<([^<>\n]+)>")
BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Reply:
    """A template as the list offers it: its text is filled as far as the conversation knows."""

    pk: int
    title: str
    shortcut: str
    queue: str
    language: str
    text: str

    @property
    def line(self) -> str:
        """The beginning of the text, on one line."""
        return BLANKS.sub(" ", self.text)[:PREVIEW]


def check_parameters(text: str) -> None:
    """Refuse a text whose parameters nobody could fill: a “<” without its “>”, or with nothing between them."""
    for number, line in enumerate(text.split("\n"), 1):
        rest = PARAMETER.sub(lambda found: "" if found[1].strip() else found[0], line)
        stray = re.search("[<>]", rest)
        if stray:
            raise ValidationError(_sentence(rest, stray.group()), params={"line": number}, code="unbalanced")


def _sentence(rest: str, stray: str) -> str:
    if re.search(r"<\s*>", rest):
        return _("In line %(line)s a parameter has no name. Write it like <order number>.")
    if stray == "<":
        return _("In line %(line)s a “<” has no “>” after it. Write parameters like <order number>.")
    return _("In line %(line)s a “>” has no “<” before it. Write parameters like <order number>.")


def fill(text: str, conversation: Conversation, agent: Agent) -> str:
    """The text with what is known; parameters that are not stay, for the agent to fill."""
    values = {
        "customer name": conversation.visitor_name,
        "agent name": agent.name,
        "queue": conversation.queue.name,
        "email": conversation.visitor_email,
    }

    def value(found: re.Match[str]) -> str:
        # A name with < or > in it would look like one more parameter.
        known = values.get(BLANKS.sub(" ", found[1].strip()).lower(), "")
        return re.sub("[<>]", "", known) or found[0]

    return PARAMETER.sub(value, text)


def offered(conversation: Conversation, agent: Agent, query: str) -> list[Reply]:
    """
    Templates of the conversation's queue and common ones that fit the query, the best first, up to twenty.

    Those in the conversation's language come first, then those for all languages; then by where the query was found.
    One statement; compared here and not by the database, whose small and capital letters end with ASCII on SQLite.
    """
    wanted = _plain(query[:LONGEST_QUERY]).removeprefix("/").split()
    rows = ReplyTemplate.objects.filter(Q(queue=None) | Q(queue=conversation.queue_id), is_in_use=True)
    found = [
        (_language_rank(row, conversation), place, row.queue_id is None, _plain(row.title), row.pk, row)
        for row in rows
        if (place := _place(row, wanted)) is not None
    ]
    found.sort(key=lambda entry: entry[:-1])
    return [
        Reply(
            pk=row.pk,
            title=row.title,
            shortcut=row.shortcut,
            queue=conversation.queue.name if row.queue_id else "",
            language=row.language if row.language != conversation.language else "",
            text=fill(row.text, conversation, agent),
        )
        for *_rank, row in found[:MOST_SHOWN]
    ]


def _plain(text: str) -> str:
    """Without capitals and accents, as people type when they search."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _language_rank(row: ReplyTemplate, conversation: Conversation) -> int:
    if row.language == conversation.language:
        return 0
    return 2 if row.language else 1


def _place(row: ReplyTemplate, wanted: list[str]) -> int | None:
    """0 for a shortcut, 1 for a title that begins so, 2 in the title, 3 in the text; None when it does not fit."""
    if not wanted:
        return 0
    shortcut, title, text = _plain(row.shortcut), _plain(row.title), _plain(row.text)
    if len(wanted) == 1 and shortcut.startswith(wanted[0]):
        return 0
    if not all(word in title or word in shortcut or word in text for word in wanted):
        return None
    if title.startswith(wanted[0]):
        return 1
    return 2 if all(word in title for word in wanted) else 3
