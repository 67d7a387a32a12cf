"""Priority loads, panic and the choice by hash, as Envoy works them out."""

from typing import Any

from conformance.envoy.balance_steps import play, same
from trafficcore.core.balance.priority import Level, choose, priority_loads

COUNTS = {"hosts", "healthy", "degraded", "excluded"}
HEALTH = ("healthy", "degraded", "unhealthy", "excluded")


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


class Adapter:
    def __init__(
        self,
        hosts: list[str],
        *,
        overprovisioning_factor: int = 140,
        panic_threshold: int = 50,
        weighted_priority_health: bool = False,
    ) -> None:
        same(hosts, [])
        self.settings = {
            "overprovisioning": overprovisioning_factor,
            "panic_threshold": panic_threshold,
        }
        self.weighted = weighted_priority_health

    def op_set_priorities(self, priorities: list[dict[str, Any]], t: Any = 0) -> None:
        self.loads = priority_loads([self.level(**p) for p in priorities], **self.settings)

    def level(self, host_list: list[dict[str, Any]] | None = None, **counts: int) -> Level:
        if host_list is None:
            assert {"hosts", "healthy"} <= set(counts) <= COUNTS, f"unknown keys in {counts}"
            good = (counts["healthy"], counts.get("degraded", 0))
            weights = (*good, counts["hosts"] - counts.get("excluded", 0))
            return Level(**counts, weights=weights if self.weighted else None)
        assert not counts, f"both a list and counts: {counts}"
        total = dict.fromkeys(HEALTH, 0)
        weight = dict.fromkeys(HEALTH, 0)
        for host in host_list:
            assert set(host) <= {"weight", "health"}, f"unknown keys in {host}"
            total[host["health"]] += 1
            weight[host["health"]] += host.get("weight", 1)
        weights = (weight["healthy"], weight["degraded"], sum(weight.values()) - weight["excluded"])
        return Level(
            hosts=len(host_list),
            healthy=total["healthy"],
            degraded=total["degraded"],
            excluded=total["excluded"],
            weights=weights if self.weighted else None,
        )

    def op_choose_priority(self, hash: int, t: Any = 0) -> None:  # noqa: A002
        self.chosen = choose(self.loads, hash)

    def expect_healthy_load(self, value: list[int]) -> None:
        same(list(self.loads.healthy), value)

    def expect_degraded_load(self, value: list[int]) -> None:
        same(list(self.loads.degraded), value)

    def expect_panic(self, value: list[bool]) -> None:
        same(list(self.loads.panic), value)

    def expect_health(self, value: list[int]) -> None:
        same(list(self.loads.health), value)

    def expect_degraded_health(self, value: list[int]) -> None:
        same(list(self.loads.degraded_health), value)

    def expect_normalized_total(self, value: int) -> None:
        same(self.loads.available, value)

    def expect_priority(self, value: int) -> None:
        same(self.chosen[0], value)

    def expect_availability(self, value: str) -> None:
        same("degraded" if self.chosen[1] else "healthy", value)
