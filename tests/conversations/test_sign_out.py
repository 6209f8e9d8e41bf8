"""An agent signs out when nothing is left to do, and is told what is left when something is."""

import pytest

from agents.errors import AgentGone
from agents.states import AgentState, ChangedBy
from conversations.actions import presence
from conversations.errors import StillBusy
from conversations.states import OfferState
from tests import make
from tests.rows import fresh, refuses

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [AgentState.IDLE, AgentState.AVAILABLE, AgentState.RONA])
def test_an_agent_without_work_signs_out(state):
    lucia = make.agent("Lucía", state=state)

    presence.sign_out(lucia.pk, by=lucia)

    change = lucia.state_changes.get()
    assert (fresh(lucia).state, fresh(lucia).connected_until) == (AgentState.OFFLINE, None)
    assert (change.to_state, change.changed_by) == (AgentState.OFFLINE, ChangedBy.SELF)


def test_what_is_finished_does_not_hold_anybody():
    lucia = make.agent("Lucía")
    make.closed_conversation(lead=lucia)
    make.offer(to=lucia, state=OfferState.DECLINED)

    presence.sign_out(lucia.pk, by=lucia)

    assert fresh(lucia).state == AgentState.OFFLINE


def test_a_pending_request_holds_the_agent_and_is_named():
    lucia = make.agent("Lucía")
    make.offer(to=lucia, conversation=make.waiting_conversation(visitor_name="Ana 100% Pereira"))

    with refuses(StillBusy) as refusal:
        presence.sign_out(lucia.pk, by=lucia)

    assert "Ana 100% Pereira" in str(refusal.value)
    assert refusal.value.status == 409


@pytest.mark.parametrize("made", [make.active_conversation, make.wrap_up_conversation])
def test_an_open_conversation_holds_the_agent_and_is_named(made):
    lucia = make.agent("Lucía")
    made(lead=lucia, visitor_name="Tom Baker")

    with refuses(StillBusy) as refusal:
        presence.sign_out(lucia.pk, by=lucia)

    assert "Tom Baker" in str(refusal.value)


def test_a_guest_is_held_too():
    jonas = make.agent("Jonas")
    make.active_conversation(lead=make.agent("Lucía"), guests=[jonas])

    with refuses(StillBusy):
        presence.sign_out(jonas.pk, by=jonas)


@pytest.mark.parametrize("agent_id", [0, 987_654])
def test_an_unknown_agent_is_refused(agent_id):
    lucia = make.agent("Lucía")

    with refuses(AgentGone):
        presence.sign_out(agent_id, by=lucia)
