"""A house under all that agents do at once: routers that die, agents who answer or do not, and a looker-on."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connections

from agents import actions as agent_actions
from agents.models import Agent
from agents.states import AgentState
from config.clock import database_now
from config.refusal import Refused
from conversations.actions import closing, conferences, offers, opening, transfers
from conversations.actions.routing import not_offered
from conversations.models import Conversation, Offer, Participant
from conversations.states import OfferState, Role, State
from queues.models import QueueMembership
from tests import invariants, make
from tests.proofs.routers import RouterProcess

AGENT_GRACE_SECONDS = 3
KILL_EVERY_SECONDS = 2.0
HEARTBEAT_SECONDS = 0.5
PAUSE_SECONDS = 0.01  # of the looker-on
FAR_SECONDS = 3600
MOST_TIMES = 4
HAPPENS = (
    "accept", "decline", "ignore", "end", "finish", "transfer", "put_in_line", "conference", "go_idle", "disconnect",
    "come_back",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much of everything; there are fewer places than conversations."""

    routers: int = 3
    conversations: int = 60
    agents: int = 10
    capacity: int = 4
    seconds: float = 8
    hands: int = 4
    queues: int = 3
    pause: float = 0.01  # of a pair of hands between two acts


SHORT = Size()
LONG = Size(routers=8, conversations=400, agents=40, capacity=8, seconds=30, hands=6, queues=6)


@dataclass
class History:
    """What was done and what was seen."""

    done: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    broken: list = field(default_factory=list)
    samples: int = 0
    kills: int = 0
    longest_beside: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    logs: list = field(default_factory=list)

    @property
    def turns(self):
        """The routers' turns while the house was busy."""
        ended = self.ended or time.monotonic()
        turns = [turn for log in self.logs for turn in list(log)]
        return sorted(turn for turn in turns if turn[1] >= self.began and turn[0] <= ended)

    @property
    def lag(self):
        """How much longer than a second the routers let pass between turns or took for one."""
        turns = self.turns
        gaps = [later[0] - former[0] for former, later in zip(turns, turns[1:], strict=False)]
        took = [ended - began for began, ended in turns]
        return max(0.0, max(gaps, default=0) - 1) + max(0.0, max(took, default=0) - 1)


class House:
    """Agents who serve one or two queues each, and a line that is always longer than their places."""

    def __init__(self, size, seed, mutants=""):
        self.size, self.mutants, self.seed = size, mutants, seed
        self.history, self.is_over, self.is_empty = History(), threading.Event(), threading.Event()
        self.reason = {}
        self.queues = [make.queue(f"Queue {n}", offer_timeout_seconds=5) for n in range(size.queues)]
        for queue in self.queues:
            self.reason[queue.pk] = make.closing_reason(queue, is_default=True).pk
        self.agents = [self._agent(n) for n in range(size.agents)]
        self.connected = {agent.pk for agent in self.agents}
        self.ignored = set()
        self.visitors = 0
        for n in range(size.conversations):
            queue = self.queues[n % size.queues]
            make.waiting_conversation(queue=queue, waited_seconds=600 - n / 2, visitor_seen_at=make.ago(-FAR_SECONDS))
        self.routers = [self._router() for _ in range(size.routers)]

    def _agent(self, n):
        first, second = self.queues[n % len(self.queues)], self.queues[(n + 1) % len(self.queues)]
        return make.agent(f"Agent {n}", queues=[first, second], capacity=self.size.capacity, state=AgentState.IDLE)

    def _router(self):
        router = RouterProcess(self.mutants, AGENT_GRACE_SECONDS=AGENT_GRACE_SECONDS)
        self.history.logs.append(router.turns)
        return router

    # A run

    def run(self, *, until=None):
        """Let all of it happen for the size's time, or until this is seen; then let everybody come back and finish."""
        parts = [self._look_on, self._kill_routers]
        parts += [lambda hand=hand: self._work(hand) for hand in range(self.size.hands)]
        threads = [threading.Thread(target=self._guarded, args=(part,)) for part in parts]
        heart = threading.Thread(target=self._guarded, args=(self._heartbeat,))
        heart.start()
        try:
            for router in self.routers:
                router.wait_until_ready().wait_for_turn()
            self._everybody_comes()
            self.history.began = time.monotonic()
            for thread in threads:
                thread.start()
            self._wait(until)
            self.is_over.set()
            for thread in threads:
                thread.join()
            self.history.ended = time.monotonic()
            if not until and not self.history.broken:
                self._settle()
        finally:
            self.is_over.set()
            self.is_empty.set()
            heart.join()
            for router in self.routers:
                router.kill()
        return self.history

    def _wait(self, until):
        """Until the time is over and everything has happened that should; on a busy machine that takes longer."""
        began = time.monotonic()
        while not self.is_over.wait(0.1) and not (until and until(self.history)):
            took = time.monotonic() - began
            if took > self.size.seconds * MOST_TIMES or (took > self.size.seconds and not self.unknown()):
                return

    def unknown(self):
        """What did not happen: without it, the run proves nothing."""
        missing = [what for what in HAPPENS if not self.history.done[what]]
        if self.history.kills < self.size.seconds // 4:
            missing.append(f"routers killed ({self.history.kills})")
        if self.history.samples < self.size.seconds:
            missing.append(f"moments looked at ({self.history.samples})")
        ended = set(Offer.objects.values_list("state", flat=True))
        return missing + [state for state in OfferState.values if state not in ended | {OfferState.PENDING}]

    def _guarded(self, part):
        try:
            part()
        except Exception as problem:
            self.history.broken.append(f"{type(problem).__name__}: {problem}")
            self.is_over.set()
        finally:
            connections.close_all()

    def _settle(self):
        """Everybody is there again: the routers have nothing left to offer, and everything that always holds does."""
        self._everybody_comes()
        for router in self.routers:
            router.wait_until_ready().wait_for_turn()
        with invariants.one_moment():
            self._check()

    def _everybody_comes(self):
        self.connected.update(agent.pk for agent in self.agents)
        for agent in self.agents:
            agent_actions.desks_seen([agent.pk])
            agent_actions.become_available(agent.pk, by=agent)

    def _check(self):
        for rule in (invariants.wrong_loads, invariants.doubly_booked, invariants.offers_not_ended_once):
            self.history.broken.extend(rule())

    # Faults

    def _kill_routers(self):
        """A router dies every two seconds, in the middle of whatever it does; another one takes its place."""
        chance = random.Random(self.seed)
        while not self.is_over.wait(KILL_EVERY_SECONDS):
            ready = [place for place, router in enumerate(self.routers) if router.is_ready.is_set()]
            if len(ready) < 2:
                continue  # the promise is about a house with a router
            place = chance.choice(ready)
            self.routers[place].kill()
            self.routers[place] = self._router()
            self.history.kills += 1

    def _heartbeat(self):
        while not self.is_empty.wait(HEARTBEAT_SECONDS):
            agent_actions.desks_seen(list(self.connected))

    # Agents

    def _work(self, hand):
        """One pair of hands does at random what its agents could do."""
        chance = random.Random(f"{self.seed} {hand}")
        mine = self.agents[hand :: self.size.hands]
        acts, weights = zip(*WEIGHTS.items(), strict=True)
        while not self.is_over.wait(self.size.pause):
            act = chance.choices(acts, weights)[0]
            try:
                if act(self, chance.choice(mine), chance):
                    self.history.done[act.__name__] += 1
            except Refused as refusal:
                self.history.refused[f"{act.__name__}: {type(refusal).__name__}"] += 1

    def answer(self, agent, chance):
        pending = Offer.objects.filter(agent=agent, state=OfferState.PENDING).exclude(pk__in=self.ignored)
        for offer in pending:
            what = chance.choices(("accept", "decline", "ignore"), (80, 15, 5))[0]
            if what == "ignore":
                self.ignored.add(offer.pk)
            else:
                getattr(offers, what)(offer.pk, by=agent)
            self.history.done[what] += 1
        return bool(pending)

    def end(self, agent, chance):
        talk = one_of(self._led_by(agent, State.ACTIVE), chance)
        if talk and chance.random() < 0.5:
            return closing.end(talk.pk, by=agent)
        return talk and closing.end_by_visitor(talk.pk)

    def finish(self, agent, chance):
        talk = one_of(self._led_by(agent, State.WRAP_UP), chance)
        if talk:
            closing.finish(talk.pk, self.reason[talk.queue_id], by=agent)
            self._somebody_comes(chance)
        return talk

    def transfer(self, agent, chance):
        talk = one_of(self._led_by(agent, State.ACTIVE), chance)
        return talk and transfers.to_agent(talk.pk, chance.choice(self.agents).pk, by=agent)

    def put_in_line(self, agent, chance):
        talk = one_of(self._led_by(agent, State.ACTIVE), chance)
        return talk and transfers.to_queue(talk.pk, chance.choice(self.queues).pk, by=agent)

    def take_back(self, agent, chance):
        talk = one_of(self._led_by(agent, State.ACTIVE).filter(offers__state=OfferState.PENDING), chance)
        if talk:
            transfers.cancel(talk.pk, by=agent)
        return talk

    def conference(self, agent, chance):
        talk = one_of(self._led_by(agent, State.ACTIVE), chance)
        return talk and conferences.invite(talk.pk, chance.choice(self.agents).pk, by=agent)

    def leave_conference(self, agent, chance):
        place = Participant.objects.filter(agent=agent, left_at=None, role=Role.GUEST).first()
        if place:
            conferences.leave(place.conversation_id, by=agent)
        return place

    def go_idle(self, agent, chance):
        return agent_actions.become_idle(agent.pk, None, by=agent)

    def come_back(self, agent, chance):
        if agent.pk not in self.connected:
            self.connected.add(agent.pk)
            agent_actions.desks_seen([agent.pk])
        return agent_actions.become_available(agent.pk, by=agent)

    def disconnect(self, agent, chance):
        self.connected.discard(agent.pk)
        agent_actions.desk_closed(agent.pk)
        return True

    def _led_by(self, agent, state):
        return Conversation.objects.filter(
            participants__agent=agent, participants__role=Role.LEAD, participants__left_at=None, state=state
        )

    def _somebody_comes(self, chance):
        self.visitors += 1
        name = f"{chance.getrandbits(128):032x}{self.visitors:032x}"
        said = opening.Opening(name, "Somebody", "", "Hello?", f"first-{name[:20]}")
        talk = opening.open_conversation(chance.choice(self.queues).pk, said)
        Conversation.objects.filter(pk=talk.pk).update(visitor_seen_at=make.ago(-FAR_SECONDS))

    # Looking on

    def _look_on(self):
        """Read one moment after the other: what always holds, and who waits beside a free place since when."""
        waiting_since, free_since = {}, {}
        while not self.is_over.wait(PAUSE_SECONDS):
            with invariants.one_moment():
                now = database_now()
                self._check()
                waiting_since = carry_on(waiting_since, in_line(), now)
                free_since = carry_on(free_since, free_places(now), now)
                members = set(QueueMembership.objects.values_list("queue", "agent"))
            self.history.samples += 1
            for (_talk, queue, *_), waits_since in waiting_since.items():
                for (agent, *_), is_free_since in free_since.items():
                    if (queue, agent) in members:
                        beside = (now - max(waits_since, is_free_since)).total_seconds()
                        self.history.longest_beside = max(self.history.longest_beside, beside)


WEIGHTS = {
    House.answer: 50, House.end: 8, House.finish: 10, House.transfer: 6, House.put_in_line: 3, House.take_back: 2,
    House.conference: 8, House.leave_conference: 3, House.go_idle: 1, House.disconnect: 1, House.come_back: 8,
}  # fmt: skip


def one_of(rows, chance):
    rows = list(rows)
    return chance.choice(rows) if rows else None


def carry_on(since, seen, now):
    """Since when what is seen now has been so without a break."""
    return {one: since.get(one, now) for one in seen}


def in_line():
    """Who waits without an offer; another time in line or another offer in between makes another one of him."""
    rows = not_offered().values_list("pk", "queue", "entered_queue_at")
    made = Counter(Offer.objects.filter(conversation__state=State.WAITING).values_list("conversation", flat=True))
    return [(pk, queue, entered, made[pk]) for pk, queue, entered in rows]


def free_places(now):
    """Which agents have a free place, by a recount; an offer or a change in between makes another one of them."""
    taken = invariants.taken_places()
    ready = Agent.objects.filter(state=AgentState.AVAILABLE, connected_until__gt=now, is_active=True)
    rows = ready.values_list("pk", "capacity", "last_offered_at", "state_since")
    return [(pk, offered, since) for pk, capacity, offered, since in rows if taken[pk] < capacity]
