"""`Discovery`: where the endpoints of a service come from, where they change while calls are made.

Law    whoever knows the endpoints is asked for all of them at once, when his own deadline is up or
       he has called `notice`. He answers from what he knows: he never waits. What he fails to
       answer changes nothing: the endpoints that were known stay.
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, Final, Protocol, runtime_checkable

from trafficcore.errors import ConfigError

__all__ = ["Discovery", "Endpoints", "Polled", "source_of"]

_EVERY: Final = 10


@runtime_checkable
class Discovery(Protocol):
    """What `endpoints=` takes in the place of a list; three methods make one of your own.

    They are called by the request that finds a look due, without any lock of the engine's. One
    thread at a time asks for one service; who serves several services is asked by each of them.
    Where `prepare(timeout)` is there as well, `Engine.load` calls it: it may wait, at most so many
    seconds, and returns what is known then, as `snapshot` does; what it raises keeps the engine
    from loading. A text in `error` says what is wrong while there
    are endpoints all the same.
    """

    def snapshot(self, now: float) -> Iterable[Any] | None:
        """Return all endpoints as of `now`, as `endpoints=` has them; None: nobody knows yet.

        What is raised is told to the listeners once, and the endpoints that were known stay.
        """
        ...

    def next_deadline(self) -> float:
        """Return when to ask again at the latest, on the clock of `now`; `inf`: at a notice."""
        ...

    def watch(self, notice: Callable[[], None]) -> None:
        """Take on whom to call, from any thread, when there is a reason to ask before that.

        `notice` holds nothing alive, takes no time, and may be called by `snapshot` as well.
        """
        ...


#: Services by `name` or `name:port`, and who answers for them: a list, a callable, or a source.
Endpoints = Mapping[str, Iterable[Any] | Callable[[], Iterable[Any]] | Discovery]


class Polled:
    """A callable that returns the endpoints, asked again `every` so many seconds.

    It is called in the request that finds it due, so it must not wait for anything. `Background`
    of `trafficcore.discovery` calls one that may.
    """

    def __init__(self, ask: Callable[[], Iterable[Any]], every: float = _EVERY) -> None:
        if not every > 0:
            raise ConfigError(f"every must be seconds above 0, not {every!r}")
        self._ask = ask
        self._every = every
        self._due = -inf
        self._known: tuple[Any, ...] | None = None

    def __repr__(self) -> str:
        return f"<Polled {getattr(self._ask, '__qualname__', self._ask)} every {self._every:g} s>"

    def snapshot(self, now: float) -> tuple[Any, ...] | None:
        """Return what the callable said last, after asking it if that is due."""
        if now >= self._due:
            self._due = now + self._every
            self._known = tuple(self._ask())
        return self._known

    def next_deadline(self) -> float:
        """Return when the callable is asked again."""
        return self._due

    def watch(self, notice: Callable[[], None]) -> None:
        """Take nobody on: a callable has nothing to tell before it is asked."""

    def prepare(self, timeout: float) -> tuple[Any, ...]:  # noqa: ARG002  # nothing to wait for
        """Ask once before the first request, which asks again: nobody knows how long ago it was."""
        if self._known is None:
            self._known = tuple(self._ask())
        return self._known


def source_of(endpoints: Any) -> Discovery | None:
    """Return what finds endpoints, a callable as one that is polled; None: they are a list.

    Raises `ConfigError` for what is neither.
    """
    if isinstance(endpoints, Discovery):
        return endpoints
    if isinstance(endpoints, Iterable) and not isinstance(endpoints, str):
        return None
    if not callable(endpoints):
        raise ConfigError(f"endpoints must be a list or a Discovery, not {endpoints!r}")
    ask: Any = endpoints
    return Polled(ask)
