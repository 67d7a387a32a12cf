"""The states of a breaker and every move between them.

Law     Each operation first does what time alone decides (`_pass_time`), each step as of its own
        deadline; only half-open begins when it is noticed. Every move goes through `_move`: the
        gates are shut first, so that nothing is counted or refused past it, and opened last.
State   the state and its era, since when, how many openings in a row, the counts frozen at the
        trip, the probes of a half-open period.
Cost    guarded: all of it runs under the breaker's lock. What runs without is in `breaker.py`.
Source  the reference's rules R3 to R6, R11, R13, R15 to R22, R25.
"""

import math
from collections.abc import Callable
from typing import Any, Final

from trafficcore.core.breaker.counting import Counting
from trafficcore.core.breaker.counts import KIND_NAMES, NOTHING, Counts, Tally, add
from trafficcore.core.breaker.events import Change, Exceeded
from trafficcore.core.breaker.opening import open_for
from trafficcore.core.breaker.probes import UNDECIDED, Probes
from trafficcore.core.breaker.settings import HalfOpen, Settings
from trafficcore.core.breaker.states import COUNTING, TRANSITIONS, Cause, State
from trafficcore.errors import ConfigError

__all__ = ["Machine"]

_EVER: Final = math.inf
_CLOSED, _OPEN, _HALF_OPEN = State.CLOSED, State.OPEN, State.HALF_OPEN
_METRICS_ONLY, _DISABLED = State.METRICS_ONLY, State.DISABLED

#: Of what the owner does not take, so many are kept, the newest.
_KEPT: Final = 1000


class Machine(Counting):
    """The guarded half of a breaker."""

    __slots__ = (
        "_deadline",
        "_draw",
        "_ends",
        "_floor",
        "_frozen",
        "_opened_for",
        "_probes",
        "_retry_at",
        "_shut_until",
        "_since",
        "_state",
        "attempts",
        "changes",
        "era",
        "ignored",
        "last_trip",
        "late",
        "refused_before",
        "rejected",
        "signals",
    )

    _probes: Probes

    def __init__(
        self, settings: Settings, now: float, lock: Any, draw: Callable[[], float] | None
    ) -> None:
        super().__init__(settings, now, lock)
        self._draw = draw
        #: Openings since the breaker was last closed.
        self.attempts = 0
        #: Moves, and in metrics_only what would have been one, that the owner has not taken yet.
        self.changes: list[Change] = []
        self.signals: list[Exceeded] = []
        self.era = 0
        #: Refusals since the state was entered, and those before.
        self.rejected = 0
        self.refused_before = 0
        #: Results of an earlier era than that in which they came; results that count for nothing.
        self.late = 0
        self.ignored = 0
        self.last_trip: Change | None = None
        self._frozen: Tally = NOTHING
        self._floor = 1
        self._opened_for: float | None = None
        self._ends: float = -_EVER
        self._retry_at: float | None = None
        self._state = settings.initial_state
        self._move(settings.initial_state, now, "initial", NOTHING)

    def _adopt(self, settings: Settings, now: float) -> None:
        if settings.open.jitter and self._draw is None:
            raise ConfigError(f"jitter {settings.open.jitter!r} needs a draw")
        super()._adopt(settings, now)
        self._opened_for = None

    def _hold(self, now: float) -> float:
        """Take note of the time, make the moves it decides, return it."""
        if now > self.now:
            self.now = now
        now = self.now
        if not self.live:
            self._pass_time(now)
        return now

    def _pass_time(self, now: float, *, asked: bool = False) -> None:
        """Make the moves that are due at `now`. `asked`: a call wants to be admitted."""
        while True:
            if self._state is _OPEN:
                settings, ends = self.settings, self._ends
                if now < ends or not (asked or settings.open.auto):
                    return
                if now == ends and settings.open.edge == ">":
                    return
                if settings.half_open is None:
                    self._go(Cause.HEALED, ends, "open time over", self._frozen)
                else:
                    self._go(Cause.COOLED, now, "open time over", self._frozen)
            elif self._state is _HALF_OPEN:
                probes = self._probes
                if now < probes.deadline:
                    return
                self._go(probes.at_deadline, probes.deadline, "probes undecided", probes.tally)
            else:
                if not self.live and self._state in COUNTING:
                    self._set_gates()  # an interrupt had ended a move halfway
                return

    def _go(
        self, cause: Cause, at: float, reason: str, shown: Tally, kind: int | None = None
    ) -> None:
        """Make a move of the table."""
        last = None if kind is None else KIND_NAMES[kind]
        self._move(TRANSITIONS[self._state, cause], at, reason, shown, last=last)
        if self._state is _OPEN and self.changes:
            self.last_trip = self.changes[-1]

    def _move(
        self,
        to: State,
        at: float,
        reason: str,
        shown: Tally,
        *,
        length: float | None = None,
        last: str | None = None,
    ) -> None:
        """Go to `to`: the one place where the state changes.

        `shown` is what the present state shows, `length` how long an opening lasts that is no
        attempt, `last` the kind of the result that brought it about.
        """
        self.live = 0
        self._shut_until = -_EVER
        counts = Counts(*shown)
        attempts = 0 if to in COUNTING else self.attempts
        try:
            if to is _OPEN:
                if length is None:
                    attempts += 1
                    length = self._length(attempts, counts, reason, last)
                self._opened_for = length
            elif to is _HALF_OPEN:
                attempts = attempts or 1
                self._probes = self._new_probes(at, attempts, counts, reason)
        except BaseException:  # somebody's callable: nothing has been changed yet
            self._set_gates()
            raise
        was, self._state = self._state, to
        self.era += 1
        self.attempts = attempts
        self._since = at
        self.refused_before += self.rejected
        self.rejected = 0
        self._retry_at = None
        if to is _OPEN and length is not None:
            self._frozen = shown
            self._floor = self.settings.minimum() if was is _CLOSED else 1
            self._ends = ends = at + length
            strictly = self.settings.open.edge == ">" and isinstance(ends, float)
            self._retry_at = math.nextafter(ends, _EVER) if strictly else ends
        elif to in COUNTING:
            self._begin(at, idle=to is _DISABLED)
        if was is not to:
            until = self._ends if to is _OPEN else None
            self._keep(self.changes, Change(was, to, reason, self.era, counts, at, until))
        self._set_gates()

    def _length(self, n: int, counts: Counts, reason: str, last: str | None) -> float:
        return open_for(self.settings.open, n, self._draw, counts, reason, last)

    def _new_probes(self, at: float, n: int, counts: Counts, reason: str) -> Probes:
        half_open = self.settings.half_open or HalfOpen()
        opened_for = self._opened_for
        if opened_for is None and half_open.max_wait == "open":
            opened_for = self._length(n, counts, reason, None)
        return Probes(half_open, self._judge, at, opened_for)

    def _set_gates(self) -> None:
        """Say what may be done without the lock, in this state. `live` is the last store."""
        state = self._state
        deadline = _EVER
        if state is _OPEN:
            if self.settings.open.auto and self._retry_at is not None:
                deadline = self._retry_at
            self._shut_until = self._ends
        elif state is _HALF_OPEN:
            deadline = self._probes.deadline
            self._shut_until = deadline if self._probes.full else -_EVER
        elif state in COUNTING:
            self._shut_until = -_EVER
            self.live = self.era
        else:
            self._shut_until = _EVER
        self._deadline = deadline

    def _shown(self, now: float) -> Tally:
        """Return the counts that the present state shows."""
        state = self._state
        if state is _OPEN:
            return self._frozen
        if state is _HALF_OPEN:
            return self._probes.tally
        return self._read(now) if state is _CLOSED or state is _METRICS_ONLY else NOTHING

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

    def _may_acquire(self) -> bool:
        """Say whether `_acquire` would admit."""
        with self._lock:
            now = self._hold(self.now)
            if self._state is _HALF_OPEN:
                return not self._probes.full
            if self._state is _OPEN:  # over, and waiting for somebody who asks
                return now >= (self._ends if self._retry_at is None else self._retry_at)
            return bool(self.live)

    def _give_back(self, era: int, *, ignored: bool) -> None:
        """End a permit that counts for nothing."""
        with self._lock:
            self._hold(self.now)
            self.ignored += ignored
            if era == self.era and self._state is _HALF_OPEN:
                self._probes.give_back()
                self._set_gates()

    def _settle(self, era: int, kind: int, duration: float, start: float | None) -> None:
        """Record under the lock: a turn, a probe, a result that comes late."""
        with self._lock:
            now = self._hold(self.now)
            own = era == self.era
            if not own:
                self.late += 1
                if self.settings.late == "drop":
                    return
            if kind & 4:
                kind |= 1
            error, slow = kind & 1, kind >> 1 & 1
            one: Tally = (1, error, slow, error & slow, kind >> 2 & 1, duration)
            state = self._state
            if state is _CLOSED or state is _METRICS_ONLY:
                if self._count(now, kind, one, now if start is None else start):
                    self._evaluate(now, kind)
            elif state is _HALF_OPEN:
                self._judge_probe(now, kind, one, own=own)
            elif state is _OPEN:
                self._frozen = add(self._frozen, one)

    def _judge_probe(self, now: float, kind: int, one: Tally, *, own: bool) -> None:
        well = self._probes.add(kind, one, own=own)
        if well is UNDECIDED:
            self._set_gates()
        elif well:
            self._go(Cause.RECOVERED, now, "probes passed", self._probes.tally, kind)
        else:
            self._go(Cause.TRIP, now, "probes failed", self._probes.tally, kind)

    def _look(self, era: int, kind: int) -> None:
        """Look at the rules, a result having reached an edge without the lock."""
        with self._lock:
            if era == self.live:
                self._evaluate(self.now, kind)

    def _evaluate(self, now: float, kind: int) -> None:
        """Look at the rules after a result, and act."""
        decide = self._any or self._judge.matters[kind]
        trips = self._state is _CLOSED
        hit, tally = self._weigh(now, decide=decide, shut=trips)
        if hit < 0:
            return
        if trips:
            self._go(Cause.TRIP, now, str(self.settings.trip[hit]), tally, kind)
            return
        while hit >= 0:
            self.exceeded.add(hit)
            rule = self.settings.trip[hit]
            self._keep(self.signals, Exceeded(hit, rule, self.era, Counts(*tally), now))
            hit, tally = self._weigh(now, decide=decide, shut=False)

    @staticmethod
    def _keep(events: list[Any], event: Any) -> None:
        if len(events) >= _KEPT:
            del events[0]
        events.append(event)
