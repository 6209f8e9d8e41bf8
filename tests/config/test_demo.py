"""The demo loads into an empty database only, and what it writes could have happened."""

import dataclasses
import datetime as dt
import itertools

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db.models import F

from agents.models import Agent, AgentStateChange, IdleReason
from agents.states import AgentState
from config import demo
from config.clock import database_now
from conversations.models import Conversation, ConversationEvent, Message, Offer, Participant, ReplyTemplate
from conversations.reply_templates import check_parameters
from conversations.states import MOVES, EventKind, MessageKind, OfferState, Party, Role, State
from queues import hours
from queues.models import ClosingReason, Queue
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


def load(*options, out=None):
    call_command("demo", *options, stdout=out)


def state_of(agent, at):
    change = agent.state_changes.filter(at__lte=at).order_by("at").last()
    return AgentState.OFFLINE if change is None else AgentState(change.to_state)


def test_the_demo_has_its_queues_with_their_members(capsys):
    load()

    members = {
        queue.slug: (queue.name, {agent.username for agent in queue.members.all()}) for queue in Queue.objects.all()
    }
    assert members == {
        "orders": ("Orders", {"lucia", "jonas"}),
        "returns": ("Returns", {"lucia", "jonas", "sofia"}),
        "espanol": ("Español", {"lucia", "sofia"}),
    }
    assert len(hours.open_queues(database_now())) == 3
    assert "lucia, jonas, sofia, vera" in capsys.readouterr().out


def test_every_queue_of_the_demo_has_five_closing_reasons_and_one_is_the_default():
    load()

    for queue in Queue.objects.all():
        assert queue.closing_reasons.count() == 5
        assert queue.closing_reasons.filter(is_default=True).count() == 1
    assert ClosingReason.objects.filter(queue__slug="espanol", label="Resuelto", is_default=True).exists()
    assert set(IdleReason.objects.values_list("name", flat=True)) == {"Lunch", "Break", "Meeting", "Training"}


def test_the_templates_of_the_demo_could_have_been_written_in_admin():
    load()

    templates = ReplyTemplate.objects.all()
    assert {template.language for template in templates} == {"en", "es"}
    for template in templates:
        template.full_clean()
        check_parameters(template.text)


@pytest.mark.parametrize(
    ("username", "name", "language"),
    [("lucia", "Lucía Marín", "en"), ("jonas", "Jonas Brandt", "en"), ("sofia", "Sofía Ruiz", "es")],
)
def test_agents_of_the_demo_can_sign_in_and_enter_no_admin(username, name, language):
    load()

    agent = authenticate(username=username, password="livedesk")

    assert (agent.name, agent.language, agent.state) == (name, language, AgentState.OFFLINE)
    assert not agent.is_staff
    assert not agent.is_superuser


def test_the_supervisor_of_the_demo_is_staff_in_the_group_and_no_superuser():
    make.supervisors()
    load()

    vera = authenticate(username="vera", password="livedesk")

    assert vera.is_staff
    assert not vera.is_superuser
    assert [group.name for group in vera.groups.all()] == ["Supervisors"]


def test_passwords_of_the_demo_are_kept_with_argon2(settings):
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]

    load()

    assert all(agent.password.startswith("argon2$argon2id$") for agent in Agent.objects.all())


@pytest.mark.parametrize("existing", [make.agent, make.queue, make.visitor, make.idle_reason])
def test_the_demo_never_goes_over_existing_data(existing):
    existing()
    counts = [model.objects.count() for model in (Agent, Queue, Conversation, IdleReason)]

    load("--once")
    with pytest.raises(CommandError, match="has data already"):
        load()

    assert [model.objects.count() for model in (Agent, Queue, Conversation, IdleReason)] == counts


def test_the_demo_loads_once():
    load("--once")
    Agent.objects.filter(username="jonas").update(first_name="Johann")

    load("--once")
    with pytest.raises(CommandError):
        load()

    assert Agent.objects.get(username="jonas").first_name == "Johann"
    assert Conversation.objects.count() == len(demo.TALKS)


def test_the_demo_loads_whole_or_not_at_all(monkeypatch):
    broken = dataclasses.replace(demo.TALKS[-1], reason="No such reason")
    monkeypatch.setattr(demo, "TALKS", (*demo.TALKS[:-1], broken))

    with pytest.raises(ClosingReason.DoesNotExist):
        load()

    assert not demo.has_data()


def test_all_conversations_of_the_demo_are_finished_in_the_past():
    load()

    now = database_now()
    assert Conversation.objects.count() >= 8
    for conversation in Conversation.objects.all():
        assert conversation.state == State.CLOSED
        assert conversation.queued_at < conversation.ended_at <= conversation.closed_at < now
        assert conversation.wrap_up_deadline is None
    days = {conversation.queued_at.date() for conversation in Conversation.objects.all()}
    assert len(days) >= 5
    assert set(Conversation.objects.values_list("language", flat=True)) == {"en", "es"}
    assert Conversation.objects.filter(system_reason="abandoned").count() == 2
    assert not Conversation.objects.filter(closing_reason__isnull=False).exclude(closing_reason__queue=F("queue"))


def test_threads_of_the_demo_are_numbered_in_the_order_of_time():
    load()

    for conversation in Conversation.objects.all():
        thread = list(conversation.messages.order_by("number"))
        assert [message.number for message in thread] == list(range(1, conversation.last_number + 1))
        assert [message.created_at for message in thread] == sorted(message.created_at for message in thread)
        spoken = [message for message in thread if message.kind == MessageKind.TEXT]
        assert (conversation.last_line, conversation.last_line_by) == (spoken[-1].text[:120], spoken[-1].sender)
        assert conversation.last_message_at == spoken[-1].created_at
        theirs = [message for message in spoken if message.sender == Party.VISITOR]
        assert (conversation.visitor_count, conversation.visitor_spoke_at) == (len(theirs), theirs[-1].created_at)
        assert (thread[0].sender, thread[0].created_at) == (Party.VISITOR, conversation.queued_at)
        assert (thread[-1].event, thread[-1].created_at) == (EventKind.ENDED, conversation.ended_at)
    assert not Message.objects.filter(sender=Party.AGENT, text__regex="[<>]").exists()


def test_agents_of_the_demo_write_only_while_they_take_part():
    load()

    for message in Message.objects.filter(sender=Party.AGENT).select_related("conversation"):
        part = message.conversation.participants.get(agent=message.agent)
        assert part.joined_at <= message.created_at <= message.conversation.ended_at


def test_answered_conversations_of_the_demo_have_one_lead_who_accepted_the_last_offer():
    load()

    for conversation in Conversation.objects.filter(answered_at__isnull=False):
        lead = conversation.participants.get()
        accepted = conversation.offers.last()
        assert (lead.role, lead.agent, accepted.state) == (Role.LEAD, accepted.agent, OfferState.ACCEPTED)
        assert conversation.answered_at == lead.joined_at == accepted.settled_at < accepted.expires_at
        assert lead.left_at == conversation.closed_at
        assert (lead.read_number, lead.read_visitor_count) == (conversation.last_number, conversation.visitor_count)
    assert not Participant.objects.filter(conversation__answered_at=None).exists()


def test_events_of_the_demo_follow_the_table_of_moves():
    load()

    for conversation in Conversation.objects.all():
        events = list(conversation.events.all())
        moves = [event for event in events if event.to_state]
        assert (events[0].kind, events[0].at) == (EventKind.OPENED, conversation.queued_at)
        assert (moves[0].from_state, moves[0].to_state, moves[-1].to_state) == ("", State.WAITING, State.CLOSED)
        for before, after in itertools.pairwise(moves):
            assert after.from_state == before.to_state
            assert after.to_state in MOVES[State(after.from_state)]
        assert moves[-1].at == conversation.closed_at
    offers = ConversationEvent.objects.filter(kind=EventKind.OFFER_MADE)
    assert offers.count() == Offer.objects.count()


def test_state_changes_of_the_demo_form_chains_that_end_offline():
    load()

    for agent in Agent.objects.filter(memberships__isnull=False).distinct():
        changes = list(agent.state_changes.order_by("at"))
        assert changes[0].from_state == changes[-1].to_state == agent.state == AgentState.OFFLINE
        assert changes[-1].at == agent.state_since == agent.seen_at
        assert all(before.to_state == after.from_state for before, after in itertools.pairwise(changes))
        assert all(before.at < after.at for before, after in itertools.pairwise(changes))
        assert all(change.from_state != change.to_state for change in changes)
        assert agent.offers.order_by("made_at").last().made_at == agent.last_offered_at
    missed = AgentStateChange.objects.filter(to_state=AgentState.RONA)
    assert missed.count() == Offer.objects.filter(state=OfferState.MISSED).count() > 0


def test_offers_of_the_demo_went_to_available_members_one_at_a_time():
    load()

    for offer in Offer.objects.select_related("conversation__queue", "agent"):
        assert state_of(offer.agent, offer.made_at) == AgentState.AVAILABLE
        assert offer.agent in offer.conversation.queue.members.all()
        assert offer.settled_at <= offer.expires_at
    for conversation in Conversation.objects.all():
        offers = list(conversation.offers.all())
        assert all(before.settled_at <= after.made_at for before, after in itertools.pairwise(offers))


def test_nobody_of_the_demo_waited_while_a_member_was_available():
    load()

    for conversation in Conversation.objects.filter(answered_at=None):
        offered_until = max((offer.settled_at for offer in conversation.offers.all()), default=conversation.queued_at)
        moment = offered_until
        while moment < conversation.ended_at:
            assert AgentState.AVAILABLE not in {state_of(agent, moment) for agent in conversation.queue.members.all()}
            moment += dt.timedelta(seconds=10)
