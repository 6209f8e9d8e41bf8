"""The second fence: what the database itself forbids, each constraint by its name."""

import datetime as dt

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from conversations.models import Attachment, Conversation, Message, Offer, Participant, RestrictedWord
from conversations.states import OfferState, Party, Role, State, SystemReason
from queues.models import ClosingReason, Holiday, OpeningHours, Queue, QueueMembership
from tests import make
from tests.rows import nothing_changes

pytestmark = pytest.mark.django_db

OURS = ("agents", "queues", "conversations")
CONSTRAINTS = {
    constraint.name
    for app in OURS
    for model in apps.get_app_config(app).get_models()
    for constraint in model._meta.constraints
}


def again(row, **other):
    """The same row once more, with other values."""
    values = {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key
    }
    return lambda: type(row).objects.create(**values | other)


def with_values(row, **values):
    """The row with these values."""
    return lambda: type(row)._default_manager.filter(pk=row.pk).update(**values)


def refused_by(name, write):
    """The database itself refuses to write this, by the constraint of that name."""
    with nothing_changes(), pytest.raises(IntegrityError) as caught, transaction.atomic():
        write()
    if connection.vendor == "postgresql":
        assert caught.value.__cause__.diag.constraint_name == name
    elif "CHECK" in str(caught.value):
        assert name in str(caught.value)


def capacity_of_21():
    return with_values(make.agent(), capacity=21)


def idle_reason_while_available():
    return with_values(make.agent(), idle_reason=make.idle_reason())


def priority_10():
    return with_values(make.queue(), priority=10)


def offer_timeout_of_4_seconds():
    return with_values(make.queue(), offer_timeout_seconds=4)


def overflow_to_itself():
    queue = make.queue()
    return with_values(queue, overflow_queue=queue)


def second_membership():
    return again(make.member(make.queue(), make.agent()), rank=2)


def closing_before_opening():
    return with_values(make.opening_hours(make.queue()), opens_at=dt.time(17), closes_at=dt.time(9))


def second_holiday_on_a_date():
    return again(make.holiday(make.queue(), dt.date(2026, 12, 25)), name="Another")


def second_reason_of_a_label():
    return again(make.closing_reason(label="Resolved"), label="rESOLVED")


def second_default_reason():
    return again(make.closing_reason(is_default=True), label="Another")


def default_reason_out_of_use():
    return with_values(make.closing_reason(is_default=True), is_in_use=False)


def second_open_conversation():
    return again(make.waiting_conversation())


def closed_without_a_reason():
    return with_values(make.closed_conversation(), closing_reason=None)


def ended_without_a_time():
    return with_values(make.wrap_up_conversation(), ended_at=None)


def second_lead():
    conversation = make.active_conversation(lead=make.agent("Lucía"))
    return lambda: make.participant(conversation, make.agent("Jonas"))


def second_place_of_an_agent():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    return lambda: make.participant(conversation, lucia, role=Role.GUEST)


def second_pending_offer():
    conversation = make.offer().conversation
    return lambda: make.offer(conversation=conversation, to=make.agent("Jonas"))


def settled_without_a_time():
    return with_values(make.offer(), state=OfferState.MISSED)


def second_message_of_a_number():
    return again(make.waiting_conversation().messages.get(), key="another-key")


def second_message_of_a_visitors_key():
    return again(make.waiting_conversation().messages.get(), number=2)


def second_message_of_an_agents_key():
    lucia = make.agent("Lucía")
    return again(make.message(make.active_conversation(lead=lucia), by=lucia), number=3)


def agents_message_without_its_agent():
    lucia = make.agent("Lucía")
    return with_values(make.message(make.active_conversation(lead=lucia), by=lucia), agent=None)


def agents_file_without_its_agent():
    attachment = Attachment.objects.create(
        conversation=make.waiting_conversation(), sender=Party.VISITOR, name="a.pdf", size=1, created_at=database_now()
    )
    return with_values(attachment, sender=Party.AGENT)


def second_restricted_word():
    RestrictedWord.objects.create(word="darn")
    return lambda: RestrictedWord.objects.create(word="DARN")


FORBIDDEN = {
    "agent_capacity_is_0_to_20": capacity_of_21,
    "agent_idle_reason_only_while_idle": idle_reason_while_available,
    "queue_priority_is_1_to_9": priority_10,
    "queue_offer_timeout_is_5_to_6000": offer_timeout_of_4_seconds,
    "queue_does_not_overflow_to_itself": overflow_to_itself,
    "one_membership_per_queue_and_agent": second_membership,
    "opening_hours_open_before_they_close": closing_before_opening,
    "one_holiday_per_queue_and_date": second_holiday_on_a_date,
    "one_closing_reason_per_queue_and_label": second_reason_of_a_label,
    "one_default_closing_reason_per_queue": second_default_reason,
    "default_closing_reason_is_in_use": default_reason_out_of_use,
    "one_open_conversation_per_visitor": second_open_conversation,
    "closed_means_a_reason_and_a_time": closed_without_a_reason,
    "ended_means_a_time": ended_without_a_time,
    "one_lead_per_conversation": second_lead,
    "one_place_per_agent_and_conversation": second_place_of_an_agent,
    "one_pending_offer_per_conversation": second_pending_offer,
    "settled_offer_has_a_time": settled_without_a_time,
    "one_message_per_number": second_message_of_a_number,
    "one_message_per_visitor_key": second_message_of_a_visitors_key,
    "one_message_per_agent_key": second_message_of_an_agents_key,
    "agents_messages_name_their_agent": agents_message_without_its_agent,
    "agents_files_name_their_agent": agents_file_without_its_agent,
    "one_restricted_word": second_restricted_word,
}


def test_every_constraint_of_the_models_is_tried_here():
    assert set(FORBIDDEN) == CONSTRAINTS


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_a_constraint_forbids_cannot_be_written(name):
    refused_by(name, FORBIDDEN[name]())


@pytest.mark.parametrize(
    ("state", "values"),
    [
        (State.CLOSED, {"closed_at": None}),
        (State.CLOSED, {"system_reason": SystemReason.IDLE}),
        (State.WRAP_UP, {"system_reason": SystemReason.IDLE}),
        (State.WRAP_UP, {"closed_at": database_now}),
        (State.WRAP_UP, {"state": State.CLOSED}),
    ],
)
def test_closed_means_one_reason_and_a_time_and_nothing_else_has_them(state, values):
    conversation = make.closed_conversation() if state == State.CLOSED else make.wrap_up_conversation()
    values = {name: value() if callable(value) and name == "closed_at" else value for name, value in values.items()}

    refused_by("closed_means_a_reason_and_a_time", with_values(conversation, **values))


def test_an_open_conversation_has_no_end():
    conversation = make.waiting_conversation()

    refused_by("ended_means_a_time", with_values(conversation, ended_at=database_now()))


def test_a_pending_offer_is_not_settled():
    offer = make.offer()

    refused_by("settled_offer_has_a_time", with_values(offer, settled_at=database_now()))


def test_a_visitors_message_has_no_agent():
    message = make.waiting_conversation().messages.get()

    refused_by("agents_messages_name_their_agent", with_values(message, agent=make.agent()))


def test_a_visitor_may_come_again_after_the_end():
    ended = make.wrap_up_conversation()

    again(ended, state=State.WAITING, ended_at=None)()

    assert Conversation.objects.filter(visitor=ended.visitor).count() == 2


def test_an_agent_may_come_back_to_a_conversation_that_he_left():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    conversation.participants.update(left_at=database_now())

    make.participant(conversation, lucia)

    assert Participant.objects.filter(agent=lucia).count() == 2


def test_offers_that_ended_do_not_stand_in_the_way_of_the_next():
    conversation = make.offer(state=OfferState.DECLINED).conversation
    make.offer(conversation=conversation, to=make.agent("Jonas"), state=OfferState.MISSED)

    make.offer(conversation=conversation, to=make.agent("Sofía"))

    assert Offer.objects.filter(conversation=conversation).count() == 3


def test_a_key_is_unique_for_each_sender_alone():
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])

    make.message(conversation, by=lucia, key="the-same-key")
    make.message(conversation, by=jonas, key="the-same-key")
    make.message(conversation, key="the-same-key")

    assert Message.objects.filter(key="the-same-key").count() == 3


def test_a_closing_time_of_midnight_is_the_end_of_the_day():
    span = make.opening_hours(make.queue(), opens_at="09:00", closes_at="00:00")

    assert OpeningHours.objects.get(pk=span.pk).closes_at == dt.time()


@pytest.mark.parametrize("capacity", [0, 20])
def test_capacity_goes_from_0_to_20(capacity):
    assert Agent.objects.get(pk=make.agent(capacity=capacity, state=AgentState.IDLE).pk).capacity == capacity


def test_two_queues_may_share_labels_holidays_and_members():
    orders, returns, lucia, day = make.queue("Orders"), make.queue("Returns"), make.agent(), dt.date(2026, 12, 25)

    for queue in (orders, returns):
        make.closing_reason(queue, is_default=True)
        make.holiday(queue, day)
        make.member(queue, lucia)

    assert [model.objects.count() for model in (Queue, ClosingReason, Holiday, QueueMembership)] == [2, 2, 2, 2]


def test_the_systems_messages_have_no_agent():
    conversation, lucia = make.waiting_conversation(), make.agent()

    refused_by(
        "agents_messages_name_their_agent", lambda: make.message(conversation, sender=Party.SYSTEM, by=lucia, number=9)
    )
