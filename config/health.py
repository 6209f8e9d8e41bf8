"""Whether this process is alive and ready: its router sweeps, and its line to the other processes answers."""

import time
from dataclasses import dataclass, field

from django.conf import settings

# The router sweeps, and the line is tried, once a second; two missed turns are a fault, found within three seconds.
LATE_SECONDS = 2.5


@dataclass
class Health:
    """When the parts of this process last did their work, by the monotonic clock."""

    swept_at: float | None = None
    heard_at: float | None = None
    sweep_seconds: float = 0.0
    told_faults: list[str] = field(default_factory=list)  # what the log says last
    started_at: float = field(default_factory=time.monotonic)

    def swept(self, seconds: float) -> None:
        """The router looked through all deadlines and lines in so many seconds: the database answers."""
        self.swept_at, self.sweep_seconds = time.monotonic(), seconds

    def heard(self) -> None:
        """A ring of this process came back over the line to the others: Redis answers."""
        self.heard_at = time.monotonic()

    def faults(self) -> list[str]:
        """What is not ready, by name; empty when everything is."""
        faults = ["router and database"] if _is_late(self.swept_at) else []
        if settings.REDIS_URL and _is_late(self.heard_at):
            faults.append("line to the other processes")
        return faults


def _is_late(moment: float | None) -> bool:
    return moment is None or time.monotonic() - moment > LATE_SECONDS


health = Health()
