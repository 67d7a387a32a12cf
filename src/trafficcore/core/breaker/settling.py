"""Permits and results as they are dealt with under the lock.

Law     A result of the present era counts as the state says: in the window, for the verdict on the
        probes, not at all. One of an earlier era is late: dropped, or taken as one of the present
        state; it frees no permit. After a result that counts, the rules are looked at.
Cost    guarded. The forms that need no lock are in `breaker.py`; they come here when they must.
Source  the reference's rules R4 to R8, R13, R18, R19, R22.
"""

from trafficcore.core.breaker.counts import Counts, Tally, add
from trafficcore.core.breaker.events import Exceeded
from trafficcore.core.breaker.machine import Machine, keep
from trafficcore.core.breaker.probes import UNDECIDED
from trafficcore.core.breaker.states import Cause, State

__all__ = ["Settling"]

_CLOSED, _OPEN, _HALF_OPEN = State.CLOSED, State.OPEN, State.HALF_OPEN
_METRICS_ONLY = State.METRICS_ONLY


class Settling(Machine):
    """What `Breaker` falls back on."""

    __slots__ = ()

    def _acquire(self) -> int:
        """Admit under the lock: a probe, or somebody who came just after a move."""
        with self._lock:
            now = self.now
            if not self.live:
                self._pass_time(now, asked=True)
            if self.live:
                return self.live
            if self._state is _HALF_OPEN and self._probes.admit(now):
                self._set_gates()
                return self.era
            self.rejected += 1
            return 0

    def _may_acquire(self, now: float) -> bool:
        """Say whether `_acquire` would admit."""
        with self._lock:
            now = self._hold(now)
            if self._state is _HALF_OPEN:
                return not self._probes.full
            if self._state is _OPEN:  # over, and waiting for somebody who asks
                return self._is_over(now)
            return bool(self.live)

    def _give_back(self, era: int, *, ignored: bool) -> None:
        """End a permit that counts for nothing."""
        with self._lock:
            self._hold(self.now)
            self.ignored += ignored
            if era == self.era and self._state is _HALF_OPEN:
                self._probes.give_back()
                self._set_gates()

    def _settle(self, era: int, kind: int, duration: float, start: float | None) -> bool:
        """Record under the lock: a turn, a probe, a result that comes late."""
        with self._lock:
            now = self._hold(self.now)
            own = era == self.era
            if not own:
                self.late += 1
                if self.settings.late == "drop":
                    return True
            if kind & 4:
                kind |= 1
            error, slow = kind & 1, kind >> 1 & 1
            one: Tally = (1, error, slow, error & slow, kind >> 2 & 1, duration)
            state = self._state
            if state is _CLOSED or state is _METRICS_ONLY:
                if self._count(now, kind, one, now if start is None else start):
                    self._run = self._run + 1 if error else 0
                    self._evaluate(now, kind)
            elif state is _HALF_OPEN:
                self._judge_probe(now, kind, one, own=own)
            elif state is _OPEN:
                self._frozen = add(self._frozen, one)
        return True

    def _judge_probe(
        self, now: float, kind: int, one: Tally, *, own: bool, over: bool = True
    ) -> None:
        well = self._probes.add(kind, one, own=own, over=over)
        if well is UNDECIDED:
            self._set_gates()
        elif well:
            self._go(Cause.RECOVERED, now, "probes passed", self._probes.tally, kind)
        else:
            self._go(Cause.TRIP, now, "probes failed", self._probes.tally, kind)

    def _look(self, era: object, kind: int) -> bool | None:
        """Look at the rules, a result having reached an edge without the lock.

        It is taken only if a rule holds, or others counted meanwhile: then all is looked at again.
        """
        if self._compare(self._decides[kind], False) is None:
            return None
        with self._lock:
            if era == self.live:
                self._evaluate(self.now, kind)
        return True

    def _evaluate(self, now: float, kind: int) -> None:
        """Look at the rules after a result, and act."""
        decide, trips = self._decides[kind], self._state is _CLOSED
        while (found := self._weigh(now, decide, trips)) is not None:
            hit, tally = found
            rule = self.settings.trip[hit]
            if trips:
                self._go(Cause.TRIP, now, str(rule), tally, kind)
                return
            self.exceeded |= {hit}
            keep(self.signals, Exceeded(hit, rule, self.era, Counts(*tally), now))
