"""Functions and blocks behind a check: what `@limiter` and `with limiter` are made of."""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["Entry", "Unsettled", "before"]

P = ParamSpec("P")
R = TypeVar("R")


def before(function: Callable[P, R], check: Callable[P, Any]) -> Callable[P, R]:
    """Return `function` behind `check`, which gets the same arguments and may raise.

    A coroutine function is checked when it is awaited; any other when it is called.
    """
    if iscoroutinefunction(function):

        @wraps(function)
        async def coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            check(*args, **kwargs)
            return await function(*args, **kwargs)

        return cast("Callable[P, R]", coroutine)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        check(*args, **kwargs)
        return function(*args, **kwargs)

    return call


class Unsettled:
    """The end of a block that has nothing to settle, whatever was raised in it."""

    __slots__ = ()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class Entry(Unsettled):
    """A block, sync or async, that a check lets in or keeps out by raising."""

    __slots__ = ("_check",)

    def __init__(self, check: Callable[[], Any]) -> None:
        self._check = check

    def __enter__(self) -> None:
        self._check()

    async def __aenter__(self) -> None:
        self._check()
