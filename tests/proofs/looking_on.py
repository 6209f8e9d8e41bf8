"""Who waits beside a free place, and since when: read from the rows, by none of the rules that the routers follow."""

from collections import Counter

from agents.models import Agent
from agents.states import AgentState
from conversations.models import Conversation, Offer
from conversations.states import OfferState, State
from queues.models import QueueMembership
from tests import invariants


class LookerOn:
    """Remembers since when each has waited and each place has been free."""

    def __init__(self):
        self.waiting_since, self.free_since = {}, {}

    def look(self, now):
        """For how long somebody has stood beside a free place by now; the longest of them, 0.0 if nobody does."""
        self.waiting_since = carry_on(self.waiting_since, in_line(), now)
        self.free_since = carry_on(self.free_since, free_places(now), now)
        pairs = beside(self.waiting_since, self.free_since)
        since = [max(self.waiting_since[waits], self.free_since[free]) for waits, free in pairs]
        return (now - min(since)).total_seconds() if since else 0.0


def carry_on(since, seen, now):
    """Since when what is seen now has been so without a break."""
    return {one: since.get(one, now) for one in seen}


def in_line():
    """Who waits without an offer; another time in line or another offer in between makes another one of him."""
    waiting = Conversation.objects.filter(state=State.WAITING).values_list("pk", "queue", "entered_queue_at")
    states = list(Offer.objects.filter(conversation__state=State.WAITING).values_list("conversation", "state"))
    made = Counter(pk for pk, _state in states)
    asked = {pk for pk, state in states if state == OfferState.PENDING}
    return [(pk, queue, entered, made[pk]) for pk, queue, entered in waiting if pk not in asked]


def free_places(now):
    """Which agents have a free place, by a recount; an offer or a change in between makes another one of them."""
    taken = invariants.taken_places()
    ready = Agent.objects.filter(state=AgentState.AVAILABLE, connected_until__gt=now, is_active=True)
    rows = ready.values_list("pk", "capacity", "last_offered_at", "state_since")
    return [(pk, offered, since) for pk, capacity, offered, since in rows if taken[pk] < capacity]


def beside(waiting, free):
    """Each who waits with each who has a free place and serves that queue."""
    members = set(QueueMembership.objects.values_list("queue", "agent"))
    return [(waits, place) for waits in waiting for place in free if (waits[1], place[0]) in members]
