"""A load ramp: a percentage that steps up, tick by tick, as long as all is well.

Law    a step lasts ceil(duration / interval) ticks, at least one. The first is constant, a later
       one goes in a line from the target before to its own; past the last tick the last target
       stands. Forward or backward alone moves one tick, both together hold, reset goes back to
       the start before anything else.
State  one integer: the ticks passed.   Cost  O(steps) a tick.
Source Aperture's signal generator, with the end its documentation promises.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

from trafficcore.errors import ConfigError

__all__ = ["LoadRamp"]


class LoadRamp:
    """`steps` are (target percentage, duration) pairs; `tick` once an evaluation interval."""

    __slots__ = ("_ends", "_position", "_targets", "_total")

    def __init__(self, steps: Sequence[tuple[float, float]], interval: float = 1) -> None:
        if not steps:
            raise ConfigError("steps must name at least one target")
        if not interval > 0:
            raise ConfigError(f"interval must be above 0 s, not {interval!r}")
        self._targets: list[Any] = []
        self._ends: list[int] = []
        self._total = 0
        for target, duration in steps:
            if not 0 <= target <= 100:
                raise ConfigError(f"a target must be from 0 to 100, not {target!r}")
            if not duration >= 0:
                raise ConfigError(f"a duration must be from 0 s, not {duration!r}")
            self._total += max(1, ceil(duration / interval))
            self._targets.append(target)
            self._ends.append(self._total)
        self._position = 0

    @property
    def at_start(self) -> bool:
        """Whether no tick has passed."""
        return self._position == 0

    @property
    def at_end(self) -> bool:
        """Whether every tick has passed."""
        return self._position == self._total

    @property
    def percent(self) -> Any:
        """What share of the load to accept, from 0 to 100."""
        before: Any = self._targets[0]
        begin = 0
        for target, end in zip(self._targets, self._ends, strict=True):
            if self._position < end:
                return before + (target - before) * (self._position - begin) / (end - begin)
            before, begin = target, end
        return before

    def tick(
        self,
        *,
        forward: bool = False,
        backward: bool = False,
        reset: bool = False,
        ticks: int = 1,
    ) -> Any:
        """Move by what the criteria say now, or said for `ticks`; return the percentage since."""
        if reset:
            self._position = 0
        elif forward and not backward:
            self._position = min(self._position + ticks, self._total)
        elif backward and not forward:
            self._position = max(self._position - ticks, 0)
        return self.percent
