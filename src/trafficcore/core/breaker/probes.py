"""A half-open period: how many probes may go, what they said, and until when.

Law     A probe goes while fewer than `permits` went and fewer than `max_concurrent` fly. A result
        frees its place in the air, not its permit; a probe given back frees both. `need` good
        ones of `of` are a verdict, and so are too many bad ones; or the trip rules are, after so
        many results. Undecided at `deadline`, time decides. A period in which every probe was
        given back is idle again: nothing is at risk, and the clock stops.
Source  rules R18 to R20. All of it runs under the breaker's lock.
"""

import math
from typing import Final

from trafficcore.core.breaker.counts import NOTHING, Tally, add
from trafficcore.core.breaker.rules import Judge
from trafficcore.core.breaker.settings import HalfOpen, Ratio
from trafficcore.core.breaker.states import Cause

__all__ = ["UNDECIDED", "Probes"]

UNDECIDED: Final = None


class Probes:
    """The probes of one half-open period."""

    __slots__ = (
        "_concurrent",
        "_judge",
        "_permits",
        "_settings",
        "_wait",
        "admitted",
        "bad",
        "deadline",
        "flying",
        "run",
        "tally",
    )

    def __init__(
        self, settings: HalfOpen, judge: Judge, now: float, opened_for: float | None
    ) -> None:
        wait = opened_for if settings.max_wait == "open" else settings.max_wait
        #: An opening of no length gives no time to wait, so there is no limit then.
        self._wait: float = wait if wait is not None and wait > 0 else math.inf
        self._settings = settings
        self._judge = judge
        self._permits: float = math.inf if settings.permits is None else settings.permits
        concurrent = settings.max_concurrent
        self._concurrent: float = math.inf if concurrent is None else concurrent
        self.admitted = 0
        self.flying = 0
        self.tally: Tally = NOTHING
        self.bad = 0
        self.run = 0
        self.deadline = now + self._wait if settings.max_wait_from == "entry" else math.inf

    @property
    def full(self) -> bool:
        """Whether the next one would be refused."""
        return self.admitted >= self._permits or self.flying >= self._concurrent

    @property
    def floor(self) -> int:
        """How many results it takes before a rate is shown."""
        verdict = self._settings.verdict
        return 1 if isinstance(verdict, Ratio) else verdict.after

    @property
    def at_deadline(self) -> Cause:
        """What it is called when time decides."""
        return Cause.LAPSED if self._settings.max_wait_to == "closed" else Cause.HUNG

    def admit(self, now: float) -> bool:
        """Let one through, if one may."""
        if self.full:
            return False
        self.admitted += 1
        self.flying += 1
        if self.deadline == math.inf:
            self.deadline = now + self._wait
        return True

    def give_back(self) -> None:
        """Take a probe as if it had never been let through."""
        self.admitted -= 1
        self.flying -= 1
        if not self.admitted and self._settings.max_wait_from == "first_probe":
            self.deadline = math.inf

    def forget(self) -> None:
        """Take those under way as if they had never been let through: they end elsewhere."""
        told = self.tally[0]  # some may be under way and have a result: they were slow in flight
        self.admitted = min(self.admitted, max(self.admitted - self.flying, told))
        self.flying = 0
        if not self.admitted and self._settings.max_wait_from == "first_probe":
            self.deadline = math.inf

    def land(self, more: Tally) -> None:
        """Add to the result of a probe that was judged in flight, and take its place back."""
        self.flying -= 1
        self.tally = add(self.tally, more)
        self.run = self.run + 1 if more[1] else 0

    def add(self, kind: int, one: Tally, *, own: bool, over: bool) -> bool | None:
        """Count a result; return whether the service is well, or UNDECIDED.

        `own`: it is of this period, else of an earlier one, and frees its place. `over`: its call
        has ended, else whether it failed is not known yet.
        """
        if own:
            self.flying -= 1
        self.tally = tally = add(self.tally, one)
        if over:
            self.run = self.run + 1 if kind & 1 else 0
        self.bad += self._judge.matters[kind]
        verdict = self._settings.verdict
        if isinstance(verdict, Ratio):
            if tally[0] - self.bad >= verdict.need:
                return True
            return False if self.bad > verdict.of - verdict.need else UNDECIDED
        if tally[0] < verdict.after:
            return UNDECIDED
        return not self._judge.condemns(tally, self.run)
