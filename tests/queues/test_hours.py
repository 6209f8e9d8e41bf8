"""Opening hours: spans in the queue's own zone, clock changes, holidays, and the next opening."""

import datetime as dt
import logging
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queues import hours
from queues.models import Holiday, OpeningHours, Queue

MADRID = zoneinfo.ZoneInfo("Europe/Madrid")
MONDAY, FRIDAY, SATURDAY, SUNDAY = 0, 4, 5, 6
MIDNIGHT = dt.time()


def queue_with(*spans, holidays=(), **fields):
    """A queue as if it came prefetched: any query would fail, for these tests have no database."""
    queue = Queue(pk=1, name="Orders", slug="orders", **{"time_zone": "Europe/Madrid", **fields})
    rows = [OpeningHours(queue=queue, weekday=day, opens_at=opens, closes_at=closes) for day, opens, closes in spans]
    queue._prefetched_objects_cache = {
        "opening_hours": prefetched(OpeningHours, rows),
        "holidays": prefetched(Holiday, [Holiday(queue=queue, date=date) for date in holidays]),
    }
    return queue


def prefetched(model, rows):
    found = model.objects.none()
    found._result_cache, found._prefetch_done = rows, True
    return found


def in_madrid(text, fold=0):
    return dt.datetime.fromisoformat(text).replace(tzinfo=MADRID, fold=fold).astimezone(dt.UTC)


def time(text):
    return dt.time.fromisoformat(text)


def test_a_queue_without_hours_is_always_open():
    queue = queue_with()

    assert hours.is_open(queue, in_madrid("2026-11-22T04:00"))
    assert hours.next_opening(queue, in_madrid("2026-11-22T04:00")) == in_madrid("2026-11-22T04:00")


def test_a_queue_that_is_not_in_use_is_closed_for_good():
    queue = queue_with(is_in_use=False)

    assert not hours.is_open(queue, in_madrid("2026-11-23T12:00"))
    assert hours.next_opening(queue, in_madrid("2026-11-23T12:00")) is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T08:59:59.999999", False),
        ("2026-11-23T09:00", True),
        ("2026-11-23T13:59:59.999999", True),
        ("2026-11-23T14:00", False),
        ("2026-11-23T16:00", True),
        ("2026-11-24T12:00", False),
    ],
)
def test_a_span_opens_on_its_first_moment_and_closes_before_its_last(moment, expected):
    queue = queue_with((MONDAY, time("09:00"), time("14:00")), (MONDAY, time("16:00"), time("19:00")))

    assert hours.is_open(queue, in_madrid(moment)) is expected


def test_midnight_as_closing_time_is_the_end_of_the_day():
    queue = queue_with((MONDAY, time("22:00"), MIDNIGHT))

    assert hours.is_open(queue, in_madrid("2026-11-23T23:59:59.999999"))
    assert not hours.is_open(queue, in_madrid("2026-11-24T00:00"))
    assert not hours.is_open(queue, in_madrid("2026-11-23T00:00"))


def test_hours_are_those_of_the_queues_own_time_zone():
    queue = queue_with((MONDAY, time("00:00"), time("08:00")), time_zone="Asia/Tokyo")

    assert hours.is_open(queue, dt.datetime(2026, 11, 22, 15, tzinfo=dt.UTC))  # Monday 00:00 in Tokyo
    assert not hours.is_open(queue, dt.datetime(2026, 11, 22, 14, 59, tzinfo=dt.UTC))
    assert not hours.is_open(queue, dt.datetime(2026, 11, 22, 23, tzinfo=dt.UTC))


def test_the_moment_may_come_in_any_time_zone():
    queue = queue_with((MONDAY, time("09:00"), time("10:00")))

    moment = in_madrid("2026-11-23T09:30").astimezone(zoneinfo.ZoneInfo("America/New_York"))

    assert hours.is_open(queue, moment)
    assert hours.next_opening(queue, moment).tzinfo is dt.UTC


def test_a_holiday_closes_the_whole_local_day():
    queue = queue_with(holidays=[dt.date(2026, 12, 24)])

    assert hours.is_open(queue, in_madrid("2026-12-23T23:59"))
    assert not hours.is_open(queue, in_madrid("2026-12-24T00:00"))
    assert not hours.is_open(queue, in_madrid("2026-12-24T23:59"))
    assert hours.next_opening(queue, in_madrid("2026-12-24T10:00")) == in_madrid("2026-12-25T00:00")


@pytest.mark.parametrize(
    ("code", "date", "expected"),
    [
        ("ES", "2026-10-12", False),
        ("es", "2026-10-12", False),
        ("ES", "2026-05-02", True),
        ("ES-MD", "2026-05-02", False),
        ("ES-MD", "2026-10-12", False),
        ("", "2026-10-12", True),
    ],
)
def test_public_holidays_of_the_country_or_its_region_close_the_queue(code, date, expected):
    queue = queue_with(holiday_country=code)

    assert hours.is_open(queue, in_madrid(f"{date}T12:00")) is expected


@pytest.mark.parametrize("code", ["XX", "ES-ZZ", "Spain", "registry", "ES-", "-", "ES MD", "../etc", "É"])
def test_an_unknown_country_is_ignored_with_a_warning(code, caplog):
    hours.public_holidays.cache_clear()
    queue = queue_with(holiday_country=code)

    with caplog.at_level(logging.WARNING, logger="queues.hours"):
        assert hours.is_open(queue, in_madrid("2026-10-12T12:00"))

    assert repr(code) in caplog.text


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "Europe"])
def test_an_unknown_time_zone_counts_as_utc_with_a_warning(name, caplog):
    hours._zone.cache_clear()
    queue = queue_with((MONDAY, time("09:00"), time("10:00")), time_zone=name)

    with caplog.at_level(logging.WARNING, logger="queues.hours"):
        assert hours.is_open(queue, dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC))

    assert repr(name) in caplog.text


def test_an_hour_that_happens_twice_is_open_twice():
    queue = queue_with((SUNDAY, time("02:00"), time("02:30")))

    for fold in (0, 1):
        assert not hours.is_open(queue, in_madrid("2026-10-25T02:30", fold))
        assert hours.is_open(queue, in_madrid("2026-10-25T02:00", fold))
    first_end, second_start = in_madrid("2026-10-25T02:30", 0), in_madrid("2026-10-25T02:00", 1)
    assert hours.next_opening(queue, first_end) == second_start


def test_an_hour_that_does_not_exist_is_skipped():
    queue = queue_with((SUNDAY, time("02:15"), time("02:45")))

    assert hours.next_opening(queue, in_madrid("2026-03-28T12:00")) == in_madrid("2026-04-05T02:15")


def test_a_span_that_begins_in_the_hour_that_does_not_exist_opens_when_the_clocks_went_forward():
    queue = queue_with((SUNDAY, time("02:30"), time("05:00")))

    assert hours.next_opening(queue, in_madrid("2026-03-28T12:00")) == in_madrid("2026-03-29T03:00")
    assert hours.is_open(queue, in_madrid("2026-03-29T03:00"))
    assert not hours.is_open(queue, in_madrid("2026-03-29T01:59:59"))


def test_the_next_opening_keeps_local_time_over_a_clock_change():
    queue = queue_with((MONDAY, time("09:00"), time("17:00")))

    summer = hours.next_opening(queue, in_madrid("2026-10-19T18:00"))

    assert summer == dt.datetime(2026, 10, 26, 8, tzinfo=dt.UTC)  # 07:00 would be last week's offset


def test_the_next_opening_of_an_open_queue_is_now():
    queue = queue_with((MONDAY, time("09:00"), time("17:00")))
    now = in_madrid("2026-11-23T10:11:12.345678")

    assert hours.next_opening(queue, now) == now


def test_spans_may_touch_and_overlap():
    queue = queue_with(
        (FRIDAY, time("18:00"), MIDNIGHT), (SATURDAY, MIDNIGHT, time("02:00")), (SATURDAY, time("01:00"), time("03:00"))
    )

    assert hours.is_open(queue, in_madrid("2026-11-27T23:59:59"))
    assert hours.is_open(queue, in_madrid("2026-11-28T00:00"))
    assert hours.is_open(queue, in_madrid("2026-11-28T02:30"))
    assert hours.next_opening(queue, in_madrid("2026-11-28T03:00")) == in_madrid("2026-12-04T18:00")


def test_the_next_opening_passes_over_holidays_of_both_kinds():
    queue = queue_with((FRIDAY, time("09:00"), time("17:00")), holidays=[dt.date(2026, 12, 18)], holiday_country="ES")

    assert hours.next_opening(queue, in_madrid("2026-12-11T18:00")) == in_madrid("2027-01-08T09:00")  # 25 Dec, 1 Jan


def test_a_queue_that_opens_on_no_day_never_opens():
    day = dt.date(2026, 11, 23)
    queue = queue_with(holidays=[day + dt.timedelta(days=number) for number in range(400)])

    assert hours.next_opening(queue, in_madrid("2026-11-23T12:00")) is None


def test_a_day_that_a_country_left_out_is_passed_over():
    queue = queue_with((FRIDAY, time("09:00"), time("17:00")), time_zone="Pacific/Apia")  # had no 30 December 2011
    apia = zoneinfo.ZoneInfo("Pacific/Apia")

    opening = hours.next_opening(queue, dt.datetime(2011, 12, 29, 12, tzinfo=apia))

    assert opening == dt.datetime(2012, 1, 6, 9, tzinfo=apia)


ZONES = ["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC"]
QUARTERS = st.integers(0, 95).map(lambda quarter: dt.time(quarter // 4, quarter % 4 * 15))
SPANS = st.tuples(st.integers(0, 6), QUARTERS, QUARTERS).filter(lambda span: span[1] < span[2] or span[2] == MIDNIGHT)


@settings(max_examples=60, deadline=None)
@given(
    spans=st.lists(SPANS, max_size=4),
    zone=st.sampled_from(ZONES),
    country=st.sampled_from(["", "ES", "US"]),
    holidays=st.sets(st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31)), max_size=3),
    now=st.timedeltas(dt.timedelta(), dt.timedelta(days=500)).map(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).__add__),
)
def test_the_next_opening_is_the_first_open_moment(spans, zone, country, holidays, now):
    queue = queue_with(*spans, time_zone=zone, holiday_country=country, holidays=holidays)

    opening = hours.next_opening(queue, now)

    assert opening is not None
    assert opening >= now
    assert hours.is_open(queue, opening)
    # Spans begin on quarters and clocks change on them, so a look at each quarter misses no opening.
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    moments = [now]
    while (quarter := quarter + dt.timedelta(minutes=15)) < opening:
        moments.append(quarter)
    assert opening == now or not any(hours.is_open(queue, moment) for moment in moments)


@pytest.mark.django_db
def test_open_queues_are_found_in_three_queries(django_assert_num_queries):
    now = in_madrid("2026-11-23T12:00")
    for number in range(6):
        queue = Queue.objects.create(name=f"Queue {number}", slug=f"queue-{number}", is_in_use=number != 0)
        if number == 1:
            queue.holidays.create(date=dt.date(2026, 11, 23))
        if number == 2:
            queue.opening_hours.create(weekday=SUNDAY, opens_at=time("09:00"), closes_at=time("17:00"))

    with django_assert_num_queries(3):
        found = hours.open_queues(now)
        assert all(hours.is_open(queue, now) and hours.next_opening(queue, now) for queue in found)

    assert [queue.slug for queue in found] == ["queue-3", "queue-4", "queue-5"]
