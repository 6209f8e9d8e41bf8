"""What always holds, whoever did what: each rule answers with sentences about the rows that break it."""

from collections import Counter
from contextlib import contextmanager

from django.db import connection, transaction

from agents.models import Agent
from conversations.load import with_load
from conversations.models import Conversation, ConversationEvent, Offer, Participant
from conversations.states import EventKind, OfferState, Role, State

ENDINGS = {
    EventKind.OFFER_ACCEPTED,
    EventKind.OFFER_DECLINED,
    EventKind.OFFER_MISSED,
    EventKind.OFFER_WITHDRAWN,
}


@contextmanager
def one_moment():
    """Everything that is read inside belongs to one moment, and nothing is locked for it."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")  # not Django's own, which would be the writer
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def taken_places():
    """The places of each agent that are taken, counted row by row."""
    taken = Counter(Participant.objects.filter(left_at=None).values_list("agent", flat=True))
    taken.update(Offer.objects.filter(state=OfferState.PENDING).values_list("agent", flat=True))
    return taken


def wrong_loads():
    """Load never exceeds capacity, and is what a recount says."""
    taken = taken_places()
    for pk, load, capacity in with_load(Agent.objects.order_by("pk")).values_list("pk", "load", "capacity"):
        if not load == taken[pk] <= capacity:
            yield f"Agent {pk} has load {load}, a recount says {taken[pk]}, capacity is {capacity}."


def doubly_booked():
    """
    A conversation has one pending offer at most, one lead exactly while it is served, and guests only beside him.

    What is closed has none of them any more.
    """
    open_places = Participant.objects.filter(left_at=None).values_list("conversation", "role")
    roles = Counter(open_places)
    pending = Counter(Offer.objects.filter(state=OfferState.PENDING).values_list("conversation", flat=True))
    for pk, state in Conversation.objects.order_by("pk").values_list("pk", "state"):
        leads, guests = roles[pk, Role.LEAD], roles[pk, Role.GUEST]
        is_right = leads == int(state in (State.ACTIVE, State.WRAP_UP))
        is_right &= pending[pk] <= int(state in (State.WAITING, State.ACTIVE))
        is_right &= not guests or state == State.ACTIVE
        if not is_right:
            yield f"Conversation {pk} is {state} with {leads} leads, {guests} guests and {pending[pk]} pending offers."


def offers_not_ended_once():
    """An offer that is over has one row of history that says so, one that is pending has none."""
    details = ConversationEvent.objects.filter(kind__in=ENDINGS).values_list("details", flat=True)
    ended = Counter(one.get("offer") for one in details)
    for pk, state, settled_at in Offer.objects.order_by("pk").values_list("pk", "state", "settled_at"):
        is_over = state != OfferState.PENDING
        if ended[pk] != int(is_over) or (settled_at is not None) != is_over:
            yield f"Offer {pk} is {state}, settled at {settled_at}, and ended {ended[pk]} times."
