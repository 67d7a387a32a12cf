"""`Block`: `with`, `async with` and a decorator around what is acquired first and ended last."""

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

__all__ = ["Block"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Block(Generic[T]):
    """For one use at a time; what it decorates acquires for each call anew.

    `end` gets what was acquired, and what the block raised (None: nothing).
    """

    __slots__ = ("_acquire", "_acquire_async", "_end", "_held")
    _held: T

    def __init__(
        self,
        acquire: Callable[[], T],
        acquire_async: Callable[[], Awaitable[T]],
        end: Callable[[T, BaseException | None], object],
    ) -> None:
        self._acquire = acquire
        self._acquire_async = acquire_async
        self._end = end

    def __enter__(self) -> T:
        self._held = self._acquire()
        return self._held

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(self._held, error)

    async def __aenter__(self) -> T:
        self._held = await self._acquire_async()
        return self._held

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(self._held, error)

    def _again(self) -> "Block[T]":
        return Block(self._acquire, self._acquire_async, self._end)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function` inside such a block, one for each call."""
        if iscoroutinefunction(function):

            @wraps(function)
            async def coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with self._again():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", coroutine)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return call
