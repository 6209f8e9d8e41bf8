"""The figures of an agent's day, to the second, across midnight."""

import datetime as dt
import zoneinfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import AgentStateChange
from agents.states import AgentState, ChangedBy
from conversations import reports
from conversations.models import Conversation, Offer, Participant
from conversations.reports import Day, figures
from conversations.states import EventKind, MessageKind, OfferKind, OfferState, Role
from tests import make

pytestmark = pytest.mark.django_db

MIDNIGHT = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)
DAY = Day(MIDNIGHT, MIDNIGHT + dt.timedelta(hours=18))


def at(hours=0, **parts):
    """A moment so long after midnight."""
    return MIDNIGHT + dt.timedelta(hours=hours, **parts)


@pytest.fixture
def lucia():
    return make.agent("Lucía")


def closed(lead, joined_at, closed_at, **fields):
    """A conversation that this lead had from one moment to the other."""
    made = make.closed_conversation(lead=lead, queued_at=joined_at - dt.timedelta(minutes=1), **fields)
    Conversation.objects.filter(pk=made.pk).update(closed_at=closed_at)
    made.participants.update(joined_at=joined_at, left_at=closed_at)
    return made


def change(agent, moment, from_state, to_state):
    AgentStateChange.objects.create(
        agent=agent, from_state=from_state, to_state=to_state, changed_by=ChangedBy.SELF, by=agent, at=moment
    )


def test_handled_counts_what_closed_today_even_if_it_began_yesterday(lucia):
    closed(lucia, at(-2), at(minutes=1))
    closed(lucia, at(10), at(10, minutes=10))
    closed(lucia, at(-2), at(seconds=-1))
    closed(make.agent("Jonas"), at(10), at(11))

    day = figures(lucia, DAY)

    assert day.handled == 2
    assert day.handle_seconds == (2 * 3600 + 60 + 600) / 2


def test_handled_is_the_last_leads_alone(lucia):
    jonas = make.agent("Jonas")
    handed_on = closed(jonas, at(11), at(12))
    make.participant(handed_on, lucia, joined_at=at(10), left_at=at(11))
    helped = closed(jonas, at(13), at(14))
    make.participant(helped, lucia, role=Role.GUEST, joined_at=at(13), left_at=at(14))

    assert figures(lucia, DAY).handled == 0
    assert figures(jonas, DAY).handled == 2


def test_what_was_abandoned_after_it_went_back_to_its_queue_is_nobodys(lucia):
    lost = closed(lucia, at(10), at(12))
    lost.participants.update(left_at=at(11))

    assert figures(lucia, DAY).handled == 0


def test_a_guest_who_became_the_lead_handled_it_from_then_on(lucia):
    taken_over = closed(make.agent("Jonas"), at(9), at(12))
    taken_over.participants.update(left_at=at(11))
    make.participant(taken_over, lucia, joined_at=at(10), left_at=at(12))
    make.event(taken_over, EventKind.LEAD_CHANGED, at=at(11), details={"lead": lucia.pk})

    day = figures(lucia, DAY)

    assert (day.handled, day.handle_seconds) == (1, 3600)
    assert day.first_response_seconds is None


def test_the_first_response_goes_from_the_accept_to_the_first_message(lucia):
    quick = closed(lucia, at(10), at(11))
    make.note(quick, by=lucia).__class__.objects.filter(kind=MessageKind.NOTE).update(created_at=at(10, seconds=1))
    make.message(quick, "Hello", by=lucia, at=at(10, seconds=20))
    make.message(quick, "Still there?", by=lucia, at=at(10, seconds=50))
    slow = closed(lucia, at(12), at(13))
    make.message(slow, "Hello", by=lucia, at=at(12, seconds=40))
    closed(lucia, at(14), at(15))

    assert figures(lucia, DAY).first_response_seconds == 30


def test_a_first_response_belongs_to_the_day_of_the_accept_and_to_its_own_stay(lucia):
    yesterday = closed(lucia, at(seconds=-10), at(1))
    make.message(yesterday, "Hello", by=lucia, at=at(seconds=10))
    twice = closed(lucia, at(10), at(12))
    Participant.objects.create(
        conversation=twice, agent=lucia, role=Role.LEAD, joined_at=at(8), left_at=at(8, minutes=1)
    )
    make.message(twice, "Hello", by=lucia, at=at(10, seconds=15))

    assert [time.total_seconds() for time in reports.first_responses(lucia, DAY)] == [15]


def test_a_stay_keeps_its_first_response_when_the_agent_takes_over_again_later(lucia):
    talk = closed(lucia, at(10), at(12))
    talk.participants.update(left_at=at(11))
    make.message(talk, "Hello", by=lucia, at=at(10, seconds=20))
    make.participant(talk, lucia, joined_at=at(11, minutes=30), left_at=at(12))
    make.event(talk, EventKind.LEAD_CHANGED, at=at(11, minutes=30), details={"lead": lucia.pk})

    assert [time.total_seconds() for time in reports.first_responses(lucia, DAY)] == [20]


def test_time_by_state_is_cut_at_midnight_and_goes_on_until_now(lucia):
    change(lucia, at(-3), AgentState.OFFLINE, AgentState.IDLE)
    change(lucia, at(-2), AgentState.IDLE, AgentState.AVAILABLE)
    change(lucia, at(8), AgentState.AVAILABLE, AgentState.RONA)
    change(lucia, at(8, minutes=5), AgentState.RONA, AgentState.AVAILABLE)
    change(lucia, at(12), AgentState.AVAILABLE, AgentState.IDLE)
    change(lucia, at(20), AgentState.IDLE, AgentState.OFFLINE)  # after the end of what is counted

    seconds = figures(lucia, DAY).state_seconds

    assert seconds == {
        AgentState.AVAILABLE: 12 * 3600 - 300,
        AgentState.RONA: 300,
        AgentState.IDLE: 6 * 3600,
        AgentState.OFFLINE: 0,
    }
    assert sum(seconds.values()) == 18 * 3600


def test_without_a_change_before_today_the_day_began_in_the_state_that_the_first_one_left(lucia):
    change(lucia, at(9), AgentState.OFFLINE, AgentState.IDLE)

    seconds = figures(lucia, DAY).state_seconds

    assert (seconds[AgentState.OFFLINE], seconds[AgentState.IDLE]) == (9 * 3600, 9 * 3600)


def test_who_never_changed_is_in_his_state_all_day(lucia):
    assert figures(lucia, DAY).state_seconds[AgentState.AVAILABLE] == 18 * 3600


def test_two_changes_at_one_moment_count_in_their_order(lucia):
    change(lucia, at(9), AgentState.OFFLINE, AgentState.IDLE)
    change(lucia, at(9), AgentState.IDLE, AgentState.AVAILABLE)

    assert figures(lucia, DAY).state_seconds[AgentState.AVAILABLE] == 9 * 3600


def test_offers_count_on_the_day_they_were_settled(lucia):
    for state, kind, settled_at in (
        (OfferState.ACCEPTED, OfferKind.REQUEST, at(1)),
        (OfferState.ACCEPTED, OfferKind.TRANSFER, at(2)),
        (OfferState.DECLINED, OfferKind.CONFERENCE, at(3)),
        (OfferState.MISSED, OfferKind.REQUEST, at(seconds=5)),
        (OfferState.MISSED, OfferKind.REQUEST, at(seconds=-5)),
        (OfferState.WITHDRAWN, OfferKind.REQUEST, at(4)),
    ):
        made = make.offer(to=lucia, conversation=make.waiting_conversation(), state=state, kind=kind)
        Offer.objects.filter(pk=made.pk).update(settled_at=settled_at, made_at=settled_at - dt.timedelta(seconds=10))

    assert figures(lucia, DAY).offers == {OfferState.ACCEPTED: 2, OfferState.DECLINED: 1, OfferState.MISSED: 1}


def test_a_day_with_nothing_in_it_has_no_averages():
    day = figures(make.agent(state=AgentState.OFFLINE), DAY)

    assert (day.handled, day.handle_seconds, day.first_response_seconds, day.closed) == (0, None, None, [])


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Madrid", dt.datetime(2026, 3, 9, 23, tzinfo=dt.UTC)),
        ("America/Los_Angeles", dt.datetime(2026, 3, 9, 7, tzinfo=dt.UTC)),  # there it is still the day before
        ("Asia/Kathmandu", dt.datetime(2026, 3, 9, 18, 15, tzinfo=dt.UTC)),
    ],
)
def test_today_begins_at_midnight_where_the_agent_is(zone, start):
    assert Day.until(at(5), zoneinfo.ZoneInfo(zone)) == Day(start, at(5))


def test_a_day_on_which_the_clocks_change_has_its_own_length():
    noon = dt.datetime(2026, 3, 29, 10, tzinfo=dt.UTC)  # 12:00 in Madrid, where 02:00 became 03:00

    day = Day.until(noon, zoneinfo.ZoneInfo("Europe/Madrid"))

    assert day.end - day.start == dt.timedelta(hours=11)


def test_a_long_day_costs_as_many_queries_as_a_short_one(lucia):
    with CaptureQueriesContext(connection) as few:
        figures(lucia, DAY)
    for number in range(12):
        closed(lucia, at(1, minutes=number), at(2, minutes=number))
        change(lucia, at(3, minutes=number), AgentState.IDLE, AgentState.AVAILABLE)

    with CaptureQueriesContext(connection) as many:
        day = figures(lucia, DAY)
        assert [place.conversation.queue.name for place in day.closed]

    assert len(few) == len(many) <= 6
