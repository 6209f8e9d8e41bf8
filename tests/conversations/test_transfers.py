"""Transfers: asked of a colleague or put in line, and however they end, told to both."""

import pytest

from agents.states import AgentState
from conversations.actions import closing, conferences, offers, transfers
from conversations.errors import NothingToCancel, NotNow, OfferGone, OfferPending
from conversations.line import line_of
from conversations.load import load_of
from conversations.states import EventKind, MessageKind, OfferKind, OfferState, Role, State
from tests import make
from tests.conversations.moments import gone, sweep
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db


@pytest.fixture
def lucia():
    return make.agent("Lucía", queues=[make.queue("Orders")])


@pytest.fixture
def jonas():
    return make.agent("Jonas", queues=[make.queue("Logistics")])


@pytest.fixture
def talk(lucia):
    return make.active_conversation(lead=lucia, waited_seconds=90)


def people_in(conversation):
    places = conversation.participants.filter(left_at=None).order_by("joined_at", "pk")
    return [(place.agent, place.role) for place in places]


def told(offer):
    return fresh(offer).is_sender_told


def test_until_it_is_accepted_the_sender_leads(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia, note="She moved.")

    assert (offer.kind, offer.state, offer.made_by) == (OfferKind.TRANSFER, OfferState.PENDING, lucia)
    assert people_in(talk) == [(lucia, Role.LEAD)]
    assert fresh(talk).state == State.ACTIVE
    assert (load_of(lucia), load_of(jonas)) == (1, 1)


def test_accepted_the_lead_changes_and_the_sender_leaves(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    offers.accept(offer.pk, by=jonas)

    assert people_in(talk) == [(jonas, Role.LEAD)]
    assert (load_of(lucia), load_of(jonas)) == (0, 1)
    assert fresh(talk).state == State.ACTIVE
    assert talk.participants.get(agent=lucia).left_at is not None


def test_accepted_the_note_is_for_colleagues_alone(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia, note="She moved.")

    offers.accept(offer.pk, by=jonas)

    note = talk.messages.get(kind=MessageKind.NOTE)
    assert (note.text, note.agent) == ("She moved.", lucia)


@pytest.mark.parametrize("act", [transfers.to_agent, conferences.invite])
def test_a_card_number_in_the_note_is_masked_before_it_is_stored(talk, lucia, jonas, act):
    offer = act(talk.pk, jonas.pk, by=lucia, note="Card 4111 1111 1111 1111")

    assert fresh(offer).note == "Card •••• 1111"


def test_a_card_number_in_the_note_to_a_queue_is_masked_before_it_is_stored(talk, lucia):
    transfers.to_queue(talk.pk, make.queue("Returns").pk, by=lucia, note="Card 4111 1111 1111 1111")

    assert talk.messages.get(kind=MessageKind.NOTE).text == "Card •••• 1111"


def test_a_guest_can_take_the_conversation_over(lucia, jonas):
    talk = make.active_conversation(lead=lucia, guests=[jonas, make.agent("Sofía")])
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    offers.accept(offer.pk, by=jonas)

    assert people_in(talk) == [(jonas, Role.LEAD)]


def test_declined_it_stays_and_the_sender_is_told(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    offers.decline(offer.pk, by=jonas)

    assert people_in(talk) == [(lucia, Role.LEAD)]
    assert fresh(jonas).state == AgentState.AVAILABLE
    assert not told(offer)
    sweep()
    assert told(offer)


def test_a_transfer_can_be_declined_where_requests_cannot(lucia, jonas):
    queue = make.queue("Strict", may_decline=False)
    talk = make.active_conversation(lead=lucia, queue=queue)
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    offers.decline(offer.pk, by=jonas)

    assert fresh(offer).state == OfferState.DECLINED


def test_missed_it_stays_and_the_target_is_rona(talk, lucia, jonas):
    offer = make.offer(to=jonas, conversation=talk, kind=OfferKind.TRANSFER, made_by=lucia, seconds=-1)

    sweep()

    assert fresh(offer).state == OfferState.MISSED
    assert people_in(talk) == [(lucia, Role.LEAD)]
    assert fresh(jonas).state == AgentState.RONA
    assert told(offer)


def test_taken_back_the_target_is_free_again(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    transfers.cancel(talk.pk, by=lucia)

    assert fresh(offer).state == OfferState.WITHDRAWN
    assert load_of(jonas) == 0
    with refuses(OfferGone):
        offers.accept(offer.pk, by=jonas)


def test_taken_back_twice_is_refused(talk, lucia, jonas):
    transfers.to_agent(talk.pk, jonas.pk, by=lucia)
    transfers.cancel(talk.pk, by=lucia)

    with refuses(NothingToCancel):
        transfers.cancel(talk.pk, by=lucia)


def test_what_was_accepted_cannot_be_taken_back(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)
    offers.accept(offer.pk, by=jonas)

    with nothing_changes(), pytest.raises(Exception, match="There is no such conversation here"):
        transfers.cancel(talk.pk, by=lucia)


def test_the_agent_who_is_asked_goes_and_the_conversation_stays(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)
    gone(jonas)

    sweep()

    assert fresh(offer).state == OfferState.WITHDRAWN
    assert people_in(talk) == [(lucia, Role.LEAD)]
    assert told(offer)


def test_the_visitor_ends_while_it_is_offered(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    closing.end_by_visitor(talk.pk)

    assert fresh(talk).state == State.WRAP_UP
    assert fresh(offer).state == OfferState.WITHDRAWN
    assert people_in(talk) == [(lucia, Role.LEAD)]
    with refuses(OfferGone):
        offers.accept(offer.pk, by=jonas)


def test_with_its_sender_gone_it_goes_back_first_in_line(talk, lucia, jonas):
    make.waiting_conversation(queue=talk.queue, waited_seconds=60)
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)
    gone(lucia)

    offers.decline(offer.pk, by=jonas)
    sweep()

    talk = fresh(talk)
    assert talk.state == State.WAITING
    assert people_in(talk) == []
    assert line_of(talk.queue_id).place(talk.pk) == 1


def test_to_a_queue_it_waits_there_at_its_first_queuing_moment(talk, lucia):
    returns = make.queue("Returns")
    queued_at = talk.queued_at

    transfers.to_queue(talk.pk, returns.pk, by=lucia, note="She moved.")

    talk = fresh(talk)
    assert (talk.state, talk.queue, talk.queued_at) == (State.WAITING, returns, queued_at)
    assert people_in(talk) == []
    assert load_of(lucia) == 0
    assert talk.messages.get(kind=MessageKind.NOTE).text == "She moved."
    assert talk.events.filter(kind=EventKind.TRANSFERRED, by=lucia).exists()


def test_to_a_queue_the_conference_ends_first(lucia, jonas):
    talk = make.active_conversation(lead=lucia, guests=[jonas])

    transfers.to_queue(talk.pk, make.queue("Returns").pk, by=lucia)

    assert people_in(talk) == []
    assert load_of(jonas) == 0


def test_to_a_queue_not_while_a_colleague_is_asked(talk, lucia, jonas):
    transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    with refuses(OfferPending):
        transfers.to_queue(talk.pk, make.queue("Returns").pk, by=lucia)


def test_a_supervisor_sends_back_even_while_a_colleague_is_asked(talk, lucia, jonas):
    offer = transfers.to_agent(talk.pk, jonas.pk, by=lucia)

    transfers.send_back(talk.pk, by=make.supervisor("Vera"))

    assert fresh(offer).state == OfferState.WITHDRAWN


def test_after_the_end_it_cannot_be_put_in_line(lucia):
    talk = make.wrap_up_conversation(lead=lucia)

    with refuses(NotNow):
        transfers.to_queue(talk.pk, make.queue("Returns").pk, by=lucia)
