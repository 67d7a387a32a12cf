"""Calls in flight: one that has run longer than the limit is slow now, not when it ends.

Law     A watched call counts as slow once it has run longer than `slow_after`: at the next look,
        and once. However it ends, it is no second result. If it ends in an error the error is
        added to the result there is, where that still counts; else it counts as it comes, without
        being slow again. One that was cancelled, or is to be ignored, stays slow: the service hung.
        In half-open a probe that is slow is judged at once, and keeps its place until it ends.
State   the calls under way, in the order in which they began, which is that of their limits. They
        belong to one era: a move forgets them, and what they end with is nothing to the next.
Cost    guarded: watching, looking and ending take the lock. No thread and no timer: what is
        overdue is found by whoever comes next. Calls that are not watched cost what they did.
Source  the reference, beyond its vectors: a service that hangs must trip before its calls end.

A flight stands wherever an era does: `good`, `bad`, `record`, `ignore` and `release` take either.
"""

import math
from typing import Final

from trafficcore.core.breaker.counts import ERROR, SLOW, Tally
from trafficcore.core.breaker.settling import Settling
from trafficcore.core.breaker.states import State

__all__ = ["Flight", "Watching"]

_HALF_OPEN: Final = State.HALF_OPEN
_WINDOWED: Final = frozenset({State.CLOSED, State.METRICS_ONLY})
_SLOW_SO_FAR: Final[Tally] = (1, 0, 1, 0, 0, 0)


class Flight:
    """One call under way; `told` once it has counted as slow."""

    __slots__ = ("era", "mark", "start", "told")

    def __init__(self, era: int, start: float) -> None:
        self.era = era
        self.start = start
        self.told = False
        #: Where in the window its result lies; None: nowhere.
        self.mark: int | None = None


class Watching(Settling):
    """What `Breaker` knows of calls that have not ended."""

    __slots__ = ()

    def launch(self, now: float) -> "int | Flight":
        """Look at what is under way, then admit a call and watch it; 0: refused. *Guarded*."""
        with self._lock:
            now = self._hold(now)
            era = self.live or self._acquire()
            return self.watch(era, now) if era else 0

    def watch(self, era: int, now: float) -> "int | Flight":
        """Watch a call that was admitted just now; returns what to settle it with. *Guarded*.

        That is the era itself where nothing could come of it: no rule looks at slow calls.
        """
        with self._lock:
            now = self._hold(now)
            counts = self._state in _WINDOWED or self._state is _HALF_OPEN
            matters = self._judge.matters[SLOW] and self.slow_after != math.inf
            if era != self.era or not counts or not matters:
                return era
            flight = Flight(era, now)
            self._flights[flight] = None
            return flight

    def landed(self, flight: "int | Flight", now: float) -> None:
        """Say that its response has begun: from here on it cannot become slow. *Guarded*."""
        with self._lock:
            self._hold(now)
            if isinstance(flight, Flight):
                self._flights.pop(flight, None)

    def forget_calls(self) -> None:
        """Have nothing under way: in a fork's child the calls are the parent's. *Guarded*.

        Half-open, an era begins: what was admitted before, and ends here after all, is late.
        """
        with self._lock:
            self._flights.clear()
            if self._state is _HALF_OPEN:
                self.era += 1
                self._probes.forget()
                self._set_gates()

    def look(self, now: float) -> None:
        """Count what has become slow in flight. *Guarded*, if anything is in flight."""
        if self._flights:
            with self._lock:
                self._hold(now)

    def _hold(self, now: float) -> float:
        now = super()._hold(now)
        flights = self._flights
        while flights:
            flight = next(iter(flights))
            if not now - flight.start > self.slow_after:
                break
            del flights[flight]
            self._tell_slow(flight, now)
        return now

    def _tell_slow(self, flight: Flight, now: float) -> None:
        """Count a call as slow that has not ended."""
        flight.told = True
        if self._state is _HALF_OPEN:
            self._judge_probe(now, SLOW, _SLOW_SO_FAR, own=False, over=False)
        elif self._count(now, SLOW, _SLOW_SO_FAR, flight.start):
            flight.mark = self._window.place(flight.start)
            self._evaluate(now, SLOW)

    def _settle(self, era: "int | Flight", kind: int, duration: float, start: float | None) -> bool:
        if not isinstance(era, Flight):
            return super()._settle(era, kind, duration, start)
        with self._lock:
            self._flights.pop(era, None)  # first: how long it took is told by whoever settles it
            now = self._hold(self.now)
            if not era.told:
                return super()._settle(era.era, kind, duration, era.start)
            if era.era == self.era:
                self._complete(era, now, kind, duration)
        return True

    def _complete(self, flight: Flight, now: float, kind: int, duration: float) -> None:
        """Add to the result of a call that was slow what its end says."""
        gateway = kind >> 2 & 1
        error = kind & 1 | gateway
        more: Tally = (0, error, 0, error, gateway, duration)
        if self._state is _HALF_OPEN:
            self._probes.land(more)
            self._set_gates()
            return
        if now >= self._window.until:  # what has left by now is not there to be added to
            self._turn(now)
        if not self._amend(flight.mark, more) and error:
            one: Tally = (1, error, 0, 0, gateway, duration)
            if not self._count(now, ERROR, one, flight.start):
                return
        self._run = self._run + 1 if error else 0
        if error:
            self._evaluate(now, kind | ERROR)

    def _amend(self, mark: int | None, more: Tally) -> bool:
        """Add to a result that has been counted; False: it counts no more."""
        window = self._window
        if mark is None:
            return False
        if window.direct or mark != window.place(0):
            there = window.amend(mark, more)
            self._rebase()
            return there
        self._e += more[1]
        self._se += more[3]
        self._g += more[4]
        self._d += more[5]
        return True

    def _give_back(self, era: "int | Flight", *, ignored: bool) -> None:
        if not isinstance(era, Flight):
            super()._give_back(era, ignored=ignored)
            return
        with self._lock:
            watched = era in self._flights
            self._flights.pop(era, None)
            now = self._hold(self.now)
            hung = now - era.start > self.slow_after
            if hung and watched and not ignored and era.era == self.era:
                self._tell_slow(era, now)  # cancelled, and slow by then
            if not era.told:
                super()._give_back(era.era, ignored=ignored)
            elif era.era == self.era and self._state is _HALF_OPEN:
                self._probes.flying -= 1
                self._set_gates()
