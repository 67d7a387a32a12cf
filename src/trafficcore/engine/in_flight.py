"""Calls in flight to a service, as many as a DestinationRule's `connectionPool` lets be.

Law    a call counts from its admission to its end. In shadow every call counts, also those beyond
       the number, and each that would have been refused is noted.
Source Istio connectionPool.http.http2MaxRequests; Envoy's circuit breaker `max_requests`
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trafficcore.core.balance import Endpoint
from trafficcore.core.limit.concurrency import InFlight
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.outcome import Reason

if TYPE_CHECKING:
    from trafficcore.engine.cluster import Cluster

__all__ = ["cap_of", "has_room"]


def cap_of(
    before: InFlight | None, most: int | None, endpoints: Iterable[Endpoint], locked: bool | None
) -> InFlight | None:
    """Return the cap of a cluster by its new settings, and with the calls that have begun."""
    if most is None:
        return None
    if before is not None:
        before.change(most)
        return before
    cap: InFlight = guarded(InFlight, locked)(most, lock=new_lock())
    cap.current = sum(endpoint.active for endpoint in endpoints)
    return cap


def has_room(cluster: "Cluster", now: float) -> bool:
    """Count a call in if there is room for it, or in shadow; say whether it goes on."""
    cap, rule = cluster.cap, cluster.rule
    if cap is None or cap.try_acquire():
        return True
    if rule is None or not rule.shadow:
        return False
    cap.inc()
    summary = rule.note_refusal(now, Reason.OVERLOADED, enforced=False)
    if summary is not None:
        cluster.tell(summary)
    return True
