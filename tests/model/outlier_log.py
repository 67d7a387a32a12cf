"""Outlier detection recomputed from a log of all that happened: slow, and easy to believe.

Nothing is counted. How long a run of failures is, who is out, what a multiplier stands at, how an
endpoint did in the last interval: each is read off the log, back to where it last began. Sweeps
are carried out one by one, however many were missed. Numbers are exact.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import takewhile
from typing import Any

import attrs

GATEWAY = range(502, 505)


@attrs.frozen
class Entry:
    what: str
    host: Any = None
    at: Any = None
    kind: str = ""
    code: int = 0
    jitter: int = 0


class OutlierLog:
    def __init__(self, settings: Any, draws: Iterator[int]) -> None:
        self.log: list[Entry] = []
        self.settings = settings
        self.draws = draws
        self.start: Any = None
        self.swept = 0
        self.told: list[tuple[Any, ...]] = []
        self.rates: dict[str, dict[Any, Fraction]] = {"external": {}, "local": {}}
        self.averages: dict[str, Fraction | int] = {"external": -1, "local": -1}

    # What is read off the log.

    def of(self, host: Any) -> list[Entry]:
        """What happened to a host since it was added, and the sweeps since then."""
        mine = [e for e in self.log if e.host == host or e.what == "sweep"]
        begin = max(i for i, e in enumerate(mine) if e.what == "add")
        return mine[begin:]

    def hosts(self) -> list[Any]:
        found: list[Any] = []
        for entry in self.log:
            if entry.what == "add":
                found.append(entry.host)
            elif entry.what == "remove":
                found.remove(entry.host)
        return found

    def run(self, host: Any, kind: str) -> int:
        """The failures of a kind at the end of the log, with nothing between that ends the run."""
        length = 0
        for entry in reversed(self.of(host)):
            ends = {"add", "return"}
            if entry.what in ends or (entry.what == "detected" and entry.kind == kind):
                break
            if entry.what == "local" and kind == "consecutive_local_origin_failure":
                if entry.code == 0:
                    break
                length += 1
            if entry.what == "external" and kind != "consecutive_local_origin_failure":
                failed = 500 <= entry.code <= 599
                if kind == "consecutive_gateway_failure":
                    failed = entry.code in GATEWAY
                if not failed:
                    break
                length += 1
        return length

    def ejection(self, host: Any) -> Entry | None:
        """The entry that took a host out, if it is out."""
        last = [e for e in self.of(host) if e.what in {"eject", "return"}][-1:]
        return last[0] if last and last[0].what == "eject" else None

    def out(self) -> list[Any]:
        return [host for host in self.hosts() if self.ejection(host)]

    def returned(self, host: Any) -> Any:
        return next((e.at for e in reversed(self.of(host)) if e.what == "return"), None)

    def multiplier(self, host: Any) -> int:
        value = 0
        base, maximum = self.settings.base_ejection_time, self.settings.max_ejection_time
        for entry in self.of(host):
            if entry.what == "eject" and value * base < maximum + base:
                value += 1
            if entry.what == "decay" and value > 0:
                value -= 1
        return value

    def calls(self, host: Any, origin: str) -> tuple[int, int]:
        """Successes and failures between the last two sweeps, or since the host was added."""
        before = list(takewhile(lambda e: e.what != "sweep", reversed(self.of(host))))
        older = list(reversed(self.of(host)))[len(before) + 1 :]
        interval = takewhile(lambda e: e.what != "sweep", older)
        codes = [e.code for e in interval if e.what == origin]
        bad = sum(code >= 500 and code <= 599 for code in codes)
        return len(codes) - bad, bad

    # What happens.

    def add(self, host: Any, now: Any) -> None:
        if self.start is None:
            self.start = now
        self.log.append(Entry("add", host, now))
        for published in self.rates.values():
            published.pop(host, None)  # of another that had its name

    def remove(self, host: Any, now: Any) -> None:
        self.log.append(Entry("remove", host, now))

    def answer(self, host: Any, now: Any, code: int) -> None:
        self.log.append(Entry("external", host, now, code=code))
        self._consecutive(host, now, "consecutive_gateway_failure")
        self._consecutive(host, now, "consecutive_5xx")

    def connection(self, host: Any, now: Any, *, ok: bool) -> None:
        self.log.append(Entry("local", host, now, code=0 if ok else 500))
        self._consecutive(host, now, "consecutive_local_origin_failure")

    def _consecutive(self, host: Any, now: Any, kind: str) -> None:
        run = self.run(host, kind)
        if run == 0 or run != getattr(self.settings, kind):
            return
        if self.ejection(host) is None:
            self._found(host, now, kind)
            self.log.append(Entry("detected", host, now, kind))

    def _found(self, host: Any, now: Any, kind: str) -> None:
        out, every, s = len(self.out()), len(self.hosts()), self.settings
        share = Fraction(100 * (out + 1), every)
        if share > s.max_ejection_percent and not (s.always_eject_one_host and out == 0):
            self.told.append((host, "overflow", kind))
            return
        percent = getattr(s, ENFORCING[kind])
        if not (percent == 100 or (percent > 0 and next(self.draws) % 100 < percent)):
            self.told.append((host, "unenforced", kind))
            return
        most = int(s.max_ejection_time_jitter * 1000)
        jitter = next(self.draws) % (most + 1) if most else 0
        self.log.append(Entry("eject", host, now, kind, jitter=jitter))
        self.told.append((host, "eject", kind))

    def _return(self, host: Any, now: Any) -> None:
        ejection = self.ejection(host)
        assert ejection is not None
        self.log.append(Entry("return", host, now))
        self.told.append((host, "return", ejection.kind))

    def health_check_ok(self, host: Any, now: Any) -> None:
        if self.ejection(host) and self.settings.successful_active_health_check_uneject_host:
            self._return(host, now)

    def until(self, host: Any) -> Any:
        ejection = self.ejection(host)
        assert ejection is not None
        time = min(
            self.settings.base_ejection_time * self.multiplier(host),
            self.settings.max_ejection_time,
        )
        return ejection.at + time + Fraction(ejection.jitter, 1000)

    def sweep_until(self, now: Any) -> None:
        if self.start is None:
            return
        while self.start + (self.swept + 1) * self.settings.interval <= now:
            self.swept += 1
            self.sweep(self.start + self.swept * self.settings.interval)

    def sweep(self, at: Any) -> None:
        for host in self.out():
            if at >= self.until(host):
                self._return(host, at)
        self.log.append(Entry("sweep", at=at))
        self._compare(at, "external", "success_rate", "failure_percentage")
        local = ("success_rate_local_origin", "failure_percentage_local_origin")
        self._compare(at, "local", *local)
        for host in self.hosts():
            back = self.returned(host)
            if self.ejection(host) or back is None:
                continue
            if at - back >= self.settings.interval:
                self.log.append(Entry("decay", host, at))

    def _compare(self, at: Any, origin: str, compared: str, measured: str) -> None:
        s = self.settings
        self.rates[origin] = {}
        self.averages[origin] = -1
        hosts = self.hosts()
        if len(hosts) < min(s.success_rate_minimum_hosts, s.failure_percentage_minimum_hosts):
            return
        rates, totals = {}, {}
        for host in hosts:
            good, bad = self.calls(host, origin)
            if good + bad and not self.ejection(host):
                rates[host], totals[host] = Fraction(100 * good, good + bad), good + bad
        volumes = s.success_rate_request_volume, s.failure_percentage_request_volume
        self.rates[origin] = {h: r for h, r in rates.items() if totals[h] >= min(volumes)}
        found = []
        chosen = {h: r for h, r in rates.items() if totals[h] >= volumes[0]}
        if chosen and len(chosen) >= s.success_rate_minimum_hosts:
            mean = sum(chosen.values()) / Fraction(len(chosen))
            variance = sum((r - mean) ** 2 for r in chosen.values()) / Fraction(len(chosen))
            self.averages[origin] = mean
            factor = Fraction(s.success_rate_stdev_factor, 1000)
            for host, rate in chosen.items():
                # rate < mean - factor * stdev, without the root
                if rate < mean and (mean - rate) ** 2 > factor**2 * variance:
                    found.append((host, compared))
        chosen = {h: r for h, r in rates.items() if totals[h] >= volumes[1]}
        if chosen and len(chosen) >= s.failure_percentage_minimum_hosts:
            for host, rate in chosen.items():
                if 100 - rate >= s.failure_percentage_threshold:
                    found.append((host, measured))
        for host, kind in found:
            if self.ejection(host) is None:
                self._found(host, at, kind)


ENFORCING = {
    "consecutive_5xx": "enforcing_consecutive_5xx",
    "consecutive_gateway_failure": "enforcing_consecutive_gateway_failure",
    "consecutive_local_origin_failure": "enforcing_consecutive_local_origin_failure",
    "success_rate": "enforcing_success_rate",
    "success_rate_local_origin": "enforcing_local_origin_success_rate",
    "failure_percentage": "enforcing_failure_percentage",
    "failure_percentage_local_origin": "enforcing_failure_percentage_local_origin",
}
