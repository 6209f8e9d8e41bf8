"""Whether each queue's line was served in its order, read from the history afterwards."""

import datetime as dt
from collections import defaultdict

from conversations.actions.opening import order_key
from conversations.models import Conversation
from conversations.states import EventKind, OfferKind, State
from queues.models import Queue

MOVED = (EventKind.RETURNED, EventKind.TRANSFERRED, EventKind.OVERFLOWED)


def out_of_order(just_now=1.0):
    """
    Offers that were made while somebody further ahead in the same line stood free: none in strict order.

    Who became free in the last `just_now` seconds may not have been there yet when the router looked.
    """
    just_now = dt.timedelta(seconds=just_now)
    queues = {queue.pk: queue for queue in Queue.objects.all()}
    spans, asked = defaultdict(list), []
    for talk in Conversation.objects.prefetch_related("events", "offers"):
        for queue, began, ended in times_in_line(talk):
            place = (order_key(talk.queued_at, queues[queue]), talk.pk)
            made = sorted(offer_times(talk, began, ended))
            asked += [(queue, place, at) for at, _settled in made]
            spans[queue] += [(place, *free) for free in free_times(began, ended, made)]
    for queue, place, at in asked:
        for other, began, ended in spans[queue]:
            if other < place and began + just_now <= at and (ended is None or ended > at):
                yield f"Conversation {place[1]} was offered at {at}, while {other[1]} stood ahead since {began}."


def times_in_line(talk):
    """Each time in a line: the queue, since when, and until when (None: still)."""
    events = sorted(talk.events.all(), key=lambda event: event.pk)
    moves = [event for event in events if event.kind in MOVED]
    queue = moves[0].details["from_queue"] if moves else talk.queue_id
    began = None
    for event in events:
        if began is not None and (event.to_state or event.kind == EventKind.OVERFLOWED):
            yield queue, began, event.at
            began = None
        if event.kind in MOVED:
            queue = event.details["to_queue"]
        if event.to_state == State.WAITING or event.kind == EventKind.OVERFLOWED:
            began = event.at
    if began is not None:
        yield queue, began, None


def offer_times(talk, began, ended):
    for offer in talk.offers.all():
        if offer.kind == OfferKind.REQUEST and offer.made_at >= began and (ended is None or offer.made_at <= ended):
            yield offer.made_at, offer.settled_at


def free_times(began, ended, made):
    """The parts of a time in line without a pending offer."""
    for at, settled in made:
        yield began, at
        if settled is None:
            return
        began = settled
    if ended is None or ended > began:
        yield began, ended
