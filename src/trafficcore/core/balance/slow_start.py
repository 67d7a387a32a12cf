"""Slow start: a new host's weight grows to its full size over a window.

Law    factor = max(minimum / 100, (max(1 ms, elapsed) / window) ^ (1 / aggression)), until the
       window is over. An aggression of 0 or below counts as 1, the straight line.
State  none.   Cost  a power
Source Envoy EdfLoadBalancerBase::applySlowStartFactor
"""

from fractions import Fraction
from typing import Final

import attrs

from trafficcore.core.balance.edf import Number
from trafficcore.errors import ConfigError

__all__ = ["SlowStart"]

MOMENT: Final = Fraction(1, 1000)


@attrs.frozen(kw_only=True)
class SlowStart:
    """The growth of weights: `window` in seconds (0 = off), `minimum_percent` to begin with."""

    window: float
    aggression: float = 1
    minimum_percent: float = 10

    def __attrs_post_init__(self) -> None:
        if not self.window >= 0:
            raise ConfigError(f"window must be from 0 s, not {self.window!r}")
        if not 0 <= self.minimum_percent <= 100:
            raise ConfigError(
                f"minimum_percent must be from 0 to 100, not {self.minimum_percent!r}"
            )

    def factor(self, elapsed: Number) -> Number:
        """Return the part of its weight that a host has, healthy for `elapsed` seconds."""
        if elapsed >= self.window:
            return 1
        part: Number = max(elapsed, MOMENT) / self.window
        if part >= 1:
            return 1
        if self.aggression > 0 and self.aggression != 1:
            part = part ** (1 / self.aggression)
        least: Number = Fraction(self.minimum_percent) / 100
        return max(part, least)

    def weight(self, weight: Number, now: Number, since: Number | None) -> Number:
        """Return the weight at `now` of a host healthy `since` then (None: it is not)."""
        return weight if since is None else weight * self.factor(now - since)
