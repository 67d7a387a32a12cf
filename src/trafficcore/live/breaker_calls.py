"""Functions of every kind behind a breaker: plain, coroutine, generator, asynchronous generator.

Law     The permit is taken when the body would begin to run, and settled when it has ended. A
        plain function that gives a coroutine or a future has ended when that has. A
        generator's duration ends at its first item: what its consumer does with it is not the
        service being slow. A generator closed early, or a coroutine cancelled, gives its permit
        back. No lock is held while the body runs.
Source  the reference's rules R2, R6, R26.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial, wraps
from types import CoroutineType
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

from trafficcore.live.breaker_refusal import CircuitOpen
from trafficcore.live.kinds import Kind, kind_of

__all__ = ["Awaited", "behind"]

P = ParamSpec("P")
T = TypeVar("T")
Anything = Callable[..., Any]
_FUTURES: Final = (asyncio.Future, Future)
#: What most functions give: a look here is cheaper than one for what comes later.
_AT_ONCE: Final = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict))


def behind(breaker: Any, function: Callable[P, T]) -> Callable[P, T]:
    """Return `function` behind `breaker`, with the signature and the kind it had."""
    return cast("Callable[P, T]", _WRAPPERS[kind_of(function)](breaker, function))


def _plain(breaker: Any, function: Anything) -> Anything:
    gate, judge = breaker.gate, breaker.judges_results

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = breaker.clock()
        era = gate.live or breaker.try_admit(start)
        if not era:
            raise CircuitOpen(breaker, start)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            breaker.raised(era, start, error)
            raise
        kind = type(result)
        if kind not in _AT_ONCE:
            if kind is CoroutineType:
                return Awaited(breaker, era, start, result)
            if issubclass(kind, _FUTURES):
                result.add_done_callback(partial(_done, breaker, era, start))
                return result
        if judge:
            breaker.returned(era, start, result)
        else:
            breaker.succeeded(era, start)
        return result

    return call


class Awaited(Coroutine[Any, Any, Any]):
    """What a plain function's coroutine is handed on as: it settles when that has ended.

    No coroutine of our own: one that is closed or cancelled before it begins runs none of its
    code, and could not give the permit back.
    """

    __slots__ = ("_breaker", "_coroutine", "_era", "_start")

    def __init__(self, breaker: Any, era: Any, start: float, coroutine: Any) -> None:
        self._breaker = breaker
        self._era = era
        self._start = start
        self._coroutine = coroutine

    def __await__(self) -> Self:
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Go on with it."""
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        """Raise in it."""
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        """End it where it is; the permit goes back."""
        breaker, self._breaker = self._breaker, None
        try:
            self._coroutine.close()
        finally:
            if breaker is not None:
                breaker.release(self._era)

    def __del__(self) -> None:
        if self._breaker is not None:
            self._breaker.release(self._era)

    def _step(self, go: Anything, *args: Any) -> Any:
        try:
            return go(*args)
        except StopIteration as stop:
            breaker, self._breaker = self._breaker, None
            if breaker is not None:
                breaker.returned(self._era, self._start, stop.value)
            raise
        except BaseException as error:
            breaker, self._breaker = self._breaker, None
            if breaker is not None:
                breaker.raised(self._era, self._start, error)
            raise


def _done(breaker: Any, era: Any, start: float, future: Any) -> None:
    """Settle a call by the future that it gave."""
    error = asyncio.CancelledError() if future.cancelled() else future.exception()
    if error is None:
        breaker.returned(era, start, future.result())
    else:
        breaker.raised(era, start, error)


def _coroutine(breaker: Any, function: Anything) -> Anything:
    gate, judge = breaker.gate, breaker.judges_results

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        start = breaker.clock()
        era = gate.live or breaker.try_admit(start)
        if not era:
            raise CircuitOpen(breaker, start)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            breaker.raised(era, start, error)
            raise
        if judge:
            breaker.returned(era, start, result)
        else:
            breaker.succeeded(era, start)
        return result

    return call


def _generator(breaker: Any, function: Anything) -> Anything:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        start, end = breaker.clock(), None
        era = breaker.admit(start)
        try:
            inner = function(*args, **kwargs)
            item = next(inner)
            end = breaker.clock()
            breaker.landed(era, end)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as error:  # noqa: BLE001  # handed on, whatever it is
                    item = inner.throw(error)
                else:
                    item = inner.send(sent)
        except StopIteration as stop:
            breaker.succeeded(era, start, end)
            return stop.value
        except BaseException as error:
            breaker.raised(era, start, error, end)
            raise

    return call


def _async_generator(breaker: Any, function: Anything) -> Anything:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        start, end = breaker.clock(), None
        era = breaker.admit(start)
        try:
            inner = function(*args, **kwargs)
            item = await anext(inner)
            end = breaker.clock()
            breaker.landed(era, end)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001  # handed on, whatever it is
                    item = await inner.athrow(error)
                else:
                    item = await inner.asend(sent)
        except StopAsyncIteration:
            breaker.succeeded(era, start, end)
        except BaseException as error:
            breaker.raised(era, start, error, end)
            raise

    return call


_WRAPPERS: Final[dict[Kind, Callable[[Any, Anything], Anything]]] = {
    "plain": _plain,
    "coroutine": _coroutine,
    "generator": _generator,
    "async generator": _async_generator,
}
