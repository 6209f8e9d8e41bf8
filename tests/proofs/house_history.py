"""What was done in a busy house, and what was seen of it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class History:
    """What was done and what was seen."""

    done: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    broken: list = field(default_factory=list)
    kills: int = 0
    kill_seconds: float = 0.0  # for so long a router died at every turn
    besides: list = field(default_factory=list)  # when the looker-on looked, and for how long somebody was forgotten
    is_full: bool = False  # at the last look nobody waited beside a free place
    checks: int = 0  # moments in which all that always holds was looked at
    rush_seconds: float = 0.0  # until the places that were all free at the beginning were taken
    logs: list = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    @property
    def longest_beside(self):
        """
        The longest time of a free place beside somebody who waits, since the beginning.

        It may have begun just after the look before the first that saw it.
        """
        found = [(at, seconds) for at, seconds in list(self.besides) if at >= self.began]
        return max((min(seconds + self.longest_gap, at - self.began) for at, seconds in found if seconds), default=0)

    @property
    def longest_gap(self):
        """The longest time between two looks."""
        looks = [at for at, _seconds in list(self.besides) if at >= self.began]
        return max((later - at for at, later in pairwise(looks)), default=0)

    @property
    def turns(self):
        """The routers' turns since the beginning."""
        ended = self.ended or time.monotonic()
        turns = [turn for log in self.logs for turn in list(log)]
        return sorted(turn for turn in turns if turn[1] >= self.began and turn[0] <= ended)

    @property
    def longest_pause(self):
        """The longest time without a router at work: somebody always lives."""
        longest, last = 0.0, self.began
        for began, ended in self.turns:
            longest, last = max(longest, began - last), max(last, ended)
        return max(longest, (self.ended or time.monotonic()) - last)
