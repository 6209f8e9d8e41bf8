"""The one door for messages: cleaned, numbered under the conversation's lock, kept once per key, then rung."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from config import metrics
from config.clock import database_now
from config.live import announce
from config.refusal import Refused
from config.rows import update_rows
from conversations import groups
from conversations.actions import files as uploads
from conversations.errors import AlreadyEnded, FileRefused, Gone, Invalid, KeyUsedTwice, MessageRefused
from conversations.masking import mask_cards, restricted
from conversations.models import LONGEST_KEY, LONGEST_MESSAGE, Attachment, Conversation, Message, Participant
from conversations.states import MessageKind, Party

LARGEST_ID = 2**63 - 1  # that the database can look for
KEY = re.compile(rf"[A-Za-z0-9-]{{8,{LONGEST_KEY}}}")
# Control characters but newline and tab say nothing to a reader and confuse pages, logs and exports.
CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]")
# What a message needs of its conversation, and what it changes there.
READ = ("state", "visitor_name")
COUNTED = (
    "last_number",
    "visitor_count",
    "last_line",
    "last_line_by",
    "last_message_at",
    "visitor_spoke_at",
    "asked_if_there_at",
)
SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Draft:
    """A message as its sender wrote it; `key` is the random key that the browser gave it before the first try."""

    conversation_id: int
    sender: Party
    text: str
    key: str
    agent_id: int | None = None
    kind: MessageKind = MessageKind.TEXT
    files: tuple[str, ...] = ()  # handles of what the sender uploaded before

    @property
    def message_kind(self) -> MessageKind:
        """What the message will be: a text with files is one of kind file, a note stays a note."""
        return MessageKind.FILE if self.files and self.kind == MessageKind.TEXT else self.kind

    @property
    def uploader(self) -> uploads.Sender:
        """Who must have uploaded its files."""
        return uploads.Sender(self.conversation_id, self.sender, self.agent_id)

    @property
    def identity(self) -> tuple[int, str, int | None, str]:
        """What makes two arrivals the same message."""
        return (self.conversation_id, self.sender, self.agent_id, self.key)


@dataclass(frozen=True)
class Posted:
    """A message that is in the database; `is_repeat` when it was there before."""

    message: Message
    is_repeat: bool = False


def clean(draft: Draft) -> str:
    """The text as it will be stored; raises Invalid with a sentence when it cannot be sent."""
    text = draft.text
    if not isinstance(draft.key, str) or not KEY.fullmatch(draft.key):
        raise Invalid(_("This message came without a valid key. Reload the page and send it again."))
    if not isinstance(text, str):
        raise MessageRefused(_("A message must be text. Reload the page and send it again."))
    if "\x00" in text or SURROGATE.search(text):
        raise MessageRefused(_("The message has a character that cannot be stored. Remove it and send again."))
    text = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not text and not draft.files:
        raise MessageRefused(_("The message is empty. Write something first."))
    if len(text) > LONGEST_MESSAGE:
        raise MessageRefused(
            _("The message has %(length)s characters and up to 4,000 fit. Shorten it, or send it in parts."),
            length=len(text),
        )
    if draft.sender == Party.AGENT and draft.kind == MessageKind.TEXT:
        _check_agents_text(text)
    return mask_cards(text)


def _check_agents_text(text: str) -> None:
    """What an agent may not send to a visitor, though he may note it for colleagues."""
    if "<" in text or ">" in text:
        raise MessageRefused(
            _("“<” and “>” are kept for the parameters of templates. Write the message without them and send it again.")
        )
    word = restricted.found_in(text)
    if word is not None:
        raise MessageRefused(
            _("“%(word)s” is on the list of words that are not sent to customers. Write it another way."), word=word
        )


def post(draft: Draft) -> Posted:
    """Send one message; raises the refusal when it cannot be sent."""
    (answer,) = post_batch([draft])
    if isinstance(answer, Refused):
        raise answer
    return answer


def find_posted(draft: Draft) -> Posted | None:
    """The message that stands under this key already, if its sender sent one; under a key that is none, nothing."""
    if draft.conversation_id > LARGEST_ID or not KEY.fullmatch(draft.key):
        return None
    message = _known([draft]).get(draft.identity)
    return Posted(message, is_repeat=True) if message else None


def post_batch(drafts: Sequence[Draft]) -> list[Posted | Refused]:
    """
    Send messages of any conversations in one transaction, and answer each for itself, in order.

    Nothing is answered before COMMIT. A refused one changes nothing and does not stop the others. Statements: five for
    the batch, whatever its size.
    """
    answers: list[Posted | Refused | None] = [None] * len(drafts)
    texts: dict[int, str] = {}
    for place, draft in enumerate(drafts):
        try:
            if draft.conversation_id > LARGEST_ID:  # it would fail the others of the batch too
                raise Gone
            texts[place] = clean(draft)
        except Refused as refusal:
            answers[place] = refusal
    if texts:
        with transaction.atomic():
            _store(drafts, texts, answers)
    return [answer for answer in answers if answer is not None]


def _store(drafts: Sequence[Draft], texts: dict[int, str], answers: list[Posted | Refused | None]) -> None:
    asked = [drafts[place] for place in texts]
    locked = Conversation.objects.select_for_update(no_key=True).only(*READ, *COUNTED)
    wanted = locked.filter(pk__in={draft.conversation_id for draft in asked}).order_by("pk")
    conversations = {conversation.pk: conversation for conversation in wanted}
    rights = _rights(asked)
    known = _known(asked)
    now = database_now()
    new: dict[int, list[Message]] = defaultdict(list)
    for place, text in texts.items():
        draft = drafts[place]
        before = known.get(draft.identity)
        conversation = conversations.get(draft.conversation_id)
        agent = rights.get((draft.conversation_id, draft.agent_id))
        if before is not None:  # it is stored, whatever has become of its sender's place or of the conversation
            is_same = (before.text, before.kind, before.handles) == (text, draft.message_kind, [*draft.files])
            answers[place] = Posted(before, is_repeat=True) if is_same else KeyUsedTwice()
        elif conversation is None or (draft.sender == Party.AGENT and agent is None):
            answers[place] = Gone()
        elif not conversation.is_open:
            answers[place] = AlreadyEnded()
        else:
            try:
                attached = _files_of(draft, new[conversation.pk])
            except Refused as refusal:
                answers[place] = refusal
                continue
            message = _next_message(conversation, draft, text, agent, attached)
            message.created_at = now
            known[draft.identity] = message
            new[conversation.pk].append(message)
            answers[place] = Posted(message)
    _save([conversations[pk] for pk, messages in new.items() if messages], new)


def _files_of(draft: Draft, before: list[Message]) -> list[Attachment]:
    """The files that the draft names; one that this batch has just posted is posted already."""
    if not draft.files:
        return []
    attached = uploads.to_post(draft.files, draft.uploader)
    if any(handle in message.handles for message in before for handle in draft.files):
        raise FileRefused(uploads.FILE_GONE)
    return attached


def _rights(drafts: Iterable[Draft]) -> dict[tuple[int, int | None], Agent]:
    """Who of these agents takes part in which of these conversations, now."""
    by_agents = [draft for draft in drafts if draft.sender == Party.AGENT]
    if not by_agents:
        return {}
    places = Participant.objects.filter(
        left_at=None,
        conversation__in={draft.conversation_id for draft in by_agents},
        agent__in={draft.agent_id for draft in by_agents},
    )
    named = places.select_related("agent").only(
        "conversation_id", "agent__first_name", "agent__last_name", "agent__username"
    )
    return {(place.conversation_id, place.agent_id): place.agent for place in named}


def _known(drafts: Iterable[Draft]) -> dict[tuple[int, str, int | None, str], Message]:
    """The messages that stand under these keys already."""
    drafts = list(drafts)
    keyed = Message.objects.exclude(key="").filter(
        conversation__in={draft.conversation_id for draft in drafts}, key__in={draft.key for draft in drafts}
    )
    agents = {draft.agent_id for draft in drafts if draft.agent_id is not None}
    # By side, as the indexes of the keys are: otherwise the whole thread would be read, under its lock.
    by_agents = keyed.filter(sender=Party.AGENT, agent__in=agents)
    found = keyed.filter(sender=Party.VISITOR).order_by().union(by_agents.order_by(), all=True)
    return {(message.conversation_id, message.sender, message.agent_id, message.key): message for message in found}


def _next_message(
    conversation: Conversation, draft: Draft, text: str, agent: Agent | None, attached: list[Attachment]
) -> Message:
    conversation.last_number += 1
    if draft.sender == Party.VISITOR:
        conversation.visitor_count += 1
    details: dict[str, Any] = {}
    if text != draft.text and mask_cards(draft.text) != draft.text:
        details["has_masked_card"] = True
    if draft.sender == Party.VISITOR and (masked := restricted.mask(text)) != text:
        details["for_agents"] = masked
    if attached:
        details |= {"files": list(draft.files), "names": [one.name for one in attached]}
    return Message(
        details=details,
        conversation=conversation,
        number=conversation.last_number,
        kind=draft.message_kind,
        sender=draft.sender,
        agent=agent,
        key=draft.key,
        text=text,
    )


def _save(conversations: list[Conversation], new: dict[int, list[Message]]) -> None:
    if not conversations:
        return
    stored = Message.objects.bulk_create([message for messages in new.values() for message in messages])
    transaction.on_commit(partial(metrics.messages.inc, len(stored)))
    uploads.attach([message for messages in new.values() for message in messages])
    for conversation in conversations:
        talk = [message for message in new[conversation.pk] if message.kind != MessageKind.NOTE]
        if not talk:
            continue
        last = talk[-1]
        conversation.last_line = last.line_for_agents()
        conversation.last_line_by = last.sender
        conversation.last_message_at = last.created_at
        if any(message.sender == Party.VISITOR for message in new[conversation.pk]):
            conversation.visitor_spoke_at = last.created_at
            conversation.asked_if_there_at = None
        elif conversation.asked_if_there_at is not None:
            conversation.asked_if_there_at = last.created_at  # the time to answer runs from the agent's newest line
    update_rows(conversations, COUNTED)
    for conversation in conversations:
        announce(
            groups.thread(conversation.pk),
            "posted",
            conversation=conversation.pk,
            number=conversation.last_number,
            visitor_count=conversation.visitor_count,
            _posted=new[conversation.pk],
        )
