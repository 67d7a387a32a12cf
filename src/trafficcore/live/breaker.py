"""CircuitBreaker: a breaker with a clock, for functions, coroutines and blocks.

Law     That of `core.breaker.Breaker`. An exception is an error; what is no `Exception` (a
        cancelled task, a closed generator, an interrupt) gives the permit back. Nothing holds a
        lock while the guarded call, a predicate or a listener runs.
State   the machine's, and which `with` blocks are under way.
Cost    two clock readings a call; none to acquire in two steps while closed.
Source  the reference's rules R2, R4, R6, R17, R30.
"""

import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Literal, ParamSpec, TypeVar, overload

from trafficcore.core.breaker import Breaker, Change, HalfOpen, Open, Settings, State
from trafficcore.core.breaker.settings import Window
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.live.breaker_calls import behind
from trafficcore.live.breaker_config import Ignored, read_settings
from trafficcore.live.breaker_events import Teller
from trafficcore.live.breaker_fallback import OrElse
from trafficcore.live.breaker_judge import Errors, Judge
from trafficcore.live.breaker_permit import Permit
from trafficcore.live.breaker_refusal import CircuitOpen
from trafficcore.live.breaker_steps import Gate, Steps
from trafficcore.live.frames import Blocks, Ready

__all__ = ["CircuitBreaker", "CircuitOpen", "Permit"]

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F")

_Machine: Final = guarded(Breaker)


@guarded
class CircuitBreaker(Steps):
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

    `ignore` says which exceptions count for nothing: classes, or a predicate; `errors` which are
    errors, where not all are, the others being successes; `bad_result` which results are errors.
    A cancelled call gives its permit back; with `cancelled="error"` it is one. A refusal raises
    `CircuitOpen`, a `Rejected`; `or_else` puts a fallback in its place. With `slow_in_flight` a
    call that hangs is slow before it ends (but for the two steps, which do not say when it began):
    it is found by the next call, at the price of the lock in each. `on_change` gets
    each `Change`, in order; every one is logged besides. One breaker is safe for any number of
    threads and tasks. Each process counts for itself; the child of a fork goes on with the
    counts there were, and with no call under way.
    """

    __slots__ = ("__weakref__", "_blocks")

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
        errors: Ignored = None,
        bad_result: Callable[[Any], bool] | None = None,
        cancelled: Literal["release", "error"] = "release",
        slow_in_flight: bool = False,
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
        self._judge = Judge(ignore, errors, bad_result, cancelled)
        self._in_flight = slow_in_flight
        #: Calls that were cancelled and gave their permit back.
        self.cancelled = 0
        self._blocks: Blocks[Permit] = Blocks()
        self._lock = lock = new_lock()
        self.errors = Errors(lock)
        #: The machine, for those who bring their own time.
        self.machine: Breaker = _Machine(settings, lock=lock, draw=draw, now=clock())
        #: What lets a call by without the machine's lock, while its `live` is no 0.
        self.gate = Gate() if slow_in_flight else self.machine
        self._tell = Teller(self.machine, lock, name, on_change).tell
        after_fork(self)

    # Around a call

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Decorate a function; its kind and its signature stay."""
        return behind(self, function)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function behind the breaker; a coroutine function's result is to be awaited."""
        return behind(self, function)(*args, **kwargs)

    @overload
    def or_else(self, fallback: Callable[[CircuitOpen], Coroutine[Any, Any, F]]) -> OrElse[F]: ...
    @overload
    def or_else(self, fallback: Callable[[CircuitOpen], Awaitable[F] | F]) -> OrElse[F]: ...
    def or_else(self, fallback: Callable[[CircuitOpen], Awaitable[F] | F]) -> OrElse[F]:
        """Return what decorates and calls functions with something to return on a refusal."""
        return OrElse(self, fallback)

    @property
    def judges_results(self) -> bool:
        """Whether results may be errors."""
        return self._judge.bad_result is not None

    def __enter__(self) -> Permit:
        permit = self.acquire()
        self._blocks.enter(sys._getframe(1), permit)  # noqa: SLF001  # see frames
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
        """Return everything there is to see, as plain data. It is of this `process` alone."""
        seen = self.machine.snapshot(self.clock())
        self._tell_changes()
        return {
            "name": self.name,
            "process": os.getpid(),
            **seen,
            "cancelled": self.cancelled,
            "errors_by_kind": self.errors.snapshot(),
        }

    def after_fork(self) -> None:
        """In a fork's child: the calls under way are the parent's."""
        self.machine.forget_calls()

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self.state.value}>"
