"""A conversation is put in line again: by its lead, or by a supervisor."""

import pytest

from agents.models import Agent
from conversations.actions import transfers
from conversations.actions.opening import order_key
from conversations.errors import Gone, NotLead, NotNow, OfferPending, QueueClosed, QueueGone
from conversations.load import load_of
from conversations.states import EventKind, OfferKind, OfferState, State
from tests import make
from tests.rows import fresh, refuses

pytestmark = pytest.mark.django_db


def supervisor():
    """With the permissions as a request of his has them."""
    return Agent.objects.get(pk=make.supervisor("Vera").pk)


def test_the_lead_puts_it_in_line_in_another_queue_with_its_first_queuing_moment():
    lucia, returns = make.agent("Lucía"), make.queue("Returns", priority=2)
    conversation = make.active_conversation(lead=lucia, queue=make.queue("Orders"), waited_seconds=100)

    transfers.to_queue(conversation.pk, returns.pk, by=lucia)

    again = fresh(conversation)
    assert (again.state, again.queue, again.queued_at) == (State.WAITING, returns, conversation.queued_at)
    assert again.order_key == order_key(conversation.queued_at, returns)
    assert load_of(lucia) == 0
    event = conversation.events.order_by("pk").last()
    assert (event.kind, event.by, event.details["to_queue"]) == (EventKind.TRANSFERRED, lucia, returns.pk)
    assert conversation.messages.order_by("number").last().details["queue"] == "Returns"


def test_everybody_leaves_and_a_pending_offer_is_taken_back():
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    conversation = make.active_conversation(lead=lucia, guests=[jonas])
    offer = make.offer(to=make.agent("Sofía"), conversation=conversation)

    transfers.send_back(conversation.pk, by=supervisor())

    assert not conversation.participants.filter(left_at=None).exists()
    assert fresh(offer).state == OfferState.WITHDRAWN


def test_a_supervisor_sends_it_back_without_taking_part():
    conversation, vera = make.active_conversation(), supervisor()

    transfers.send_back(conversation.pk, by=vera)

    assert fresh(conversation).state == State.WAITING
    assert conversation.events.order_by("pk").last().by == vera


def test_a_supervisor_sends_it_back_to_its_own_queue_even_after_hours():
    conversation = make.active_conversation(queue=make.closed_queue())

    transfers.send_back(conversation.pk, by=supervisor())

    assert fresh(conversation).state == State.WAITING


def test_a_supervisor_sends_it_back_to_its_own_queue_even_if_that_is_not_in_use_any_more():
    conversation = make.active_conversation(queue=make.queue("Old", is_in_use=False))

    transfers.send_back(conversation.pk, by=supervisor())

    assert fresh(conversation).state == State.WAITING


@pytest.mark.parametrize("role", ["lead", "guest", "stranger"])
def test_nobody_else_sends_it_back(role):
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    people = {"lead": lucia, "guest": jonas, "stranger": make.agent("Marta")}
    conversation = make.active_conversation(lead=lucia, guests=[jonas])

    with refuses(Gone):
        transfers.send_back(conversation.pk, by=people[role])


# A supervisor at the desk is an agent like any other


def test_a_supervisor_who_is_a_guest_does_not_transfer():
    vera = supervisor()
    conversation = make.active_conversation(lead=make.agent("Lucía"), guests=[vera])

    with refuses(NotLead):
        transfers.to_queue(conversation.pk, conversation.queue_id, by=vera)


def test_a_supervisor_who_leads_it_cannot_choose_its_own_queue_when_that_is_closed():
    vera = supervisor()
    conversation = make.active_conversation(lead=vera, queue=make.closed_queue())

    with refuses(QueueClosed):
        transfers.to_queue(conversation.pk, conversation.queue_id, by=vera)


def test_a_supervisor_who_leads_it_waits_for_the_answer_to_what_he_asked():
    vera = supervisor()
    conversation = make.active_conversation(lead=vera)
    make.offer(to=make.agent("Jonas"), conversation=conversation, kind=OfferKind.TRANSFER, made_by=vera)

    with refuses(OfferPending):
        transfers.to_queue(conversation.pk, conversation.queue_id, by=vera)


def test_a_supervisor_who_takes_no_part_does_not_transfer():
    conversation, vera = make.active_conversation(), supervisor()

    with refuses(Gone):
        transfers.to_queue(conversation.pk, conversation.queue_id, by=vera)


def test_its_lead_cannot_choose_a_closed_queue_not_even_its_own():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia, queue=make.closed_queue())

    with refuses(QueueClosed):
        transfers.to_queue(conversation.pk, conversation.queue_id, by=lucia)


def test_another_queue_that_is_closed_is_refused():
    lucia, night = make.agent("Lucía"), make.closed_queue()
    conversation = make.active_conversation(lead=lucia, queue=make.queue("Orders"))

    with refuses(QueueClosed):
        transfers.to_queue(conversation.pk, night.pk, by=lucia)


@pytest.mark.parametrize("queue_id", [0, 987_654, 10**30])
def test_an_unknown_queue_is_refused(queue_id):
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)

    with refuses(QueueGone):
        transfers.to_queue(conversation.pk, queue_id, by=lucia)


def test_a_queue_that_is_not_in_use_is_refused():
    lucia, retired = make.agent("Lucía"), make.queue("Old", is_in_use=False)
    conversation = make.active_conversation(lead=lucia)

    with refuses(QueueGone):
        transfers.to_queue(conversation.pk, retired.pk, by=lucia)


def test_a_guest_may_not():
    jonas = make.agent("Jonas")
    conversation = make.active_conversation(lead=make.agent("Lucía"), guests=[jonas])

    with refuses(NotLead):
        transfers.to_queue(conversation.pk, conversation.queue_id, by=jonas)


def test_a_stranger_may_not():
    conversation, jonas = make.active_conversation(), make.agent("Jonas")

    with refuses(Gone):
        transfers.to_queue(conversation.pk, conversation.queue_id, by=jonas)


@pytest.mark.parametrize("made", [make.waiting_conversation, make.wrap_up_conversation, make.closed_conversation])
def test_only_an_active_conversation_is_put_in_line(made):
    conversation, vera = made(), supervisor()

    with refuses(NotNow):
        transfers.send_back(conversation.pk, by=vera)
