"""What a `Cluster` shows of itself: where calls go and why, who is out and why. Plain data."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

import attrs

from trafficcore.core.balance import Endpoint, Layout
from trafficcore.core.outlier import Ejected, Ejector
from trafficcore.core.outlier.snapshot import EndpointSnapshot

#: Why zone-aware routing is off, by its reason.
_WHY_OFF: Final = {
    "callers_unknown": "nobody said how many callers are where (callers=)",
    "hosts_in_one_zone": "all endpoints are in one zone",
    "callers_in_one_zone": "all callers are in one zone",
    "local_cluster_not_ok": "no caller is in the own zone",
    "cluster_too_small": "fewer healthy endpoints than minClusterSize",
}

__all__ = ["balance_view", "ejection_view", "priorities_view"]


def balance_view(
    endpoints: Iterable[Endpoint], layout: Layout | None, ejector: Ejector | None, now: float
) -> dict[str, Any]:
    """Return priorities, zones, endpoints and the state of outlier detection, fit for JSON."""
    members = list(endpoints)
    shares = {} if layout is None else layout.shares()
    outlier = None if ejector is None else ejector.snapshot(now)
    known = {} if outlier is None else {one.key: one for one in outlier.endpoints}
    return {
        "priorities": [] if layout is None else priorities_view(layout, members),
        "zone_aware": _zones(layout),
        "endpoints": [_endpoint(one, shares, known.get(one), now) for one in members],
        "outlier": None if ejector is None else _outlier(ejector, outlier),
    }


def _outlier(ejector: Ejector, seen: Any) -> dict[str, Any]:
    """Return what concerns all endpoints: how many may be out, means and thresholds, counters."""
    told = attrs.asdict(seen, filter=lambda field, _: field.name != "endpoints")
    return {**told, "always_eject_one_host": ejector.settings.always_eject_one_host}


def priorities_view(layout: Layout, members: Iterable[Endpoint]) -> list[dict[str, Any]]:
    """Return what each priority gets of the calls, in per cent, and what that follows from."""
    loads = layout.loads
    known = list(members)
    told = []
    for priority, load in enumerate(loads.healthy):
        hosts = [endpoint for endpoint in known if endpoint.priority == priority]
        healthy = sum(1 for endpoint in hosts if endpoint.healthy)
        panic = loads.panic[priority]
        told.append(
            {
                "priority": priority,
                "load": load + loads.degraded[priority],
                "hosts": len(hosts),
                "healthy": healthy,
                "health": loads.health[priority],
                "panic": panic,
                "why": f"{healthy} of {len(hosts)} healthy count as {loads.health[priority]} %"
                + (", in panic: all are used" if panic else ""),
            }
        )
    return told


def ejection_view(ejection: Ejected, now: float) -> dict[str, Any]:
    """Return by which rule an endpoint is out, with which counts, since when and until when."""
    until = ejection.until
    return {
        "by": ejection.kind.value,
        "count": ejection.count,
        "threshold": ejection.threshold,
        "requests": ejection.requests,
        "rate": ejection.rate,
        "average": ejection.average,
        "at": ejection.at,
        "until": until,
        "remaining": None if until is None else max(0, until - now),
        "ejections": ejection.num_ejections,
    }


def _zones(layout: Layout | None) -> dict[str, Any] | None:
    """Return what zone-aware routing does, and why it does nothing; None: nobody asked for it."""
    if layout is None or layout.zones is None:
        return None
    plan = layout.zones
    return {
        "state": plan.state.value,
        "reason": plan.reason,
        "why": _WHY_OFF.get(plan.reason, "the own zone first, as far as it carries its callers"),
        "local_percent": plan.local_percent / 100,
    }


def _endpoint(
    endpoint: Endpoint,
    shares: Mapping[Endpoint, Fraction],
    seen: EndpointSnapshot | None,
    now: float,
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "address": endpoint.address,
        "locality": endpoint.locality,
        "priority": endpoint.priority,
        "labels": dict(endpoint.labels),
        "weight": endpoint.weight,
        "active": endpoint.active,
        "ejected": not endpoint.healthy,
        "share": float(shares.get(endpoint, 0)),
        "ejection": None,
        "outcomes": None,
    }
    if seen is not None:
        if seen.ejection is not None:
            told["ejection"] = ejection_view(seen.ejection, now)
        told["outcomes"] = attrs.asdict(
            seen, filter=lambda field, _: field.name not in ("key", "ejected", "ejection")
        )
    return told
