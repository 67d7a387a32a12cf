"""The states of a breaker and every move between them.

Law     Each operation first does what time alone decides (`_pass_time`), each step as of its own
        deadline; only half-open begins when it is noticed. Every move goes through `_move`: the
        gates are shut first, so that nothing is counted or refused past it, and opened last.
State   the state and its era, since when, how many openings in a row, the counts frozen at the
        trip, the probes of a half-open period.
Cost    guarded: all of it runs under the breaker's lock. What runs without is in `breaker.py`.
Source  the reference's rules R3, R5, R11, R15 to R17, R20, R21, R25.
"""

# ruff: noqa: PLR1730  # max() is a call: another thread could come between load and store

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import attrs

from trafficcore.core.breaker.counting import Counting
from trafficcore.core.breaker.counts import KIND_NAMES, NOTHING, Counts, Tally
from trafficcore.core.breaker.events import Change, Exceeded, Mistake
from trafficcore.core.breaker.opening import open_for
from trafficcore.core.breaker.probes import Probes
from trafficcore.core.breaker.settings import HalfOpen, Open, Settings
from trafficcore.core.breaker.states import COUNTING, TRANSITIONS, Cause, State
from trafficcore.errors import ConfigError

__all__ = ["Machine", "keep"]

_EVER: Final = math.inf
_CLOSED, _OPEN, _HALF_OPEN = State.CLOSED, State.OPEN, State.HALF_OPEN
_METRICS_ONLY, _DISABLED = State.METRICS_ONLY, State.DISABLED

#: How long an opening lasts where a callable does not say.
_USUAL: Final = Open().duration

#: Of what the owner does not take, so many are kept, the newest.
_KEPT: Final = 1000


def keep(events: list[Any], event: Any) -> None:
    """Add an event for the owner to take."""
    if len(events) >= _KEPT:
        del events[0]
    events.append(event)


class Machine(Counting):
    """State, time and moves; `settling.py` builds permits and results upon them."""

    __slots__ = (
        "_deadline",
        "_draw",
        "_ends",
        "_flights",
        "_from_closed",
        "_frozen",
        "_opened_for",
        "_probes",
        "_since",
        "_state",
        "attempts",
        "changes",
        "era",
        "ignored",
        "last_trip",
        "late",
        "open_until",
        "refused_before",
        "rejected",
        "shut_until",
        "signals",
        "why",
    )

    _probes: Probes

    def __init__(
        self, settings: Settings, now: float, lock: Any, draw: Callable[[], float] | None
    ) -> None:
        self._draw = draw
        #: Calls of this era that may become slow before they end, oldest first.
        self._flights: OrderedDict[Any, None] = OrderedDict()
        self._require_draw(settings)
        super().__init__(settings, now, lock)
        #: Openings since the breaker was last closed.
        self.attempts = 0
        #: Moves, and in metrics_only what would have been one, that the owner has not taken yet.
        self.changes: list[Change] = []
        self.signals: list[Exceeded | Mistake] = []
        self.era = 0
        #: Refusals since the state was entered, and those before.
        self.rejected = 0
        self.refused_before = 0
        #: Results of an earlier era than that in which they came; results that count for nothing.
        self.late = 0
        self.ignored = 0
        self.last_trip: Change | None = None
        #: Before this everybody is refused, without the lock.
        self.shut_until: float = -_EVER
        self._frozen: Tally = NOTHING
        self._from_closed = False
        self._ends: float = -_EVER
        #: When the open state ends for who waits; None in any other.
        self.open_until: float | None = None
        #: Of the open state and the probes after it what brought it about, else the state itself.
        self.why = ""
        self._state = settings.initial_state
        self._move(settings.initial_state, now, "initial", NOTHING)
        if self._state is _HALF_OPEN:
            self.attempts = 1

    def _adopt(self, settings: Settings, now: float) -> None:
        super()._adopt(settings, now)
        #: How long the latest opening lasted; None: there was none by these settings.
        self._opened_for: float | None = None

    def _require_draw(self, settings: Settings) -> None:
        if settings.open.jitter and self._draw is None:
            raise ConfigError(f"jitter {settings.open.jitter!r} needs a draw")

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
                settings = self.settings
                if not (asked or settings.open.auto) or not self._is_over(now):
                    return
                if settings.half_open is None:
                    self._go(Cause.HEALED, self._ends, "open time over", self._frozen)
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

    def _is_over(self, now: float) -> bool:
        """Say whether the open time is."""
        ends = self._ends
        return now > ends or (now == ends and self.settings.open.edge == ">=")

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
        shown: Tally | None = None,
        *,
        length: float | None = None,
        last: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Go to `to`: the one place where the state changes.

        `shown` is what the present state shows (None: see), `length` how long an opening lasts
        that is no attempt, `last` the kind of the result that brought it about, `settings` what
        holds from then on.
        """
        self.live = 0
        self.shut_until = -_EVER
        if shown is None:
            shown = self._shown(self.now)
        counts = Counts(*shown)
        attempts = 0 if to in COUNTING else self.attempts
        try:
            if to is _OPEN:
                if length is None:
                    attempts += 1
                    length = self._length(attempts, counts, reason, last)
                self._opened_for = length
            elif to is _HALF_OPEN:
                self._probes = self._new_probes(at, attempts or 1, counts, reason)
        except BaseException:  # somebody's callable: nothing has been changed yet
            self._set_gates()
            raise
        if settings is not None:
            self._adopt(settings, at)
        self._flights.clear()
        was, self._state = self._state, to
        self.era += 1
        self.attempts = attempts
        self._since = at
        self.refused_before += self.rejected
        self.rejected = 0
        self.open_until = None
        self._note_why(was, reason)
        if to is _OPEN and length is not None:
            self._frozen = shown
            self._from_closed = was is _CLOSED
            self._stay_open(at + length)
        elif to in COUNTING:
            self._begin(at, idle=to is _DISABLED)
        if was is not to:
            self._note_change(was, reason, counts)
        self._set_gates()

    def _note_why(self, was: State, reason: str) -> None:
        to = self._state
        if was is not _OPEN or to is not _HALF_OPEN:
            self.why = reason if to is _OPEN else to.value

    def _note_change(self, was: State, reason: str, counts: Counts) -> None:
        to = self._state
        until = self._ends if to is _OPEN else None
        keep(self.changes, Change(was, to, reason, self.era, counts, self._since, until))

    def _stay_open(self, ends: float) -> None:
        strictly = self.settings.open.edge == ">" and isinstance(ends, float)
        self._ends = ends
        self.open_until = math.nextafter(ends, _EVER) if strictly else ends

    def _length(self, n: int, counts: Counts, reason: str, last: str | None) -> float:
        settings = self.settings.open
        try:
            return open_for(settings, n, self._draw, counts, reason, last)
        except Exception as error:
            if not callable(settings.duration):
                raise
            keep(self.signals, Mistake(repr(error)))  # it must not keep the breaker from opening
            usual = attrs.evolve(settings, duration=_USUAL)
            return open_for(usual, n, self._draw, counts, reason, last)

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
            if self.settings.open.auto and self.open_until is not None:
                deadline = self.open_until
            self.shut_until = self._ends
        elif state is _HALF_OPEN:
            deadline = self._probes.deadline
            self.shut_until = deadline if self._probes.full else -_EVER
        elif state in COUNTING:
            self.shut_until = -_EVER
            self.live = self.era
        else:
            self.shut_until = _EVER
        self._deadline = deadline

    def _shown(self, now: float) -> Tally:
        """Return the counts that the present state shows."""
        state = self._state
        if state is _OPEN:
            return self._frozen
        if state is _HALF_OPEN:
            return self._probes.tally
        return self._read(now) if state is _CLOSED or state is _METRICS_ONLY else NOTHING
