"""What may be returned in the place of a breaker's refusal.

Law     A fallback stands in for a refusal of its own breaker alone: an error of the call goes on,
        and so does the refusal of another breaker further in. What has an async fallback is async
        itself, so that its result is to be awaited either way.
"""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from trafficcore.errors import ConfigError
from trafficcore.live.breaker_calls import Awaited, behind
from trafficcore.live.breaker_refusal import CircuitOpen
from trafficcore.live.kinds import kind_of

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
        if not callable(fallback):
            raise ConfigError(f"a fallback must be a function, not {fallback!r}")
        if "generator" in kind_of(fallback):
            raise ConfigError(f"a fallback must give one result: {fallback!r} is a generator")
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
        kind = kind_of(function)
        if "generator" in kind:
            raise ConfigError("a generator cannot have a fallback: it has no one result")
        guarded = behind(self._breaker, function)
        return wraps(function)(self._later(guarded) if kind == "coroutine" else self._now(guarded))

    def _later(self, guarded: Callable[..., Any]) -> Callable[..., Any]:
        fallback, own = self._fallback, self._breaker

        async def later(*args: Any, **kwargs: Any) -> Any:
            try:
                return await guarded(*args, **kwargs)
            except CircuitOpen as refused:
                if refused.breaker is not own:
                    raise
                result = fallback(refused)
            return await result if isawaitable(result) else result

        return later

    def _now(self, guarded: Callable[..., Any]) -> Callable[..., Any]:
        fallback: Callable[..., Any] = self._fallback
        own = self._breaker
        if kind_of(fallback) == "coroutine":
            raise ConfigError(f"what {fallback!r} stands in for must be `async` itself, as it is")

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                result = guarded(*args, **kwargs)
            except CircuitOpen as refused:
                if refused.breaker is not own:
                    raise
                return fallback(refused)
            if type(result) is Awaited:
                result.close()
                raise ConfigError("what gives a coroutine must be `async` to have a fallback")
            return result

        return call

    @overload
    def call(
        self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T | F]: ...
    @overload
    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | F: ...
    def call(self, function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call a function, or return what stands in for it."""
        held: Callable[..., Any] = self(function)
        return held(*args, **kwargs)
