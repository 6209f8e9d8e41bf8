"""A visitor's first word opens a conversation."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction

from agents.states import AgentState
from config.clock import database_now
from conversations.actions.lines import announce_line
from conversations.actions.messaging import Draft, clean, post
from conversations.errors import KeyUsedTwice, NobodyThere, QueueClosed, QueueGone
from conversations.models import Conversation, Visitor
from conversations.states import OPEN_STATES, EventKind, Party, State
from queues import hours
from queues.models import Queue, QueueMembership

HEAD_START_PER_STEP = dt.timedelta(minutes=1)
LOWEST_PRIORITY = 9


@dataclass(frozen=True)
class Opening:
    """What the start form said; `token_hash` is the visitor's session, `key` that of his first message."""

    token_hash: str
    name: str
    email: str
    question: str
    key: str
    language: str = "en"
    page_address: str = ""
    user_agent: str = ""


def order_key(queued_at: dt.datetime, queue: Queue) -> dt.datetime:
    """The place in line: the moment of queuing, minus a head start of one minute per step of priority."""
    return queued_at - (LOWEST_PRIORITY - queue.priority) * HEAD_START_PER_STEP


def is_attended(queue: Queue) -> bool:
    """Whether a member of the queue is signed in, in whatever state."""
    return bool(attended([queue]))


def attended(queues: Iterable[Queue]) -> list[Queue]:
    """Those of the queues that a member is signed in for, in one query."""
    queues = list(queues)
    signed_in = QueueMembership.objects.filter(agent__is_active=True).exclude(agent__state=AgentState.OFFLINE)
    found = set(signed_in.filter(queue__in=queues).values_list("queue", flat=True))
    return [queue for queue in queues if queue.pk in found]


def open_conversation(queue_id: int, opening: Opening) -> Conversation:
    """
    Queue the visitor with his first message; a visitor who has an open conversation goes on in that one.

    Raises QueueGone, QueueClosed, NobodyThere or AlreadyEnded, and what `messaging.clean` refuses.
    """
    clean(_draft(0, opening))
    try:
        with transaction.atomic():
            return _open(queue_id, opening)
    except IntegrityError:
        # The same visitor twice at once (a double click): the other one's conversation is his too.
        conversation = open_conversation_of(opening.token_hash)
        if conversation is None:
            raise
        _say_in(conversation, opening)
        return conversation


def open_conversation_of(token_hash: str) -> Conversation | None:
    """The visitor's conversation that is still open, if any."""
    mine = Conversation.objects.filter(visitor__token_hash=token_hash, state__in=OPEN_STATES)
    return mine.select_related("queue", "visitor").first()


def _open(queue_id: int, opening: Opening) -> Conversation:
    existing = open_conversation_of(opening.token_hash)
    if existing is not None:
        _say_in(existing, opening)
        return existing
    queue = Queue.objects.filter(pk=queue_id, is_in_use=True).first()
    if queue is None:
        raise QueueGone
    now = database_now()
    if not hours.is_open(queue, now):
        raise QueueClosed
    if not is_attended(queue):
        raise NobodyThere
    visitor, _is_new = Visitor.objects.update_or_create(
        token_hash=opening.token_hash,
        defaults={"name": opening.name, "email": opening.email},
        create_defaults={"name": opening.name, "email": opening.email, "created_at": now},
    )
    conversation = Conversation.objects.create(
        queue=queue,
        visitor=visitor,
        visitor_name=opening.name,
        visitor_email=opening.email,
        language=opening.language,
        page_address=opening.page_address,
        user_agent=opening.user_agent,
        state=State.WAITING,
        queued_at=now,
        entered_queue_at=now,
        order_key=order_key(now, queue),
        visitor_seen_at=now,
    )
    conversation.log(EventKind.OPENED, at=now, to_state=State.WAITING)
    post(_draft(conversation.pk, opening))
    announce_line(queue.pk)
    conversation.refresh_from_db()
    return conversation


def _draft(conversation_id: int, opening: Opening) -> Draft:
    return Draft(conversation_id, Party.VISITOR, opening.question, opening.key)


def _say_in(conversation: Conversation, opening: Opening) -> None:
    """What the visitor wrote in one more start form is a message, unless it is his first one again."""
    draft = _draft(conversation.pk, opening)
    if conversation.messages.filter(number=1, text=clean(draft)).exists():
        return
    try:
        post(draft)
    except KeyUsedTwice:
        # The same form with other words, after a step back: they get a key of their own, the same one each time.
        post(replace(draft, key=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{draft.key} {draft.text}"))))
