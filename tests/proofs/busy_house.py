"""A house under all that agents do at once: routers that die, agents who answer or do not, and a looker-on."""

import contextlib
import random
import threading
import time
from dataclasses import dataclass

from django.db import connections

from agents import actions as agent_actions
from agents.models import AgentStateChange
from agents.states import AgentState
from config.clock import database_now
from config.refusal import Refused
from conversations.actions import closing, conferences, offers, opening, transfers
from conversations.models import Conversation, Offer, Participant
from conversations.states import OfferState, Role, State
from tests import invariants, make
from tests.portals import database_url
from tests.proofs.house_history import History
from tests.proofs.lateness import Machine
from tests.proofs.looking_on import LookerOn, beside, free_places, in_line
from tests.proofs.places import patience
from tests.proofs.routers import Nursery, RouterProcess

AGENT_GRACE_SECONDS = 3
AWAY_SECONDS = 2 * AGENT_GRACE_SECONDS
HEARTBEAT_SECONDS = 0.5
PAUSE_SECONDS = 0.01  # of who looks on
LOOKS_A_SECOND = 4  # at least
FAR_SECONDS = 3600
MOST_TIMES = 4
TRIES = 3
# What is promised on a machine that is never late itself: a sweep each second, and what it takes to wake up for it.
BESIDE_SECONDS = 2.0
SWEEP_SECONDS = 1.25
# How fast the free places of a whole house are filled, at least.
RUSH_SECONDS, PLACES_A_SECOND = 1.0, 50
# A machine that is late by more says nothing about what runs on it.
MOST_LATE_SECONDS = 2.0
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
    kill_every: float = 2.0


SHORT = Size()
LONG = Size(routers=8, conversations=400, agents=40, capacity=8, seconds=30, hands=6, queues=6)


class House:
    """Agents who serve one or two queues each, and a line that is always longer than their places."""

    def __init__(self, size, seed, mutants=""):
        self.size, self.seed = size, seed
        self.machine = Machine(database_url())
        self.history, self.is_over, self.is_empty = History(), threading.Event(), threading.Event()
        self.reason = {}
        self.queues = [make.queue(f"Queue {n}", offer_timeout_seconds=5) for n in range(size.queues)]
        for queue in self.queues:
            self.reason[queue.pk] = make.closing_reason(queue, is_default=True).pk
        self.agents = [self._agent(n) for n in range(size.agents)]
        self.connected = {agent.pk for agent in self.agents}
        self.ignored, self.away_until = set(), {}
        self.visitors = 0
        for n in range(size.conversations):
            queue = self.queues[n % size.queues]
            make.waiting_conversation(queue=queue, waited_seconds=600 - n / 2, visitor_seen_at=make.ago(-FAR_SECONDS))
        self.nursery, self.started = Nursery(mutants, AGENT_GRACE_SECONDS=AGENT_GRACE_SECONDS), []
        self.routers = [self._router() for _ in range(size.routers)]

    def _agent(self, n):
        first, second = self.queues[n % len(self.queues)], self.queues[(n + 1) % len(self.queues)]
        return make.agent(f"Agent {n}", queues=[first, second], capacity=self.size.capacity, state=AgentState.IDLE)

    def _router(self):
        router = RouterProcess(nursery=self.nursery)
        self.history.logs.append(router.turns)
        self.started.append(router)
        return router

    # A run

    def run(self, *, until=None):
        """Let all of it happen for the size's time, or until this is seen; then let everybody come back and finish."""
        parts = [self._look_on, self._check_on, self._kill_routers]
        parts += [lambda hand=hand: self._work(hand) for hand in range(self.size.hands)]
        threads = [threading.Thread(target=self._guarded, args=(part,)) for part in parts]
        heart = threading.Thread(target=self._guarded, args=(self._heartbeat,))
        heart.start()
        try:
            for router in self.routers:
                router.wait_until_ready()
            self._everybody_comes()
            self.history.began = time.monotonic()
            for thread in threads:
                thread.start()
            self._let_the_rush_pass()
            self._let_time_pass(until)
            self.is_over.set()
            for thread in threads:
                thread.join()
            self.history.ended = time.monotonic()
            if not self.history.broken:
                self._settle()
            self.machine.lag(self.history.began, time.monotonic())
        finally:
            self.is_over.set()
            self.is_empty.set()
            heart.join()
            self.machine.close()
            self.nursery.close()
            for router in self.routers:
                router.kill()
        self.history.broken += [fault for router in self.started for fault in router.faults()]
        return self.history

    def _let_the_rush_pass(self):
        """
        Everybody came at once and all places were free: until they are taken, or until they should be.

        Routers fill so many places a second, and not all of a house in the two seconds that one may be free.
        """
        limit = RUSH_SECONDS + self.size.agents * self.size.capacity / PLACES_A_SECOND
        end = time.monotonic() + limit * patience()
        while not self.is_over.wait(0.05) and time.monotonic() < end:
            if self.history.is_full:
                break
        self.history.rush_seconds = time.monotonic() - self.history.began

    def _let_time_pass(self, until):
        """What is measured begins anew when the machine itself was too late to tell; so often and no more."""
        for _ in range(TRIES):
            self.history.began = time.monotonic()
            self._wait(until)
            if until or self.is_over.is_set() or self.lag <= MOST_LATE_SECONDS:
                return

    def _wait(self, until):
        """Until the time is over and everything has happened that should; on a busy machine that takes longer."""
        began = time.monotonic()
        while not self.is_over.wait(0.1) and not (until and until(self)):
            took = time.monotonic() - began
            if took > self.size.seconds * MOST_TIMES or (took > self.size.seconds and not self._missing()):
                return

    @property
    def lag(self):
        """By how much the machine itself was late while this was measured."""
        return self.machine.lag(self.history.began, self.history.ended or time.monotonic())

    def late(self):
        """What was later than promised, by more than the machine itself and the time between two looks can explain."""
        found, lag = self.history, self.lag
        if found.longest_beside > BESIDE_SECONDS * patience() + lag + found.longest_gap:
            yield f"Somebody waited beside a free place for {found.longest_beside:.2f} s."
        if found.longest_pause > SWEEP_SECONDS * patience() + lag:
            yield f"For {found.longest_pause:.2f} s no router was at work."

    def unknown(self):
        """What did not happen: without it, the run proves nothing."""
        lag = self.lag
        is_in_time = lag <= MOST_LATE_SECONDS
        return self._missing() + ([] if is_in_time else [f"a machine that is in time ({lag:.2f} s late)"])

    def _missing(self):
        missing = [what for what in HAPPENS if not self.history.done[what]]
        if self.history.kills < self._fewest_kills():
            missing.append(f"routers killed ({self.history.kills})")
        if len(self.history.besides) < LOOKS_A_SECOND * self.size.seconds or self.history.checks < self.size.seconds:
            missing.append(f"moments looked at ({len(self.history.besides)} and {self.history.checks})")
        if not AgentStateChange.objects.filter(to_state=AgentState.OFFLINE).exists():
            missing.append("an agent's grace that ran out")
        ended = set(Offer.objects.values_list("state", flat=True))
        return missing + [state for state in OfferState.values if state not in ended | {OfferState.PENDING}]

    def _fewest_kills(self):
        """One at each turn but the first, for which the others may still be starting."""
        every = self.size.kill_every
        return max(self.size.seconds // every, self.history.kill_seconds // (every * patience())) - 1

    def _guarded(self, part):
        try:
            part()
        except Exception as problem:
            self.history.broken.append(f"{type(problem).__name__}: {problem}")
            self.is_over.set()
        finally:
            connections.close_all()

    def _settle(self):
        """Everybody is there again: soon the routers have nothing left to offer, and what always holds does."""
        self._everybody_comes()
        came, left = time.monotonic(), True
        limit = came + BESIDE_SECONDS * patience()
        while left and (now := time.monotonic()) < limit + self.machine.lag(came, now):
            with invariants.one_moment():
                self._check()
                left = beside(in_line(), free_places(database_now()))
        if left:
            self.history.broken.append(f"At the end {len(left)} pairs of who waits and a free place are left.")

    def _everybody_comes(self):
        self.connected.update(agent.pk for agent in self.agents)
        for agent in self.agents:
            self._is_there(agent)

    def _is_there(self, agent):
        """Who is just being signed out is not there with his first sign of life, but with one of the next."""
        for _ in range(100):
            agent_actions.desks_seen([agent.pk])
            with contextlib.suppress(Refused):
                return agent_actions.become_available(agent.pk, by=agent)
            time.sleep(0.05)
        raise AssertionError(f"{agent} cannot sign in.")

    def _check(self):
        for rule in (invariants.wrong_loads, invariants.doubly_booked, invariants.offers_not_ended_once):
            self.history.broken.extend(rule())

    # Faults

    def _kill_routers(self):
        """A router dies every two seconds, in the middle of whatever it does; another one takes its place."""
        chance, began, turn = random.Random(self.seed), time.monotonic(), 1
        while not self.is_over.wait(max(0.0, began + turn * self.size.kill_every - time.monotonic())):
            self.history.kill_seconds, turn = turn * self.size.kill_every, turn + 1
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
        return talk and transfers.to_agent(talk.pk, self._colleague(agent, chance), by=agent)

    def _colleague(self, agent, chance):
        """Mostly one who seems to have a free place, as the desk's list shows them."""
        free = [one for one in free_places(database_now()) if one != agent.pk]
        return chance.choice(free) if free and chance.random() < 0.8 else chance.choice(self.agents).pk

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
        return talk and conferences.invite(talk.pk, self._colleague(agent, chance), by=agent)

    def leave_conference(self, agent, chance):
        place = Participant.objects.filter(agent=agent, left_at=None, role=Role.GUEST).first()
        if place:
            conferences.leave(place.conversation_id, by=agent)
        return place

    def go_idle(self, agent, chance):
        return agent_actions.become_idle(agent.pk, None, by=agent)

    def come_back(self, agent, chance):
        if self.away_until.get(agent.pk, 0) > time.monotonic():
            return False
        if agent.pk not in self.connected:
            self.connected.add(agent.pk)
            agent_actions.desks_seen([agent.pk])
        return agent_actions.become_available(agent.pk, by=agent)

    def disconnect(self, agent, chance):
        self.connected.discard(agent.pk)
        agent_actions.desk_closed(agent.pk)
        if chance.random() < 0.5:  # for longer than his grace
            self.away_until[agent.pk] = time.monotonic() + AWAY_SECONDS
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
        """Read one moment after the other: who waits beside a free place, and since when."""
        looker_on = LookerOn()
        while not self.is_over.wait(PAUSE_SECONDS):
            with invariants.one_moment():
                at, now = time.monotonic(), database_now()
                self.history.besides.append((at, looker_on.look(now)))
            self.history.is_full = not looker_on.pairs

    def _check_on(self):
        """Read other moments: whether what always holds does."""
        while not self.is_over.wait(PAUSE_SECONDS):
            with invariants.one_moment():
                self._check()
            self.history.checks += 1


WEIGHTS = {
    House.answer: 50, House.end: 8, House.finish: 10, House.transfer: 6, House.put_in_line: 3, House.take_back: 2,
    House.conference: 8, House.leave_conference: 3, House.go_idle: 1, House.disconnect: 1, House.come_back: 8,
}  # fmt: skip


def one_of(rows, chance):
    rows = list(rows)
    return chance.choice(rows) if rows else None
