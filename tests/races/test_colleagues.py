"""Transfers and conferences under races: one outcome, and both sides hear the same."""

import pytest

from agents.states import AgentState
from conversations.actions import closing, conferences, deadlines, offers, presence, transfers
from conversations.errors import OfferGone, OfferPending, Refused
from conversations.load import load_of
from conversations.models import Conversation
from conversations.states import EventKind, OfferKind, OfferState, Role, State
from tests import make
from tests.races.crowd import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 5
KINDS = pytest.mark.parametrize("kind", [OfferKind.TRANSFER, OfferKind.CONFERENCE])


def asked(kind):
    """A conversation, its lead, and a colleague who is asked to take it over or to join."""
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    talk = make.active_conversation(lead=lucia)
    offer = make.offer(to=jonas, conversation=talk, kind=kind, made_by=lucia)
    return talk, lucia, jonas, offer


def lead_of(conversation):
    return conversation.participants.get(role=Role.LEAD, left_at=None).agent


def is_in(conversation, agent):
    return conversation.participants.filter(agent=agent, left_at=None).exists()


@KINDS
def test_accepting_while_it_is_taken_back(kind):
    for _ in range(ROUNDS):
        talk, lucia, jonas, offer = asked(kind)

        accepted, cancelled = at_once(
            lambda offer=offer, jonas=jonas: offers.accept(offer.pk, by=jonas),
            lambda talk=talk, lucia=lucia: transfers.cancel(talk.pk, by=lucia),
        )

        offer.refresh_from_db()
        is_accepted = offer.state == OfferState.ACCEPTED
        assert isinstance(accepted, Conversation) == is_accepted
        assert isinstance(cancelled, Refused) == is_accepted
        assert is_in(talk, jonas) == is_accepted
        assert lead_of(talk) == (jonas if is_accepted and kind == OfferKind.TRANSFER else lucia)
        assert load_of(jonas) == is_accepted


@KINDS
def test_accepting_while_the_visitor_ends(kind):
    for _ in range(ROUNDS):
        talk, lucia, jonas, offer = asked(kind)

        accepted, _ended = at_once(
            lambda offer=offer, jonas=jonas: offers.accept(offer.pk, by=jonas),
            lambda talk=talk: closing.end_by_visitor(talk.pk),
        )

        offer.refresh_from_db()
        talk.refresh_from_db()
        assert talk.state == State.WRAP_UP
        assert offer.state in (OfferState.ACCEPTED, OfferState.WITHDRAWN)
        assert isinstance(accepted, OfferGone) == (offer.state == OfferState.WITHDRAWN)
        is_taken_over = offer.state == OfferState.ACCEPTED and kind == OfferKind.TRANSFER
        assert lead_of(talk) == (jonas if is_taken_over else lucia)
        assert load_of(lucia) + load_of(jonas) == 1


@KINDS
def test_accepting_while_the_lead_is_lost(kind):
    for _ in range(ROUNDS):
        talk, lucia, jonas, offer = asked(kind)
        type(lucia).objects.filter(pk=lucia.pk).update(state=AgentState.OFFLINE)

        accepted, _replaced = at_once(
            lambda offer=offer, jonas=jonas: offers.accept(offer.pk, by=jonas),
            lambda talk=talk: transfers.replace_lost_lead(talk.pk),
        )
        while deadlines.sweep():
            pass

        talk.refresh_from_db()
        is_accepted = isinstance(accepted, Conversation)
        assert talk.state == (State.ACTIVE if is_accepted else State.WAITING)
        assert [place.agent for place in talk.participants.filter(left_at=None)] == [jonas] * is_accepted
        assert not is_accepted or lead_of(talk) == jonas
        assert (load_of(lucia), load_of(jonas)) == (0, int(is_accepted))


def test_taking_back_while_the_colleague_is_lost_ends_it_once():
    for _ in range(ROUNDS):
        talk, lucia, jonas, offer = asked(OfferKind.TRANSFER)

        at_once(
            lambda talk=talk, lucia=lucia: transfers.cancel(talk.pk, by=lucia),
            lambda jonas=jonas: presence.lose_agent(jonas.pk, grace_seconds=0),
        )

        endings = talk.events.filter(kind=EventKind.OFFER_WITHDRAWN, details__offer=offer.pk)
        assert endings.count() == 1
        assert (lead_of(talk), load_of(jonas)) == (lucia, 0)


@KINDS
def test_two_tabs_accept(kind):
    for _ in range(ROUNDS):
        talk, _lucia, jonas, offer = asked(kind)

        answers = at_once(*[lambda offer=offer, jonas=jonas: offers.accept(offer.pk, by=jonas)] * 2)

        assert sorted(type(answer).__name__ for answer in answers) == ["Conversation", "OfferGone"]
        assert talk.participants.filter(agent=jonas, left_at=None).count() == 1


def test_two_tabs_ask_two_colleagues():
    for _ in range(ROUNDS):
        lucia, jonas, sofia = make.agent("Lucía"), make.agent("Jonas"), make.agent("Sofía")
        talk = make.active_conversation(lead=lucia)

        answers = at_once(
            lambda talk=talk, to=jonas.pk, by=lucia: transfers.to_agent(talk.pk, to, by=by),
            lambda talk=talk, to=sofia.pk, by=lucia: conferences.invite(talk.pk, to, by=by),
        )

        assert [isinstance(answer, OfferPending) for answer in answers].count(True) == 1
        assert talk.offers.filter(state=OfferState.PENDING).count() == 1
        assert load_of(jonas) + load_of(sofia) == 1


def test_accepting_while_it_is_put_in_line():
    for _ in range(ROUNDS):
        talk, lucia, jonas, offer = asked(OfferKind.TRANSFER)
        returns = make.queue("Returns")

        accepted, moved = at_once(
            lambda offer=offer, jonas=jonas: offers.accept(offer.pk, by=jonas),
            lambda talk=talk, by=lucia, to=returns.pk: transfers.to_queue(talk.pk, to, by=by),
        )

        talk.refresh_from_db()
        assert isinstance(accepted, Refused) != isinstance(moved, Refused)
        assert talk.state == (State.WAITING if isinstance(accepted, Refused) else State.ACTIVE)
        assert load_of(lucia) == 0
