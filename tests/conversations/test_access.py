"""Who may read what; not yours is the same as not there."""

import pytest

from agents.models import Agent
from config.clock import database_now
from conversations import access
from conversations.errors import Gone
from tests import make
from tests.rows import refuses

pytestmark = pytest.mark.django_db

UNKNOWN = [0, 987_654, 10**30]


@pytest.mark.parametrize("made", [make.active_conversation, make.wrap_up_conversation])
def test_the_lead_has_his_place(made):
    lucia = make.agent("Lucía")
    conversation = made(lead=lucia)

    assert access.participation_of(lucia, conversation.pk).conversation == conversation


def test_a_guest_has_his_place():
    jonas = make.agent("Jonas")
    conversation = make.active_conversation(lead=make.agent("Lucía"), guests=[jonas])

    assert access.participation_of(jonas, conversation.pk).agent == jonas


@pytest.mark.parametrize("conversation_id", UNKNOWN)
def test_nobody_has_a_place_in_an_unknown_conversation(conversation_id):
    lucia = make.agent("Lucía")

    with refuses(Gone):
        access.participation_of(lucia, conversation_id)
    with refuses(Gone):
        access.readable_by(lucia, conversation_id)


def test_a_stranger_has_no_place_and_hears_the_same_as_of_an_unknown_one():
    conversation, jonas = make.active_conversation(), make.agent("Jonas")

    with refuses(Gone) as foreign:
        access.participation_of(jonas, conversation.pk)
    with refuses(Gone) as unknown:
        access.participation_of(jonas, 987_654)

    assert str(foreign.value) == str(unknown.value)


def test_who_left_has_no_place_any_more():
    lucia = make.agent("Lucía")
    conversation = make.active_conversation(lead=lucia)
    conversation.participants.update(left_at=database_now())

    with refuses(Gone):
        access.participation_of(lucia, conversation.pk)


def test_a_supervisor_has_no_place_without_joining():
    conversation, vera = make.active_conversation(), make.supervisor("Vera")

    with refuses(Gone):
        access.participation_of(vera, conversation.pk)


# Transcripts


def test_who_took_part_may_read_it_later():
    lucia = make.agent("Lucía")
    conversation = make.closed_conversation(lead=lucia)

    assert access.readable_by(lucia, conversation.pk) == conversation


def test_a_supervisor_may_read_all():
    conversation, vera = make.closed_conversation(), Agent.objects.get(pk=make.supervisor("Vera").pk)

    assert access.readable_by(vera, conversation.pk) == conversation


def test_a_stranger_may_not_read_it():
    conversation, jonas = make.closed_conversation(lead=make.agent("Lucía")), make.agent("Jonas")

    with refuses(Gone):
        access.readable_by(jonas, conversation.pk)


def test_who_serves_the_same_visitor_now_may_read_what_he_said_before():
    visitor, jonas = make.visitor(), make.agent("Jonas")
    earlier = make.closed_conversation(lead=make.agent("Lucía"), visitor=visitor)
    make.active_conversation(lead=jonas, visitor=visitor)

    assert access.readable_by(jonas, earlier.pk) == earlier


def test_who_serves_the_same_address_now_may_read_what_it_said_before():
    jonas = make.agent("Jonas")
    earlier = make.closed_conversation(lead=make.agent("Lucía"), visitor_email="ana@example.com")
    make.active_conversation(lead=jonas, visitor_email="ana@example.com")

    assert access.readable_by(jonas, earlier.pk) == earlier


def test_visitors_without_an_address_are_not_the_same_customer():
    jonas = make.agent("Jonas")
    earlier = make.closed_conversation(lead=make.agent("Lucía"))
    make.active_conversation(lead=jonas)

    with refuses(Gone):
        access.readable_by(jonas, earlier.pk)


def test_who_served_him_once_may_not_read_what_came_later():
    visitor, jonas = make.visitor(), make.agent("Jonas")
    make.closed_conversation(lead=jonas, visitor=visitor)
    later = make.closed_conversation(lead=make.agent("Lucía"), visitor=visitor)

    with refuses(Gone):
        access.readable_by(jonas, later.pk)


# The visitor's own


def test_a_visitor_has_his_latest_conversation_open_or_ended():
    visitor = make.visitor()
    make.closed_conversation(visitor=visitor)
    latest = make.waiting_conversation(visitor=visitor)
    make.waiting_conversation()

    assert access.conversation_of(visitor.token_hash) == latest


def test_an_unknown_visitor_has_no_conversation():
    make.waiting_conversation()

    assert access.conversation_of("f" * 64) is None


def test_the_customers_earlier_conversations_are_closed_ones_newest_first():
    visitor = make.visitor()
    first = make.closed_conversation(visitor=visitor)
    second = make.closed_conversation(visitor_email="ana@example.com")
    make.closed_conversation(visitor_email="tom@example.com")
    make.wrap_up_conversation(visitor=visitor)
    now = make.active_conversation(visitor=visitor, visitor_email="ana@example.com")
    make.closed_conversation(visitor_email="ana@example.com")

    assert access.earlier_of(now, 5) == [second, first]
    assert access.earlier_of(now, 1) == [second]
