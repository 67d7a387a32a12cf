"""Zone-aware routing: its state, what stays in the own zone, and where each draw leads."""

from fractions import Fraction
from typing import Any

from conformance.envoy.balance_steps import close, draws, play, same
from trafficcore.core.balance.zone_aware import Routing, zone_plan

#: Reasons of ours that Envoy keeps no counter for.
UNCOUNTED = {"hosts_in_one_zone", "callers_in_one_zone"}


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


def cluster(*, localities: list[dict[str, Any]], has_local: bool = True) -> dict[str, Any]:
    for locality in localities:
        assert set(locality) == {"zone", "healthy"}, f"unknown keys in {locality}"
    return {"zones": [(place["zone"], place["healthy"]) for place in localities], "at": has_local}


def bare(reason: str | None) -> str:
    return (reason or "").removeprefix("lb_").removeprefix("zone_")


class Adapter:
    def __init__(self, hosts: list[str], **config: Any) -> None:
        same(hosts, [])
        self.config: dict[str, Any] = {}
        self.op_set_config(config)

    def op_set_config(self, config: dict[str, Any], t: Any = 0) -> None:
        self.config |= config
        self.configure(**self.config)

    def configure(
        self,
        *,
        local: dict[str, Any],
        upstream: dict[str, Any],
        min_cluster_size: int = 6,
        routing_enabled: bool = True,
        local_cluster_panic: bool = False,
        upstream_panic: bool = False,
        fail_traffic_on_panic: bool = False,
    ) -> None:
        callers, hosts = cluster(**local), cluster(**upstream)
        self.hosts = hosts["zones"]
        self.plan = zone_plan(
            callers["zones"],
            hosts["zones"],
            callers_at_home=callers["at"],
            hosts_at_home=hosts["at"],
            min_cluster_size=min_cluster_size,
        )
        self.reason = "" if self.plan.reason in UNCOUNTED else self.plan.reason
        self.upstream_panic, self.local_panic = upstream_panic, local_cluster_panic
        self.enabled, self.fails = routing_enabled, fail_traffic_on_panic

    def op_compute(self, t: Any = 0) -> None:
        self.op_set_config({})

    def op_pick(self, random: list[int], t: Any = 0) -> None:
        numbers = draws(random)
        if self.upstream_panic:
            self.reason = "healthy_panic"
            self.locality: Any = "no_host" if self.fails else "all_hosts"
        elif self.plan.state is Routing.NONE or not self.enabled:
            self.locality = "no_locality"
        elif self.local_panic:
            self.reason = "local_cluster_not_ok"
            self.locality = "no_host" if self.fails else "no_locality"
        else:
            self.locality = self.plan.choose(lambda: next(numbers))

    def expect_state(self, value: str) -> None:
        same(self.plan.state.value, value)

    def expect_reason(self, value: str | None) -> None:
        same(bare(self.reason), bare(value))

    def expect_local_percent_to_route(self, value: int) -> None:
        same(self.plan.local_percent, value)

    def expect_residual_capacity(self, value: list[int]) -> None:
        same(list(self.plan.residual), value)

    def expect_load_percent(self, value: list[Any]) -> None:
        shares = list(self.plan.shares)
        if self.plan.state is Routing.NONE:
            total = sum(count for _, count in self.hosts) or 1
            shares = [Fraction(count, total) for _, count in self.hosts]
        close([100 * share for share in shares], value, Fraction(2, 100))

    def expect_locality(self, value: Any) -> None:
        same(self.locality, value)
