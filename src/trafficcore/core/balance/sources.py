"""Who may be picked, and how often: endpoints with priority and health become shares of the calls.

Law    Envoy's order: priority by load; then a panicking priority uses all its hosts, else its
       localities go by weight, else by zone-aware routing (priority 0), else all its good hosts.
State  none: a list of `Source`, whose shares sum to 1.   Cost  O(endpoints)
Source Envoy load_balancer_impl.cc, hostSourceToUse
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import attrs

from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.layout import DEGRADED, HEALTHY, PANIC, Source
from trafficcore.core.balance.locality_weighted import Zone, effective_weight
from trafficcore.core.balance.priority import FULL, Level, Loads
from trafficcore.core.balance.zone_aware import Routing, ZonePlan, zone_plan

__all__ = ["ZoneAware", "by_priority", "level_of", "plan_zones", "sources_of"]

Hosts = Sequence[Endpoint]


@attrs.frozen(kw_only=True)
class ZoneAware:
    """What zone-aware routing knows of the callers: their own locality, and how many are where.

    Where nobody knows how many, it is off.
    """

    own: str
    callers: Mapping[str, int]
    min_cluster_size: int = 6
    force_local: int | None = None


def by_priority(endpoints: Iterable[Endpoint]) -> list[list[Endpoint]]:
    """Return the endpoints of priority 0, 1, … in their order; there is always a priority 0."""
    levels: list[list[Endpoint]] = [[]]
    for endpoint in endpoints:
        while endpoint.priority >= len(levels):
            levels.append([])
        levels[endpoint.priority].append(endpoint)
    return levels


def level_of(hosts: Hosts) -> Level:
    """Count the hosts of a priority."""
    healthy = sum(1 for host in hosts if host.healthy and not host.degraded)
    degraded = sum(1 for host in hosts if host.healthy and host.degraded)
    return Level(hosts=len(hosts), healthy=healthy, degraded=degraded)


def plan_zones(hosts: Hosts, settings: ZoneAware) -> tuple[list[str], ZonePlan]:
    """Return the localities of priority 0, the own one first, and how calls go to them."""
    counts: dict[str, int] = {}
    for host in hosts:
        good = host.healthy and not host.degraded
        counts[host.locality] = counts.get(host.locality, 0) + good
    if not settings.callers:
        return [], ZonePlan(state=Routing.NONE, reason="callers_unknown")
    own = settings.own
    places = sorted(counts, key=lambda place: (place != own, place))
    callers = sorted(settings.callers.items(), key=lambda item: (item[0] != own, item[0]))
    plan = zone_plan(
        callers,
        [(place, counts[place]) for place in places],
        callers_at_home=own in settings.callers,
        hosts_at_home=own in counts,
        min_cluster_size=settings.min_cluster_size,
        force_local=settings.force_local,
    )
    return places, plan


def sources_of(
    levels: Sequence[Hosts],
    loads: Loads,
    *,
    locality_weights: Mapping[tuple[int, str], int] | None,
    zones: tuple[list[str], ZonePlan] | None,
    overprovisioning: int,
) -> list[Source]:
    """Return where the calls go; a source without endpoints stands for calls that fail."""
    sources = []
    for (priority, kind), share in _groups(loads).items():
        hosts = levels[priority]
        parts: list[tuple[str | None, Fraction]] = []
        if kind != PANIC:
            if locality_weights is not None:
                weights = {place: w for (p, place), w in locality_weights.items() if p == priority}
                parts = _weighted(hosts, kind, weights, overprovisioning)
            if not parts and zones is not None and priority == 0:
                places, plan = zones
                parts = [(p, s) for p, s in zip(places, plan.shares, strict=False) if s]
        good = [host for host in hosts if _is(host, kind)]
        for place, part in parts or [(None, Fraction(1))]:
            there = good if place is None else [host for host in good if host.locality == place]
            sources.append(
                Source(
                    priority=priority,
                    kind=kind,
                    locality=place,
                    share=share * part,
                    endpoints=tuple(there),
                )
            )
    return sources


def _groups(loads: Loads) -> dict[tuple[int, str], Fraction]:
    """Return the share of each priority and kind of host; one without is left out."""
    groups: dict[tuple[int, str], int] = {}
    for part, usual in ((loads.healthy, HEALTHY), (loads.degraded, DEGRADED)):
        for priority, load in enumerate(part):
            if load:
                key = (priority, PANIC if loads.panic[priority] else usual)
                groups[key] = groups.get(key, 0) + load
    if not groups:
        return {(0, HEALTHY): Fraction(1)}
    return {key: Fraction(load, FULL) for key, load in groups.items()}


def _is(host: Endpoint, kind: str) -> bool:
    return kind == PANIC or (host.healthy and host.degraded == (kind == DEGRADED))


def _weighted(
    hosts: Hosts, kind: str, weights: Mapping[str, int], overprovisioning: int
) -> list[tuple[str | None, Fraction]]:
    """Return each locality's part of its priority; nothing where no weight meets a good host."""
    total: dict[str, int] = {}
    good: dict[str, int] = {}
    for host in hosts:
        total[host.locality] = total.get(host.locality, 0) + 1
        good[host.locality] = good.get(host.locality, 0) + _is(host, kind)
    effective = {
        place: effective_weight(
            Zone(weight=weights.get(place, 0), hosts=total[place], good=good[place]),
            overprovisioning,
        )
        for place in total
    }
    whole = sum(effective.values())
    return [(place, weight / whole) for place, weight in effective.items() if weight]
