"""The kinds of functions there are, and a function of any of them inside a block.

Law     A block is entered when the body would begin to run, and left when it has ended: a
        generator's when it is exhausted or closed, a coroutine's when it returns.
"""

from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutine, iscoroutinefunction, isgeneratorfunction
from typing import Any, Final, Literal, ParamSpec, TypeVar, cast

from trafficcore.errors import ConfigError

__all__ = ["Kind", "inside", "kind_of"]

P = ParamSpec("P")
R = TypeVar("R")
Anything = Callable[..., Any]
Kind = Literal["plain", "coroutine", "generator", "async generator"]

_KINDS: Final[tuple[tuple[Callable[[object], bool], Kind], ...]] = (
    (iscoroutinefunction, "coroutine"),
    (isgeneratorfunction, "generator"),
    (isasyncgenfunction, "async generator"),
)


def kind_of(function: Anything) -> Kind:
    """Return the kind of a function, or of an object that is called as one."""
    call = function if hasattr(function, "__name__") else type(function).__call__
    for is_kind, kind in _KINDS:
        if is_kind(function) or is_kind(call):
            return kind
    return "plain"


def inside(block: Any, function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` inside `block`, which any number of calls may be in at once.

    What gives a coroutine without being `async` itself is a `ConfigError` when it is called: it
    would run after the block.
    """
    return cast("Callable[P, R]", _WRAPPERS[kind_of(function)](block, function))


def _plain(block: Any, function: Anything) -> Anything:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with block:
            result = function(*args, **kwargs)
            if iscoroutine(result):
                result.close()
                raise ConfigError(f"{function!r} gives a coroutine: it must be `async` itself")
            return result

    return call


def _coroutine(block: Any, function: Anything) -> Anything:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with block:
            return await function(*args, **kwargs)

    return call


def _generator(block: Any, function: Anything) -> Anything:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with block:
            return (yield from function(*args, **kwargs))

    return call


def _async_generator(block: Any, function: Anything) -> Anything:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with block:
            inner = function(*args, **kwargs)
            step = anext(inner)
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001  # handed on, whatever it is
                    step = inner.athrow(error)
                else:
                    step = inner.asend(sent)

    return call


_WRAPPERS: Final[dict[Kind, Callable[[Any, Anything], Anything]]] = {
    "plain": _plain,
    "coroutine": _coroutine,
    "generator": _generator,
    "async generator": _async_generator,
}
