"""A row that somebody holds and does not give back, as a server does that lost its power in a transaction."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from django.db import connection, connections, transaction

from agents import actions as agent_actions
from agents.models import Agent
from config.locks import Busy
from conversations import router
from conversations.actions import closing, deadlines
from conversations.models import Conversation
from conversations.states import State
from tests import make
from tests.conversations.moments import asked
from tests.races.crowd import WAIT_SECONDS
from tests.rows import fresh, nothing_changes

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.only_on("postgresql")  # SQLite has one writer at a time, and no locks of rows


@contextmanager
def held(row):
    """Another connection holds the row for as long as this lasts."""
    is_held, is_over = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic():
                type(row)._default_manager.select_for_update().get(pk=row.pk)
                is_held.set()
                is_over.wait(WAIT_SECONDS)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert is_held.wait(WAIT_SECONDS)
        yield
    finally:
        is_over.set()
        thread.join()


@on_postgresql
def test_a_turn_of_the_router_passes_over_who_is_held_and_does_the_rest(monkeypatch):
    # Long enough for a blink on a slow machine, too short for the whole time that anybody else waits for a lock.
    monkeypatch.setattr(router, "SWEEP_MOST_SECONDS", 3)
    monkeypatch.setattr(deadlines, "random", SimpleNamespace(sample=lambda some, count: sorted(some)))  # held first
    stuck, other = (make.wrap_up_conversation(deadline_seconds=-1) for _ in range(2))
    lucia = make.agent("Lucía")
    waiting = make.waiting_conversation(queue=make.queue(members=[lucia]))

    with held(stuck):
        router.work()
        assert [fresh(one).state for one in (stuck, other)] == [State.WRAP_UP, State.CLOSED]
        assert asked(waiting) == lucia

    router.work()
    assert fresh(stuck).state == State.CLOSED


@on_postgresql
def test_an_agent_who_is_held_does_not_keep_another_queue_waiting():
    lucia, jonas = make.agent("Lucía"), make.agent("Jonas")
    first = make.waiting_conversation(queue=make.queue(members=[lucia]), waited_seconds=60)
    second = make.waiting_conversation(queue=make.queue(members=[jonas]))

    with held(lucia):
        router.work()
        assert (asked(first), asked(second)) == (None, jonas)

    router.work()
    assert asked(first) == lucia


@on_postgresql
@pytest.mark.parametrize("what", [Agent, Conversation])
def test_who_waits_too_long_for_a_row_is_told_to_try_again(what):
    lucia = make.agent("Lucía")
    talk = make.active_conversation(lead=lucia)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")

    try:
        with held(lucia if what is Agent else talk), nothing_changes(), pytest.raises(Busy):
            if what is Agent:
                agent_actions.become_idle(lucia.pk, None, by=lucia)
            else:
                closing.end(talk.pk, by=lucia)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")  # the connection goes back to the pool


@on_postgresql
def test_connections_give_up_locks_and_forgotten_transactions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')")
        assert cursor.fetchone() == ("5s", "15s")


def test_one_that_cannot_be_done_does_not_keep_the_others_waiting(monkeypatch, caplog):
    broken, other = (make.wrap_up_conversation(deadline_seconds=-1) for _ in range(2))
    finish = closing.finish_automatically

    def finish_most(conversation_id):
        if conversation_id == broken.pk:
            raise ValueError("a fault")
        return finish(conversation_id)

    monkeypatch.setattr(closing, "finish_automatically", finish_most)

    assert deadlines.sweep() == 1

    assert [fresh(one).state for one in (broken, other)] == [State.WRAP_UP, State.CLOSED]
    assert "could not be done" in caplog.text
