"""The judgement itself: each kind of broken promise is named, and too little of a history is none."""

from types import SimpleNamespace

import pytest

from tests.proofs.people import People, Person, lines_in
from tests.proofs.verdict import (
    GAP,
    LOST,
    NUMBER,
    ORDER,
    OTHER,
    SCREEN,
    TWICE,
    UNANSWERED,
    WORDS,
    Unknown,
    verdict,
)

TALK = {"visitor": "", "agent": "", "conversation": 1}


def people_with_a_history():
    """A visitor and an agent who wrote two lines each and saw all four, and what the database has of it."""
    people = [Person([], "", 1, is_agent=is_agent, seed=1) for is_agent in (False, True)]
    rows = []
    for number in range(1, 5):
        person = people[number % 2]
        key = person.write(f"line {number}")
        person.acknowledged[key] = number
        person._settle(key)
        rows.append((1, number, 10 + number, person.sender, None, key, f"line {number}"))
    for person in people:
        person.thread = [(pk, number, key, text) for _talk, number, pk, _sender, _agent, key, text in rows]
    return SimpleNamespace(people=people, rows=rows, first=people[1], key=rows[0][5])


def lose(history):
    del history.rows[0]


def repeat(history):
    history.rows.append((1, 5, 15, history.first.sender, None, history.key, "line 1"))


def skip_a_number(history):
    history.rows[3] = (1, 5, *history.rows[3][2:])


def change_what_is_stored(history):
    history.rows[0] = (*history.rows[0][:6], "line one")


def change_what_is_seen(history):
    history.first.thread[0] = (*history.first.thread[0][:3], "line one")


def swap_what_is_seen(history):
    history.first.thread.reverse()


def swap_what_was_written(history):
    history.first.written = dict(reversed(history.first.written.items()))


def acknowledge_otherwise(history):
    history.first.acknowledged[history.key] = 2


def leave_unanswered(history):
    history.first.write("And this?")


def refuse(history):
    history.first.problems.append("refused")


FAULTS_OF_HISTORY = {
    lose: LOST,
    repeat: TWICE,
    skip_a_number: GAP,
    change_what_is_stored: WORDS,
    change_what_is_seen: SCREEN,
    swap_what_is_seen: SCREEN,
    swap_what_was_written: ORDER,
    acknowledge_otherwise: NUMBER,
    leave_unanswered: UNANSWERED,
    refuse: OTHER,
}


@pytest.mark.parametrize("fault", FAULTS_OF_HISTORY, ids=lambda fault: fault.__name__)
def test_the_verdict_names_what_is_wrong_with_a_history(fault):
    history = people_with_a_history()
    assert not verdict(history.people, history.rows)

    fault(history)

    assert FAULTS_OF_HISTORY[fault] in verdict(history.people, history.rows)


def test_an_empty_history_is_no_proof():
    with pytest.raises(Unknown):
        verdict(People([], [], 1), [])


def test_a_sender_who_was_told_nothing_is_no_proof():
    history = people_with_a_history()
    history.first.acknowledged.clear()
    with pytest.raises(Unknown):
        verdict(history.people, history.rows)


def test_a_history_of_which_little_was_acknowledged_is_no_proof():
    history = people_with_a_history()
    for _ in range(5):
        history.first._settle(history.first.write("Lost with its connection"))
    with pytest.raises(Unknown):
        verdict(history.people, history.rows)


def test_everybody_draws_the_same_in_every_run_and_otherwise_than_others():
    def draws(person):
        return [person.luck.random(), person.page_luck.random()]

    first, again, other = (People([], [TALK], seed).everybody for seed in (7, 7, 8))

    assert [draws(person) for person in first] == [draws(person) for person in again]
    drawn = [value for person in [*first, *other] for value in draws(person)]
    assert len(set(drawn)) == len(drawn)


def test_the_words_of_a_line_are_read_as_they_are_shown():
    drawn = (
        '<li id="message-7" class="message ours" data-number="3" data-key="k" data-at="now">\n  <div class="bubble" '
    )
    assert lines_in(drawn + 'dir="auto">a &lt; b\nc</div>\n</li>') == [(7, 3, "k", "a < b\nc")]
    assert lines_in('<li id="message-8" class="event" data-number="4" data-at="now"><span>') == [(8, 4, "", "")]
