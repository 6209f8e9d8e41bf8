"""Conferences: colleagues who are called in, join, leave, and take over when the lead is lost."""

import pytest

from agents.models import Agent
from conversations.actions import closing, conferences, deadlines, messaging, offers, transfers
from conversations.errors import Gone, NothingToEnd, OfferGone
from conversations.load import load_of
from conversations.states import MessageKind, OfferKind, OfferState, Party, Role, State
from tests import make
from tests.rows import fresh, refuses

pytestmark = pytest.mark.django_db


@pytest.fixture
def lucia():
    return make.agent("Lucía", queues=[make.queue("Orders")])


@pytest.fixture
def jonas():
    return make.agent("Jonas")


@pytest.fixture
def sofia():
    return make.agent("Sofía")


@pytest.fixture
def talk(lucia):
    return make.active_conversation(lead=lucia)


def gone(agent):
    """No desk of the agent has been open for longer than the grace."""
    Agent.objects.filter(pk=agent.pk).update(seen_at=make.ago(61), connected_until=make.ago(61))


def sweep():
    """Whatever is due is done, and what follows from it."""
    while deadlines.sweep():
        pass


def guests_of(conversation):
    places = conversation.participants.filter(role=Role.GUEST, left_at=None).order_by("joined_at", "pk")
    return [place.agent for place in places]


def lead_of(conversation):
    return conversation.participants.get(role=Role.LEAD, left_at=None).agent


def invited(conversation, agent, by):
    offer = conferences.invite(conversation.pk, agent.pk, by=by)
    offers.accept(offer.pk, by=agent)
    return offer


def test_who_accepts_joins_beside_the_lead(talk, lucia, jonas):
    offer = invited(talk, jonas, lucia)

    assert (fresh(offer).kind, fresh(offer).state) == (OfferKind.CONFERENCE, OfferState.ACCEPTED)
    assert (lead_of(talk), guests_of(talk)) == (lucia, [jonas])
    assert (load_of(lucia), load_of(jonas)) == (1, 1)
    assert talk.messages.filter(kind=MessageKind.EVENT).count() == 1


def test_up_to_three_join(talk, lucia, jonas, sofia):
    wanjiru = make.agent("Wanjiru")

    for agent in (jonas, sofia, wanjiru):
        invited(talk, agent, lucia)

    assert guests_of(talk) == [jonas, sofia, wanjiru]


def test_guests_write_and_note(talk, lucia, jonas):
    invited(talk, jonas, lucia)

    messaging.post(messaging.Draft(talk.pk, Party.AGENT, "I can redirect it.", "k" * 20, jonas.pk))
    messaging.post(messaging.Draft(talk.pk, Party.AGENT, "Cut-off is 11:00.", "n" * 20, jonas.pk, MessageKind.NOTE))

    assert list(talk.messages.filter(agent=jonas).values_list("text", "kind")) == [
        ("I can redirect it.", MessageKind.TEXT),
        ("Cut-off is 11:00.", MessageKind.NOTE),
    ]


def test_a_guest_leaves_and_the_lead_goes_on(talk, lucia, jonas):
    invited(talk, jonas, lucia)

    conferences.leave(talk.pk, by=jonas)

    assert (lead_of(talk), guests_of(talk), load_of(jonas)) == (lucia, [], 0)
    with refuses(Gone):
        conferences.leave(talk.pk, by=jonas)


def test_who_left_can_be_called_in_again(talk, lucia, jonas):
    invited(talk, jonas, lucia)
    conferences.leave(talk.pk, by=jonas)

    invited(talk, jonas, lucia)

    assert guests_of(talk) == [jonas]


def test_ending_the_conference_sends_all_guests_away(talk, lucia, jonas, sofia):
    invited(talk, jonas, lucia)
    invited(talk, sofia, lucia)

    conferences.end(talk.pk, by=lucia)

    assert (lead_of(talk), guests_of(talk)) == (lucia, [])
    assert fresh(talk).state == State.ACTIVE
    with refuses(NothingToEnd):
        conferences.end(talk.pk, by=lucia)


def test_taken_back_nobody_joins(talk, lucia, jonas):
    offer = conferences.invite(talk.pk, jonas.pk, by=lucia)

    transfers.cancel(talk.pk, by=lucia)

    with refuses(OfferGone):
        offers.accept(offer.pk, by=jonas)


def test_the_visitor_ends_while_a_colleague_is_asked(talk, lucia, jonas):
    offer = conferences.invite(talk.pk, jonas.pk, by=lucia)

    closing.end_by_visitor(talk.pk)

    assert fresh(offer).state == OfferState.WITHDRAWN
    assert guests_of(talk) == []


def test_the_end_ends_the_conference_first(talk, lucia, jonas):
    invited(talk, jonas, lucia)

    closing.end(talk.pk, by=lucia)

    assert (fresh(talk).state, guests_of(talk), load_of(jonas)) == (State.WRAP_UP, [], 0)


def test_a_lost_lead_is_replaced_by_the_first_guest(talk, lucia, jonas, sofia):
    invited(talk, jonas, lucia)
    invited(talk, sofia, lucia)
    gone(lucia)

    sweep()

    assert (lead_of(talk), guests_of(talk)) == (jonas, [sofia])
    assert (load_of(lucia), fresh(talk).state) == (0, State.ACTIVE)


def test_a_lost_lead_without_a_guest_sends_it_back(talk, lucia):
    gone(lucia)

    sweep()

    assert fresh(talk).state == State.WAITING
