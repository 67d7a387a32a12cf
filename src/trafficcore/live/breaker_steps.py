"""A breaker's verbs with a clock: in two steps, and with the time that the call took.

Law     Admission is the machine's. A call is settled by what the judge says of its end; changes
        are told outside the lock, by whoever brought them about.
Source  the reference's rules R4, R6, R17.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from trafficcore.core.breaker import ERROR, Breaker, Flight
from trafficcore.live.breaker_judge import Errors, Judge, shown
from trafficcore.live.breaker_permit import Permit
from trafficcore.live.breaker_refusal import CircuitOpen
from trafficcore.outcome import Outcome

__all__ = ["Steps"]

FAILURE, IGNORED, SUCCESS = Outcome.FAILURE, Outcome.IGNORED, Outcome.SUCCESS


class Gate:
    """Stands for a machine that nobody may pass without being watched."""

    __slots__ = ()
    live = 0


class Steps:
    """What `CircuitBreaker` is made of, but for the forms around a call."""

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire", "try_admit")
    __slots__ = (
        "_in_flight",
        "_judge",
        "_lock",
        "_tell",
        "cancelled",
        "clock",
        "errors",
        "gate",
        "machine",
        "name",
    )

    machine: Breaker
    clock: Callable[[], float]
    name: str
    gate: "Breaker | Gate"
    cancelled: int
    #: What its calls met, by kind.
    errors: Errors
    _in_flight: bool
    _lock: Any
    _judge: Judge
    _tell: Callable[[], None]

    # In two steps

    def try_acquire(self) -> int:
        """Admit a call: its era, or 0. *Atomic* while closed, without reading the clock, or open.

        Law: `live`, else 0 before `shut_until`.  Twin: `Breaker.try_acquire`.
        """
        machine = self.machine
        era = machine.live
        if era:
            return era
        now = self.clock()
        if now < machine.shut_until:
            machine.rejected += 1
            return 0
        return self._try_slowly(now)

    def _try_slowly(self, now: float) -> int:
        era = self.machine.try_acquire(now)
        if self.machine.changes:
            self._tell()
        return era

    def good(self, era: int | Flight) -> None:
        """Settle a call that was neither slow nor an error."""
        if self.machine.good(era, self.clock()):
            self._tell_changes()

    def bad(self, era: int | Flight, kind: int = ERROR) -> None:
        """Settle a call by its kind: ERROR, SLOW, both, GATEWAY_ERROR."""
        if self.machine.bad(era, self.clock(), kind):
            self._tell_changes()

    def record(
        self,
        era: int | Flight,
        error: bool = False,
        duration: float = 0,
        gateway: bool = False,
        start: float | None = None,
    ) -> None:
        """Settle a call; whether it was slow is worked out from `duration`."""
        if self.machine.record(era, self.clock(), error, duration, gateway, start):
            self._tell_changes()

    def ignore(self, era: int | Flight) -> None:
        """Settle a call that shall count for nothing."""
        self.machine.ignore(era, self.clock())
        self._tell_changes()

    def release(self, era: int | Flight) -> None:
        """Give back a permit whose call never ran or was cancelled."""
        self.machine.release(era, self.clock())
        self._tell_changes()

    # With the time the call took

    def acquire(self) -> Permit:
        """Return a permit that settles once, or raise `CircuitOpen`."""
        start = self.clock()
        return Permit(self, self.admit(start), start)

    def admit(self, now: float) -> int | Flight:
        """Admit a call that starts now: what to settle it with, or `CircuitOpen`."""
        era = self.try_admit(now)
        if not era:
            raise CircuitOpen(self, now)  # type: ignore[arg-type]  # the one class of these steps
        return era

    def try_admit(self, now: float) -> int | Flight:
        """Admit a call that starts now: what to settle it with, or 0. *Atomic* as `try_acquire`."""
        if self._in_flight:
            era = self.machine.launch(now)
            self._tell_changes()
            return era
        machine = self.machine
        if now < machine.shut_until:
            machine.rejected += 1
            return 0
        return self._try_slowly(now)

    def succeeded(self, era: int | Flight, start: float, end: float | None = None) -> None:
        """Settle a call begun at `start` that came back (at `end`, else now)."""
        now = self.clock()
        took = (now if end is None else end) - start
        if self.machine.record(era, now, False, took, False, start):
            self._tell_changes()

    def failed(self, era: int | Flight, start: float, end: float | None = None) -> None:
        """Settle a call begun at `start` that failed."""
        now = self.clock()
        took = (now if end is None else end) - start
        if self.machine.record(era, now, True, took, False, start):
            self._tell_changes()

    def raised(
        self, era: int | Flight, start: float, error: BaseException, end: float | None = None
    ) -> None:
        """Settle a call by what it raised. A predicate that raises has the permit given back."""
        now = self.clock()
        took = (now if end is None else end) - start
        if self._judge.plain and isinstance(error, Exception):
            outcome = FAILURE
        else:
            try:
                outcome = self._judge.outcome(error)
            except BaseException:
                self.release(era)
                raise
        if outcome is FAILURE:
            self.errors.note(type(error), error, now)
            if self.machine.record(era, now, True, took, False, start):
                self._tell_changes()
        elif outcome is IGNORED:
            self.ignore(era)
        elif outcome is SUCCESS:
            if self.machine.record(era, now, False, took, False, start):
                self._tell_changes()
        else:
            with self._lock:
                self.cancelled += not isinstance(error, GeneratorExit)
            self.release(era)

    def returned(self, era: int | Flight, start: float, result: Any) -> None:
        """Settle a call by its result, where results may be errors."""
        bad_result = self._judge.bad_result
        try:
            failed = bad_result is not None and bad_result(result)
        except BaseException:
            self.release(era)
            raise
        if failed:
            self.errors.note("result", shown(result), self.clock())
            self.failed(era, start)
        else:
            self.succeeded(era, start)

    def landed(self, era: int | Flight, now: float) -> None:
        """Say that a call has begun to answer: it cannot become slow any more."""
        if self._in_flight:
            self.machine.landed(era, now)
            self._tell_changes()

    def _left(self, now: float) -> float | None:
        at = self.machine.retry_at(now)
        return None if at is None else max(at - now, 0)

    def _tell_changes(self) -> None:
        if self.machine.changes or self.machine.signals:
            self._tell()
