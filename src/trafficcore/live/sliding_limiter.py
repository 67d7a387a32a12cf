"""SlidingWindowLimiter: the sliding-window counter with a clock.

Law     That of `core.limit.SlidingWindow`. Nobody goes past those who wait.
State   The machine's, and the line of those who wait.
Cost    One clock reading and one call; no lock.
"""

import time
from collections.abc import Callable
from typing import Any

from trafficcore.core.limit import SlidingWindow
from trafficcore.core.limit.amounts import check_amount, check_cost
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.live.followers import Followers
from trafficcore.live.rates import read_window
from trafficcore.live.verbs import Verbs
from trafficcore.live.waiting import Line, Sleep, Source

__all__ = ["SlidingWindowLimiter"]

_Machine = guarded(SlidingWindow)


class SlidingWindowLimiter(Verbs[float]):
    """Grants `limit` in each `window` seconds, and counts the window before in as it fades.

    `limit` is a number beside a `window`, or a text that has both: "100/min". Windows begin at
    multiples of their length on the limiter's `clock`. For people who expect "100 in a minute"
    rather than a burst and a rate; there is nothing to reserve, for a counter knows no debt. Raises
    `ConfigError` for what is no limit or no window.

        limiter = SlidingWindowLimiter("100/min")
        limiter.try_acquire()                     # and acquire, acquire_async, with, @limiter
        limiter.tokens()                          # how much there is room for
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_line",
        "_machine",
        "_sleep",
        "_waiting",
        "followers",
        "name",
    )

    def __init__(
        self,
        limit: float | str,
        window: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
        sleep: Sleep | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._sleep = sleep
        lock = new_lock()
        self._machine = _Machine(*read_window(limit, window), lock=lock)
        self._line = Line(clock, lock)
        self._waiting = self._line.tickets
        #: Lines that are to be nudged when tokens come back, as `Together` has one.
        self.followers = Followers()
        after_fork(self)

    @property
    def limit(self) -> float:
        """How much is granted in a window."""
        return self._machine.limit

    @property
    def window(self) -> float:
        """How many seconds a window has."""
        return self._machine.window

    def try_acquire(self, cost: float = 1) -> bool:
        """Count `cost` in if there is room for it; answer at once."""
        now = self._clock()
        if self._waiting:
            # A question all the same: what is no amount is an error, whoever waits.
            check_amount(cost)
            return False
        try:
            return self._machine.try_acquire(now, cost)
        except TypeError:
            check_amount(cost)
            raise

    def earliest(self, cost: float = 1) -> float:
        """Return the time, on the limiter's clock, from which `cost` can be granted.

        Behind those who wait; where they want more than the limit with it, then no earlier than
        that: it depends on when they are served. A cost above the limit is an `ImpossibleCost`.
        """
        check_cost(cost, self.limit)
        ahead = self._line.ahead + cost
        return self._machine.earliest(self._clock(), ahead if ahead < self.limit else self.limit)

    def refund(self, cost: float = 1) -> None:
        """Count `cost` out again."""
        self._machine.refund(cost, self._clock())
        if self._waiting:
            self._line.nudge()
        self.followers.ring()

    def tokens(self) -> float:
        """Return how much there is room for now."""
        return self._machine.tokens_at(self._clock())

    def snapshot(self) -> dict[str, Any]:
        """Return room and settings, as plain data."""
        state = self._machine.snapshot(self._clock())
        return {"name": self.name, "waiting": self._line.waiting, **state}

    def after_fork(self) -> None:
        """Forget who waits: they do so in the parent."""
        self._line.clear()

    def _place(self, cost: float) -> tuple[Line, Source, float]:
        check_cost(cost, self.limit)
        return self._line, self._machine, cost
