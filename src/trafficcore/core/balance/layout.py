"""`Layout`: how a picker was made: which hosts get which share of the calls, and why.

State  frozen; people read it in snapshots, and the next picker goes on from its `rounds`.
"""

from collections.abc import Callable, Hashable, Mapping
from fractions import Fraction
from typing import Any, Final

import attrs

from trafficcore.core.balance.cycle import credits_of, ranks
from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.priority import Loads
from trafficcore.core.balance.zone_aware import ZonePlan

__all__ = ["DEGRADED", "HEALTHY", "PANIC", "Layout", "Round", "Source"]

#: The kinds of source.
HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
PANIC: Final = "panic"


@attrs.frozen(kw_only=True, eq=False)
class Source:
    """Hosts that share a part of the calls: of one priority, and of one locality if it is named.

    `kind` is `healthy`, `degraded`, or `panic`: then all hosts of the priority are in. `share` is
    the part of all calls; without endpoints they fail.
    """

    priority: int
    kind: str
    locality: str | None
    share: Fraction
    endpoints: tuple[Endpoint, ...]


@attrs.frozen(kw_only=True, eq=False)
class Round:
    """One table of turns: what takes them (`keys`, with `slots`), in which order, and how far.

    `lead` is what part of its interval each key had yet to wait when the table was made.
    """

    keys: tuple[Hashable, ...]
    slots: tuple[int, ...]
    lead: tuple[float, ...]
    order: tuple[int, ...]
    picker: Any

    def leads(self) -> dict[Hashable, float]:
        """Return what part of its interval each key has yet to wait, as turns were had."""
        now = credits_of(self.order, self.picker.at, self.slots, self.lead)
        return dict(zip(self.keys, now, strict=True))

    def ranks(self) -> dict[Hashable, float]:
        """Return the same so that it keeps the order of equal turns; as `leads` for others."""
        if len(set(self.slots)) > 1:
            return self.leads()
        return ranks([self.keys[index] for index in self.order], self.picker.at)


@attrs.frozen(kw_only=True, eq=False)
class Layout:
    """The shares of one picker. `zones` is the plan of zone-aware routing where it was asked for.

    `rounds` holds the tables by where they are in the picker, `hosts` names those of endpoints.
    `exact` tells the shares where they are not those of the weights.
    """

    loads: Loads
    sources: tuple[Source, ...]
    zones: ZonePlan | None
    rounds: Mapping[Hashable, Round]
    hosts: frozenset[Hashable]
    exact: Callable[[], dict[Endpoint, Fraction]] | None = None

    def shares(self) -> dict[Endpoint, Fraction]:
        """Return the part of the calls that goes to each endpoint that gets any."""
        if self.exact is not None:
            return self.exact()
        parts: dict[Endpoint, Fraction] = {}
        for source in self.sources:
            total = sum(endpoint.weight for endpoint in source.endpoints)
            for endpoint in source.endpoints:
                part = source.share * Fraction(endpoint.weight, total)
                parts[endpoint] = parts.get(endpoint, 0) + part
        return parts

    def host_leads(self) -> dict[Hashable, float]:
        """Return what part of its interval each endpoint has yet to wait."""
        waits: dict[Hashable, float] = {}
        for path in self.hosts:
            waits |= self.rounds[path].ranks()
        return waits
