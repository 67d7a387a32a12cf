"""`RouteRetries`: what the declared routes say of the timeout and the retries of a call.

Law    A call takes the first declared route of its host whose tests all hold, as in `declared`;
       that route's word stands, and so does its silence.
State  the routes by host, as far as hosts were seen; bounded, since Hosts are the caller's.
Cost   nothing to speak of where no route says anything; else a look-up and the tests of a route.
Source Istio's VirtualService, `http[].timeout` and `http[].retries`.
"""

from typing import Final

from trafficcore.engine.declared import RouteNames
from trafficcore.engine.facts import Facts
from trafficcore.engine.identity import Identity, strip_port
from trafficcore.engine.match import Predicate
from trafficcore.spec import Retries

__all__ = ["RouteRetries"]

_MOST_HOSTS: Final = 512
#: Routes in their order, each with its tests and what it says.
Routes = list[tuple[list[Predicate], Retries | None]]


class RouteRetries:
    """The retries of outbound calls by route, for one process."""

    __slots__ = ("_identity", "_memo", "_names", "_silent")

    def __init__(self, names: RouteNames, identity: Identity) -> None:
        self._names = names
        self._identity = identity
        self._silent = not names.any_retries
        self._memo: dict[str, Routes] = {}

    def find(self, facts: Facts) -> Retries | None:
        """Return what the route that a call takes says; None: nothing does."""
        if self._silent:
            return None
        routes = self._memo.get(facts.host)
        if routes is None:
            routes = self._learn(facts.host)
        for tests, retries in routes:
            if all(test(facts) for test in tests):
                return retries
        return None

    def _learn(self, host: str) -> Routes:
        spellings = self._identity.spellings(strip_port(host))
        routes = [(tests, route.retries) for tests, route in self._names.routes_of(spellings)]
        if len(self._memo) >= _MOST_HOSTS:
            self._memo.clear()
        self._memo[host] = routes
        return routes
