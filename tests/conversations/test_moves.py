"""The whole table of moves: allowed pairs pass and are logged, all others are refused."""

from itertools import product

import pytest

from config.clock import database_now
from conversations.errors import NotNow
from conversations.states import MOVES, EventKind, Party, State, SystemReason
from tests import make
from tests.rows import fresh, refuses

pytestmark = pytest.mark.django_db

ALLOWED = {
    (State.WAITING, State.ACTIVE),
    (State.WAITING, State.CLOSED),
    (State.ACTIVE, State.ACTIVE),
    (State.ACTIVE, State.WAITING),
    (State.ACTIVE, State.WRAP_UP),
    (State.WRAP_UP, State.CLOSED),
}
MAKERS = {
    State.WAITING: make.waiting_conversation,
    State.ACTIVE: make.active_conversation,
    State.WRAP_UP: make.wrap_up_conversation,
    State.CLOSED: make.closed_conversation,
}


def fields_for(state, at):
    """What the database wants with each state."""
    ended = {"ended_at": at, "ended_by": Party.SYSTEM}
    closed = {**ended, "closed_at": at, "system_reason": SystemReason.ABANDONED}
    return {State.WRAP_UP: ended, State.CLOSED: closed}.get(state, {})


@pytest.mark.parametrize(("came_from", "goes_to"), sorted(ALLOWED))
def test_an_allowed_move_is_made_counted_and_logged(came_from, goes_to):
    conversation, vera = MAKERS[came_from](), make.supervisor("Vera")
    revision, events, now = conversation.revision, conversation.events.count(), database_now()

    conversation.move_to(goes_to, kind=EventKind.LEFT, at=now, by=vera, details={"n": 1}, **fields_for(goes_to, now))

    event = conversation.events.order_by("pk").last()
    assert (fresh(conversation).state, fresh(conversation).revision) == (goes_to, revision + 1)
    assert conversation.events.count() == events + 1
    assert (event.kind, event.from_state, event.to_state) == (EventKind.LEFT, came_from, goes_to)
    assert (event.by, event.at, event.details) == (vera, now, {"n": 1})


@pytest.mark.parametrize(("came_from", "goes_to"), sorted(set(product(State, State)) - ALLOWED))
def test_every_other_move_is_refused(came_from, goes_to):
    conversation, now = MAKERS[came_from](), database_now()

    with refuses(NotNow) as refusal:
        conversation.move_to(goes_to, kind=EventKind.LEFT, at=now, **fields_for(goes_to, now))

    assert refusal.value.status == 409
    assert conversation.state == came_from


def test_the_table_has_a_line_for_every_state():
    assert set(MOVES) == set(State)
