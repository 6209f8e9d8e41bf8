"""
Search over an agent's own conversations: those he took part in, as lead or guest, whoever has them now.

His newest stay in each stands for it: the list is ordered by when he joined, newest first, and the days of the search
are days on which he joined. The text is searched as agents see it, so a restricted word that is masked is not found;
notes for colleagues are searched too. PostgreSQL finds words and beginnings of words by its full-text index, SQLite any
part of the text (and takes Á and á for two letters). All words must stand in one message.
"""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection
from django.db.models import BooleanField, Exists, F, Func, Max, OuterRef, Q, QuerySet, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from conversations.models import Conversation, Message, Participant
from conversations.states import MessageKind
from conversations.thread import author
from conversations.zones import midnight
from queues.models import Queue

PAGE = 20
MOST_COUNTED = 1000
MOST_WORDS = 8
SNIPPET = 160
BEFORE_THE_MATCH = 48
EARLIEST, LATEST = dt.date(2000, 1, 1), dt.date(2100, 12, 31)


class SearchForm(forms.Form):
    """What an agent looks for; everything is optional."""

    customer = forms.CharField(required=False, max_length=120)
    text = forms.CharField(required=False, max_length=200)
    since = forms.DateField(required=False, validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)])
    until = forms.DateField(required=False, validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)])
    queue = forms.ModelChoiceField(queryset=Queue.objects.order_by("name"), required=False)

    def clean(self) -> dict[str, Any]:
        """The days go forward."""
        values = super().clean() or self.cleaned_data
        since, until = values.get("since"), values.get("until")
        if since and until and until < since:
            self.add_error("until", _("This day lies before the first one."))
        return values

    def wanted(self, zone: dt.tzinfo) -> "Wanted":
        """The same as moments and words; the form must be valid."""
        values = self.cleaned_data
        since, until = values["since"], values["until"]
        return Wanted(
            customer=values["customer"],
            words=words_of(values["text"]),
            since=midnight(since, zone) if since else None,
            until=midnight(until + dt.timedelta(days=1), zone) if until else None,
            queue_id=values["queue"].pk if values["queue"] else None,
        )


@dataclass(frozen=True)
class Wanted:
    """What is looked for: all of it must fit."""

    customer: str = ""
    words: tuple[str, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    queue_id: int | None = None


@dataclass(frozen=True)
class Found:
    """One conversation of the list, with what matched marked."""

    place: Participant
    name: SafeString
    email: SafeString
    line: SafeString
    line_by: str
    is_note: bool

    @property
    def conversation(self) -> Conversation:
        return self.place.conversation

    @property
    def is_still_his(self) -> bool:
        """Whether it is among his tasks: then it opens on the desk, not as a transcript."""
        return self.place.left_at is None


@dataclass(frozen=True)
class ResultPage:
    """A page of the list."""

    found: list[Found]
    count: int
    next_before: int | None

    @property
    def is_counted_out(self) -> bool:
        """Whether there are more than anyone counts."""
        return self.count > MOST_COUNTED


class AreSpoken(Func):
    """
    Whether a message, as agents see it, has these words: details, text, query.

    PostgreSQL only; the vector is written exactly as in the index message_words, or the index would not serve.
    """

    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        compiled = [compiler.compile(expression) for expression in self.get_source_expressions()]
        (details, _one), (text, _two), (query, values) = compiled
        vector = f"TO_TSVECTOR('simple', COALESCE({details} ->> 'for_agents', {text}))"
        return f"({vector} @@ TO_TSQUERY('simple', {query}))", list(values)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a search, as they stand between blanks; what has neither letter nor digit finds nothing."""
    return tuple(word for word in text.split() if any(letter.isalnum() for letter in word))[:MOST_WORDS]


def search(agent: Agent, wanted: Wanted, *, before: int = 0) -> ResultPage:
    """A page of what is found, behind the agent's stay `before`; constant queries, whatever the history."""
    places = places_of(agent, wanted)
    count = places.order_by()[: MOST_COUNTED + 1].count()
    page = list(_behind(places, agent, before)[: PAGE + 1])
    shown = page[:PAGE]
    lines = _matching_lines(shown, wanted.words) if wanted.words else {}
    return ResultPage(
        found=[_found(place, lines.get(place.conversation_id), wanted) for place in shown],
        count=count,
        next_before=shown[-1].pk if len(page) > PAGE else None,
    )


def places_of(agent: Agent, wanted: Wanted) -> QuerySet[Participant]:
    """The agent's newest stays in the conversations that fit, newest first."""
    same = Participant.objects.filter(agent=OuterRef("agent"), conversation=OuterRef("conversation"))
    # A later stay has the higher key: stays begin under the lock of their conversation.
    places = Participant.objects.filter(~Exists(same.filter(pk__gt=OuterRef("pk"))), agent=agent)
    if wanted.customer:
        places = places.filter(
            Q(conversation__visitor_name__icontains=wanted.customer)
            | Q(conversation__visitor_email__icontains=wanted.customer)
        )
    if wanted.words:
        places = places.filter(Exists(messages_with(wanted.words).filter(conversation=OuterRef("conversation"))))
    if wanted.since:
        places = places.filter(joined_at__gte=wanted.since)
    if wanted.until:
        places = places.filter(joined_at__lt=wanted.until)
    if wanted.queue_id is not None:
        places = places.filter(conversation__queue=wanted.queue_id)
    joined = places.select_related("conversation__queue", "conversation__closing_reason")
    return joined.order_by("-joined_at", "-pk")


def messages_with(words: Iterable[str]) -> QuerySet[Message]:
    """The messages and notes that have all of these words, as agents see them."""
    said = Message.objects.exclude(kind=MessageKind.EVENT)
    if connection.vendor == "postgresql":
        query = " & ".join(f"'{_quoted(word)}':*" for word in words)
        return said.filter(AreSpoken(F("details"), F("text"), Value(query)))
    said = said.annotate(seen=Coalesce(KT("details__for_agents"), "text"))
    for word in words:
        said = said.filter(seen__icontains=word)
    return said


def _quoted(word: str) -> str:
    return word.replace("\\", " ").replace("'", "''")


def _behind(places: QuerySet[Participant], agent: Agent, before: int) -> QuerySet[Participant]:
    last = Participant.objects.filter(pk=before, agent=agent).first() if before else None
    if last is None:
        return places
    return places.filter(Q(joined_at__lt=last.joined_at) | Q(joined_at=last.joined_at, pk__lt=last.pk))


def _matching_lines(places: list[Participant], words: tuple[str, ...]) -> dict[int, Message]:
    """The newest matching message of each conversation, one query for all."""
    conversations = {place.conversation_id: place.conversation for place in places}
    matching = messages_with(words).filter(conversation__in=list(conversations)).order_by()
    newest = matching.values("conversation").annotate(newest=Max("pk")).values("newest")
    lines = {}
    for message in Message.objects.filter(pk__in=newest).select_related("agent"):
        message.conversation = conversations[message.conversation_id]
        lines[message.conversation_id] = message
    return lines


def _found(place: Participant, message: Message | None, wanted: Wanted) -> Found:
    conversation = place.conversation
    terms = [wanted.customer] if wanted.customer else []
    text = " ".join(message.text_for_agents().split()) if message else conversation.last_line
    return Found(
        place=place,
        name=marked(conversation.visitor_name, terms),
        email=marked(conversation.visitor_email, terms),
        line=marked(snippet(text, wanted.words), wanted.words),
        line_by=author(message) if message else "",
        is_note=message is not None and message.kind == MessageKind.NOTE,
    )


def snippet(text: str, words: Iterable[str]) -> str:
    """A stretch of the text around its first match."""
    pattern = _pattern(words)
    match = pattern.search(text) if pattern else None
    start = max(0, match.start() - BEFORE_THE_MATCH) if match else 0
    if start:
        start = text.find(" ", start, match.start() if match else None) + 1 or start
    end = start + SNIPPET
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")


def marked(text: str, words: Iterable[str]) -> SafeString:
    """The text, each part of it escaped, with what matched in <mark>."""
    pattern = _pattern(words)
    parts: list[tuple[SafeString]] = []
    done = 0
    for match in pattern.finditer(text) if pattern else ():
        parts += [(escape(text[done : match.start()]),), (format_html("<mark>{}</mark>", match.group()),)]
        done = match.end()
    return format_html_join("", "{}", [*parts, (escape(text[done:]),)])


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted((re.escape(word) for word in words if word), key=len, reverse=True)
    return re.compile("|".join(longest_first), re.IGNORECASE) if longest_first else None
