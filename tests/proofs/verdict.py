"""The judgement of what people were told and saw, held against the database."""

from collections import defaultdict

LOST = "acknowledged and not stored"
TWICE = "stored twice under one key"
GAP = "numbers are not 1, 2, 3, …"
SCREEN = "somebody saw another thread than the database has"
ORDER = "a sender's order was not kept"
NUMBER = "acknowledged under another number"
OTHER = "refused or sent away"


class Unknown(AssertionError):
    """Nothing was shown: too little happened."""


def verdict(people, rows):
    """Every broken promise with its examples; raises Unknown when there is nothing to judge."""
    if not rows or not any(person.acknowledged for person in people):
        raise Unknown("The history is empty.")
    broken = defaultdict(list)
    threads, stored = defaultdict(list), defaultdict(list)
    for conversation, number, pk, sender, _agent, key in rows:
        threads[conversation].append((pk, number, key))
        if key:
            stored[conversation, sender, key].append(number)
    for who, numbers in stored.items():
        if len(numbers) > 1:
            broken[TWICE].append((who, numbers))
    for conversation, lines in threads.items():
        if [number for _pk, number, _key in lines] != list(range(1, len(lines) + 1)):
            broken[GAP].append(conversation)
    for person in people:
        judge(person, threads[person.conversation_id], stored, broken)
    return broken


def judge(person, thread, stored, broken):
    """Hold one person's history against the database."""
    mine = {key: stored.get((person.conversation_id, person.sender, key), []) for key in person.written}
    for key, number in person.acknowledged.items():
        if not mine[key]:
            broken[LOST].append((person.conversation_id, person.sender, number))
        elif number not in mine[key]:
            broken[NUMBER].append((person.conversation_id, number, mine[key]))
    if person.thread != thread:
        seen, there = {line[1] for line in person.thread}, {line[1] for line in thread}
        broken[SCREEN].append((person.conversation_id, person.sender, sorted(seen ^ there)[:10]))
    kept = [min(numbers) for numbers in mine.values() if numbers]
    if kept != sorted(kept):
        broken[ORDER].append((person.conversation_id, person.sender))
    if person.problems:
        broken[OTHER].append((person.conversation_id, person.sender, person.problems[:3]))
