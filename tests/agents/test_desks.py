"""Open desks: leases that heartbeats renew, and agents whose desks are gone."""

import pytest

from agents import actions
from agents.states import AgentState
from config import live
from config.clock import database_now
from tests import make
from tests.rows import fresh, nothing_changes

pytestmark = pytest.mark.django_db


def test_an_open_desk_renews_its_lease():
    lucia = make.agent("Lucía", seen_at=make.ago(8), connected_until=make.ago(-4))

    actions.desks_seen([lucia.pk])

    assert fresh(lucia).seen_at > make.ago(4)
    assert fresh(lucia).is_connected(make.ago(-actions.LEASE_SECONDS + 2))
    assert not fresh(lucia).is_connected(make.ago(-actions.LEASE_SECONDS - 2))


def test_a_desk_renews_its_lease_without_a_change_of_state():
    lucia = make.agent("Lucía", state_since=make.ago(100))

    actions.desks_seen([lucia.pk, lucia.pk])

    assert (fresh(lucia).state, fresh(lucia).state_since) == (lucia.state, lucia.state_since)
    assert not lucia.state_changes.exists()


def test_a_desk_that_comes_back_after_the_grace_makes_its_agent_idle():
    lucia = make.agent("Lucía", state=AgentState.OFFLINE)

    actions.desks_seen([lucia.pk])

    assert fresh(lucia).state == AgentState.IDLE
    assert fresh(lucia).is_connected(database_now())


def test_a_reload_does_not_end_rona():
    lucia = make.agent("Lucía", state=AgentState.RONA, state_since=make.ago(100))

    actions.desk_closed(lucia.pk)
    actions.desks_seen([lucia.pk])

    assert (fresh(lucia).state, fresh(lucia).state_since) == (AgentState.RONA, lucia.state_since)


def test_a_desk_of_an_account_that_is_not_active_signs_nobody_in():
    lucia = make.agent("Lucía", state=AgentState.OFFLINE, is_active=False)

    actions.desks_seen([lucia.pk])

    assert fresh(lucia).state == AgentState.OFFLINE


def test_no_desks_cost_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        actions.desks_seen([])


def test_heartbeats_of_many_desks_cost_as_much_as_of_one(django_assert_num_queries):
    agents = [make.agent(f"Agent {number}") for number in range(20)]

    with django_assert_num_queries(5):  # with the savepoint's two
        actions.desks_seen([one.pk for one in agents])


def test_closing_the_last_desk_keeps_the_state_and_disconnects():
    lucia = make.agent("Lucía")

    actions.desk_closed(lucia.pk)

    assert fresh(lucia).state == AgentState.AVAILABLE
    assert not fresh(lucia).is_connected(database_now())


def test_the_grace_runs_from_the_closing_not_from_the_last_heartbeat():
    lucia = make.agent("Lucía", seen_at=make.ago(4))

    actions.desk_closed(lucia.pk, unless_seen_after=make.ago(0))

    assert fresh(lucia).seen_at > make.ago(2)


def test_a_desk_that_comes_back_rings_the_router(monkeypatch, django_capture_on_commit_callbacks):
    rings = []
    monkeypatch.setattr(live, "send_rings", rings.extend)
    lucia = make.agent("Lucía", connected_until=make.ago(1))

    with django_capture_on_commit_callbacks(execute=True):
        actions.desks_seen([lucia.pk])

    assert [ring["group"] for ring in rings] == ["router"]


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA])
def test_agents_without_a_desk_for_longer_than_the_grace_are_gone(state):
    gone = make.agent("Lucía", state=state, seen_at=make.ago(61))
    make.agent("Jonas", state=state, seen_at=make.ago(50))
    make.agent("Sofía", state=AgentState.OFFLINE, seen_at=make.ago(900))

    assert actions.gone_agents(database_now(), 60) == [gone.pk]


def test_an_agent_whose_desk_never_opened_is_gone():
    lucia = make.agent("Lucía", state=AgentState.IDLE, is_connected=False)

    assert actions.gone_agents(database_now(), 60) == [lucia.pk]


def test_closing_a_desk_that_was_not_open_changes_nothing():
    lucia = make.agent("Lucía", state=AgentState.OFFLINE)

    with nothing_changes():
        actions.desk_closed(lucia.pk)
