"""
When queues are open: their spans of the week in their own time zone, their holidays, public holidays.

A queue is open while the clock on its wall shows a time inside a span. So an hour that happens twice (the clocks go
back) counts twice, and an hour that does not exist (they go forward) is skipped.
"""

import datetime as dt
import functools
import logging
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

import holidays

from queues.models import Queue

logger = logging.getLogger(__name__)

LOOK_AHEAD = dt.timedelta(days=370)
ONE_DAY = dt.timedelta(days=1)
ONE_SECOND = dt.timedelta(seconds=1)
MIDNIGHT = dt.time()
COUNTRY_CODE = re.compile(r"([A-Za-z]{2})(?:-(\S+))?")

Span = tuple[dt.datetime, dt.datetime]


def is_open(queue: Queue, now: dt.datetime) -> bool:
    """Whether the queue takes new conversations now. No query when its opening_hours and holidays are prefetched."""
    if not queue.is_in_use:
        return False
    timetable = Timetable.of(queue)
    wall = now.astimezone(timetable.zone).replace(tzinfo=None)
    return any(opens <= wall < closes for opens, closes in timetable.spans_on(wall.date()))


def next_opening(queue: Queue, now: dt.datetime) -> dt.datetime | None:
    """The first moment, in UTC, at which the queue is open: now itself when it is, None when never within 370 days."""
    if not queue.is_in_use:
        return None
    timetable = Timetable.of(queue)
    now = now.astimezone(dt.UTC)
    for starts, ends in _steady_stretches(timetable.zone, now, now + LOOK_AHEAD):
        offset = _offset(timetable.zone, starts)
        opening = timetable.first_open((starts + offset).replace(tzinfo=None), (ends + offset).replace(tzinfo=None))
        if opening is not None:
            return opening.replace(tzinfo=dt.UTC) - offset
    return None


def open_queues(now: dt.datetime) -> list[Queue]:
    """The queues that take new conversations now, by name, in three queries however many there are."""
    in_use = Queue.objects.filter(is_in_use=True).prefetch_related("opening_hours", "holidays")
    return [queue for queue in in_use if is_open(queue, now)]


@dataclass(frozen=True)
class Timetable:
    """What one queue's rows say about its days, in the time on its own wall."""

    zone: zoneinfo.ZoneInfo
    week: dict[int, list[tuple[dt.time, dt.time]]]
    days_off: frozenset[dt.date]
    country: str

    @classmethod
    def of(cls, queue: Queue) -> "Timetable":
        week: dict[int, list[tuple[dt.time, dt.time]]] = {}
        for hours in queue.opening_hours.all():
            week.setdefault(hours.weekday, []).append((hours.opens_at, hours.closes_at))
        if not week:
            week = {weekday: [(MIDNIGHT, MIDNIGHT)] for weekday in range(7)}
        days_off = frozenset(holiday.date for holiday in queue.holidays.all())
        return cls(_zone(queue.time_zone), week, days_off, queue.holiday_country.strip())

    def spans_on(self, day: dt.date) -> list[Span]:
        """From when to when the queue is open on that day; no span on a holiday."""
        spans = self.week.get(day.weekday(), [])
        if not spans or day in self.days_off or day in public_holidays(self.country, day.year):
            return []
        return [
            (
                dt.datetime.combine(day, opens_at),
                dt.datetime.combine(day, MIDNIGHT) + ONE_DAY
                if closes_at == MIDNIGHT
                else dt.datetime.combine(day, closes_at),
            )
            for opens_at, closes_at in spans
        ]

    def first_open(self, starts: dt.datetime, ends: dt.datetime) -> dt.datetime | None:
        """The first time on the wall from `starts` to before `ends` at which the queue is open."""
        day = starts.date()
        while dt.datetime.combine(day, MIDNIGHT) < ends:
            openings = [max(opens, starts) for opens, closes in self.spans_on(day) if closes > starts and opens < ends]
            if openings:
                return min(openings)
            day += ONE_DAY
        return None


@functools.lru_cache(maxsize=512)
def public_holidays(code: str, year: int) -> frozenset[dt.date]:
    """The public holidays of a country ("ES") or a region ("ES-MD") in a year; of an unknown code none."""
    if not code:
        return frozenset()
    found = COUNTRY_CODE.fullmatch(code)
    try:
        if found is None:
            raise NotImplementedError(f"{code!r} does not look like ES or ES-MD")
        return frozenset(holidays.country_holidays(found[1].upper(), subdiv=found[2], years=year))
    except NotImplementedError as problem:
        logger.warning("Public holidays of %r are ignored: %s.", code, problem)
        return frozenset()


@functools.lru_cache(maxsize=512)
def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as problem:
        logger.warning("The time zone %r is unknown here, UTC is used instead: %s.", name, problem)
        return zoneinfo.ZoneInfo("UTC")


def _offset(zone: zoneinfo.ZoneInfo, moment: dt.datetime) -> dt.timedelta:
    return moment.astimezone(zone).utcoffset() or dt.timedelta()


def _steady_stretches(zone: zoneinfo.ZoneInfo, starts: dt.datetime, ends: dt.datetime) -> Iterator[Span]:
    """Cut a stretch of UTC where the clocks change, so that wall time runs evenly in each piece."""
    piece, moment = starts, starts
    while moment < ends:
        later = min(moment + ONE_DAY, ends)
        if _offset(zone, moment) != _offset(zone, later):
            change = _change_between(zone, moment, later)
            yield piece, change
            piece = change
        moment = later
    yield piece, ends


def _change_between(zone: zoneinfo.ZoneInfo, before: dt.datetime, after: dt.datetime) -> dt.datetime:
    """The second at which the clocks change between two moments of different offsets."""
    before, after, old = before.replace(microsecond=0), after.replace(microsecond=0) + ONE_SECOND, _offset(zone, before)
    while after - before > ONE_SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after
