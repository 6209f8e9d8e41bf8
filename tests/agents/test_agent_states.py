"""How an agent's state changes: by choice, by the system, by a supervisor; each change is a row."""

import pytest

from agents import actions
from agents.errors import AgentDisabled, AgentGone, AlreadySignedOut, ReasonGone
from agents.models import AgentStateChange
from agents.states import AgentState, ChangedBy
from config import live
from config.clock import database_now
from tests import make
from tests.rows import fresh, nothing_changes, refuses

pytestmark = pytest.mark.django_db

HUGE = 10**30
SIGNED_IN = [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA]


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.RONA])
def test_an_agent_becomes_available_by_choice_and_a_row_says_so(state):
    lucia = make.agent("Lucía", state=state, state_since=make.ago(100))

    actions.become_available(lucia.pk, by=lucia)

    change = lucia.state_changes.get()
    assert (change.from_state, change.to_state) == (state, AgentState.AVAILABLE)
    assert (change.changed_by, change.by, change.reason) == (ChangedBy.SELF, lucia, None)
    assert fresh(lucia).state == AgentState.AVAILABLE
    assert fresh(lucia).state_since == change.at > make.ago(50)


@pytest.mark.parametrize("state", [AgentState.AVAILABLE, AgentState.RONA])
def test_an_agent_becomes_idle_with_a_reason(state):
    lucia, lunch = make.agent("Lucía", state=state), make.idle_reason("Lunch")

    actions.become_idle(lucia.pk, lunch.pk, by=lucia)

    change = lucia.state_changes.get()
    assert (change.from_state, change.to_state, change.reason) == (state, AgentState.IDLE, lunch)
    assert (fresh(lucia).state, fresh(lucia).idle_reason) == (AgentState.IDLE, lunch)


def test_an_agent_may_be_idle_without_a_reason():
    lucia = make.agent("Lucía")

    actions.become_idle(lucia.pk, None, by=lucia)

    assert (fresh(lucia).state, fresh(lucia).idle_reason) == (AgentState.IDLE, None)


def test_another_reason_for_being_idle_is_a_change_of_its_own():
    lunch, meeting = make.idle_reason("Lunch"), make.idle_reason("Meeting")
    lucia = make.agent("Lucía", state=AgentState.IDLE, idle_reason=lunch, state_since=make.ago(100))

    actions.become_idle(lucia.pk, meeting.pk, by=lucia)

    assert lucia.state_changes.get().reason == meeting
    assert fresh(lucia).state_since > make.ago(50)


def test_leaving_idle_forgets_the_reason():
    lucia = make.agent("Lucía", state=AgentState.IDLE, idle_reason=make.idle_reason("Lunch"))

    actions.become_available(lucia.pk, by=lucia)

    assert fresh(lucia).idle_reason is None


def test_the_same_state_again_changes_nothing_not_even_the_timer():
    lucia = make.agent("Lucía", state_since=make.ago(100))

    with nothing_changes():
        actions.become_available(lucia.pk, by=lucia)


def test_a_change_by_a_supervisor_names_him():
    lucia, vera = make.agent("Lucía"), make.supervisor("Vera")

    actions.become_idle(lucia.pk, None, by=vera)

    assert (lucia.state_changes.get().changed_by, lucia.state_changes.get().by) == (ChangedBy.SUPERVISOR, vera)


def test_rona_is_the_systems_doing():
    lucia = make.agent("Lucía")

    actions.become_rona(lucia, at=database_now())

    change = lucia.state_changes.get()
    assert (change.to_state, change.changed_by, change.by) == (AgentState.RONA, ChangedBy.SYSTEM, None)


def test_a_signed_out_agent_cannot_become_available():
    lucia = make.agent("Lucía", state=AgentState.OFFLINE)

    with refuses(AlreadySignedOut):
        actions.become_available(lucia.pk, by=lucia)


def test_a_signed_out_agent_cannot_become_idle():
    lucia = make.agent("Lucía", state=AgentState.OFFLINE)

    with refuses(AlreadySignedOut):
        actions.become_idle(lucia.pk, None, by=lucia)


@pytest.mark.parametrize("reason_id", [0, -1, 987_654, HUGE])
def test_an_unknown_idle_reason_is_refused(reason_id):
    lucia = make.agent("Lucía")

    with refuses(ReasonGone):
        actions.become_idle(lucia.pk, reason_id, by=lucia)


def test_an_idle_reason_that_is_not_in_use_is_refused():
    lucia, retired = make.agent("Lucía"), make.idle_reason("Smoking", is_in_use=False)

    with refuses(ReasonGone) as refusal:
        actions.become_idle(lucia.pk, retired.pk, by=lucia)

    assert refusal.value.status == 422


DOORS = {
    "become_available": lambda agent_id, by: actions.become_available(agent_id, by=by),
    "become_idle": lambda agent_id, by: actions.become_idle(agent_id, None, by=by),
    "sign_in": lambda agent_id, by: actions.sign_in(agent_id),
    "sign_out": lambda agent_id, by: actions.sign_out(agent_id, by=by),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("agent_id", [0, 987_654, HUGE])
def test_an_unknown_agent_is_refused(door, agent_id):
    vera = make.supervisor("Vera")

    with refuses(AgentGone) as refusal:
        DOORS[door](agent_id, vera)

    assert refusal.value.status == 404


@pytest.mark.parametrize("door", DOORS)
def test_an_agent_whose_account_is_not_active_is_refused(door):
    lucia, vera = make.agent("Lucía", is_active=False), make.supervisor("Vera")

    with refuses(AgentDisabled):
        DOORS[door](lucia.pk, vera)


def test_signing_in_makes_an_agent_idle():
    lucia = make.agent("Lucía", state=AgentState.OFFLINE)

    actions.sign_in(lucia.pk)

    change = lucia.state_changes.get()
    assert (change.from_state, change.to_state) == (AgentState.OFFLINE, AgentState.IDLE)
    assert change.changed_by == ChangedBy.SELF
    assert fresh(lucia).seen_at >= change.at


@pytest.mark.parametrize("state", SIGNED_IN)
def test_a_second_sign_in_keeps_the_state_and_its_timer(state):
    lucia = make.agent("Lucía", state=state, state_since=make.ago(100), seen_at=make.ago(30))

    actions.sign_in(lucia.pk)

    assert (fresh(lucia).state, fresh(lucia).state_since) == (state, lucia.state_since)
    assert fresh(lucia).seen_at > make.ago(10)
    assert not lucia.state_changes.exists()


@pytest.mark.parametrize("state", SIGNED_IN)
def test_a_supervisor_signs_an_agent_out_and_every_session_ends(state):
    lucia, vera = make.agent("Lucía", state=state), make.supervisor("Vera")
    session = lucia.get_session_auth_hash()

    actions.sign_out(lucia.pk, by=vera)

    change = lucia.state_changes.get()
    assert (change.to_state, change.changed_by, change.by) == (AgentState.OFFLINE, ChangedBy.SUPERVISOR, vera)
    assert fresh(lucia).connected_until is None
    assert fresh(lucia).get_session_auth_hash() != session


def test_an_agent_who_is_signed_out_cannot_be_signed_out_again():
    lucia, vera = make.agent("Lucía"), make.supervisor("Vera")
    actions.sign_out(lucia.pk, by=vera)

    with refuses(AlreadySignedOut):
        actions.sign_out(lucia.pk, by=vera)


def test_a_change_rings_the_desk_and_the_router_after_the_commit(monkeypatch, django_capture_on_commit_callbacks):
    rings = []
    monkeypatch.setattr(live, "send_rings", rings.extend)
    lucia = make.agent("Lucía", state=AgentState.IDLE)

    with django_capture_on_commit_callbacks() as after_commit:
        actions.become_available(lucia.pk, by=lucia)
    unheard = list(rings)
    for ring in after_commit:
        ring()

    assert unheard == []
    assert {(ring["group"], ring["what"]) for ring in rings} == {(f"desk:{lucia.pk}", "changed"), ("router", "work")}


def test_every_state_change_reads_as_a_sentence():
    lucia = make.agent("Lucía", state=AgentState.OFFLINE)

    actions.sign_in(lucia.pk)

    assert str(AgentStateChange.objects.get()) == "Lucía: Offline → Idle"
