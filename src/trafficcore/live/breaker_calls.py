"""Functions of every kind behind a breaker: plain, coroutine, generator, asynchronous generator.

Law     The permit is taken when the body would begin to run, and settled when it has ended. A
        generator's duration ends at its first item: what its consumer does with it is not the
        service being slow. A generator closed early, or a coroutine cancelled, gives its permit
        back. No lock is held while the body runs.
Source  the reference's rules R2, R6, R26.
"""

from collections.abc import Callable
from functools import wraps
from types import CoroutineType
from typing import Any, Final, ParamSpec, TypeVar, cast

from trafficcore.live.breaker_refusal import CircuitOpen
from trafficcore.live.kinds import Kind, kind_of

__all__ = ["behind"]

P = ParamSpec("P")
T = TypeVar("T")
Anything = Callable[..., Any]


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
        if type(result) is CoroutineType:
            return _awaited(breaker, era, start, result)
        if judge:
            breaker.returned(era, start, result)
        else:
            breaker.succeeded(era, start)
        return result

    return call


async def _awaited(breaker: Any, era: Any, start: float, coroutine: Any) -> Any:
    """Await what a plain function returned; the call is over then, not when it was made."""
    try:
        result = await coroutine
    except BaseException as error:
        breaker.raised(era, start, error)
        raise
    breaker.returned(era, start, result)
    return result


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
