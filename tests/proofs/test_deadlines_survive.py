"""Deadlines survive: whatever dies, however many sweep, whatever the processes' clocks say."""

import datetime as dt
import threading

import pytest
from django.db import connection

from config.clock import database_now
from config.refusal import Refused
from tests.proofs.broken_serve import BrokenPortal
from tests.proofs.due import GRACE_SECONDS, KINDS, Due, one_more_sweep, wait_for, wait_until
from tests.proofs.places import patience, running
from tests.proofs.routers import RouterProcess
from tests.proofs.verdict import Unknown
from tests.races.crowd import at_once

pytestmark = pytest.mark.django_db(transaction=True)

AFTER_START_SECONDS = 2.0
FIVE_MINUTES = 300
RIGHT = ""  # no mutant
TRIES = 3
STILL_SECONDS = 1.5  # longer than between two sweeps
# A busy machine may need longer than 100 ms for an answer; an answer that came too late proves nothing.
MARGINS_SECONDS = (0.1, 0.1, 0.2, 0.4, 0.8, 1.6)


@pytest.fixture
def start_routers():
    """Start routers, each a process of its own, that are ended with the test."""
    started = []

    def start(*mutants, **environment):
        grace = {"AGENT_GRACE_SECONDS": GRACE_SECONDS}
        some = [RouterProcess(names, **grace, **environment) for names in mutants]
        started.extend(some)
        return [router.wait_until_ready() for router in some]

    yield start

    for router in started:
        router.kill()
    assert [fault for router in started for fault in router.faults()] == []


# Killed before, started after


def is_ready(portal):
    return portal.get("/readyz") == 200


def start_again(portals):
    """Start them; answers when the first of them answered, and until when everything that is due must be done."""
    allowed = dt.timedelta(seconds=AFTER_START_SECONDS * patience())
    portals[0].start()
    started_at = database_now()
    for portal in portals[1:]:
        portal.start()
    return started_at, started_at + allowed


def test_what_ran_out_while_everything_was_dead_is_done_once_within_two_seconds_of_the_start(start_portal):
    count = 1 if connection.vendor == "sqlite" else 2
    portals = [start_portal(AGENT_GRACE_SECONDS=GRACE_SECONDS) for _ in range(count)]
    assert all(wait_for(lambda portal=portal: is_ready(portal)) for portal in portals)
    due = Due(seconds=8)
    one_more_sweep()  # they have seen the rows, and found nothing due

    for portal in portals:
        portal.kill()
    is_known = database_now() < due.deadline and due.count() == 0
    wait_until(due.deadline)
    if not is_known or due.count():
        raise Unknown("The processes did not die before the deadline.")

    started_at, limit = start_again(portals)
    wait_until(limit)
    late = list(due.not_once(until=limit))
    assert all(wait_for(lambda portal=portal: is_ready(portal)) for portal in portals)
    for _ in range(2):
        one_more_sweep()

    for kind, moments in due.fired().items():
        print(f"{kind}: {[f'{(at - started_at).total_seconds():+.2f} s' for at in moments]} from the first answer")
    assert late == []
    assert list(due.not_once(until=limit)) == []


def test_a_router_that_begins_late_turns_the_proof_red(transactional_db, tmp_path):
    mutant = "tests.proofs.broken_work:late_first_sweep"
    due = Due(seconds=-1)

    portal = BrokenPortal(tmp_path, mutant, AGENT_GRACE_SECONDS=GRACE_SECONDS)

    with running([]) as started:
        started.append(portal)
        _started_at, limit = start_again(started)
        wait_until(limit)
        late = set(due.not_once(until=limit))

    assert late == {f"{kind}: 0 times." for kind in KINDS}


# Many sweepers


def not_once_by_two(start_routers, count, mutants=""):
    """What was not done exactly once, though two routers find it at the same moment: each kind in one try at least."""
    names = ",".join(f"tests.proofs.broken_work:{name}" for name in ("slow_to_act", *mutants.split()))
    routers = start_routers(names, names)
    unknown, wrong = set(KINDS), []
    for _ in range(TRIES):
        with routers[0].standing_still(), routers[1].standing_still():
            everything = [Due(seconds=-1) for _ in range(count)]
            threading.Event().wait(STILL_SECONDS)  # then the next sweep of both is overdue, and they begin together
        assert wait_for(lambda made=everything: all(due.count() >= len(KINDS) for due in made), 120)
        for _ in range(2):
            one_more_sweep()
        for router in routers:
            router.wait_for_sweep()
        wrong += [sentence for due in everything for sentence in due.not_once()]
        unknown -= set.union(*[due.found_by_both(*routers) for due in everything])
        if not unknown:
            return wrong
    raise Unknown(f"No two routers found {sorted(unknown)} at the same moment.")


def test_what_two_sweepers_find_is_done_once(start_routers, soak):
    assert not_once_by_two(start_routers, 40 if soak else 6) == []


@pytest.mark.only_on("postgresql")
def test_a_deadline_that_is_judged_before_the_lock_fires_twice_and_turns_the_proof_red(start_routers):
    assert "agent's grace: 2 times." in not_once_by_two(start_routers, 1, "lost_by_what_was_read")


# Answers just in time


def timed(act):
    """Whether it was refused, and when it was over."""

    def answers():
        try:
            act()
            was_refused = False
        except Refused:
            was_refused = True
        return was_refused, database_now()

    return answers


def in_time(margin):
    """Answer everything so long before its deadline: what was answered in time, and what is wrong with that."""
    due = Due(seconds=margin + 1.5)
    answers = due.answers()
    wait_until(due.deadline - dt.timedelta(seconds=margin))
    results = dict(zip(answers, at_once(*map(timed, answers.values())), strict=True))
    wait_until(due.deadline)
    one_more_sweep()
    fired = due.fired_automatically()
    answered = {kind for kind, (_refused, at) in results.items() if at < due.deadline}
    wrong = [f"{kind} was acted on, though answered {margin} s before." for kind in answered & fired]
    wrong += [f"The answer to {kind} was refused {margin} s before." for kind in answered if results[kind][0]]
    return answered, wrong


def test_an_answer_in_the_last_moment_beats_the_deadline(start_routers, soak):
    start_routers(RIGHT, RIGHT)
    rounds, answered, wrong = 20 if soak else 2, [], []
    for _ in range(rounds):
        unanswered = set(KINDS) - {"lost lead"}
        for margin in MARGINS_SECONDS:
            kinds, found = in_time(margin)
            unanswered -= kinds
            wrong += found
            answered.append((margin, len(kinds)))
            if not unanswered:
                break
        if unanswered:
            raise Unknown(f"No answer to {sorted(unanswered)} came in time.")

    print("answered in time, by seconds before the deadline:", answered)
    assert wrong == []


# Wrong clocks


def wrong_with_a_clock_off_by(shift, start_routers, mutant=RIGHT):
    """What a process whose clock is wrong by so many seconds did early, late or twice, beside one whose is right."""
    names = ",".join(filter(None, ["tests.proofs.broken_work:early_shifted_clock", mutant]))
    right, wrong = start_routers(RIGHT, names, CLOCK_SHIFT=shift)
    if abs(wrong.clock - right.clock - shift) > FIVE_MINUTES / 5:
        raise Unknown("The clock is not wrong.")
    with right.standing_still():  # what is due is first the other one's to find
        later, now = Due(seconds=FIVE_MINUTES / 2), Due(seconds=-1)
        for _ in range(2):  # what follows from the first is done by the second
            wrong.wait_for_sweep()
        alone = [f"Alone: {sentence}" for sentence in now.not_once()]
    for router in (right, wrong):
        router.wait_for_sweep()
    early = [f"Early: {kind}." for kind, moments in later.fired().items() if moments]
    return early + alone + list(now.not_once())


@pytest.mark.parametrize("shift", [FIVE_MINUTES, -FIVE_MINUTES])
def test_a_process_whose_clock_is_wrong_does_nothing_early_late_or_twice(start_routers, shift):
    assert wrong_with_a_clock_off_by(shift, start_routers) == []


@pytest.mark.only_on("sqlite")
def test_deadlines_by_the_processs_clock_turn_the_proof_red(start_routers):
    mutant = "tests.proofs.broken_work:early_pythons_clock"

    found = wrong_with_a_clock_off_by(FIVE_MINUTES, start_routers, mutant)

    assert any(sentence.startswith("Early") for sentence in found)
