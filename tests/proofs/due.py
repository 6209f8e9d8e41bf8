"""One of everything that can be due, with the same deadline; and when each of them was acted on."""

import datetime as dt
import threading

from django.db import transaction

from agents import actions as agent_actions
from agents.models import Agent, AgentStateChange
from agents.states import AgentState
from config.clock import database_now
from conversations.actions import closing, offers, presence
from conversations.models import Conversation, ConversationEvent
from conversations.states import EventKind, Remark, State, SystemReason
from tests import make
from tests.proofs.broken_work import MOMENT_SECONDS

# The shortest that queues allow; the processes are started with the same grace for agents.
GRACE_SECONDS = 5
FAR_SECONDS = 3600
KINDS = (
    "offer timeout",
    "wrap-up limit",
    "waiting visitor",
    "active visitor",
    "agent's grace",
    "lost lead",
    "overflow",
)


class Due:
    """Seven deadlines that run out together, and what would have been in time."""

    def __init__(self, seconds):
        self.deadline = database_now() + dt.timedelta(seconds=seconds)
        self.since = self.deadline - dt.timedelta(seconds=GRACE_SECONDS)
        self.here = {"visitor_seen_at": make.ago(-FAR_SECONDS)}
        self.gone = {"visitor_seen_at": self.since, "is_visitor_here": False}
        with transaction.atomic():  # otherwise a router could offer what is to be offered here
            self._offer_and_wrap_up()
            self._visitors()
            self._lost_agent()
            self._overflow()

    def _offer_and_wrap_up(self):
        asked, lead = present("Asked"), present("Lead")
        waiting = make.waiting_conversation(queue=make.queue(members=[asked]), **self.here)
        self.offer = make.offer(to=asked, conversation=waiting, expires_at=self.deadline)
        self.wrap_up = make.wrap_up_conversation(lead=lead, queue=make.queue(members=[lead]), **self.here)
        self.reason = make.closing_reason(self.wrap_up.queue, is_default=True)
        Conversation.objects.filter(pk=self.wrap_up.pk).update(wrap_up_deadline=self.deadline)

    def _visitors(self):
        idle = present("Idle", state=AgentState.IDLE)
        queue = make.queue(members=[idle], waiting_grace_seconds=GRACE_SECONDS, visitor_gone_seconds=GRACE_SECONDS)
        self.waiting = make.waiting_conversation(queue=queue, waited_seconds=FAR_SECONDS, **self.gone)
        self.active = make.active_conversation(lead=idle, queue=queue, **self.gone)

    def _lost_agent(self):
        self.lost = make.agent("Lost", seen_at=self.since, connected_until=self.since)
        self.left_alone = make.active_conversation(lead=self.lost, queue=make.queue(members=[self.lost]), **self.here)

    def _overflow(self):
        member = present("Member")
        queue = make.queue(members=[member], overflow_queue=make.queue(members=[member]))
        type(queue).objects.filter(pk=queue.pk).update(overflow_after_seconds=GRACE_SECONDS)
        self.overflowing = make.waiting_conversation(queue=queue, **self.here)
        Conversation.objects.filter(pk=self.overflowing.pk).update(entered_queue_at=self.since)
        self.rescue = make.offer(to=member, conversation=self.overflowing, seconds=FAR_SECONDS)

    # What was done

    def fired(self):
        """For each kind, the moments at which it was acted on."""
        changes = AgentStateChange.objects.filter(agent=self.lost, to_state=AgentState.OFFLINE)
        return {
            "offer timeout": events(self.offer.conversation, EventKind.OFFER_MISSED),
            "wrap-up limit": events(self.wrap_up, EventKind.CLOSED),
            "waiting visitor": events(self.waiting, EventKind.CLOSED, system_reason=SystemReason.ABANDONED),
            "active visitor": events(self.active, EventKind.ENDED, remark=Remark.VISITOR_GONE),
            "agent's grace": list(changes.values_list("at", flat=True)),
            "lost lead": events(self.left_alone, EventKind.RETURNED),
            "overflow": events(self.overflowing, EventKind.OVERFLOWED),
        }

    def targets(self):
        """For each kind, which action of the sweep does it, and to what."""
        return {
            "offer timeout": ("miss", self.offer.pk),
            "wrap-up limit": ("finish_automatically", self.wrap_up.pk),
            "waiting visitor": ("give_up_on_visitor", self.waiting.pk),
            "active visitor": ("give_up_on_visitor", self.active.pk),
            "agent's grace": ("_lose_agent", self.lost.pk),
            "lost lead": ("replace_lost_lead", self.left_alone.pk),
            "overflow": ("overflow", self.overflowing.pk),
        }

    def found_by_both(self, first, second):
        """The kinds that two routers found before either of them did what they found."""
        return {kind for kind, target in self.targets().items() if found_together(*target, first.found, second.found)}

    def count(self):
        return sum(len(moments) for moments in self.fired().values())

    def not_once(self, until=None):
        """What was not acted on exactly once, not before its deadline and not after this moment."""
        for kind, moments in self.fired().items():
            if len(moments) != 1:
                yield f"{kind}: {len(moments)} times."
            for at in moments:
                if at < self.deadline:
                    yield f"{kind}: {(self.deadline - at).total_seconds():.3f} s early."
                if until is not None and at > until:
                    yield f"{kind}: {(at - until).total_seconds():.3f} s late."

    # Answers in time

    def answers(self):
        """For each kind, what a person does in time."""
        return {
            "offer timeout": lambda: offers.accept(self.offer.pk, by=self.offer.agent),
            "wrap-up limit": lambda: closing.finish(self.wrap_up.pk, self.reason.pk, by=lead_of(self.wrap_up)),
            "waiting visitor": lambda: presence.visitor_came(self.waiting.pk),
            "active visitor": lambda: presence.visitor_came(self.active.pk),
            "agent's grace": self._desk_comes_back,
            "overflow": lambda: offers.accept(self.rescue.pk, by=self.rescue.agent),
        }

    def _desk_comes_back(self):
        """And it stays, though nobody beats for it: after another grace the agent would be lost again, and rightly."""
        agent_actions.desks_seen([self.lost.pk])
        seen = Agent.objects.filter(pk=self.lost.pk, seen_at__gt=self.since)
        seen.update(seen_at=make.ago(-FAR_SECONDS))

    def fired_automatically(self):
        """The kinds that the clock acted on; a wrap-up that its lead finished in time is none of them."""
        kinds = {kind for kind, moments in self.fired().items() if moments}
        is_automatic = Conversation.objects.filter(pk=self.wrap_up.pk, is_closed_automatically=True).exists()
        return kinds if is_automatic else kinds - {"wrap-up limit"}


def found_together(act, pk, first, second):
    one, other = ([at for at, name, ids in found if name == act and pk in ids] for found in (first, second))
    return any(abs(early - late) < MOMENT_SECONDS for early in one for late in other)


def present(name, **fields):
    """An agent whose desk stays open, whoever sweeps."""
    future = make.ago(-FAR_SECONDS)
    return make.agent(name, **{"seen_at": future, "connected_until": future, **fields})


def lead_of(conversation):
    return conversation.participants.get(left_at=None).agent


def events(conversation, kind, **details):
    found = ConversationEvent.objects.filter(conversation=conversation, kind=kind)
    return [one.at for one in found if details.items() <= one.details.items()]


def wait_until(moment):
    """By the database's clock, whose deadlines they are."""
    while (left := (moment - database_now()).total_seconds()) > 0:
        threading.Event().wait(min(left, 0.5))


def wait_for(condition, seconds=30):
    for _ in range(int(seconds * 50)):
        if condition():
            return True
        threading.Event().wait(0.02)
    return False


def one_more_sweep():
    """Something that is due already is acted on by a sweep that began after this moment."""
    lead = present("Canary")
    canary = make.wrap_up_conversation(lead=lead, queue=make.queue(members=[lead]), visitor_seen_at=make.ago(-60))
    Conversation.objects.filter(pk=canary.pk).update(wrap_up_deadline=make.ago(1))
    assert wait_for(Conversation.objects.filter(pk=canary.pk, state=State.CLOSED).exists), "Nobody sweeps."
