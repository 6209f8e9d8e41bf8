"""Nobody is double-booked and nobody is forgotten, whatever agents do and however often routers die."""

import dataclasses
import datetime as dt

import pytest

from config.refusal import Refused
from conversations.actions import closing, offers, transfers
from conversations.errors import AlreadyEnded, Gone, OfferGone, OfferPending
from conversations.load import load_of
from conversations.models import Conversation, Offer
from conversations.states import State
from tests import invariants, make
from tests.proofs import broken_work
from tests.proofs.busy_house import LONG, SHORT, House
from tests.proofs.line_order import out_of_order
from tests.proofs.looking_on import LookerOn, beside, free_places, in_line
from tests.proofs.routers import RouterProcess
from tests.proofs.verdict import Unknown
from tests.races.crowd import at_once

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 20
BESIDE, PAUSE = "beside a free place", "no router was at work"  # what can be late
FEW = dataclasses.replace(SHORT, routers=2, conversations=30, agents=4, seconds=10)
# Agents who take a break every second are never free for long, and a router that starts looks at once.
CALM = dataclasses.replace(FEW, pause=0.3, kill_every=60)


def test_a_house_in_which_routers_die_double_books_and_forgets_nobody(soak, seed):
    house = House(LONG if soak else SHORT, seed)

    history = house.run()

    disorder = list(out_of_order(1 + house.lag))
    print(f"{Conversation.objects.count()} conversations, {Offer.objects.count()} offers")
    print(f"{history.kills} routers killed, one of {history.kill_seconds / (history.kills or 1):.1f} s")
    print(f"{len(history.besides)} and {history.checks} moments looked at, {len(history.turns)} turns of routers")
    print(f"all places taken {history.rush_seconds:.1f} s after everybody had come at once")
    print(f"longest free place beside somebody who waits {history.longest_beside:.2f} s", end=" ")
    print(f"(of that {history.longest_gap:.2f} s between two looks)")
    print(f"longest time without a router at work {history.longest_pause:.2f} s")
    print(f"the machine itself was late by {house.lag:.2f} s")
    print(f"done {dict(history.done)}, refused {dict(history.refused)}")
    assert history.broken == []
    assert disorder == []
    if missing := house.unknown():
        raise Unknown(missing)
    assert list(house.late()) == []


@pytest.mark.only_on("postgresql")
def test_routers_that_do_not_count_places_under_the_lock_turn_the_proof_red(monkeypatch, seed):
    monkeypatch.setattr(offers, "load_of", load_of)  # put back afterwards
    broken_work.no_capacity_check_under_lock()
    house = House(FEW, seed, "tests.proofs.broken_work:no_capacity_check_under_lock")

    history = house.run(until=lambda house: house.history.broken)

    assert any("capacity" in sentence for sentence in history.broken)


def test_routers_that_forget_the_line_turn_the_proof_red(seed):
    house = House(CALM, seed, "tests.proofs.broken_work:nobody_routes")

    late = until_late(house, BESIDE)

    assert is_told(BESIDE, late)
    assert [sentence[:10] for sentence in house.history.broken] == ["At the end"]


def test_routers_that_look_every_ten_seconds_alone_turn_the_proof_red(seed):
    house = House(CALM, seed, "tests.proofs.broken_work:rare_sweeps")

    late = until_late(house, BESIDE, PAUSE)

    assert is_told(BESIDE, late)
    assert is_told(PAUSE, late)


def test_routers_that_make_one_offer_a_second_turn_the_proof_red(seed):
    house = House(CALM, seed, "tests.proofs.broken_work:one_offer_a_second")

    late = until_late(house, BESIDE)

    assert is_told(BESIDE, late)
    assert all(sentence.startswith("At the end") for sentence in house.history.broken)
    assert Offer.objects.count() > 2


def until_late(house, *what):
    """Let the house run until all of this was late: what was, before the end of the run made the machine late too."""
    late = []

    def is_found(house):
        late[:] = house.late()
        return all(is_told(one, late) for one in what)

    house.run(until=is_found)
    return late


def is_told(what, sentences):
    return any(what in sentence for sentence in sentences)


def test_somebody_who_is_passed_over_turns_the_proof_red():
    queue = make.queue()
    make.waiting_conversation(queue=queue, waited_seconds=60)
    second = make.waiting_conversation(queue=queue, waited_seconds=30)
    make.offer(to=make.agent(queues=[queue]), conversation=second, made_at=make.ago(0))

    assert len(list(out_of_order())) == 1


def test_a_router_that_ends_with_a_fault_is_told_of():
    router = RouterProcess("tests.proofs.broken_work:no_such_mutant")
    router.process.wait(60)
    router.kill()

    assert [sentence[:12] for sentence in router.faults()] == ["A router end", "A router had"]


def test_an_open_lead_and_a_pending_offer_of_what_is_closed_are_found():
    one, another = make.closed_conversation(lead=make.agent("One")), make.closed_conversation(lead=make.agent("Other"))
    assert list(invariants.doubly_booked()) == []
    make.participant(one, make.agent("Lucía"))
    make.offer(to=make.agent("Marta"), conversation=another)

    assert len(list(invariants.doubly_booked())) == 2


def test_a_free_place_beside_somebody_who_waits_is_seen():
    queue = make.queue()
    lucia, _elsewhere = make.agent("Lucía", queues=[queue], capacity=1), make.agent("Marta", queues=[make.queue()])
    first, second = make.waiting_conversation(queue=queue), make.waiting_conversation(queue=queue)

    assert {(waits[0], agent) for waits, agent in pairs()} == {(first.pk, lucia.pk), (second.pk, lucia.pk)}
    make.offer(to=lucia, conversation=first)
    assert pairs() == []


def pairs():
    return beside(in_line(), free_places(make.ago(0)))


def test_offers_to_others_do_not_hide_who_is_forgotten_beside_a_place_that_stays_free():
    queue, looker_on = make.queue(), LookerOn()
    lucia = make.agent("Lucía", queues=[queue], capacity=8)
    make.waiting_conversation(queue=queue)
    began, looks = make.ago(0), []
    for second in range(4):
        looks.append(looker_on.look(began + dt.timedelta(seconds=second)))
        make.offer(to=lucia, conversation=make.waiting_conversation(queue=queue))

    assert looks == [0, 1, 2, 3]


def test_a_place_that_was_taken_in_between_is_another_one():
    queue, looker_on = make.queue(), LookerOn()
    lucia = make.agent("Lucía", queues=[queue], capacity=2)
    make.waiting_conversation(queue=queue)
    looker_on.look(make.ago(0))
    for _ in range(2):
        offers.decline(make.offer(to=lucia, conversation=make.waiting_conversation(queue=make.queue())).pk, by=lucia)

    assert looker_on.look(make.ago(-1)) == 0


# Many at the same moment


def told(act):
    """What became of it: an answer, a refusal, or (which nobody should ever see) a fault."""

    def answers():
        try:
            return act()
        except Refused:
            raise
        except Exception as fault:
            return fault

    return answers


def crowd(*acts):
    """Who of all these won, and the names of what the others were told."""
    answers = at_once(*[told(act) for act in acts])
    winners = [answer for answer in answers if isinstance(answer, Conversation | Offer)]
    return len(winners), {type(answer) for answer in answers if answer not in winners}


def accepts(rounds):
    """What went wrong when one request was accepted in twenty tabs at once."""
    for _ in range(rounds):
        offer = make.offer()
        found = crowd(*[lambda offer=offer: offers.accept(offer.pk, by=offer.agent)] * CROWD)
        if found != (1, {OfferGone}):
            yield f"Of {CROWD} accepts {found[0]} won, and the others got {found[1]}."
        yield from wrong_rows()


def wrong_rows():
    yield from invariants.wrong_loads()
    yield from invariants.doubly_booked()
    yield from invariants.offers_not_ended_once()


@pytest.fixture
def rounds(soak):
    return 100 if soak else 5


def test_of_twenty_accepts_one_wins_and_the_others_are_told(rounds):
    assert list(accepts(rounds)) == []


def test_an_accept_that_was_judged_before_the_lock_turns_the_proof_red(monkeypatch):
    monkeypatch.setattr(offers, "accept", offers.accept)  # put back afterwards
    broken_work.read_before_lock()

    assert any("accepts" in sentence for sentence in accepts(20))


def test_of_twenty_transfers_to_colleagues_one_wins_and_the_others_are_told(rounds):
    colleagues = [make.agent(f"Colleague {n}", capacity=20) for n in range(CROWD)]
    for _ in range(rounds):
        lucia = make.agent("Lucía")
        talk = make.active_conversation(lead=lucia)

        found = crowd(
            *[lambda talk=talk, by=lucia, to=one.pk: transfers.to_agent(talk.pk, to, by=by) for one in colleagues]
        )

        assert found == (1, {OfferPending})
        assert list(wrong_rows()) == []
        transfers.cancel(talk.pk, by=lucia)


def test_of_twenty_transfers_to_queues_one_wins_and_the_others_are_told(rounds):
    queues = [make.queue(f"Queue {n}") for n in range(CROWD)]
    for _ in range(rounds):
        lucia = make.agent("Lucía")
        talk = make.active_conversation(lead=lucia)

        found = crowd(
            *[lambda talk=talk, by=lucia, to=one.pk: transfers.to_queue(talk.pk, to, by=by) for one in queues]
        )

        assert found == (1, {Gone})
        assert list(wrong_rows()) == []
        assert talk.events.filter(to_state=State.WAITING).count() == 2


def test_of_twenty_endings_and_closings_one_wins_and_the_others_are_told(rounds):
    for _ in range(rounds):
        lucia = make.agent("Lucía")
        talk = make.active_conversation(lead=lucia)
        reason = make.closing_reason(talk.queue)
        half = CROWD // 2

        ended = crowd(
            *[lambda talk=talk, by=lucia: closing.end(talk.pk, by=by)] * half,
            *[lambda talk=talk: closing.end_by_visitor(talk.pk)] * half,
        )
        closed = crowd(
            *[lambda talk=talk, by=lucia, why=reason.pk: closing.finish(talk.pk, why, by=by)] * CROWD,
        )

        assert ended == (1, {AlreadyEnded})
        assert closed == (1, {Gone})
        assert list(wrong_rows()) == []
        assert talk.events.filter(to_state=State.CLOSED).count() == 1
