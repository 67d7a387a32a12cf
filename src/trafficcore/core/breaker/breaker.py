"""A circuit breaker: closed it admits and counts, open it refuses, half-open it tries.

Law     Closed, each result is counted and the trip rules are looked at; the first that holds opens
        the breaker for a time. Then a few probes decide. Each move begins a new era; a result of
        an earlier era is late and touches nothing.
State   `live`, the era while everybody is admitted (else 0); the counters of the present
        sub-window with the edges at which the rules are looked at; a time before which everybody
        is refused. The rest: `counting.py`, `machine.py`, `settling.py`, `flights.py`.
Cost    In floors of `hot-path.md`, here: acquire and a good result 0.55, a bad one 0.6, a refusal
        0.27, of which 0.1 is the clock that may not go back. An evaluation adds 1.5 and takes no
        lock unless a rule holds; the record that turns the window takes it, and about 13 in all.
Source  the reference's part 5 (R1 to R28) and section 3 of its measurements.
Twin    tests/model/breaker_log.py

A permit is its era, or a flight where the call is watched. Whoever was admitted owes one of
`good`, `bad`, `record`, `ignore`, `release`. The first three return True when they took the lock:
only then can they have changed the state.
"""

# ruff: noqa: PLR1730  # max() is a call: another thread could come between load and store

from collections.abc import Callable
from typing import Any, ClassVar, Final

from trafficcore.core.breaker.counts import ERROR
from trafficcore.core.breaker.events import Change, Exceeded, Mistake
from trafficcore.core.breaker.flights import Flight, Watching
from trafficcore.core.breaker.report import report
from trafficcore.core.breaker.settings import Settings
from trafficcore.core.breaker.states import BY_HAND, IllegalMove, State
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["Breaker"]

_WINDOWED: Final = frozenset({State.CLOSED, State.METRICS_ONLY})


class Breaker(Watching):
    """One breaker. Times are seconds of one clock; a clock that goes back stands still here.

    `lock` guards moves and turns (re-entrant, if threads share the breaker), `draw` returns a
    number from 0 to 1 for `Open.jitter`, `now` is when it begins, should it not begin closed.
    """

    __slots__ = ()

    ATOMIC: ClassVar[tuple[str, ...]] = (
        "try_acquire",
        "would_admit",
        "good",
        "bad",
        "record",
        "ignore",
        "release",
        "retry_at",
        "next_deadline",
    )

    def __init__(
        self,
        settings: Settings,
        *,
        lock: Any = NO_LOCK,
        draw: Callable[[], float] | None = None,
        now: float = 0,
    ) -> None:
        super().__init__(settings, now, lock, draw)

    def try_acquire(self, now: float) -> int:
        """Admit a call: its era, or 0. *Atomic* while closed or open; *guarded* between."""
        if now > self.now:
            self.now = now
        era = self.live
        if era:
            return era
        if self.now < self.shut_until:
            self.rejected += 1
            return 0
        return self._acquire()

    def would_admit(self, now: float) -> bool:
        """Say whether a call would be admitted; takes no permit. *Atomic* as `try_acquire`."""
        if self.live:
            return True
        if now < self.shut_until and self.now < self.shut_until:
            return False
        return self._may_acquire(now)

    def good(self, era: int | Flight, now: float) -> bool | None:
        """Settle a call that was neither slow nor an error. *Atomic* inside a sub-window."""
        if now > self.now:
            self.now = now
        if era != self.live or self.now >= self._good_until:
            return self._settle(era, 0, 0, None)
        self._run = 0
        c = self._c + 1
        self._c = c
        if c >= self._good_edge:
            return self._look(era, 0)
        return None

    def bad(self, era: int | Flight, now: float, kind: int = ERROR) -> bool | None:  # noqa: C901  # flat, hot
        """Settle a call by its kind: ERROR, SLOW, both, GATEWAY_ERROR. *Atomic* up to an edge."""
        if now > self.now:
            self.now = now
        if era != self.live or self.now >= self._until:
            return self._settle(era, kind, 0, None)
        if kind == 1:
            self._run += 1
            e = self._e + 1
            self._e = e
            if e >= self._error_edge:
                return self._look(era, 1)
        elif kind == 2:
            self._run = 0
            s = self._s + 1
            self._s = s
            if s >= self._slow_edge:
                return self._look(era, 2)
        elif kind:
            self._run += 1
            if kind & 4:
                self._g += 1
            e = self._e + 1
            self._e = e
            s = self._s
            if kind & 2:
                self._se += 1
                s += 1
                self._s = s
            if e >= self._error_edge or s >= self._slow_edge:
                return self._look(era, kind)
        else:
            return self.good(era, now)
        return None

    def record(  # noqa: C901  # flat, hot
        self,
        era: int | Flight,
        now: float,
        error: bool = False,
        duration: float = 0,
        gateway: bool = False,
        start: float | None = None,
    ) -> bool | None:
        """Settle a call and keep its duration; slow is worked out. *Atomic* as `bad`.

        `gateway`: the error is one of those counted apart. `start`: when the call was admitted,
        for windows that go by it.
        """
        kind = 5 if gateway else 1 if error else 0
        if duration > self.slow_after:
            kind |= 2
        if now > self.now:
            self.now = now
        if era != self.live or self.now >= self._until:
            return self._settle(era, kind, duration, start)
        self._d += duration
        if not kind:
            self._run = 0
            c = self._c + 1
            self._c = c
            if c >= self._good_edge:
                return self._look(era, 0)
            return None
        if kind == 1:
            self._run += 1
            e = self._e + 1
            self._e = e
            return self._look(era, 1) if e >= self._error_edge else None
        e = self._e
        s = self._s
        if kind & 1:
            self._run += 1
            e += 1
            self._e = e
            if kind & 4:
                self._g += 1
            if kind & 2:
                self._se += 1
        else:
            self._run = 0
        if kind & 2:
            s += 1
            self._s = s
        if e >= self._error_edge or s >= self._slow_edge:
            return self._look(era, kind)
        return None

    def ignore(self, era: int | Flight, now: float) -> None:
        """Settle a call that shall count for nothing. *Atomic* while closed."""
        if now > self.now:
            self.now = now
        if era == self.live:
            self.ignored += 1
        else:
            self._give_back(era, ignored=True)

    def release(self, era: int | Flight, now: float) -> None:
        """Give back a permit whose call never ran or was cancelled. *Atomic* while closed."""
        if now > self.now:
            self.now = now
        if era != self.live:
            self._give_back(era, ignored=False)

    def retry_at(self, now: float) -> float | None:
        """Return when the open state ends, None in any other. *Atomic* until then."""
        if self.live:
            return None
        if now >= self.shut_until or self.now >= self.shut_until:
            self.state(now)
        return self.open_until

    def next_deadline(self) -> float:
        """Return when time alone will change something, infinity if never. *Atomic*."""
        return self._deadline

    def state(self, now: float) -> State:
        """Return the state. *Guarded*."""
        with self._lock:
            self._hold(now)
            return self._state

    def idle(self, now: float) -> bool:
        """Say whether it is closed with nothing counted: like new. *Guarded*."""
        with self._lock:
            now = self._hold(now)
            return self._state is State.CLOSED and not self._read(now)[0]

    def to(self, state: State | str, now: float, duration: float | None = None) -> None:
        """Move by hand; into open for `duration` seconds, if given. *Guarded*.

        Into the same state starts it afresh. Raises `IllegalMove` and changes nothing where
        `BY_HAND` does not list the move.
        """
        try:
            target = State(state)
        except ValueError:
            raise ConfigError(f"state must be one of {', '.join(State)}, not {state!r}") from None
        if duration is not None and (target is not State.OPEN or not duration >= 0):
            raise ConfigError(f"only open takes a duration from 0, not {state!r} {duration!r}")
        with self._lock:
            now = self._hold(now)
            if target not in BY_HAND[self._state]:
                raise IllegalMove(f"a breaker that is {self._state} cannot be made {target}")
            if target is State.HALF_OPEN and self.settings.half_open is None:
                raise IllegalMove("this breaker has no half-open state")
            self._move(target, now, "by hand", length=duration)

    def reset(self, now: float) -> None:
        """Close it, with nothing counted and no attempt made. *Guarded*."""
        with self._lock:
            self._move(State.CLOSED, self._hold(now), "reset")

    def update(self, settings: Settings, now: float) -> bool:
        """Take other settings; True: the state stayed, else it began closed. *Guarded*.

        It stays where window, trip, open and half_open are equal: no other setting is a rule.
        """
        with self._lock:
            now = self._hold(now)
            if self.settings.law == settings.law:
                self._tune(settings)
                if self._state in _WINDOWED:
                    self._rebase()
                    self._weigh(now, False, True)
                return True
            self._require_draw(settings)
            self._move(State.CLOSED, now, "settings changed", settings=settings)
            return False

    def take_changes(self) -> list[Change]:
        """Return the moves since the last time, oldest first, and forget them. *Guarded*."""
        with self._lock:
            taken, self.changes = self.changes, []
        return taken

    def take_signals(self) -> list[Exceeded | Mistake]:
        """Return what would have tripped it in metrics_only, and mistakes; forget it. *Guarded*."""
        with self._lock:
            taken, self.signals = self.signals, []
        return taken

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return everything there is to see, as plain data. *Guarded*."""
        with self._lock:
            return report(self, self._hold(now))
