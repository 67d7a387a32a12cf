"""Slow start: the weight a host has, so long after it turned healthy."""

from fractions import Fraction
from typing import Any

from conformance.envoy.balance_steps import close, play, same
from trafficcore.core.balance.slow_start import SlowStart


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


class Adapter:
    def __init__(
        self,
        hosts: list[str],
        *,
        slow_start_window: Any = 0,
        aggression: Any = 1,
        min_weight_percent: Any = 10,
    ) -> None:
        same(hosts, [])
        self.start = SlowStart(
            window=Fraction(slow_start_window),
            aggression=aggression,
            minimum_percent=min_weight_percent,
        )

    def op_weight(
        self, t: Any, weight: Any = 1, healthy_since: Any = None, healthy: bool = True
    ) -> None:
        self.weight = self.start.weight(weight, t, healthy_since if healthy else None)

    def expect_effective_weight(self, value: Any) -> None:
        close(self.weight, value, Fraction(1, 10**4))
