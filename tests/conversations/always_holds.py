"""What always holds in the life cycle, whatever happened: the invariants of its machine."""

import itertools

from django.db.models import Count, Q
from hypothesis.stateful import RuleBasedStateMachine, invariant

from agents.models import Agent
from conversations.models import MOST_GUESTS, Conversation, Offer
from conversations.states import MOVES, EventKind, OfferKind, OfferState, Party, Role, State
from tests import invariants


class AlwaysHolds(RuleBasedStateMachine):
    """Rules of the house; it remembers what only moves forward."""

    def __init__(self):
        super().__init__()
        self.last_numbers = {}
        self.ended = {}

    @invariant()
    def load_never_exceeds_capacity_and_is_what_a_recount_says(self):
        assert list(invariants.wrong_loads()) == []

    @invariant()
    def every_unfinished_conversation_has_a_next_step(self):
        assert list(invariants.doubly_booked()) == []
        for one in Conversation.objects.annotate(
            places=Count("participants", filter=Q(participants__left_at=None), distinct=True),
            pending=Count("offers", filter=Q(offers__state=OfferState.PENDING), distinct=True),
        ):
            most = {State.ACTIVE: 1 + MOST_GUESTS, State.WRAP_UP: 1}.get(one.state, 0)
            assert int(most > 0) <= one.places <= most
            assert one.pending <= int(one.state in (State.WAITING, State.ACTIVE))
        for offer in Offer.objects.filter(state=OfferState.PENDING).select_related("conversation"):
            assert (offer.kind == OfferKind.REQUEST) == (offer.conversation.state == State.WAITING)

    @invariant()
    def who_takes_part_is_what_the_history_says(self):
        for conversation in Conversation.objects.prefetch_related("events", "participants"):
            open_places = [place for place in conversation.participants.all() if place.left_at is None]
            leads = {place.agent_id for place in open_places if place.role == Role.LEAD}
            guests = {place.agent_id for place in open_places if place.role == Role.GUEST}
            assert (leads, guests) == told_by(sorted(conversation.events.all(), key=pk_of))

    @invariant()
    def every_offer_ends_once(self):
        assert list(invariants.offers_not_ended_once()) == []
        for offer in Offer.objects.all():
            ending = (offer.state, offer.settled_at)
            assert self.ended.setdefault(offer.pk, ending) == ending or self.ended[offer.pk][0] == OfferState.PENDING
            self.ended[offer.pk] = ending

    @invariant()
    def numbers_have_no_gaps(self):
        for conversation in Conversation.objects.prefetch_related("messages"):
            numbers = sorted(message.number for message in conversation.messages.all())
            written = [one for one in conversation.messages.all() if one.sender == Party.VISITOR]
            assert numbers == list(range(1, conversation.last_number + 1))
            assert len(written) == conversation.visitor_count
            assert conversation.last_number >= self.last_numbers.get(conversation.pk, 0)
            self.last_numbers[conversation.pk] = conversation.last_number

    @invariant()
    def closed_has_one_reason_and_a_time(self):
        for conversation in Conversation.objects.all():
            is_closed = conversation.state == State.CLOSED
            reasons = bool(conversation.closing_reason_id) + bool(conversation.system_reason)
            assert (conversation.closed_at is not None, reasons) == (is_closed, int(is_closed))

    @invariant()
    def every_change_of_state_has_its_row(self):
        for conversation in Conversation.objects.prefetch_related("events"):
            moves = [(e.from_state, e.to_state) for e in sorted(conversation.events.all(), key=pk_of) if e.to_state]
            assert moves[0] == ("", State.WAITING)
            assert moves[-1][1] == conversation.state
            for (_, before), (came_from, goes_to) in itertools.pairwise(moves):
                assert came_from == before
                assert goes_to in MOVES[State(came_from)]
        for agent in Agent.objects.prefetch_related("state_changes"):
            states = [(c.from_state, c.to_state) for c in sorted(agent.state_changes.all(), key=pk_of)]
            assert not states or states[-1][1] == agent.state
            assert all(before[1] == after[0] != after[1] for before, after in itertools.pairwise(states))


def told_by(events):
    """Leads and guests of a conversation as its history tells it."""
    leads, guests = set(), set()
    for event in events:
        if event.kind == EventKind.JOINED:
            (guests if event.details.get("role") == Role.GUEST else leads).add(event.by_id)
        elif event.kind == EventKind.LEAD_CHANGED:
            leads = {event.details["lead"]}
            guests -= leads
        elif event.kind == EventKind.LEFT:
            guests.remove(event.details["agent"])
        if event.to_state in (State.WAITING, State.CLOSED):
            leads = set()
    return leads, guests


def pk_of(row):
    return row.pk
