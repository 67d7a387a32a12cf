"""What may be returned in the place of a breaker's refusal.

Law     A fallback stands in for a refusal of its own breaker alone: an error of the call goes on,
        and so does the refusal of another breaker further in.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from trafficcore.errors import ConfigError
from trafficcore.live.breaker_calls import behind
from trafficcore.live.breaker_refusal import CircuitOpen

if TYPE_CHECKING:
    from trafficcore.live.breaker import CircuitBreaker

__all__ = ["OrElse"]

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F")


class OrElse(Generic[F]):
    """Functions behind a breaker with something to return where it refuses."""

    __slots__ = ("_breaker", "_fallback")

    def __init__(
        self, breaker: "CircuitBreaker", fallback: Callable[[CircuitOpen], Awaitable[F] | F]
    ) -> None:
        self._breaker = breaker
        self._fallback = fallback

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]]
    ) -> Callable[P, Coroutine[Any, Any, T | F]]: ...
    @overload
    def __call__(self, function: Callable[P, T]) -> Callable[P, T | F]: ...
    def __call__(self, function: Callable[P, Any]) -> Callable[P, Any]:
        """Decorate a function or a coroutine function."""
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise ConfigError("a generator cannot have a fallback: it has no one result")
        guarded, fallback, own = behind(self._breaker, function), self._fallback, self._breaker
        if iscoroutinefunction(function):

            @wraps(function)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                try:
                    return await guarded(*args, **kwargs)
                except CircuitOpen as refused:
                    if refused.breaker is not own:
                        raise
                    result = fallback(refused)
                return await result if isawaitable(result) else result

            return later

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return guarded(*args, **kwargs)
            except CircuitOpen as refused:
                if refused.breaker is not own:
                    raise
                return fallback(refused)

        return call

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | F:
        """Call a function, or return what stands in for it."""
        return self(function)(*args, **kwargs)
