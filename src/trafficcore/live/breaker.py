"""CircuitBreaker: a breaker with a clock, for functions, coroutines and blocks.

Law     That of `core.breaker.Breaker`. An exception is an error; what is no `Exception` (a
        cancelled task, a closed generator, an interrupt) gives the permit back. Nothing holds a
        lock while the guarded call, a predicate or a listener runs.
State   the machine's, and which `with` blocks are under way.
Cost    two clock readings a call; none to acquire in two steps while closed.
Source  the reference's rules R2, R4, R6, R17, R30.
"""

import random
import sys
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ClassVar, Final, ParamSpec, TypeVar

from trafficcore.core.breaker import ERROR, Breaker, Change, HalfOpen, Open, Settings, State
from trafficcore.core.breaker.settings import Window
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.errors import Rejected
from trafficcore.live.breaker_calls import behind
from trafficcore.live.breaker_config import Ignored, read_ignore, read_settings
from trafficcore.live.breaker_events import Teller
from trafficcore.live.breaker_permit import Blocks, Permit, Ready
from trafficcore.outcome import Reason

__all__ = ["CircuitBreaker", "Permit"]

P = ParamSpec("P")
T = TypeVar("T")

_Machine: Final = guarded(Breaker)


@guarded
class CircuitBreaker:
    """Stops calling a service that is slow or failing, and tries it again after a while.

    Any of these::

        breaker = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=60)

        @breaker                                  # functions, coroutines, generators of both sorts
        with breaker: ...                         # and `async with`; `as permit`, to ignore() it
        breaker.call(function, *args)
        era = breaker.try_acquire()               # in two steps: 0 is a refusal
        breaker.good(era)                         # or bad, record, ignore, release

    It trips when, in the last `window` seconds, `max_slow` calls took longer than `slow_after`,
    or `max_errors` failed; when `slow_rate` of them were slow, or `error_rate` failed, of at least
    `min_calls`; or at so many `consecutive_errors`. Without any of these, at an error rate of a
    half. It refuses for `open_for` seconds, with `Rejected`; then `half_open` calls try (None: it
    closes at once). `window`, `open_for` and `half_open` also take what `Settings` takes, and
    `settings` replaces all of these.

    `ignore` says which exceptions count for nothing: classes, or a predicate. `on_change` gets
    each `Change`, in order; every one is logged besides. One breaker is safe for any number of
    threads and tasks. Each process counts for itself.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire",)
    __slots__ = (
        "__weakref__",
        "_blocks",
        "_ignores",
        "_lock",
        "_tell",
        "clock",
        "machine",
        "name",
    )

    def __init__(
        self,
        *,
        window: float | Window = 10,
        slow_after: float | None = None,
        max_slow: int | None = None,
        slow_rate: float | None = None,
        max_errors: int | None = None,
        error_rate: float | None = None,
        consecutive_errors: int | None = None,
        min_calls: int = 10,
        open_for: float | Open = 60,
        half_open: int | HalfOpen | None = 1,
        settings: Settings | None = None,
        ignore: Ignored = None,
        name: str = "",
        on_change: Callable[[Change], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if settings is None:
            settings = read_settings(
                window=window,
                slow_after=slow_after,
                open_for=open_for,
                half_open=half_open,
                min_calls=min_calls,
                rules={
                    "slow_count": max_slow,
                    "slow_rate": slow_rate,
                    "error_count": max_errors,
                    "error_rate": error_rate,
                    "consecutive_errors": consecutive_errors,
                },
            )
        self.name = name
        self.clock = clock
        self._ignores = read_ignore(ignore)
        self._blocks = Blocks()
        self._lock = lock = new_lock()
        #: The machine, for those who bring their own time.
        self.machine: Breaker = _Machine(settings, lock=lock, draw=draw, now=clock())
        self._tell = Teller(self.machine, lock, name, on_change).tell

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

    def good(self, era: int) -> None:
        """Settle a call that was neither slow nor an error."""
        if self.machine.good(era, self.clock()):
            self._tell_changes()

    def bad(self, era: int, kind: int = ERROR) -> None:
        """Settle a call by its kind: ERROR, SLOW, both, GATEWAY_ERROR."""
        if self.machine.bad(era, self.clock(), kind):
            self._tell_changes()

    def record(
        self,
        era: int,
        error: bool = False,
        duration: float = 0,
        gateway: bool = False,
        start: float | None = None,
    ) -> None:
        """Settle a call; whether it was slow is worked out from `duration`."""
        if self.machine.record(era, self.clock(), error, duration, gateway, start):
            self._tell_changes()

    def ignore(self, era: int) -> None:
        """Settle a call that shall count for nothing."""
        self.machine.ignore(era, self.clock())
        self._tell_changes()

    def release(self, era: int) -> None:
        """Give back a permit whose call never ran or was cancelled."""
        self.machine.release(era, self.clock())
        self._tell_changes()

    # With the time the call took

    def acquire(self) -> Permit:
        """Return a permit that settles once, or raise `Rejected`."""
        start = self.clock()
        return Permit(self, self.admit(start), start)

    def admit(self, now: float) -> int:
        """Admit a call that starts now: its era, or `Rejected`."""
        era = self._try_slowly(now)
        if not era:
            raise Rejected(Reason.CIRCUIT_OPEN, source=self.name, retry_after=self._left(now))
        return era

    def succeeded(self, era: int, start: float, end: float | None = None) -> None:
        """Settle a call begun at `start` that came back (at `end`, else now)."""
        now = self.clock()
        took = (now if end is None else end) - start
        if self.machine.record(era, now, False, took, False, start):
            self._tell_changes()

    def failed(self, era: int, start: float, end: float | None = None) -> None:
        """Settle a call begun at `start` that failed."""
        now = self.clock()
        took = (now if end is None else end) - start
        if self.machine.record(era, now, True, took, False, start):
            self._tell_changes()

    def raised(
        self, era: int, start: float, error: BaseException, end: float | None = None
    ) -> None:
        """Settle a call by what it raised. A predicate that raises has the permit given back."""
        if not isinstance(error, Exception):
            self.release(era)
            return
        try:
            ignored = self._ignores(error)
        except BaseException:
            self.release(era)
            raise
        if ignored:
            self.ignore(era)
        else:
            self.failed(era, start, end)

    # Around a call

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Decorate a function; its kind and its signature stay."""
        return behind(self, function)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function behind the breaker; a coroutine function's result is to be awaited."""
        return behind(self, function)(*args, **kwargs)

    def __enter__(self) -> Permit:
        permit = self.acquire()
        self._blocks.enter(sys._getframe(1), permit)  # noqa: SLF001  # see breaker_permit
        return permit

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._blocks.leave(sys._getframe(1)).end(error)  # noqa: SLF001

    def __aenter__(self) -> Awaitable[Permit]:
        """Take the permit at once: there is no await at which a cancellation could lose it."""
        permit = self.acquire()
        self._blocks.enter(sys._getframe(1), permit)  # noqa: SLF001
        return Ready(permit)

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[None]:
        self._blocks.leave(sys._getframe(1)).end(error)  # noqa: SLF001
        return Ready(None)

    # To look at, and by hand

    @property
    def state(self) -> State:
        """The state now."""
        state = self.machine.state(self.clock())
        self._tell_changes()
        return state

    def retry_after(self) -> float | None:
        """Return the seconds left of the open state, None in any other."""
        return self._left(self.clock())

    def to(self, state: State | str, duration: float | None = None) -> None:
        """Move it by hand; into open for `duration` seconds, if given."""
        self.machine.to(state, self.clock(), duration)
        self._tell_changes()

    def reset(self) -> None:
        """Close it, with nothing counted."""
        self.machine.reset(self.clock())
        self._tell_changes()

    def update(self, settings: Settings) -> bool:
        """Take other settings; True: the state stayed, else it began closed."""
        stayed = self.machine.update(settings, self.clock())
        self._tell_changes()
        return stayed

    def snapshot(self) -> dict[str, Any]:
        """Return everything there is to see, as plain data. It is of this process alone."""
        seen = self.machine.snapshot(self.clock())
        self._tell_changes()
        return {"name": self.name, **seen}

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self.state.value}>"

    def _left(self, now: float) -> float | None:
        at = self.machine.retry_at(now)
        return None if at is None else max(at - now, 0)

    def _tell_changes(self) -> None:
        if self.machine.changes or self.machine.signals:
            self._tell()
