"""Openings and endings under races."""

import pytest
from django.db import models

from conversations.actions import closing, messaging, offers, opening, transfers
from conversations.actions.messaging import Draft
from conversations.actions.opening import Opening
from conversations.errors import AlreadyEnded, NotEndedYet, NothingToCancel
from conversations.models import Conversation, Message
from conversations.states import EventKind, OfferKind, OfferState, Party, State
from tests import make
from tests.races.crowd import Gap, at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 6


def kinds(conversation):
    return list(conversation.events.order_by("pk").values_list("kind", flat=True))


def lead_of(conversation):
    return conversation.participants.get().agent


def test_two_ends_are_one():
    conversation = make.active_conversation()
    lead = lead_of(conversation)

    answers = at_once(*[lambda: closing.end(conversation.pk, by=lead)] * 6)

    assert [isinstance(answer, AlreadyEnded) for answer in answers].count(True) == 5
    assert kinds(conversation).count(EventKind.ENDED) == 1


def test_the_agents_end_against_the_visitors():
    for _ in range(ROUNDS):
        conversation = make.active_conversation()
        lead = lead_of(conversation)

        answers = at_once(
            lambda conversation=conversation, lead=lead: closing.end(conversation.pk, by=lead),
            lambda conversation=conversation: closing.end_by_visitor(conversation.pk),
        )

        assert [isinstance(answer, AlreadyEnded) for answer in answers].count(True) == 1
        conversation.refresh_from_db()
        assert conversation.state == State.WRAP_UP
        assert conversation.ended_by == (Party.VISITOR if isinstance(answers[0], AlreadyEnded) else Party.AGENT)


def test_finishing_against_the_automatic_reason():
    for _ in range(ROUNDS):
        conversation = make.wrap_up_conversation(deadline_seconds=-1)
        reason = make.closing_reason(conversation.queue)
        lead = lead_of(conversation)

        finished, is_automatic = at_once(
            lambda conversation=conversation, lead=lead, reason=reason: closing.finish(
                conversation.pk, reason.pk, by=lead
            ),
            lambda conversation=conversation: closing.finish_automatically(conversation.pk),
        )

        assert isinstance(finished, Conversation) != is_automatic
        conversation.refresh_from_db()
        assert conversation.is_closed_automatically == is_automatic
        assert kinds(conversation).count(EventKind.CLOSED) == 1


def test_finishing_twice_is_once():
    conversation = make.wrap_up_conversation()
    lead, reason = lead_of(conversation), make.closing_reason(conversation.queue)

    answers = at_once(*[lambda: closing.finish(conversation.pk, reason.pk, by=lead)] * 6)

    refused = [answer for answer in answers if not isinstance(answer, Conversation)]
    assert len(refused) == 5
    assert kinds(conversation).count(EventKind.CLOSED) == 1


def test_a_message_against_the_end_is_stored_before_it_or_refused():
    for _ in range(ROUNDS):
        conversation = make.active_conversation()
        lead = lead_of(conversation)

        posted, _ended = at_once(
            lambda conversation=conversation: messaging.post(
                Draft(conversation.pk, Party.VISITOR, "One more thing", "0123456789abcdef")
            ),
            lambda conversation=conversation, lead=lead: closing.end(conversation.pk, by=lead),
        )

        said = list(conversation.messages.order_by("number").values_list("number", "event"))
        assert [number for number, _event in said] == list(range(1, len(said) + 1))
        assert said[-1][1] == EventKind.ENDED
        assert len(said) == (2 if isinstance(posted, AlreadyEnded) else 3)


def test_messages_at_once_get_numbers_without_gap_or_double():
    conversation = make.active_conversation()
    lead = lead_of(conversation)

    def write(place):
        by_agent = {"sender": Party.AGENT, "agent_id": lead.pk} if place % 2 else {"sender": Party.VISITOR}
        return messaging.post(Draft(conversation.pk, text="Hello", key=f"0123456789-{place}", **by_agent))

    at_once(*[lambda place=place: write(place) for place in range(12)])

    numbers = conversation.messages.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 14))
    conversation.refresh_from_db()
    assert (conversation.last_number, conversation.visitor_count) == (13, 7)


def test_one_key_at_once_is_one_message():
    conversation = make.active_conversation()
    draft = Draft(conversation.pk, Party.VISITOR, "Hello", "0123456789abcdef")

    answers = at_once(*[lambda: messaging.post(draft)] * 8)

    assert {answer.message.number for answer in answers} == {2}
    assert [answer.is_repeat for answer in answers].count(False) == 1


def test_one_visitor_who_starts_twice_at_once_has_one_conversation():
    queue = make.queue(members=[make.agent()])
    said = Opening("a" * 64, "Ana Pereira", "", "Where is my order?", "0123456789abcdef")

    answers = at_once(*[lambda: opening.open_conversation(queue.pk, said)] * 6)

    assert len({answer.pk for answer in answers}) == Conversation.objects.count() == 1
    assert Message.objects.count() == 1


# The twins: the same without its lock, and the race happens.


@pytest.fixture
def without_locks(monkeypatch):
    """Rows are read as they stand, by whoever wants to."""
    monkeypatch.setattr(models.QuerySet, "select_for_update", lambda self, *arguments, **named: self.all())


@pytest.mark.only_on("postgresql")
def test_without_the_conversations_lock_it_ends_twice(without_locks, monkeypatch):
    conversation = make.active_conversation()
    lead = lead_of(conversation)
    gap = Gap(2)
    monkeypatch.setattr(closing, "database_now", gap.after(closing.database_now))
    broken = []

    def end(act):
        try:
            act()
        except Exception as problem:  # the number of the line is unique: the database stops the second
            broken.append(problem)

    at_once(
        lambda: end(lambda: closing.end(conversation.pk, by=lead)),
        lambda: end(lambda: closing.end_by_visitor(conversation.pk)),
    )

    assert len(broken) == 1
    assert "one_message_per_number" in str(broken[0])


@pytest.mark.only_on("postgresql")
def test_without_the_conversations_lock_it_is_finished_twice(without_locks, monkeypatch):
    conversation = make.wrap_up_conversation(deadline_seconds=-1)
    lead, reason = lead_of(conversation), make.closing_reason(conversation.queue)
    gap = Gap(2)
    monkeypatch.setattr(closing, "database_now", gap.after(closing.database_now))

    finished, is_automatic = at_once(
        lambda: closing.finish(conversation.pk, reason.pk, by=lead),
        lambda: closing.finish_automatically(conversation.pk),
    )

    assert not isinstance(finished, NotEndedYet)
    assert is_automatic
    assert kinds(conversation).count(EventKind.CLOSED) == 2


@pytest.mark.only_on("postgresql")
def test_without_the_conversations_lock_two_messages_want_one_number(without_locks, monkeypatch):
    conversation = make.active_conversation()
    gap = Gap(2)
    monkeypatch.setattr(messaging, "database_now", gap.after(messaging.database_now))
    broken = []

    def write(place):
        try:
            messaging.post(Draft(conversation.pk, Party.VISITOR, "Hello", f"0123456789-{place}"))
        except Exception as problem:
            broken.append(problem)

    at_once(lambda: write(1), lambda: write(2))

    assert len(broken) == 1
    assert "one_message_per_number" in str(broken[0])


# What ends in the very moment in which it is taken back


@pytest.fixture
def ends_first(monkeypatch):
    """Whenever somebody takes an offer back, its agent has just become unavailable, which ends it."""
    settle = offers.settle

    def settle_second(offer, state, **how):
        settle(offer, OfferState.WITHDRAWN, at=how["at"])
        settle(offer, state, **how)

    monkeypatch.setattr(offers, "settle", settle_second)
    monkeypatch.setattr(transfers, "settle", settle_second)


def test_a_visitor_can_end_while_his_request_is_withdrawn(ends_first):
    offer = make.offer()

    ended = closing.end_by_visitor(offer.conversation_id)

    assert ended.state == State.CLOSED
    assert kinds(ended).count(EventKind.OFFER_WITHDRAWN) == 1


def test_a_lead_can_end_while_the_colleague_whom_he_asked_goes(ends_first):
    conversation = make.active_conversation()
    lead = lead_of(conversation)
    make.offer(to=make.agent("Jonas"), conversation=conversation, kind=OfferKind.TRANSFER, made_by=lead)

    assert closing.end(conversation.pk, by=lead).state == State.WRAP_UP


def test_cancelling_what_ends_in_that_moment_says_that_there_is_nothing_to_cancel(ends_first):
    conversation = make.active_conversation()
    lead = lead_of(conversation)
    make.offer(to=make.agent("Jonas"), conversation=conversation, kind=OfferKind.TRANSFER, made_by=lead)

    with pytest.raises(NothingToCancel):
        transfers.cancel(conversation.pk, by=lead)
