"""A visitor's first word: it opens one conversation, or is refused with a sentence."""

import datetime as dt
from dataclasses import replace

import pytest
from django.db import IntegrityError

from agents.states import AgentState
from config import live
from conversations.actions import closing, messaging, opening
from conversations.actions.opening import Opening, open_conversation
from conversations.errors import Invalid, MessageRefused, NobodyThere, QueueClosed, QueueGone
from conversations.models import Conversation, Visitor
from conversations.states import EventKind, Party, State
from tests import make
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db

ANA = Opening(
    token_hash="a" * 64,
    name="Ana Pereira",
    email="ana@example.com",
    question="Where is my order?",
    key="first-key",
    language="es",
    page_address="https://shop.example.com/orders",
    user_agent="Firefox",
)


def attended_queue(name="Orders", **fields):
    return make.queue(name, members=[make.agent("Lucía")], **fields)


def test_the_first_word_queues_the_visitor():
    orders = attended_queue()

    conversation = open_conversation(orders.pk, ANA)

    assert (conversation.state, conversation.queue, conversation.revision) == (State.WAITING, orders, 0)
    assert (conversation.visitor_name, conversation.visitor_email) == ("Ana Pereira", "ana@example.com")
    assert (conversation.language, conversation.page_address) == ("es", "https://shop.example.com/orders")
    assert conversation.user_agent == "Firefox"
    assert conversation.queued_at == conversation.entered_queue_at > make.ago(10)
    assert conversation.is_visitor_here


def test_the_first_word_is_message_number_one():
    conversation = open_conversation(attended_queue().pk, replace(ANA, question="  Where is it?\r\nThanks "))

    message = conversation.messages.get()
    assert (message.number, message.sender, message.key) == (1, Party.VISITOR, "first-key")
    assert message.text == "Where is it?\nThanks"
    assert (conversation.last_number, conversation.visitor_count) == (1, 1)
    assert (conversation.last_line, conversation.last_line_by) == ("Where is it? Thanks", Party.VISITOR)


def test_opening_is_the_first_event():
    conversation = open_conversation(attended_queue().pk, ANA)

    event = conversation.events.get()
    assert (event.kind, event.from_state, event.to_state) == (EventKind.OPENED, "", State.WAITING)


@pytest.mark.parametrize(("priority", "minutes"), [(1, 8), (5, 4), (9, 0)])
def test_each_step_of_priority_is_a_head_start_of_a_minute(priority, minutes):
    conversation = open_conversation(attended_queue(priority=priority).pk, ANA)

    assert conversation.order_key == conversation.queued_at - dt.timedelta(minutes=minutes)


def texts_of(conversation):
    return list(conversation.messages.order_by("number").values_list("text", flat=True))


def test_a_visitor_with_an_open_conversation_goes_on_in_that_one_with_what_he_wrote():
    orders, returns = attended_queue("Orders"), attended_queue("Returns")
    first = open_conversation(orders.pk, ANA)

    second = open_conversation(returns.pk, replace(ANA, key="other-key", question="And my refund?"))

    assert second == first
    assert fresh(first).queue == orders
    assert texts_of(first) == ["Where is my order?", "And my refund?"]


@pytest.mark.parametrize("key", ["first-key", "other-key"])
def test_the_first_word_said_again_is_no_second_message(key):
    orders = attended_queue()
    open_conversation(orders.pk, ANA)

    with nothing_changes():
        open_conversation(orders.pk, replace(ANA, key=key, question=" Where is my order?\r\n"))


@pytest.mark.parametrize("key", ["first-key", "other-key"])
def test_other_words_said_twice_are_one_message_even_under_the_key_of_the_first(key):
    orders = attended_queue()
    first = open_conversation(orders.pk, ANA)

    for _ in range(2):
        open_conversation(orders.pk, replace(ANA, key=key, question="And my refund?"))

    assert texts_of(first) == ["Where is my order?", "And my refund?"]


def test_two_forms_that_race_lose_no_word(monkeypatch):
    first = open_conversation(attended_queue().pk, ANA)
    looks = iter([None, first])
    monkeypatch.setattr(opening, "open_conversation_of", lambda token_hash: next(looks))

    open_conversation(first.queue_id, replace(ANA, key="other-key", question="And my refund?"))

    assert texts_of(first) == ["Where is my order?", "And my refund?"]


def test_a_double_click_that_races_gets_the_other_ones_conversation(monkeypatch):
    first = open_conversation(attended_queue().pk, ANA)
    looks = iter([None, first])
    monkeypatch.setattr(opening, "open_conversation_of", lambda token_hash: next(looks))

    with nothing_changes():
        second = open_conversation(first.queue_id, ANA)

    assert second == first


def test_a_database_that_refuses_for_another_reason_is_loud(monkeypatch):
    orders = attended_queue()

    def fail(queue_id, opening):
        raise IntegrityError

    monkeypatch.setattr(opening, "_open", fail)

    with nothing_changes(), pytest.raises(IntegrityError):
        open_conversation(orders.pk, ANA)


def test_after_the_end_the_same_visitor_starts_a_new_conversation():
    orders = attended_queue()
    first = open_conversation(orders.pk, ANA)
    closing.end_by_visitor(first.pk)

    second = open_conversation(orders.pk, replace(ANA, name="Ana P.", email="", key="other-key"))

    assert second != first
    assert second.visitor == first.visitor
    assert Visitor.objects.get().name == "Ana P."
    assert fresh(first).visitor_name == "Ana Pereira"


def test_a_visitor_whose_lead_is_wrapping_up_may_start_again():
    lucia = make.agent("Lucía")
    orders = make.queue(members=[lucia])
    first = make.wrap_up_conversation(lead=lucia, visitor=make.visitor(token_hash=ANA.token_hash))

    second = open_conversation(orders.pk, ANA)

    assert (second.visitor, second.state) == (first.visitor, State.WAITING)


@pytest.mark.parametrize("queue_id", [0, 987_654, 10**30])
def test_an_unknown_queue_is_refused(queue_id):
    attended_queue()

    with refuses(QueueGone) as refusal:
        open_conversation(queue_id, ANA)

    assert refusal.value.status == 404


def test_a_queue_that_is_not_in_use_is_refused():
    orders = attended_queue(is_in_use=False)

    with refuses(QueueGone):
        open_conversation(orders.pk, ANA)


def test_a_closed_queue_is_refused():
    night = make.closed_queue()
    make.member(night, make.agent())

    with refuses(QueueClosed) as refusal:
        open_conversation(night.pk, ANA)

    assert refusal.value.status == 409


@pytest.mark.parametrize("fields", [{"state": AgentState.OFFLINE}, {"is_active": False}])
def test_a_queue_without_a_member_who_is_signed_in_is_refused(fields):
    orders, returns = make.queue("Orders", members=[make.agent(**fields)]), attended_queue("Returns")

    with refuses(NobodyThere):
        open_conversation(orders.pk, ANA)

    assert opening.is_attended(returns)


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA])
def test_a_member_who_is_signed_in_in_whatever_state_attends_the_queue(state):
    orders = make.queue(members=[make.agent(state=state), make.agent("Jonas", state=AgentState.OFFLINE)])

    assert open_conversation(orders.pk, ANA).state == State.WAITING


@pytest.mark.parametrize("question", ["", " \n\t ", "x" * 4001, "a\x00b", "\ud800"])
def test_a_first_word_that_is_no_message_is_refused(question):
    orders = attended_queue()

    with refuses(MessageRefused):
        open_conversation(orders.pk, replace(ANA, question=question))


def test_a_first_word_without_a_key_is_refused():
    orders = attended_queue()

    with refuses(Invalid):
        open_conversation(orders.pk, replace(ANA, key=""))


def test_a_failing_first_message_leaves_no_conversation_behind(monkeypatch):
    orders = attended_queue()

    def fail(*args):
        raise RuntimeError

    monkeypatch.setattr(messaging, "_store", fail)

    with nothing_changes(), pytest.raises(RuntimeError):
        open_conversation(orders.pk, ANA)


def test_opening_rings_the_line_and_the_router(monkeypatch, django_capture_on_commit_callbacks):
    rings = []
    monkeypatch.setattr(live, "send_rings", rings.extend)
    orders = attended_queue()

    with django_capture_on_commit_callbacks(execute=True):
        open_conversation(orders.pk, ANA)

    assert {"router", f"line-{orders.pk}"} <= {ring["group"].replace(":", "-") for ring in rings}


def test_two_visitors_get_two_conversations():
    orders = attended_queue()

    open_conversation(orders.pk, ANA)
    open_conversation(orders.pk, replace(ANA, token_hash="b" * 64))

    assert Conversation.objects.count() == Visitor.objects.count() == 2
