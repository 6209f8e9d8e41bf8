"""What is asked all day reads what is unfinished, and never the history; told by SQLite's own plans."""

import contextlib
import re

import pytest
from django.db import connection

from config import admin_site
from conversations import figures, watch
from conversations.access import earlier_of
from conversations.actions import deadlines, messaging, routing
from conversations.actions.messaging import Draft
from conversations.fragments import load_desk
from conversations.load import load_of
from conversations.search import Wanted, search
from conversations.snapshots import heard_by
from conversations.states import Party
from tests import make
from tests.pages.browsing import KEY

pytestmark = [pytest.mark.django_db, pytest.mark.only_on("sqlite")]

GROWING = {
    f"conversations_{name}"
    for name in ("conversation", "conversationevent", "message", "participant", "offer", "attachment", "visitor")
}
# Indexes that hold nothing of the past.
OF_NOW = {
    "conversation_line", "conversation_entered", "conversation_seen", "conversation_wrap_up", "conversation_unfinished",
    "participant_open", "one_lead_per_conversation", "one_place_per_agent_and_conversation", "offer_pending_by_agent",
    "offer_pending_expires", "offer_to_tell", "one_pending_offer_per_conversation", "file_to_check", "file_not_posted",
}  # fmt: skip
# What leads through all that an agent, a queue or a thread ever had.
OF_ALL_TIME = re.compile(
    r" (participant_history|offer_by_agent|\w+_(queue|agent)_id_\w+|sqlite_autoindex_conversations_message_1)"
    r" \(\w+=\?\)|PRIMARY KEY \(rowid[<>]\?\)"
)


@contextlib.contextmanager
def plans():
    """The plans of what is asked in here, by the statement."""
    asked, found = [], {}

    def note(execute, sql, params, many, context):
        if sql.startswith("SELECT") and not many:
            asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found
    for sql, params in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            found[sql] = [step for *_ids, step in cursor.fetchall()]


def reads_history(step, sql):
    """Whether this step of the plan of `sql` reads what grows for ever."""
    match = re.match(r"(SCAN|SEARCH) (\w+)(?:.*? INDEX (\w+))?", step)
    if match is None:
        return False
    how, name, index = match[1], match[2], match[3] or ""
    table = dict((alias, table) for table, alias in re.findall(r'"(\w+)" ([A-Z]+\d+)\b', sql)).get(name, name)
    return table in GROWING and ((how == "SCAN" and index not in OF_NOW) or OF_ALL_TIME.search(step) is not None)


WORK = {
    "sweep": lambda talk, lead: deadlines.sweep(),
    "route": lambda talk, lead: routing.route(),
    "the supervisor's floor": lambda talk, lead: admin_site.floor(),
    "the numbers for Prometheus": lambda talk, lead: list(figures.Figures().collect()),
    "load": lambda talk, lead: load_of(lead),
    "desk": lambda talk, lead: load_desk(lead.pk),
    "what a desk hears": lambda talk, lead: heard_by(lead.pk),
    "the safety poll": lambda talk, lead: watch.look([talk.pk], [lead.pk], []),
    "the customer's earlier conversations": lambda talk, lead: earlier_of(talk, 5),
    "a visitor's message": lambda talk, lead: messaging.post_batch([Draft(talk.pk, Party.VISITOR, "Hello", KEY)]),
    "an agent's message": lambda talk, lead: messaging.post_batch([Draft(talk.pk, Party.AGENT, "Hi", KEY, lead.pk)]),
}


@pytest.mark.parametrize("what", WORK)
def test_what_is_done_all_day_reads_no_history(what):
    lead = make.agent("Lucía")
    talk = make.active_conversation(lead=lead, visitor_email="ana@example.com")
    make.waiting_conversation(queue=talk.queue)
    make.offer(to=make.agent("Jonas"), conversation=make.waiting_conversation(queue=talk.queue))

    with plans() as found:
        WORK[what](talk, lead)

    assert found, "unknown: nothing was asked"
    assert [(step, sql) for sql, plan in found.items() for step in plan if reads_history(step, sql)] == []


def test_an_agents_own_history_is_read_once():
    lead = make.agent("Lucía")
    make.active_conversation(lead=lead)

    with plans() as found:
        assert len(search(lead, Wanted()).found) == 1

    stays = [step for plan in found.values() for step in plan if "participant_history" in step]
    later = [step for plan in found.values() for step in plan if "participant_of_conversation" in step]
    assert stays and all("(agent_id=?)" in step for step in stays)
    assert len(later) == len(stays)
