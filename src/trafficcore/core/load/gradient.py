"""`Gradient`: by how much to cut a load that makes latencies grow (multiplicative decrease).

Law    overloaded while signal > set point. Then multiplier = observed * g, with
       g = (signal / set point) ** slope, held between `least` and `most`, and the sum of
       increments begins anew. Otherwise, while anything is held back, that sum grows by one
       `increment` and multiplier = observed + sum; at `open_at` everything passes, until the next
       overload. Without a signal everything passes.
State  the multiplier (None: everything passes), the sum of increments.
Cost   O(1)
Source Aperture's AIMD load scheduler.
"""

from typing import Any

import attrs

from trafficcore.errors import ConfigError

__all__ = ["Gradient"]


@attrs.define(kw_only=True)
class Gradient:
    """`observed` is what part of what came was let by. Held under its owner's lock."""

    slope: float = -1
    least: float = attrs.field(default=0.1)
    most: float = 1
    increment: float = 0.025
    open_at: float = 2
    multiplier: Any = attrs.field(default=None, init=False)
    added: Any = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            raise ConfigError(
                f"the gradient must be held between bounds from 0, not {self.least!r} and"
                f" {self.most!r}"
            )
        if not self.increment >= 0:
            raise ConfigError(f"increment must be from 0, not {self.increment!r}")

    def update(self, signal: Any, setpoint: Any, observed: Any) -> Any:
        """Return the multiplier from here on; None: everything passes."""
        if signal is None or not setpoint:
            self.multiplier, self.added = None, 0
        elif signal > setpoint:
            cut = (signal / setpoint) ** self.slope
            self.multiplier = observed * max(self.least, min(self.most, cut))
            self.added = 0
        elif self.multiplier is not None:
            self.added += self.increment
            grown = observed + self.added
            self.multiplier = grown if grown < self.open_at else None
        return self.multiplier
