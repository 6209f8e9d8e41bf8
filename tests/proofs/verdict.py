"""The judgement of what people were told and saw, held against the database."""

from collections import defaultdict

LOST = "acknowledged and not stored"
TWICE = "stored twice under one key"
GAP = "numbers are not 1, 2, 3, …"
SCREEN = "somebody saw another thread than the database has"
ORDER = "a sender's order was not kept"
NUMBER = "acknowledged under another number"
WORDS = "stored with other words than were written"
UNANSWERED = "not answered though all is well again"
OTHER = "refused or sent away"
FAIR_SHARE = 0.5  # of what was written; the acknowledgements of the rest may be lost with their connections


class Unknown(AssertionError):
    """Nothing was shown: too little happened."""


def verdict(people, rows):
    """Every broken promise with its examples; raises Unknown when there is too little to judge."""
    check_history(people, rows)
    broken = defaultdict(list)
    threads, stored = defaultdict(list), defaultdict(list)
    for conversation, number, pk, sender, _agent, key, text in rows:
        threads[conversation].append((pk, number, key, text))
        if key:
            stored[conversation, sender, key].append((number, text))
    for who, found in stored.items():
        if len(found) > 1:
            broken[TWICE].append((who, [number for number, _text in found]))
    for conversation, lines in threads.items():
        if [line[1] for line in lines] != list(range(1, len(lines) + 1)):
            broken[GAP].append(conversation)
    for person in people:
        judge(person, threads[person.conversation_id], stored, broken)
    return broken


def check_history(people, rows):
    """Whether enough happened to judge by: everybody wrote and was told of something, and most of it was told."""
    if not rows or not any(person.acknowledged for person in people):
        raise Unknown("The history is empty.")
    silent = [(person.conversation_id, person.sender) for person in people if not person.acknowledged]
    if silent:
        raise Unknown(f"These were never told that anything is stored: {silent[:10]}")
    written = sum(len(person.written) for person in people)
    acknowledged = sum(len(person.acknowledged) for person in people)
    if acknowledged < FAIR_SHARE * written:
        raise Unknown(f"Of {written} messages only {acknowledged} were acknowledged.")


def judge(person, thread, stored, broken):
    """Hold one person's history against the database."""
    who = person.conversation_id, person.sender
    mine = {key: stored.get((*who, key), []) for key in person.written}
    numbers = {key: [number for number, _text in found] for key, found in mine.items()}
    for key, number in person.acknowledged.items():
        if not numbers.get(key):
            broken[LOST].append((*who, number))
        elif number not in numbers[key]:
            broken[NUMBER].append((*who, number, numbers[key]))
    if person.thread != thread:
        differing = set(person.thread).symmetric_difference(thread)
        broken[SCREEN].append((*who, sorted({line[1] for line in differing})[:10]))
    kept = [min(found) for found in numbers.values() if found]
    if kept != sorted(kept):
        broken[ORDER].append(who)
    if changed := [key for key, found in mine.items() if any(text != person.written[key] for _number, text in found)]:
        broken[WORDS].append((*who, changed[:3]))
    if person.has_pending:
        broken[UNANSWERED].append(who)
    if person.problems:
        broken[OTHER].append((*who, person.problems[:3]))
