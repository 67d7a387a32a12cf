"""Locality-weighted balancing: effective weights, and the turns of localities."""

from fractions import Fraction
from typing import Any

from conformance.envoy.balance_steps import close, play, same, same_counts
from trafficcore.core.balance.locality_weighted import Zone, effective_weight, schedule


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


def zone(
    *, hosts: int, healthy: int, weight: int | None = None, excluded: int = 0, degraded: int = 0
) -> Zone:
    return Zone(weight=weight or 0, hosts=hosts, good=healthy, excluded=excluded)


class Adapter:
    def __init__(
        self,
        hosts: list[str],
        *,
        localities: list[dict[str, Any]],
        overprovisioning_factor: int = 140,
        seed: int = 0,
    ) -> None:
        same(hosts, [])
        self.zones = [zone(**locality) for locality in localities]
        self.factor = overprovisioning_factor
        self.schedule = self.started(seed)

    def started(self, seed: int) -> Any:
        return schedule(self.zones, overprovisioning=self.factor, picks=seed)

    def pick(self, turns: Any) -> int | None:
        entry = turns.pick(lambda entry: entry[1])
        return None if entry is None else entry[0]

    def op_compute(self, t: Any = 0) -> None:
        self.weights = [effective_weight(zone, self.factor) for zone in self.zones]

    def op_pick(self, n: int = 1, t: Any = 0) -> None:
        self.picks = [self.pick(self.schedule) for _ in range(n)]

    def op_first_pick_per_seed(self, seeds: Any, t: Any = 0) -> None:
        seeds = range(seeds) if isinstance(seeds, int) else seeds
        self.picks = [self.pick(self.started(seed)) for seed in seeds]

    def expect_effective_weights(self, value: list[Any]) -> None:
        self.op_compute()
        close(self.weights, value, Fraction(1, 10**4))

    def expect_load_percent(self, value: list[Any]) -> None:
        self.op_compute()
        total = sum(self.weights) or 1
        close([100 * weight / total for weight in self.weights], value, Fraction(1, 100))

    def expect_picks(self, value: list[int]) -> None:
        same(self.picks, value)

    def expect_counts(self, value: Any) -> None:
        same_counts(self.picks, list(range(len(self.zones))), value)

    def expect_locality(self, value: int | None) -> None:
        same(self.picks[-1], value)
