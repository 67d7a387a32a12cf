"""`RouteLimits`: limits on a route, whatever the framework; what its decorators stand on.

Law     A request meets them once, however often it comes by (a router's dependency and a view's
        decorator may be the same). Where one refuses, all that the request has paid before, to
        limits in front of the application too, is given back.
Faults  are told when the limits are written down, which is when the application starts.
"""

import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import attrs

from trafficcore.engine import Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.limits import Bound, Limit, listed
from trafficcore.web.keys import FirstOf, first_of
from trafficcore.web.limits import LimitGate, Refusal
from trafficcore.web.receipt import receipt_of

__all__ = ["RouteLimits", "View", "add_headers", "read", "responses"]

#: From `Facts` to the framework's own request, which is what functions of a limit are given.
View = Callable[[Any], Any]


def read(what: tuple[Any, ...], options: dict[str, Any]) -> list[Limit]:
    """Return the limits that somebody wrote down: rates that share options, or `Limit` objects."""
    if not what:
        raise ConfigError('a limit needs a rate, such as "10/min", or Limit("10/min")')
    limits = []
    for one in what:
        if isinstance(one, Limit):
            if options:
                named = ", ".join(options)
                raise ConfigError(f"{named} belongs inside the Limit that it is about")
            limits.append(one)
        elif callable(one):
            raise ConfigError(
                f'a limit needs its rate first, as in @limited("10/min"), not {one!r}'
            )
        else:
            limits.append(Limit(one, **options))
    return limits


class RouteLimits:
    """Limits at work: `limits["name"]` is one of them, its counts and its `shadow`."""

    __slots__ = ("_own", "clock", "gate")

    def __init__(
        self,
        limits: Iterable[Limit],
        view: View,
        *,
        wsgi: bool = False,
        headers: str = "none",
        problem: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        viewed = [_viewed(limit, view) for limit in listed(limits)]
        self.gate = LimitGate(viewed, headers=headers, problem=problem, wsgi=wsgi)
        self.clock = clock
        self._own = frozenset(self.gate.limits)

    def __getitem__(self, name: str) -> Bound:
        return self.gate[name]

    def admit(
        self, request: MutableMapping[str, Any], method: str, path: str, *, slash: bool = False
    ) -> Rejection | None:
        """Take a token of each limit that is about a request, or of none and say why not.

        `slash`: to the router the path is the same with a slash at its end and without.
        """
        receipt = receipt_of(request, self.clock)
        own = self._own
        if any(bound in own for bound, _, _ in receipt.met):
            return None
        now = self.clock()
        met = self.gate.admit(request, method, path, now, slash=slash)
        if not isinstance(met, Refusal):
            receipt.met = (*receipt.met, *met)
            return None
        receipt.give_back(now)
        unpaid = tuple((bound, key, 0) for bound, key, _ in met.met)
        receipt.met = (*receipt.met, *unpaid)  # headers tell of them as well
        return met

    def snapshot(self) -> list[dict[str, Any]]:
        """Return every limit as plain data."""
        return self.gate.snapshot(self.clock())


def add_headers(limits: RouteLimits, request: MutableMapping[str, Any], headers: Any) -> None:
    """Have an answer's `headers` tell of what its request met, where it does not do so already."""
    write = limits.gate.write
    if write is None:
        return
    paid = receipt_of(request, limits.clock)
    for name, value in write(paid.told, limits.clock()):
        if name not in headers:
            headers[name] = value


def responses(limits: RouteLimits) -> dict[int | str, dict[str, Any]]:
    """Return what an OpenAPI document says of the refusals."""
    wait = {"description": "Seconds until a retry can succeed", "schema": {"type": "integer"}}
    statuses = sorted({bound.limit.status for bound in limits.gate.limits})
    refusal = {"description": "Over the rate limit", "headers": {"Retry-After": wait}}
    return dict.fromkeys(statuses, refusal)


def _viewed(limit: Limit, view: View) -> Limit:
    """Return a limit whose functions are given the framework's request."""

    def seen(function: Any) -> Any:
        return (lambda facts: function(view(facts))) if callable(function) else function

    def key(by: Any) -> Any:
        if isinstance(by, FirstOf):
            return first_of(*map(key, by.keys))
        return by if hasattr(by, "asgi") else seen(by)

    return attrs.evolve(
        limit,
        by=key(limit.by),
        on=seen(limit.on),
        exempt=seen(limit.exempt),
        cost=seen(limit.cost),
    )
