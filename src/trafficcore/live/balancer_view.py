"""What a `Balancer` shows of itself: plain data, fit for JSON."""

from collections.abc import Iterable
from typing import Any

from trafficcore.core.balance import Endpoint, Layout
from trafficcore.core.outlier import Ejector
from trafficcore.engine.cluster_view import ejection_view, priorities_view
from trafficcore.engine.feed import Feed

__all__ = ["view"]


def view(  # one caller, by name
    *,
    name: str,
    locality: str,
    why: str,
    layout: Layout | None,
    endpoints: Iterable[Endpoint],
    ejector: Ejector | None,
    feed: Feed | None,
    now: float,
) -> dict[str, Any]:
    """Return where calls go by priority, locality and endpoint, and why; shares in per cent."""
    members = list(endpoints)
    shares = {} if layout is None else layout.shares()
    localities: dict[str, float] = {}
    for endpoint, share in shares.items():
        localities[endpoint.locality] = localities.get(endpoint.locality, 0) + float(100 * share)
    return {
        "name": name,
        "locality": locality,
        "why": why,
        "now": now,
        "discovery": None if feed is None else feed.snapshot(),
        "priorities": [] if layout is None else priorities_view(layout, members),
        "localities": localities,
        "endpoints": [_endpoint(e, float(100 * shares.get(e, 0)), now) for e in members],
        "ejected": 0 if ejector is None else ejector.active,
        "max_ejection_percent": None if ejector is None else ejector.settings.max_ejection_percent,
        "stats": {} if ejector is None else dict(ejector.stats),
    }


def _endpoint(endpoint: Endpoint, share: float, now: float) -> dict[str, Any]:
    tally = endpoint.tally
    told = {
        "address": endpoint.address,
        "locality": endpoint.locality,
        "priority": endpoint.priority,
        "weight": endpoint.weight,
        "active": endpoint.active,
        "share": share,
        "ejected": None,
    }
    if tally is not None and tally.ejected:
        told["ejected"] = ejection_view(tally.ejection, now)
    return told
