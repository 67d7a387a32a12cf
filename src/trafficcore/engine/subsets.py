"""Subsets: which endpoints of a service a call goes to, by its own label or by the route it takes.

Law    the label `trafficcore/subset` names one, and has the last word; else the first route of the
       service's VirtualServices whose tests all hold says it, by weight where it leads to several;
       else all endpoints are meant. A route that leads to another host is not followed. A name
       that no DestinationRule defines is nowhere: such calls are refused, as in Istio.
State  whose turn it is, where weights are dealt without chance.   Cost  O(routes) a call
Source Istio's DestinationRule.subsets and VirtualService.http[].route
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from itertools import cycle as around
from typing import Final

import attrs

from trafficcore.core.balance.cycle import cycle, slots_of
from trafficcore.engine.facts import Facts
from trafficcore.engine.match import Predicate
from trafficcore.engine.picking import Draw
from trafficcore.engine.route import Choice
from trafficcore.engine.target import Target
from trafficcore.spec import DeclaredRoute, RouteTarget

__all__ = ["SUBSET", "Service", "SubsetEntry"]

#: The label of a request that names the subset it is for.
SUBSET: Final = "trafficcore/subset"

Route = tuple[list[Predicate], DeclaredRoute]
Deal = Callable[[], int]


@attrs.frozen(kw_only=True, eq=False)
class Service:
    """The clusters of one service by the names of its subsets, "" for all endpoints.

    `nowhere` has none, for subsets that nobody defines.
    """

    name: str
    targets: Mapping[str, Target]
    nowhere: Target


class SubsetEntry:
    """The choice of a cluster for calls to services that have subsets, as a rule of its own."""

    looks_at_path = False

    def __init__(
        self,
        find: Callable[[str], Service | None],
        routes: Callable[[set[str]], list[Route]],
        names: Callable[[str], set[str]],
        draw: Draw | None,
    ) -> None:
        self._find = find
        self._routes = routes
        self._names = names
        self._draw = draw

    def about_host(self, host: str) -> bool:
        """Whether calls to this bare, lower-case host may be for a subset."""
        service = self._find(host)
        return service is not None and len(service.targets) > 1

    def resolve(self, host: str, path: str) -> Choice | None:  # noqa: ARG002  # Entry's shape
        """Return the clusters of the service, and what chooses among them."""
        service = self._find(host)
        if service is None:
            return None
        options = (*service.targets.values(), service.nowhere)
        numbers = {name: number for number, name in enumerate(service.targets)}
        return Choice(options, self._chooser(service, numbers))

    def _chooser(self, service: Service, numbers: Mapping[str, int]) -> Callable[[Facts], int]:
        names = self._names(service.name)
        nowhere = len(numbers)
        routes = [
            (tests, self._deal([_number(it, names, numbers) for it in route.to], route.to))
            for tests, route in self._routes(names)
        ]

        def choose(facts: Facts) -> int:
            wanted = None if facts.labels is None else facts.labels.get(SUBSET)
            if wanted is not None:
                return numbers.get(wanted, nowhere)
            for tests, deal in routes:
                if all(test(facts) for test in tests):
                    return deal()
            return 0

        return choose

    def _deal(self, numbers: Sequence[int], to: Sequence[RouteTarget]) -> Deal:
        """Return what gives a number by weight: drawn where there is chance, else in turns."""
        if len(set(numbers)) < 2:
            only = numbers[0] if numbers else 0
            return lambda: only
        weights = [target.weight for target in to]
        draw = self._draw
        if draw is None:
            return around([numbers[index] for index in cycle(slots_of(weights))]).__next__
        reached, total = list(accumulate(weights)), sum(weights)
        return lambda: numbers[bisect_right(reached, draw() * total)]


def _number(target: RouteTarget, names: set[str], numbers: Mapping[str, int]) -> int:
    """Return the option that a route's target means; that of another host is all endpoints."""
    if target.host not in names:
        return 0
    return numbers.get(target.subset, len(numbers))
