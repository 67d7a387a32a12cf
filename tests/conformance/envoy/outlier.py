"""Outlier detection as Envoy does it: the ejector, swept only when a step says so."""

from fractions import Fraction
from typing import Any

import attrs

from conformance.envoy.balance_steps import close, draws, play, same
from trafficcore.core.outlier import Change, Ejected, Ejector, Result, Settings, Tally
from trafficcore.core.outlier.duration import due
from trafficcore.core.outlier.stats import new_stats

#: The two local kinds have one name in Envoy's event log and another in its counters.
OTHER_NAMES = {
    "local_origin_success_rate": "success_rate_local_origin",
    "local_origin_failure_percentage": "failure_percentage_local_origin",
}

THOUSANDTH = Fraction(1, 1000)


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


class Adapter:
    def __init__(
        self,
        hosts: list[str],
        *,
        random: list[int] | None = None,
        active_health_check: bool = False,
        **config: Any,
    ) -> None:
        unknown = set(config) - {field.name for field in attrs.fields(Settings)}
        assert not unknown, f"unknown keys in the config: {sorted(unknown)}"
        numbers = draws(random or [])
        self.ejector = Ejector(Settings(**config), draw=lambda: next(numbers))
        self.checks = active_health_check
        self.now: Any = 0
        self.tallies: dict[str, Tally] = {}
        for host in hosts:
            self.op_add_host(host=host)

    def at(self, t: Any) -> Any:
        """Go on to a step's time; a step without one is at the time of the last."""
        now = self.now if t is None else t
        assert now >= self.now, f"time goes back from {self.now} to {now}"
        self.now = now
        return now

    def _one(self, tally: Tally, *, result: str, code: int | None = None, n: int = 1) -> None:
        for _ in range(n):
            if result == "http":
                assert code is not None, "an http result needs a code"
                self.ejector.record(tally, self.now, code)
            else:
                self.ejector.local(tally, self.now, Result(result), code)

    def op_report(
        self, *, t: Any = None, host: str | None = None, hosts: list[str] | None = None, **what: Any
    ) -> None:
        self.at(t)
        assert (host is None) != (hosts is None), "either host or hosts"
        for name in [host] if hosts is None else hosts:
            self._one(self.tallies[name], **what)

    def op_report_seq(
        self,
        *,
        t: Any = None,
        host: str | None = None,
        hosts: list[str] | None = None,
        seq: list[dict[str, Any]],
        repeat: int = 1,
    ) -> None:
        self.at(t)
        assert (host is None) != (hosts is None), "either host or hosts"
        for name in [host] if hosts is None else hosts:
            for _ in range(repeat):
                for what in seq:
                    self._one(self.tallies[name], **what)

    def op_sweep(self, *, t: Any = None) -> None:
        self.ejector.force_sweep(self.at(t))

    def op_advance(self, *, t: Any = None) -> None:
        self.at(t)

    def op_add_host(self, *, t: Any = None, host: str) -> None:
        known = self.tallies.get(host)
        assert known is None or not known.present, f"{host} is there already"
        self.tallies[host] = self.ejector.add(host, self.at(t))

    def op_remove_host(self, *, t: Any = None, host: str) -> None:
        # its tally stays at hand: results may still come in for who is gone
        tally = self.tallies[host]
        assert tally.present, f"{host} is not there"
        self.ejector.remove(tally, self.at(t))

    def op_health_check_ok(self, *, t: Any = None, host: str) -> None:
        now = self.at(t)
        if self.checks:
            self.ejector.health_check_ok(self.tallies[host], now)

    def _present(self) -> dict[str, Tally]:
        return {name: tally for name, tally in self.tallies.items() if tally.present}

    def _out(self) -> list[str]:
        return sorted(name for name, tally in self._present().items() if tally.ejected)

    def expect_ejected(self, hosts: list[str]) -> None:
        same(self._out(), sorted(hosts))
        same(self.ejector.active, len(hosts))

    def expect_ejected_count(self, count: int) -> None:
        same(len(self._out()), count)

    def expect_active(self, count: int) -> None:
        same(self.ejector.active, count)

    def expect_events(self, events: list[list[Any]]) -> None:
        told = [_event(change) for change in self.ejector.take_changes()]
        wanted = [[OTHER_NAMES.get(word, word) for word in event] for event in events]
        same(told, wanted)

    def expect_stats(self, stats: dict[str, int]) -> None:
        counted = self.ejector.snapshot(self.now).stats
        assert set(new_stats()) <= set(counted)
        for name, value in stats.items():
            plain = name.removeprefix("outlier_detection.")
            for counter, kind in OTHER_NAMES.items():
                plain = plain.replace(kind, counter)
            assert plain in counted, f"unknown counter {name}"
            assert counted[plain] == value, f"{name} is {counted[plain]} instead of {value}"

    def expect_success_rate_external(self, wanted: dict[str, Any]) -> None:
        self._rates(wanted, self.ejector.success_rate, "success_rate")

    def expect_success_rate_local(self, wanted: dict[str, Any]) -> None:
        self._rates(wanted, self.ejector.local_success_rate, "local_success_rate")

    def _rates(self, wanted: dict[str, Any], cluster: tuple[float, float], name: str) -> None:
        unknown = set(wanted) - {"hosts", "average", "threshold"}
        assert not unknown, f"unknown keys {sorted(unknown)}"
        for host, rate in wanted.get("hosts", {}).items():
            close(getattr(self.tallies[host], name), rate, THOUSANDTH)
        for key, value in zip(("average", "threshold"), cluster, strict=True):
            if key in wanted:
                close(value, wanted[key], THOUSANDTH)

    def _each(self, wanted: dict[str, Any], actual: dict[str, Any]) -> None:
        for host, value in wanted.items():
            assert actual[host] == value, f"{host}: {actual[host]!r} instead of {value!r}"

    def expect_num_ejections(self, wanted: dict[str, int]) -> None:
        self._each(wanted, {name: each.num_ejections for name, each in self.tallies.items()})

    def expect_multiplier(self, wanted: dict[str, int]) -> None:
        self._each(wanted, {name: each.multiplier for name, each in self.tallies.items()})

    def expect_jitter_ms(self, wanted: dict[str, int]) -> None:
        self._each(wanted, {name: each.jitter_ms for name, each in self.tallies.items()})

    def expect_ejection_ms(self, wanted: dict[str, Any]) -> None:
        settings = self.ejector.settings
        self._each(
            wanted,
            {
                name: 1000 * (due(each, settings) - each.last_ejection)
                for name, each in self.tallies.items()
                if each.last_ejection is not None
            },
        )

    def expect_ever_unejected(self, wanted: dict[str, bool]) -> None:
        back = {name: each.last_unejection is not None for name, each in self.tallies.items()}
        self._each(wanted, back)

    def expect_resolved_config(self, wanted: dict[str, Any]) -> None:
        resolved = attrs.asdict(self.ejector.settings)
        for name, value in wanted.items():
            assert resolved[name] == value, f"{name} is {resolved[name]!r} instead of {value!r}"


def _event(change: Change) -> list[Any]:
    if isinstance(change, Ejected):
        return [change.key, "eject", change.kind.value, change.enforced]
    return [change.key, "uneject"]
