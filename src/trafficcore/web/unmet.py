"""Limits that a view's requests cannot meet: a name that is mistyped limits nobody.

What is known when the application starts is refused then. The rest shows at the first request that
comes by, which is let by all the same, and is said in the log, once.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from trafficcore.errors import ConfigError
from trafficcore.live.limits import Bound
from trafficcore.live.patterns import patterns
from trafficcore.web.keys import FirstOf
from trafficcore.web.routed import PathParameter

__all__ = ["FirstLook", "check_unrouted", "warn_of_names"]

log: Final = logging.getLogger("trafficcore")


def check_unrouted(limits: Iterable[Bound]) -> None:
    """Raise `ConfigError` where a limit in front of all routes asks for a parameter of one."""
    for bound in limits:
        for parameter in _parameters(bound.limit.by):
            raise ConfigError(parameter.unrouted)


def _parameters(by: Any) -> Iterable[PathParameter]:
    for key in by.keys if isinstance(by, FirstOf) else (by,):
        if isinstance(key, PathParameter):
            yield key


class FirstLook:
    """What the first request of one view shows of the limits on it; `over` when it was there."""

    __slots__ = ("_limits", "_view", "over")

    def __init__(self, limits: Iterable[Bound], view: Callable[..., Any]) -> None:
        self._limits = limits
        self._view = getattr(view, "__qualname__", repr(view))
        self.over = False

    def look(self, parameters: Collection[str], path: str = "") -> None:
        """Look at its route: the parameters, and where all of its requests have one, the path."""
        self.over = True
        for bound in self._limits:
            by = bound.limit.by
            if isinstance(by, PathParameter) and by.name not in parameters:
                there = ", ".join(parameters) or "none"
                self._warn(bound, f"kept by the path parameter {by.name!r}: the route has {there}")
            meant = patterns(bound.limit.on)
            if path and meant and not any(one.path.match(path) for one in meant):
                self._warn(bound, f"about {bound.limit.on!r}: the route is {path}")

    def _warn(self, bound: Bound, what: str) -> None:
        log.warning(
            "limit %r on %s limits nothing there, as it is %s", bound.name, self._view, what
        )


def warn_of_names(what: str, names: Collection[str], known: Collection[str]) -> None:
    """Say which of the names that a limit is about, or spares, are names of nothing."""
    for name in sorted(set(names).difference(known)):
        log.warning(
            "a limit names the %s %r, and the application has none of that name", what, name
        )
