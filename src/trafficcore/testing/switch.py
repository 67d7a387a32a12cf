"""All limits off: for the tests of an application that are about something else.

Law    Engines let everything by (`off`), those that are there and those that `Engine.load` makes
       meanwhile; limiters and schedulers grant whatever they are asked, breakers admit, limits of
       an application and its routes meet no request. Nothing is spent. All of it is as before,
       afterwards, and engines made meanwhile do as the environment says; but breakers that were
       closed have counted the calls they saw.
Cost   Nothing outside: the classes themselves are changed for the time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from trafficcore.engine import Engine
from trafficcore.engine.guard import living, locked
from trafficcore.live import loading
from trafficcore.live.breaker import CircuitBreaker
from trafficcore.live.budgets import Budgets, Spending
from trafficcore.live.desk import Desk
from trafficcore.live.fair import QuotaScheduler
from trafficcore.live.fair_grant import Grant
from trafficcore.live.keyed_limiter import KeyedRateLimiter
from trafficcore.live.limiter import RateLimiter
from trafficcore.live.reservation import Reservation
from trafficcore.live.sliding_limiter import SlidingWindowLimiter
from trafficcore.live.together import Together
from trafficcore.web.limits import LimitGate, Met

__all__ = ["limits_off"]

#: An era that no breaker has ever: results of it are dropped as late ones are.
_NO_ERA = -1


def _yes(*_: Any, **__: Any) -> bool:
    return True


def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _nothing_async(*_: Any, **__: Any) -> None:
    return None


class _Free(Grant):
    """A grant of tokens that nobody spent."""

    __slots__ = ()

    def reconcile(self, actual: float) -> None:
        self.cost = actual


def _granted(
    self: QuotaScheduler, _workload: Any = None, cost: float = 1, *_: Any, **__: Any
) -> Grant:
    return _Free(self, None, cost)


async def _granted_async(
    self: QuotaScheduler, _workload: Any = None, cost: float = 1, *_: Any, **__: Any
) -> Grant:
    return _Free(self, None, cost)


class _Unspent(Spending):
    """A use that has taken nothing of any budget."""

    __slots__ = ()

    def cost(self, **actual: float) -> None:
        pass

    def end(self) -> None:
        pass

    def give_back(self, now: float) -> None:
        pass


def _spent(self: Budgets, *_: Any, **__: Any) -> Spending:
    return _Unspent(self, self._usual, 0, None)


async def _spent_async(self: Budgets, *_: Any, **__: Any) -> Spending:
    return _spent(self)


def _reserved(self: RateLimiter, cost: float = 1, **_: Any) -> Reservation:
    return Reservation(self._desk, cost, self._clock(), 0)


def _reserved_key(self: KeyedRateLimiter, key: str, cost: float = 1, **_: Any) -> Reservation:
    return Reservation(self._desks.get(key), cost, self._clock(), 0)


def _era(self: CircuitBreaker, *_: Any) -> int:
    return self.machine.live or _NO_ERA


def _unmet(*_: Any, **__: Any) -> Met:
    return ()


_OFF: dict[type, dict[str, Callable[..., Any]]] = {
    # What waits, and what enters a block, tries first.
    RateLimiter: {"try_acquire": _yes, "reserve": _reserved},
    SlidingWindowLimiter: {"try_acquire": _yes, "refund": _nothing},
    Together: {"try_acquire": _yes, "refund": _nothing},
    Desk: {"refund": _nothing, "correct": _nothing},
    KeyedRateLimiter: {
        "try_acquire": _yes,
        "reserve": _reserved_key,
        "acquire": _nothing,
        "acquire_async": _nothing_async,
        "_check": _nothing,
    },
    QuotaScheduler: {
        "try_acquire": _yes,
        "acquire": _granted,
        "acquire_async": _granted_async,
    },
    Budgets: {"try_acquire": _spent, "acquire": _spent, "acquire_async": _spent_async},
    LimitGate: {"admit": _unmet, "decide": _unmet},
    CircuitBreaker: {"try_acquire": _era, "try_admit": _era, "_try_slowly": _era},
}


@contextmanager
def limits_off() -> Iterator[None]:
    """Switch everything off that could refuse or delay, for as long as the block lasts.

    A bound method that somebody took before (`take = limiter.try_acquire`) stays as it is, and so
    does an engine made meanwhile with a `mode` of its own.
    """
    with ExitStack() as stack:
        stack.enter_context(_loaded_off())
        for engine in living(Engine):
            stack.callback(setattr, engine, "mode", engine.mode)
            engine.mode = "off"
        for cls, members in _OFF.items():
            for each in _with_subclasses(cls):
                # what a class inherits is changed on the first of them alone
                for name in members if each is cls else members.keys() & vars(each).keys():
                    stack.enter_context(patch.object(each, name, members[name]))
        yield


@contextmanager
def _loaded_off() -> Iterator[None]:
    """Have `Engine.load` make engines that let everything by, until the block is left."""
    made: list[tuple[Engine, Any]] = []
    load = loading.load_engine

    def load_off(*args: Any, mode: Any, **settings: Any) -> Engine:
        engine: Engine = load(*args, mode=mode, **settings)
        if mode is None:
            made.append((engine, engine.mode))
            engine.mode = "off"
        return engine

    try:
        with patch.object(loading, "load_engine", load_off):
            yield
    finally:
        for engine, before in made:
            engine.mode = before


def _with_subclasses(cls: type) -> set[type]:
    """Return a class, the locked one in its place where there is no GIL, and all below them."""
    found = {cls, locked(cls)}
    for each in {cls, locked(cls)}:
        below: list[type] = each.__subclasses__()
        for other in set(below) - found:
            found |= _with_subclasses(other)
    return found
