"""Outlier detection as Envoy does it: who is taken out, for how long, and who may come back.

Law     A detector that fires takes its endpoint out if no more than `max_ejection_percent` of
        all are out then, and if the draw against its enforcing percentage holds. It stays out
        for min(base * multiplier, maximum) + jitter; the multiplier grows with each ejection
        and shrinks with each clean sweep. Only a sweep (or a health check) lets it back.
State   A `Tally` an endpoint; how many are out; the grid of sweeps.
Cost    An outcome: see `Tally`. A sweep: O(endpoints).
Source  Envoy, `outlier_detection_impl.cc`.  Twin: tests/model/outlier_log.py

Differences from Envoy: sweeps keep to a grid and may be run late; endpoints are tried in the
order they were added; what both periodic detectors find in one sweep is ejected once.
"""

import math
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, Final

from trafficcore.core.nolock import NO_LOCK
from trafficcore.core.outlier.chance import Chance
from trafficcore.core.outlier.changes import Change, Kind, Returned
from trafficcore.core.outlier.duration import Marked, decay, due, earliest, idle, lengthen
from trafficcore.core.outlier.evidence import Evidence, gather
from trafficcore.core.outlier.grid import Grid, catch_up, reached
from trafficcore.core.outlier.results import CODES, Result
from trafficcore.core.outlier.settings import ENFORCING, Settings
from trafficcore.core.outlier.snapshot import OutlierSnapshot, take
from trafficcore.core.outlier.stats import allowed, detected, new_stats, overflowed
from trafficcore.core.outlier.tally import FIRED_5XX, FIRED_GATEWAY, FIRED_LOCAL, Tally

__all__ = ["Ejector"]

#: Gateway failures are looked at before 5xx: where both fire, the first that ejects names it.
_FIRED: Final = (
    (FIRED_GATEWAY, Kind.CONSECUTIVE_GATEWAY_FAILURE),
    (FIRED_5XX, Kind.CONSECUTIVE_5XX),
    (FIRED_LOCAL, Kind.CONSECUTIVE_LOCAL_ORIGIN_FAILURE),
)
_UNKNOWN: Final = (-1, -1)


class Ejector:
    """Outlier detection over the endpoints of one cluster.

    `draw` returns a large random whole number, and is needed where an enforcing percentage is
    neither 0 nor 100 or there is jitter. `tally` is the class to make tallies of (a locked one
    where there is no GIL). What happened is in `changes` until its owner takes it.

    Its owner runs `sweep(now)` when `now >= next_sweep`, *before* it records an outcome of
    `now`; and makes its picker anew when `version` has grown.
    """

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
        "local_success_rate",
        "next_sweep",
        "settings",
        "stats",
        "success_rate",
        "version",
    )

    def __init__(
        self,
        settings: Settings,
        *,
        lock: AbstractContextManager[Any] = NO_LOCK,
        draw: Callable[[], int] | None = None,
        tally: type[Tally] = Tally,
    ) -> None:
        self._lock = lock
        self._chance = Chance(draw)
        self._tally = tally
        self._tallies: dict[Tally, None] = {}
        #: Those with a multiplier: all that are out, and those whose record is not yet clean.
        self._marked: Marked = {}
        self._grid = Grid(settings.interval)
        self._chance.require(needed=settings.draws)
        self.settings = settings
        self.next_sweep: float = math.inf
        #: How many are out, and how often it has changed who is.
        self.active = 0
        self.version = 0
        self.changes: list[Change] = []
        self.stats = new_stats()
        #: Mean and threshold of the last sweep, -1 where they were not computed.
        self.success_rate: tuple[float, float] = _UNKNOWN
        self.local_success_rate: tuple[float, float] = _UNKNOWN

    def __len__(self) -> int:
        return len(self._tallies)

    def add(self, key: Hashable, now: float) -> Tally:
        """Watch an endpoint from now on, with a clean record. *guarded*."""
        tally = self._tally(key, self._lock)
        with self._lock:
            self._grid.begin(now)
            self.next_sweep = self._grid.next
            tally.arm(self.settings)
            self._tallies[tally] = None
        return tally

    def remove(self, tally: Tally, now: float) -> None:  # noqa: ARG002  # every verb takes now
        """Forget an endpoint; what is still to come of it counts nowhere. *guarded*."""
        with self._lock:
            if not tally.present:
                return
            tally.present = False
            del self._tallies[tally]
            self._marked.pop(tally, None)
            if tally.ejected:
                self.active -= 1
                self.version += 1

    def update(self, settings: Settings, now: float) -> None:
        """Replace the settings; every endpoint keeps its counts and its ejection. *guarded*.

        Sweeps that were due are run under the old ones. A new interval counts from the last.
        """
        self._chance.require(needed=settings.draws)
        with self._lock:
            self._catch_up(now)
            self._grid.change(settings.interval, now)
            self.next_sweep = self._grid.next
            self.settings = settings
            for tally in self._tallies:
                tally.arm(settings)

    def record(self, tally: Tally, now: float, code: int) -> None:
        """Count an HTTP status. *atomic* but for a threshold that is met, which is guarded."""
        if 500 <= code <= 599:
            fired = tally.bad(code)
            if fired:
                self.detect(tally, now, fired)
        else:
            tally.good()

    def local(self, tally: Tally, now: float, result: Result, code: int | None = None) -> None:
        """Count what is no HTTP answer. *atomic* but for a threshold that is met.

        Origins not split: the code given, or the status that stands for the result, counts as
        an answer. Split: the code is ignored, and what failed on our side of the wire is
        counted by itself.
        """
        if not self.settings.split_external_local_origin_errors:
            status = CODES[result] if code is None else code
            if status is not None:
                self.record(tally, now, status)
        elif result is Result.TIMEOUT or result is Result.CONNECT_FAILED:
            fired = tally.local_bad()
            if fired:
                self.detect(tally, now, fired)
        elif result is Result.EXT_FAILED:
            self.record(tally, now, 503)
        else:
            if result is Result.EXT_SUCCESS:
                tally.good()
            tally.local_good()

    def detect(self, tally: Tally, now: float, fired: int) -> None:
        """Act on what a tally's `bad` or `local_bad` returned. *guarded*."""
        with self._lock:
            for bit, kind in _FIRED:
                if not fired & bit or not tally.present or tally.ejected:
                    continue
                # A detector, its setting and its run have one name.
                limit = getattr(self.settings, kind.value)
                self._found(Evidence(tally, kind, limit, limit), now)
                setattr(tally, kind.value, 0)

    def health_check_ok(self, tally: Tally, now: float) -> None:
        """Let an ejected endpoint back that an active health check found well. *guarded*."""
        with self._lock:
            wanted = self.settings.successful_active_health_check_uneject_host
            if wanted and tally.ejected and tally.present:
                self._return(tally, now, checked=True)

    def sweep(self, now: float) -> None:
        """Run every sweep due by `now`, each as of its own deadline. *guarded*."""
        with self._lock:
            self._catch_up(now)

    def force_sweep(self, now: float) -> None:
        """Run a sweep as of `now`, whatever the grid says, and leave the grid alone. *guarded*."""
        with self._lock:
            self._sweep(now)

    def next_deadline(self) -> float:
        """Return when `sweep` has something to do next; infinity: never."""
        return self.next_sweep if self._tallies else math.inf

    def take_changes(self) -> list[Change]:
        """Return what happened since the last call. *guarded*."""
        with self._lock:
            changes, self.changes = self.changes, []
        return changes

    def snapshot(self, now: float) -> OutlierSnapshot:
        """Return plain data of everything, as of the last sweep. *guarded*."""
        with self._lock:
            return take(self, self._tallies, now)

    # From here on: under the lock.

    def _found(self, evidence: Evidence, at: float) -> None:
        """Count a detection, and eject if the percentage and the draw allow it."""
        tally, settings = evidence.tally, self.settings
        detected(self.stats, evidence.kind)
        if tally.ejected:
            return  # by the other periodic detector, a moment ago
        share = settings.max_ejection_percent * len(self._tallies)
        first = settings.always_eject_one_host and self.active == 0
        if 100 * (self.active + 1) > share and not first:
            overflowed(self.stats)
            return
        enforced = self._chance.holds(getattr(settings, ENFORCING[evidence.kind]))
        allowed(self.stats, evidence.kind, enforced=enforced)
        until = None
        if enforced:
            self._eject(tally, at)
            until = self._grid.after(due(tally, settings))
        change = evidence.told(at, until)
        self.changes.append(change)
        if enforced:
            tally.ejection = change

    def _eject(self, tally: Tally, at: float) -> None:
        tally.num_ejections += 1
        tally.last_ejection = at
        tally.jitter_ms = self._chance.below(self.settings.jitter_steps + 1)
        lengthen(tally, self.settings)
        self._marked[tally] = None
        tally.ejected = True
        self.active += 1
        self.version += 1

    def _return(self, tally: Tally, at: float, *, checked: bool = False) -> None:
        # Runs that went on while it was out are wiped; the buckets of the interval are not.
        tally.consecutive_5xx = tally.consecutive_gateway_failure = 0
        tally.consecutive_local_origin_failure = 0
        tally.last_unejection = at
        tally.ejected = False
        self.active -= 1
        self.version += 1
        ejection: Any = tally.ejection
        self.changes.append(Returned(key=tally.key, at=at, kind=ejection.kind, checked=checked))

    def _catch_up(self, now: float) -> None:
        grid = self._grid
        if now >= grid.next:
            # First of all, so that nobody else waits for the lock to find nothing left to do.
            self.next_sweep = grid.deadline(grid.index(now) + 1)
            catch_up(grid, now, self._sweep, self._earliest, self._idle)

    def _sweep(self, at: float) -> bool:
        """Let back whose time is over, look at the interval, decay; say if it had any call."""
        called: list[Tally] = []
        for tally in self._tallies:
            if tally.ejected and reached(at, due(tally, self.settings)):
                self._return(tally, at)
            if tally.turn():
                called.append(tally)
        for local in (False, True):
            finding, found = gather(called, len(self._tallies), self.settings, local=local)
            rates = (finding.average, finding.threshold)
            if local:
                self.local_success_rate = rates
            else:
                self.success_rate = rates
            for evidence in found:
                self._found(evidence, at)
        decay(self._marked, self.settings, at)
        return bool(called)

    def _earliest(self, at: float) -> float:
        return earliest(self._marked, self.settings, at)

    def _idle(self, sweeps: int) -> None:
        idle(self._marked, sweeps)
