"""`Ramping`: a load ramp that latencies move, a tick at a time, worked out when somebody asks.

Law    at each whole tick the mean latency of each driver over the last `WINDOW` seconds is held
       against its thresholds. Reset where any is above its `reset`, or by hand; else backward
       where any is above its `backward`; else forward where the ramp is started and any is below
       its `forward`, or none has one. A driver that saw no call in that time says nothing.
State  the ramp, its last tick, the latencies of each driver.
Cost   O(drivers) a tick while there is evidence; ticks in silence are one step.
Source Aperture's load ramping policy, which evaluates once a second over 30 s.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from trafficcore.core.fair import LoadRamp
from trafficcore.core.load.recent import Recent
from trafficcore.core.nolock import NO_LOCK

__all__ = ["WINDOW", "Criteria", "Ramping"]

#: Seconds of latencies that a driver looks at, and of one tick.
WINDOW: Final = 30
TICK: Final = 1


@attrs.frozen(kw_only=True)
class Criteria:
    """Mean latencies (s) that move a ramp; None: this driver never does."""

    forward: float | None = None
    backward: float | None = None
    reset: float | None = None


class Ramping:
    """`percent(now)` of the load are to be accepted. Everything is *guarded*.

    A ramp that is not started holds. What is changed by hand is carried out at the next look at the
    clock; from the last one to that it has held where it was to hold before, or is now.
    """

    __slots__ = (
        "_criteria", "_lock", "_next", "_ramp", "_recent", "_reset_due", "_tick", "resetting",
        "started",
    )  # fmt: skip

    def __init__(
        self,
        steps: Sequence[tuple[float, float]],
        criteria: Iterable[Criteria] = (),
        *,
        started: bool = True,
        resetting: bool = False,
        lock: Any = NO_LOCK,
    ) -> None:
        self._ramp = LoadRamp(steps, TICK)
        self._criteria = tuple(criteria)
        self._recent = [Recent(WINDOW // TICK, TICK) for _ in self._criteria]
        self._lock = lock
        self._tick: int | None = None
        self.started = started
        self.resetting = resetting
        #: What `change` said last, and whether a reset was among what it said.
        self._next: tuple[bool, bool] | None = None
        self._reset_due = False

    def change(self, *, started: bool, resetting: bool) -> None:
        """Start or hold; begin again, for as long as `resetting` stays."""
        with self._lock:
            self._next = started, resetting
            self._reset_due |= resetting

    def record(self, driver: int, now: float, latency: float) -> None:
        """Note how long a good call took that a driver looks at."""
        with self._lock:
            self._catch_up(now)
            self._recent[driver].add(now, latency)

    def percent(self, now: float) -> Any:
        """Return what share of the load to accept, from 0 to 100."""
        with self._lock:
            self._catch_up(now)
            return self._ramp.percent

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return where the ramp stands and what its drivers see, as plain data."""
        with self._lock:
            self._catch_up(now)
            at = int(now // TICK)
            return {
                "percent": self._ramp.percent,
                "at_start": self._ramp.at_start,
                "at_end": self._ramp.at_end,
                "started": self.started,
                "latencies": [recent.mean(at) for recent in self._recent],
            }

    def _catch_up(self, now: float) -> None:
        """Run the ticks that are due; the first look at the clock is where they begin."""
        until = int(now // TICK)
        if self._next is not None:
            self.started = self.started and self._next[0]
        self._run(until)
        if self._next is not None:
            (self.started, self.resetting), self._next = self._next, None
            if self._reset_due:
                self._ramp.tick(reset=True)
            self._reset_due = False

    def _run(self, until: int) -> None:
        tick = self._tick
        if tick is None:
            self._tick = until
            return
        evidence = min(until, tick + WINDOW // TICK + 1)
        while tick < evidence:
            tick += 1
            self._move(tick, 1)
        if tick < until:  # nothing has been seen for longer than anybody looks back
            self._move(until, until - tick)
        self._tick = max(tick, until)

    def _move(self, tick: int, ticks: int) -> None:
        means = [recent.mean(tick) for recent in self._recent]
        seen = [
            (mean, of) for mean, of in zip(means, self._criteria, strict=True) if mean is not None
        ]
        reset = self.resetting or any(_above(mean, of.reset) for mean, of in seen)
        backward = any(_above(mean, of.backward) for mean, of in seen)
        waits = any(of.forward is not None for of in self._criteria)
        good = any(of.forward is not None and mean < of.forward for mean, of in seen)
        self._ramp.tick(
            forward=self.started and (good or not waits) and not backward,
            backward=backward,
            reset=reset,
            ticks=ticks,
        )


def _above(mean: float, threshold: float | None) -> bool:
    return threshold is not None and mean > threshold
