"""Weighted round robin by EDF, with or without the bias of active requests."""

from fractions import Fraction
from typing import Any

from conformance.envoy.balance_steps import play, same, same_counts
from trafficcore.core.balance.edf import Edf
from trafficcore.core.balance.least_request import biased_weight


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


class Adapter:
    def __init__(
        self,
        hosts: list[str],
        *,
        weights: list[Any],
        seed: int = 0,
        active_request_bias: Any = None,
    ) -> None:
        self.hosts = hosts
        self.weights = {h: Fraction(w) for h, w in zip(hosts, weights, strict=True)}
        self.active = dict.fromkeys(hosts, 0)
        self.bias = 0 if active_request_bias is None else active_request_bias
        self.schedule = Edf.started(hosts, self.weight_of, seed)

    def weight_of(self, host: str) -> Any:
        return biased_weight(self.weights[host], self.active[host], self.bias)

    def op_set_active(self, active: dict[str, int], t: Any = 0) -> None:
        assert set(active) <= set(self.hosts), f"unknown hosts in {active}"
        self.active |= active

    def op_pick(self, n: int = 1, t: Any = 0) -> None:
        self.picks = [self.schedule.pick(self.weight_of) for _ in range(n)]

    def expect_picks(self, value: list[str]) -> None:
        same(self.picks, value)

    def expect_counts(self, value: Any) -> None:
        same_counts(self.picks, self.hosts, value)
