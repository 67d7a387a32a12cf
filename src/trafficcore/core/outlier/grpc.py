"""Outlier detection as gRPC does it (gRFC A50): the two periodic detectors and nothing else.

Law     A sweep looks first and lets back after. Success rate: rate < mean - factor / 1000 *
        stdev. Failure percentage: share of failures > threshold (strictly). Each find ejects
        unless 100 * ejected / endpoints >= max_ejection_percent; so the first always goes,
        unless that is 0. Back when now > ejected at + min(base * multiplier, max(base,
        maximum)) (strictly). The multiplier has no bound; each sweep takes one off whoever is in.
State   A `Tally` an endpoint (its runs are not used); the grid of sweeps.
Cost    An outcome: see `Tally`. A sweep: O(endpoints).
Source  gRFC A50; gRPC-Go, `outlierdetection/balancer.go`.

Ejected endpoints are looked at as well: late results may eject one anew, which makes it stay
out longer. Ours counts it once among the ejected all the same.
"""

import math
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, Final

from trafficcore.core.nolock import NO_LOCK
from trafficcore.core.outlier.chance import Chance
from trafficcore.core.outlier.changes import Change, Kind, Returned
from trafficcore.core.outlier.detect import threshold
from trafficcore.core.outlier.evidence import Evidence
from trafficcore.core.outlier.grid import Grid, catch_up, passed
from trafficcore.core.outlier.grpc_settings import GrpcSettings
from trafficcore.core.outlier.tally import Tally

__all__ = ["GrpcEjector"]

_ENFORCED: Final = "ejections_enforced"
_OVERFLOW: Final = "ejections_unenforced_max_ejection_overflow"
_UNDRAWN: Final = "ejections_unenforced_enforcement_percentage"


class GrpcEjector:
    """A50 over the endpoints of one channel; used as `Ejector` is, by success and failure."""

    __slots__ = (
        "__weakref__",
        "_chance",
        "_grid",
        "_lock",
        "_marked",
        "_tallies",
        "_tally",
        "active",
        "changes",
        "next_sweep",
        "settings",
        "stats",
        "version",
    )

    def __init__(
        self,
        settings: GrpcSettings,
        *,
        lock: AbstractContextManager[Any] = NO_LOCK,
        draw: Callable[[], int] | None = None,
        tally: type[Tally] = Tally,
    ) -> None:
        self._lock = lock
        self._chance = Chance(draw)
        self._chance.require(needed=settings.draws)
        self._tally = tally
        self._tallies: dict[Tally, None] = {}
        #: Those with a multiplier: all that are out, and those whose record is not yet clean.
        self._marked: dict[Tally, None] = {}
        self._grid = Grid(settings.interval)
        self.settings = settings
        self.next_sweep: float = math.inf
        self.active = 0
        self.version = 0
        self.changes: list[Change] = []
        self.stats = dict.fromkeys((_ENFORCED, _OVERFLOW, _UNDRAWN), 0)

    def __len__(self) -> int:
        return len(self._tallies)

    def add(self, key: Hashable, now: float) -> Tally:
        """Watch an endpoint from now on, with a clean record. *guarded*."""
        tally = self._tally(key, self._lock)
        with self._lock:
            if not self.settings.off:
                self._grid.begin(now)
                self.next_sweep = self._grid.next
            self._tallies[tally] = None
        return tally

    def remove(self, tally: Tally, now: float) -> None:  # noqa: ARG002  # every verb takes now
        """Forget an endpoint. *guarded*."""
        with self._lock:
            if not tally.present:
                return
            tally.present = False
            del self._tallies[tally]
            self._marked.pop(tally, None)
            if tally.ejected:
                self.active -= 1
                self.version += 1

    def update(self, settings: GrpcSettings, now: float) -> None:
        """Replace the settings. *guarded*.

        With neither detector left all come back with a clean record; when one is set again,
        counting starts anew. A new interval counts from the last sweep. This runs no sweep:
        what is due by the old settings has to be run before.
        """
        self._chance.require(needed=settings.draws)
        with self._lock:
            was_off, self.settings = self.settings.off, settings
            if settings.off:
                for tally in list(self._marked):
                    if tally.ejected:
                        self._return(tally, now)
                    tally.multiplier = 0
                self._marked.clear()
                self._grid.stop()
            if was_off:
                for tally in self._tallies:
                    tally.turn()
            self._grid.change(settings.interval, now)
            if self._tallies and not settings.off:
                self._grid.begin(now)
            self.next_sweep = self._grid.next

    def record(self, tally: Tally, *, ok: bool) -> None:
        """Count a call. *atomic*."""
        if self.settings.off:
            return
        if ok:
            tally.good()
        else:
            tally.bad(500)

    def sweep(self, now: float) -> None:
        """Run every sweep due by `now`, each as of its own deadline. *guarded*."""
        with self._lock:
            self._catch_up(now)

    def force_sweep(self, now: float) -> None:
        """Run a sweep as of `now`, whatever the grid says, and leave the grid alone. *guarded*."""
        with self._lock:
            if not self.settings.off:
                self._sweep(now)

    def next_deadline(self) -> float:
        """Return when `sweep` has something to do next; infinity: never."""
        return self.next_sweep if self._tallies else math.inf

    def take_changes(self) -> list[Change]:
        """Return what happened since the last call. *guarded*."""
        with self._lock:
            changes, self.changes = self.changes, []
        return changes

    # From here on: under the lock.

    def _catch_up(self, now: float) -> None:
        grid = self._grid
        if now >= grid.next:
            self.next_sweep = grid.deadline(grid.index(now) + 1)
            catch_up(grid, now, self._sweep, self._earliest, self._idle)

    def _sweep(self, at: float) -> bool:
        called = [tally for tally in self._tallies if tally.turn()]
        self._by_success_rate(called, at)
        self._by_failure_percentage(called, at)
        for tally in list(self._marked):
            if not tally.ejected:
                self._lower(tally, 1)
            elif passed(at, self._due(tally)):
                self._return(tally, at)
        return bool(called)

    def _by_success_rate(self, called: list[Tally], at: float) -> None:
        rule = self.settings.success_rate_ejection
        if rule is None:
            return
        counts = [(tally, tally.last_successes, _requests(tally)) for tally in called]
        samples = [sample for sample in counts if sample[2] >= rule.request_volume]
        if not samples or len(samples) < rule.minimum_hosts:
            return
        rates = [100 * good / total for _, good, total in samples]
        average, edge = threshold(rates, rule.stdev_factor)
        for (tally, good, total), rate in zip(samples, rates, strict=True):
            if rate < edge:
                kind = Kind.SUCCESS_RATE
                evidence = Evidence(tally, kind, total - good, edge, total, rate, average)
                self._found(evidence, rule.enforcement_percentage, at)

    def _by_failure_percentage(self, called: list[Tally], at: float) -> None:
        rule = self.settings.failure_percentage_ejection
        if rule is None:
            return
        samples = [tally for tally in called if _requests(tally) >= rule.request_volume]
        if not samples or len(samples) < rule.minimum_hosts:
            return
        for tally in samples:
            bad, total = tally.last_failures, _requests(tally)
            if 100 * bad > rule.threshold * total:
                rate = 100 * (total - bad) / total
                kind = Kind.FAILURE_PERCENTAGE
                evidence = Evidence(tally, kind, bad, rule.threshold, total, rate)
                self._found(evidence, rule.enforcement_percentage, at)

    def _found(self, evidence: Evidence, percent: int, at: float) -> None:
        tally = evidence.tally
        if 100 * self.active >= self.settings.max_ejection_percent * len(self._tallies):
            self.stats[_OVERFLOW] += 1
            return
        if not self._chance.holds(percent):
            self.stats[_UNDRAWN] += 1
            self.changes.append(evidence.told(at, None))
            return
        self.stats[_ENFORCED] += 1
        if not tally.ejected:
            self.active += 1
            self.version += 1
        tally.ejected = True
        tally.multiplier += 1
        tally.num_ejections += 1
        tally.last_ejection = at
        self._marked[tally] = None
        tally.ejection = evidence.told(at, self._grid.after(self._due(tally), strictly=True))
        self.changes.append(tally.ejection)

    def _return(self, tally: Tally, at: float) -> None:
        tally.last_unejection = at
        tally.ejected = False
        self.active -= 1
        self.version += 1
        ejection: Any = tally.ejection
        self.changes.append(Returned(key=tally.key, at=at, kind=ejection.kind))

    def _due(self, tally: Tally) -> float:
        base, maximum = self.settings.base_ejection_time, self.settings.max_ejection_time
        at: float = tally.last_ejection  # type: ignore[assignment]  # it has one
        return at + min(base * tally.multiplier, max(base, maximum))

    def _earliest(self, at: float) -> float:  # noqa: ARG002  # see `catch_up`
        return min((self._due(tally) for tally in self._marked if tally.ejected), default=math.inf)

    def _idle(self, sweeps: int) -> None:
        for tally in list(self._marked):
            if not tally.ejected:
                self._lower(tally, sweeps)

    def _lower(self, tally: Tally, steps: int) -> None:
        tally.multiplier = max(0, tally.multiplier - steps)
        if not tally.multiplier:
            del self._marked[tally]


def _requests(tally: Tally) -> int:
    return tally.last_successes + tally.last_failures
