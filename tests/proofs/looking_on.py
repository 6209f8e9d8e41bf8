"""Who waits beside a free place, and since when: read from the rows, by none of the rules that the routers follow."""

import datetime as dt
from collections import Counter
from typing import NamedTuple

from agents.models import Agent
from agents.states import AgentState
from conversations.models import Conversation, Offer
from conversations.states import OfferState, State
from queues.models import QueueMembership
from tests import invariants


class LookerOn:
    """Remembers since when each has waited and each agent has had a free place."""

    def __init__(self):
        self.waiting_since, self.free_since, self.free, self.pairs = {}, {}, {}, []

    def look(self, now):
        """For how long somebody has stood beside a free place by now; the longest of them, 0.0 if nobody does."""
        waiting, free = in_line(), free_places(now)
        self.waiting_since = {one: self.waiting_since.get(one, now) for one in waiting}
        self.free_since = {
            agent: self.free_since[agent] if has_stayed_free(self.free.get(agent), place) else now
            for agent, place in free.items()
        }
        self.free = free
        self.pairs = beside(waiting, free)
        since = [max(self.waiting_since[waits], self.free_since[agent]) for waits, agent in self.pairs]
        return (now - min(since)).total_seconds() if since else 0.0


def has_stayed_free(before, now):
    """
    Whether an agent had a free place all the time between two looks, whatever he was offered meanwhile.

    He had, if he was offered less than he had room for, and stayed in his state.
    """
    return before is not None and before.since == now.since and now.offers - before.offers < before.places


class Free(NamedTuple):
    """The free places of an agent, how many offers he had by then, and since when he is Available."""

    places: int
    offers: int
    since: dt.datetime


def in_line():
    """Who waits without an offer; another time in line or another offer in between makes another one of him."""
    waiting = Conversation.objects.filter(state=State.WAITING).values_list("pk", "queue", "entered_queue_at")
    states = list(Offer.objects.filter(conversation__state=State.WAITING).values_list("conversation", "state"))
    made = Counter(pk for pk, _state in states)
    asked = {pk for pk, state in states if state == OfferState.PENDING}
    return [(pk, queue, entered, made[pk]) for pk, queue, entered in waiting if pk not in asked]


def free_places(now):
    """Each agent who has a free place, by a recount."""
    taken, offered = invariants.taken_places(), Counter(Offer.objects.values_list("agent", flat=True))
    ready = Agent.objects.filter(state=AgentState.AVAILABLE, connected_until__gt=now, is_active=True)
    rows = ready.values_list("pk", "capacity", "state_since")
    return {pk: Free(capacity - taken[pk], offered[pk], since) for pk, capacity, since in rows if taken[pk] < capacity}


def beside(waiting, free):
    """Each who waits with each agent who has a free place and serves that queue."""
    members = set(QueueMembership.objects.values_list("queue", "agent"))
    return [(waits, agent) for waits in waiting for agent in free if (waits[1], agent) in members]
