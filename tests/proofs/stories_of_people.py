"""Stories of people: visitors and agents who come, go, and change their state."""

from agents import actions as agent_actions
from agents.states import AgentState
from conversations.actions import presence
from tests.proofs.changes import Stories, change

STORIES = Stories()
story = STORIES.of


# Who is there; an open chat page would say itself that its visitor is


@story(presence.visitors_seen, without=("ana",))
def visitors_seen(world):
    presence.visitor_left(world.talk.pk)
    yield
    presence.visitors_seen([world.talk.pk])


@story(presence.visitor_came, without=("ana",))
def visitor_came(world):
    presence.visitor_left(world.talk.pk)
    yield
    presence.visitor_came(world.talk.pk)


@story(presence.visitor_left, without=("ana",))
def visitor_left(world):
    yield
    assert presence.visitor_left(world.talk.pk)


@story(presence.lose_agent)
def lose_agent(world):
    world.offered()
    yield
    assert presence.lose_agent(world.jonas.pk, grace_seconds=0)


@story(presence.withdraw_from_unavailable)
def withdraw_from_unavailable(world):
    world.offered()
    change(world.jonas, state=AgentState.IDLE)
    yield
    assert presence.withdraw_from_unavailable(world.jonas.pk)


@story(presence.sign_out)
def sign_out(world):
    yield
    presence.sign_out(world.jonas.pk, by=world.jonas)


# Agents


@story(agent_actions.become_available)
def become_available(world):
    change(world.jonas, state=AgentState.IDLE)
    yield
    agent_actions.become_available(world.jonas.pk, by=world.jonas)


@story(agent_actions.become_idle)
def become_idle(world):
    yield
    agent_actions.become_idle(world.jonas.pk, world.lunch.pk, by=world.jonas)


@story(agent_actions.sign_in)
def sign_in(world):
    yield
    change(world.jonas, state=AgentState.OFFLINE)
    agent_actions.sign_in(world.jonas.pk)


@story(agent_actions.sign_out, ends_sockets=True)
def sign_out_by_supervisor(world):
    yield
    agent_actions.sign_out(world.jonas.pk, by=world.vera)


@story(agent_actions.desks_seen, is_quiet=True)
def desks_seen(world):
    yield
    agent_actions.desks_seen([world.jonas.pk])


@story(agent_actions.desk_closed, is_quiet=True)
def desk_closed(world):
    yield
    agent_actions.desk_closed(world.jonas.pk)
