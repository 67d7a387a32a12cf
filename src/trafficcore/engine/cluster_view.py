"""What a `Cluster` shows of itself: plain data, fit for JSON."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from trafficcore.core.balance import Endpoint

__all__ = ["endpoints_view"]


def endpoints_view(
    endpoints: Iterable[Endpoint], shares: Mapping[Endpoint, Fraction]
) -> list[dict[str, Any]]:
    """Return each endpoint: where it is, how it is, and which part of the calls goes to it."""
    return [
        {
            "address": endpoint.address,
            "locality": endpoint.locality,
            "priority": endpoint.priority,
            "labels": dict(endpoint.labels),
            "active": endpoint.active,
            "ejected": not endpoint.healthy,
            "share": float(shares.get(endpoint, 0)),
        }
        for endpoint in endpoints
    ]
