"""Outlier detection as gRPC does it, swept only when a step says so."""

from typing import Any

import attrs

from conformance.envoy.balance_steps import play, same
from trafficcore.core.outlier import (
    FailurePercentageEjection,
    GrpcEjector,
    GrpcSettings,
    SuccessRateEjection,
    Tally,
)

DETECTORS = {
    "success_rate_ejection": SuccessRateEjection,
    "failure_percentage_ejection": FailurePercentageEjection,
}


def run(case: dict[str, Any]) -> None:
    case = dict(case)
    flavour = case.pop("flavour", "grpc")
    assert flavour == "grpc", f"unknown flavour {flavour!r}"
    play(case, Adapter)


def settings(config: dict[str, Any]) -> GrpcSettings:
    """An absent detector is off, as is null; an empty one has its defaults."""
    unknown = set(config) - {field.name for field in attrs.fields(GrpcSettings)}
    assert not unknown, f"unknown keys in the config: {sorted(unknown)}"
    made = dict(config)
    for name, detector in DETECTORS.items():
        if made.get(name) is not None:
            made[name] = detector(**made[name])
    return GrpcSettings(**made)


class Adapter:
    def __init__(self, hosts: list[str], **config: Any) -> None:
        self.ejector = GrpcEjector(settings(config), draw=lambda: 0)
        self.now: Any = 0
        self.tallies: dict[str, Tally] = {}
        for host in hosts:
            self.op_add_host(host=host)

    def at(self, t: Any) -> Any:
        now = self.now if t is None else t
        assert now >= self.now, f"time goes back from {self.now} to {now}"
        self.now = now
        return now

    def op_report(
        self,
        *,
        t: Any = None,
        host: str | None = None,
        hosts: list[str] | None = None,
        result: str,
        n: int = 1,
    ) -> None:
        self.at(t)
        assert (host is None) != (hosts is None), "either host or hosts"
        assert result in {"success", "failure"}, f"unknown result {result!r}"
        for name in [host] if hosts is None else hosts:
            for _ in range(n):
                self.ejector.record(self.tallies[name], ok=result == "success")

    def op_sweep(self, *, t: Any = None) -> None:
        self.ejector.force_sweep(self.at(t))

    def op_advance(self, *, t: Any = None) -> None:
        self.at(t)

    def op_set_config(
        self, *, t: Any = None, config: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        """Replace the whole config, as gRPC gets it: in a key of its own, or field by field."""
        assert config is None or not fields, f"a config and {sorted(fields)}"
        self.ejector.update(settings(fields if config is None else config), self.at(t))

    def op_add_host(self, *, t: Any = None, host: str) -> None:
        known = self.tallies.get(host)
        assert known is None or not known.present, f"{host} is there already"
        self.tallies[host] = self.ejector.add(host, self.at(t))

    def op_remove_host(self, *, t: Any = None, host: str) -> None:
        self.ejector.remove(self.tallies[host], self.at(t))

    def expect_ejected(self, hosts: list[str]) -> None:
        out = [name for name, tally in self.tallies.items() if tally.present and tally.ejected]
        same(sorted(out), sorted(hosts))
        same(self.ejector.active, len(hosts))

    def expect_enforced(self, count: int) -> None:
        same(self.ejector.stats["ejections_enforced"], count)

    def expect_unenforced(self, count: int) -> None:
        stats = self.ejector.stats
        same(sum(stats.values()) - stats["ejections_enforced"], count)

    def expect_multiplier(self, wanted: dict[str, int]) -> None:
        for host, value in wanted.items():
            actual = self.tallies[host].multiplier
            assert actual == value, f"{host}: {actual} instead of {value}"
