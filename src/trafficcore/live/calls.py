"""Decorated functions: the same function, once a check has let the call pass."""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["before"]

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
