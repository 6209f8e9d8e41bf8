"""Marks of pages while people leave: neither stops the other, whichever of them comes first."""

import threading

import pytest
from django.db import connection

from agents.models import Agent
from agents.states import AgentState
from conversations.actions import closing, conferences, offers, reading, transfers
from conversations.actions.reading import Mark
from conversations.models import Participant
from conversations.states import OfferKind
from tests import make
from tests.races.crowd import WAIT_SECONDS, at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.only_on("postgresql")]

CHANGES_A_PLACE = 'UPDATE "conversations_participant"'
IS_WAITED_FOR = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)) LIMIT 1"


class Conference:
    """Lucía leads, Jonas and Sofía are guests, and the pages of all three tell how far they have the thread."""

    def __init__(self):
        self.agents = self.lucia, self.jonas, self.sofia = [make.agent(name) for name in ("Lucía", "Jonas", "Sofía")]
        self.talk = make.active_conversation(lead=self.lucia, guests=[self.jonas, self.sofia])
        self.marks = [Mark(self.talk.pk, 1, 1, agent.pk) for agent in self.agents]

    def lose(self, *agents):
        """Nobody but these is Offline."""
        mine = Agent.objects.filter(pk__in=[agent.pk for agent in self.agents])
        mine.update(state=AgentState.AVAILABLE)
        mine.filter(pk__in=[agent.pk for agent in agents]).update(state=AgentState.OFFLINE)

    def replace_lead(self):
        assert transfers.replace_lost_lead(self.talk.pk)

    def transfer(self, made_by, to):
        return make.offer(to=to, conversation=self.talk, kind=OfferKind.TRANSFER, made_by=made_by).pk


def goes_to_a_queue(one):
    returns = make.queue("Returns")
    return lambda: transfers.to_queue(one.talk.pk, returns.pk, by=one.lucia)


def goes_to_a_colleague(one):
    marta = make.agent("Marta")
    offer = one.transfer(one.lucia, marta)
    return lambda: offers.accept(offer, by=marta)


def goes_to_a_guest(one):
    offer = one.transfer(one.lucia, one.sofia)
    return lambda: offers.accept(offer, by=one.sofia)


def goes_to_a_guest_who_came_before_the_lead(one):
    sofia_leads(one)
    offer = one.transfer(one.sofia, one.jonas)
    return lambda: offers.accept(offer, by=one.jonas)


def falls_to_the_first_guest(one):
    one.lose(one.lucia)
    return one.replace_lead


def falls_to_a_guest_who_came_before_the_lead(one):
    sofia_leads(one)
    one.lose(one.sofia)
    return one.replace_lead


def falls_to_nobody(one):
    one.lose(*one.agents)
    return one.replace_lead


def is_closed_by_a_supervisor(one):
    reason, vera = make.closing_reason(one.talk.queue), make.supervisor()
    return lambda: closing.finish_by_supervisor(one.talk.pk, reason.pk, by=vera)


def ends(one):
    return lambda: closing.end(one.talk.pk, by=one.lucia)


def goes_on_without_guests(one):
    return lambda: conferences.end(one.talk.pk, by=one.lucia)


def sofia_leads(one):
    """The guest who came last leads, and the one before her is a guest still."""
    one.lose(one.lucia, one.jonas)
    one.replace_lead()
    one.lose()


@pytest.mark.parametrize(
    "becomes",
    [
        goes_to_a_queue,
        goes_to_a_colleague,
        goes_to_a_guest,
        goes_to_a_guest_who_came_before_the_lead,
        falls_to_the_first_guest,
        falls_to_a_guest_who_came_before_the_lead,
        falls_to_nobody,
        is_closed_by_a_supervisor,
        ends,
        goes_on_without_guests,
    ],
)
def test_marks_wait_for_those_who_leave_and_not_the_other_way_round(becomes):
    one = Conference()
    act = becomes(one)
    has_begun, was_waited_for = threading.Event(), []

    def pause(execute, sql, *rest):
        """The first has left and the others follow: now the marks come, and it goes on when they wait."""
        answer = execute(sql, *rest)
        if sql.startswith(CHANGES_A_PLACE) and not has_begun.is_set():
            has_begun.set()
            was_waited_for.append(wait_until_waited_for())
        return answer

    def leave():
        with connection.execute_wrapper(pause):
            act()

    def mark():
        assert has_begun.wait(WAIT_SECONDS)
        reading.mark(one.marks)

    at_once(leave, mark)  # if they wait for each other, the database breaks one of them off

    assert was_waited_for == [True]
    here = Participant.objects.filter(conversation=one.talk, left_at=None, agent__in=one.agents)
    marked = Participant.objects.filter(conversation=one.talk, delivered_number=1, read_number=1)
    assert set(marked) == set(here)


def wait_until_waited_for():
    """Wait until another transaction waits for what this one has locked; answers whether one ever did."""
    pause = threading.Event()
    with connection.cursor() as cursor:
        for _ in range(WAIT_SECONDS * 100):
            if cursor.execute(IS_WAITED_FOR).fetchone():
                return True
            pause.wait(0.01)
    return False
