"""`VirtualTime`: a clock that stands still until a test moves it.

Law    Time never moves by itself and never goes back. `advance` stops at each time at which
       somebody who waits in a queue is due, and wakes him there. Under `run` it is an event
       loop's time as well, and jumps to what is due next as soon as nothing is left to do.
"""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf, nextafter, ulp
from typing import Any, Final, TypeVar

from trafficcore.errors import ConfigError
from trafficcore.live.drivers import drivers_on

__all__ = ["VirtualTime"]

T = TypeVar("T")

#: Real seconds: another thread may be about to wake somebody before nothing is ever due.
_GRACE: Final = 0.1
#: Somebody who is due and cannot go on at one instant would keep it from ever ending.
_MOST_TURNS: Final = 100_000


class VirtualTime:
    """A clock: call it for the time, in seconds. Hand it to whatever takes `clock=`.

    time = VirtualTime()
    limiter = RateLimiter("1/s", clock=time)
    limiter.try_acquire(), limiter.try_acquire()     # True, False
    time.advance(1)
    limiter.try_acquire()                            # True
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def __repr__(self) -> str:
        return f"VirtualTime({self._now!r})"

    @property
    def now(self) -> float:
        """The time."""
        return self._now

    def advance(self, seconds: float) -> float:
        """Let time go by, waking on the way whoever is due; return the new time."""
        if not 0 <= seconds < inf:
            raise ConfigError(f"time goes by in seconds from 0, not {seconds!r}")
        return self.advance_to(self._now + seconds)

    def advance_to(self, now: float) -> float:
        """Let time go by up to a moment; return it."""
        if now < self._now:
            raise ConfigError(f"time does not go back from {self._now!r} to {now!r}")
        for _ in range(_MOST_TURNS):
            due = self.due()
            if due > now:
                break
            self._now = max(self._now, due)
            for driver in drivers_on(self):
                driver.run(self._now)
            if self._now >= now:
                break
            if self.due() <= self._now:  # by rounding, not yet: the next instant there is
                self._now = nextafter(self._now, inf)
        self._now = now
        for driver in drivers_on(self):
            driver.run(now)
        return now

    def due(self) -> float:
        """Return when the first of those who wait on this clock is due; `inf`: nobody is."""
        return min((driver.next_deadline() for driver in drivers_on(self)), default=inf)

    def sleep(self, seconds: float) -> None:
        """Stand in for `time.sleep`: let the time go by, and return at once."""
        self.advance(seconds)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Do what `asyncio.run` does, in this time: a sleep of an hour takes none.

        One thread only: what waits for a socket or another thread is never due.
        """
        with asyncio.Runner(loop_factory=lambda: _VirtualLoop(self)) as runner:
            return runner.run(main)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """Waits by moving the clock to whatever is due first: a timer of its own, or a queue."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__()
        self._virtual = clock
        self._selector: Any
        select: Callable[[float], Any] = self._selector.select

        def jump(timeout: float | None = None) -> Any:
            events = select(0)
            if events or timeout == 0:
                return events
            now = clock.now
            due = min(clock.due(), inf if timeout is None else now + timeout)
            if due == inf:
                events = select(_GRACE)
                if not events:
                    raise RuntimeError("every task waits, and nothing is ever due")
                return events
            clock.advance_to(max(due, now))
            return select(0)

        self._selector.select = jump

    def time(self) -> float:
        """Return the time of the clock."""
        return self._virtual.now

    @property
    def _clock_resolution(self) -> float:
        """A timer is due at its time, not a nanosecond before: this clock would stand still."""
        return ulp(self._virtual.now)

    @_clock_resolution.setter
    def _clock_resolution(self, _: float) -> None:
        """Let the loop's own be."""
