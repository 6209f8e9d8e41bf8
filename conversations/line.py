"""The line of a queue as its waiting visitors see it: place, and an estimate where one is known."""

import datetime as dt
import math
from dataclasses import dataclass

from config.clock import database_now
from conversations.models import Conversation
from conversations.states import State

LONGEST_LINE = 500  # nobody behind this is told a number
ESTIMATE_WINDOW = dt.timedelta(minutes=30)
ENOUGH_ANSWERS = 3


@dataclass(frozen=True)
class Line:
    """Who stands where in a queue, at one moment."""

    queue_id: int
    places: dict[int, int]
    seconds_per_place: float | None

    def place(self, conversation_id: int) -> int | None:
        """1 for the next one; None behind the part of the line that is counted."""
        return self.places.get(conversation_id)

    def reaches(self, conversation_id: int) -> bool:
        """Whether it says all that can be said of this place: it has it, or was counted as far as any is."""
        return conversation_id in self.places or len(self.places) == LONGEST_LINE

    def minutes(self, conversation_id: int) -> int | None:
        """About how long it takes; None when too few were answered lately to tell."""
        place = self.place(conversation_id)
        if place is None or self.seconds_per_place is None:
            return None
        return max(1, math.ceil(place * self.seconds_per_place / 60))


def line_of(queue_id: int) -> Line:
    """The queue's line now, in two queries whatever its length; the estimate is the pace of the last half hour."""
    waiting = Conversation.objects.filter(queue=queue_id, state=State.WAITING).order_by("order_key", "pk")
    places = {pk: place for place, pk in enumerate(waiting.values_list("pk", flat=True)[:LONGEST_LINE], start=1)}
    return Line(queue_id, places, _pace(queue_id))


def _pace(queue_id: int) -> float | None:
    since = database_now() - ESTIMATE_WINDOW
    answered = Conversation.objects.filter(queue=queue_id, answered_at__gte=since).count()
    return ESTIMATE_WINDOW.total_seconds() / answered if answered >= ENOUGH_ANSWERS else None


def usual_minutes(queue_id: int) -> int | None:
    """About how long a new visitor would wait, 0 under a minute; None when too few were answered lately to tell."""
    pace = _pace(queue_id)
    if pace is None:
        return None
    ahead = Conversation.objects.filter(queue=queue_id, state=State.WAITING).count()
    seconds = (ahead + 1) * pace
    return 0 if seconds < 60 else math.ceil(seconds / 60)
