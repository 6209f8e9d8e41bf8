"""Conferences: colleagues who are called in, join, leave, and take over when the lead is lost."""

import pytest

from config import live
from conversations import groups
from conversations.actions import closing, conferences, messaging, offers, transfers
from conversations.errors import Gone, NothingToEnd, OfferGone
from conversations.load import load_of
from conversations.states import EventKind, MessageKind, OfferKind, OfferState, Party, Role, State
from tests import make
from tests.conversations.moments import gone, sweep
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


def ended_by_the_lead(talk, lucia):
    closing.end(talk.pk, by=lucia)


def ended_by_the_visitor(talk, lucia):
    closing.end_by_visitor(talk.pk)


def put_in_line(talk, lucia):
    transfers.to_queue(talk.pk, make.queue("Returns").pk, by=lucia)


def handed_to_a_colleague(talk, lucia):
    wanjiru = make.agent("Wanjiru")
    offers.accept(transfers.to_agent(talk.pk, wanjiru.pk, by=lucia).pk, by=wanjiru)


@pytest.mark.parametrize("act", [ended_by_the_lead, ended_by_the_visitor, put_in_line, handed_to_a_colleague])
def test_whatever_ends_the_conference_each_guest_has_left_in_history_and_thread(talk, lucia, jonas, sofia, act):
    invited(talk, jonas, lucia)
    invited(talk, sofia, lucia)

    act(talk, lucia)

    left = talk.events.filter(kind=EventKind.LEFT).order_by("pk")
    assert [event.details["agent"] for event in left] == [jonas.pk, sofia.pk]
    lines = talk.messages.filter(event=EventKind.LEFT).order_by("number")
    assert [line.details["name"] for line in lines] == ["Jonas", "Sofía"]
    assert lines.last().number < talk.messages.order_by("number").last().number


def test_the_guest_who_takes_over_has_not_left(talk, lucia, jonas, sofia):
    invited(talk, jonas, lucia)
    invited(talk, sofia, lucia)

    offers.accept(transfers.to_agent(talk.pk, sofia.pk, by=lucia).pk, by=sofia)

    assert (lead_of(talk), guests_of(talk)) == (sofia, [])
    assert [line.details["name"] for line in talk.messages.filter(event=EventKind.LEFT)] == ["Jonas"]


def test_a_lost_lead_is_replaced_by_the_first_guest(talk, lucia, jonas, sofia):
    invited(talk, jonas, lucia)
    invited(talk, sofia, lucia)
    gone(lucia)

    sweep()

    assert (lead_of(talk), guests_of(talk)) == (jonas, [sofia])
    assert (load_of(lucia), fresh(talk).state) == (0, State.ACTIVE)


def test_a_guest_who_is_lost_too_is_passed_over(talk, lucia, jonas, sofia):
    invited(talk, jonas, lucia)
    invited(talk, sofia, lucia)
    gone(lucia)
    gone(jonas)

    sweep()

    assert (lead_of(talk), guests_of(talk)) == (sofia, [])
    taken_over = talk.messages.filter(event=EventKind.LEAD_CHANGED)
    assert [line.details["name"] for line in taken_over] == ["Sofía"]


def test_with_every_guest_lost_too_it_goes_back(talk, lucia, jonas):
    invited(talk, jonas, lucia)
    gone(lucia)
    gone(jonas)

    sweep()

    assert (fresh(talk).state, guests_of(talk)) == (State.WAITING, [])
    assert not talk.messages.filter(event=EventKind.LEAD_CHANGED).exists()


def test_who_took_a_lost_leads_place_can_take_its_invitation_back(talk, lucia, jonas, sofia):
    invited(talk, jonas, lucia)
    offer = conferences.invite(talk.pk, sofia.pk, by=lucia)
    gone(lucia)
    sweep()

    transfers.cancel(talk.pk, by=jonas)

    assert (fresh(offer).state, load_of(sofia)) == (OfferState.WITHDRAWN, 0)
    assert fresh(offer).is_sender_told


def test_who_took_a_lost_leads_place_is_told_how_its_invitation_ended(
    talk, lucia, jonas, sofia, monkeypatch, django_capture_on_commit_callbacks
):
    rings = []
    monkeypatch.setattr(live, "send_rings", rings.extend)
    invited(talk, jonas, lucia)
    offer = conferences.invite(talk.pk, sofia.pk, by=lucia)
    gone(lucia)
    sweep()

    with django_capture_on_commit_callbacks(execute=True):
        offers.decline(offer.pk, by=sofia)
        sweep()

    assert [ring["group"] for ring in rings if ring["what"] == "told"] == [groups.desk(jonas.pk)]


def test_a_lost_lead_without_a_guest_sends_it_back(talk, lucia):
    gone(lucia)

    sweep()

    assert fresh(talk).state == State.WAITING
