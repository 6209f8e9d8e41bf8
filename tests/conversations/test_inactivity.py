"""A visitor who is there but silent is asked once, and after as long again the conversation ends."""

import pytest

from agents.states import AgentState
from conversations.actions import deadlines, messaging, offers, presence, transfers
from conversations.actions.messaging import Draft
from conversations.states import EventKind, MessageKind, OfferKind, Party, Remark, State
from tests import make
from tests.rows import fresh, nothing_changes

pytestmark = pytest.mark.django_db


def silent_conversation(seconds, *, limit=60, **fields):
    """The agent wrote so many seconds ago, and the visitor has been silent since."""
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, queue=make.queue(inactivity_limit_seconds=limit), **fields)
    make.message(conversation, "Which order?", by=lucia, at=make.ago(seconds))
    return conversation


def put_back(conversation, seconds):
    """The question was asked so many seconds ago."""
    type(conversation).objects.filter(pk=conversation.pk).update(asked_if_there_at=make.ago(seconds))


def test_a_silent_visitor_is_asked_whether_he_is_still_there():
    conversation = silent_conversation(61)

    assert deadlines.sweep() == 1

    line = conversation.messages.order_by("number").last()
    assert (line.kind, line.event) == (MessageKind.EVENT, EventKind.ASKED_IF_THERE)
    assert fresh(conversation).asked_if_there_at is not None
    assert fresh(conversation).state == State.ACTIVE
    assert conversation.events.order_by("pk").last().kind == EventKind.ASKED_IF_THERE


def test_he_is_asked_once():
    conversation = silent_conversation(200)
    deadlines.sweep()

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_after_as_long_again_the_conversation_ends_as_idle():
    conversation = silent_conversation(130)
    put_back(conversation, 61)

    assert deadlines.sweep() == 1

    conversation = fresh(conversation)
    assert (conversation.state, conversation.remark) == (State.WRAP_UP, Remark.IDLE)
    assert conversation.ended_by == Party.SYSTEM


def test_the_end_comes_no_earlier_than_as_long_again():
    conversation = silent_conversation(130)
    put_back(conversation, 55)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_an_answer_in_time_beats_the_end():
    conversation = silent_conversation(130)
    put_back(conversation, 61)
    messaging.post(Draft(conversation.pk, Party.VISITOR, "Here!", "0123-4567"))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_is_not_asked_too_early():
    conversation = silent_conversation(55)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_queue_without_a_limit_asks_nobody():
    conversation = silent_conversation(10_000, limit=0)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_who_waits_for_an_answer_is_not_asked():
    conversation = make.active_conversation(
        lead=make.agent("Lucía"), queue=make.queue(inactivity_limit_seconds=60), waited_seconds=500
    )

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_conversation_that_ended_asks_nobody():
    lucia = make.agent("Lucía")
    conversation = make.wrap_up_conversation(lead=lucia, queue=make.queue(inactivity_limit_seconds=60))
    make.message(conversation, by=lucia, at=make.ago(500))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_who_is_not_there_is_not_asked():
    conversation = silent_conversation(61)
    presence.visitor_left(conversation.pk)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)


def test_a_visitor_who_comes_back_is_asked_once_he_was_there_for_the_whole_limit():
    conversation = silent_conversation(130)
    presence.visitor_left(conversation.pk)

    presence.visitor_came(conversation.pk)

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)
    conversation.events.filter(kind=EventKind.VISITOR_RETURNED).update(at=make.ago(61))
    assert deadlines.sweep() == 1
    assert fresh(conversation).asked_if_there_at is not None


def test_a_visitor_who_comes_back_has_as_long_again_to_answer():
    conversation = silent_conversation(130)
    put_back(conversation, 61)
    presence.visitor_left(conversation.pk)

    presence.visitor_came(conversation.pk)

    with nothing_changes():
        assert deadlines.sweep() == 0
    put_back(conversation, 61)
    conversation.events.filter(kind=EventKind.VISITOR_RETURNED).update(at=make.ago(61))
    assert deadlines.sweep() == 1
    assert fresh(conversation).state == State.WRAP_UP


def test_an_answer_lets_the_next_silence_be_asked_about_again():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, queue=make.queue(inactivity_limit_seconds=60))
    make.message(conversation, by=lucia, at=make.ago(130))
    put_back(conversation, 61)
    messaging.post(Draft(conversation.pk, Party.VISITOR, "Here!", "0123-4567"))
    make.message(fresh(conversation), "And now?", by=lucia, at=make.ago(61))

    assert deadlines.sweep() == 1

    assert fresh(conversation).state == State.ACTIVE
    assert fresh(conversation).asked_if_there_at is not None


@pytest.mark.parametrize("kind", [MessageKind.TEXT, MessageKind.NOTE])
def test_a_new_line_of_the_agent_gives_the_visitor_the_whole_limit_again_and_a_note_does_not(kind):
    conversation = silent_conversation(130)
    put_back(conversation, 61)
    lucia = conversation.participants.get().agent

    messaging.post(Draft(conversation.pk, Party.AGENT, "Take your time.", "0123-4567", lucia.pk, kind))

    is_renewed = kind == MessageKind.TEXT
    assert deadlines.sweep() == (0 if is_renewed else 1)
    assert fresh(conversation).state == (State.ACTIVE if is_renewed else State.WRAP_UP)


def test_a_question_that_the_agent_wrote_after_is_still_the_one_question():
    conversation = silent_conversation(130)
    put_back(conversation, 61)
    lucia = conversation.participants.get().agent
    messaging.post(Draft(conversation.pk, Party.AGENT, "Hello?", "0123-4567", lucia.pk))

    put_back(conversation, 61)

    assert deadlines.sweep() == 1
    assert (fresh(conversation).state, fresh(conversation).remark) == (State.WRAP_UP, Remark.IDLE)


# A new lead


def handed_over(conversation, jonas):
    """A colleague is asked, and takes the conversation over."""
    lucia = conversation.participants.get().agent
    offer = make.offer(to=jonas, conversation=conversation, kind=OfferKind.TRANSFER, made_by=lucia)
    offers.accept(offer.pk, by=jonas)


def put_in_line(conversation, jonas):
    """Its lead sends it to a queue, where the next agent accepts it."""
    lucia = conversation.participants.get().agent
    transfers.to_queue(conversation.pk, make.queue(inactivity_limit_seconds=60, members=[jonas]).pk, by=lucia)
    offers.accept(make.offer(to=jonas, conversation=fresh(conversation)).pk, by=jonas)


def sent_back(conversation, jonas):
    """Its lead is lost, and the next agent of the queue accepts it."""
    lose_lead(conversation)
    offers.accept(make.offer(to=jonas, conversation=fresh(conversation)).pk, by=jonas)


def guest_promoted(conversation, jonas):
    """Its lead is lost, and the guest goes on."""
    lucia = conversation.participants.get().agent
    offer = make.offer(to=jonas, conversation=conversation, kind=OfferKind.CONFERENCE, made_by=lucia)
    offers.accept(offer.pk, by=jonas)
    lose_lead(conversation)


def lose_lead(conversation):
    lead = conversation.participants.get(role="lead", left_at=None).agent
    type(lead).objects.filter(pk=lead.pk).update(state=AgentState.OFFLINE)
    assert transfers.replace_lost_lead(conversation.pk)


NEW_LEADS = pytest.mark.parametrize("takes_over", [handed_over, put_in_line, sent_back, guest_promoted])
QUESTIONS = pytest.mark.parametrize("asked", [None, 61], ids=["not asked", "asked"])


@NEW_LEADS
@QUESTIONS
def test_a_visitor_who_waited_for_a_new_lead_owes_him_no_answer(takes_over, asked):
    conversation = silent_conversation(600)
    if asked:
        put_back(conversation, asked)

    takes_over(conversation, make.agent("Jonas"))

    with nothing_changes():
        assert deadlines.sweep() == 0
        assert not presence.ask_or_end_silent(conversation.pk)
    assert fresh(conversation).state == State.ACTIVE


@NEW_LEADS
@QUESTIONS
def test_the_new_leads_first_line_is_asked_about_like_any_other(takes_over, asked):
    conversation = silent_conversation(600)
    if asked:
        put_back(conversation, asked)
    jonas = make.agent("Jonas")
    takes_over(conversation, jonas)

    messaging.post(Draft(conversation.pk, Party.AGENT, "I am Jonas.", "0123-4567", jonas.pk))

    assert deadlines.sweep() == 0
    type(conversation).objects.filter(pk=conversation.pk).update(last_message_at=make.ago(61))
    assert deadlines.sweep() == 1
    assert fresh(conversation).state == State.ACTIVE
    assert fresh(conversation).asked_if_there_at is not None


def test_many_who_may_be_silent_longer_do_not_hide_one_whose_limit_is_over(monkeypatch):
    monkeypatch.setattr(deadlines, "MOST_AT_ONCE", 2)
    for _ in range(3):
        silent_conversation(900, limit=5000)
    conversation = silent_conversation(61)

    assert deadlines.sweep() == 1

    assert fresh(conversation).asked_if_there_at is not None
