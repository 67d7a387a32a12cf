"""Plain data of an ejector: who is out, by which rule, on which counts, until when."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from trafficcore.core.outlier.changes import Ejected
from trafficcore.core.outlier.tally import Tally

if TYPE_CHECKING:
    from trafficcore.core.outlier.ejector import Ejector

__all__ = ["EndpointSnapshot", "OutlierSnapshot", "take"]


@attrs.frozen(kw_only=True)
class EndpointSnapshot:
    """One endpoint. `ejection` is why it is out, None while it is in.

    Rates are percentages of the interval that ended, -1 where it had too few requests.
    """

    key: Any
    ejected: bool
    ejection: Ejected | None
    multiplier: int
    num_ejections: int
    consecutive_5xx: int
    consecutive_gateway_failure: int
    consecutive_local_origin_failure: int
    successes: int
    failures: int
    success_rate: float
    local_success_rate: float
    last_ejection: float | None
    last_unejection: float | None


@attrs.frozen(kw_only=True)
class OutlierSnapshot:
    """All endpoints of an ejector, as of its last sweep."""

    at: float
    hosts: int
    active: int
    max_ejection_percent: int
    next_sweep: float
    success_rate_average: float
    success_rate_threshold: float
    local_success_rate_average: float
    local_success_rate_threshold: float
    stats: dict[str, int]
    endpoints: tuple[EndpointSnapshot, ...]


def take(ejector: "Ejector", tallies: Iterable[Tally], now: float) -> OutlierSnapshot:
    """Return what an ejector holds; its lock is held."""
    average, threshold = ejector.success_rate
    local_average, local_threshold = ejector.local_success_rate
    return OutlierSnapshot(
        at=now,
        hosts=len(ejector),
        active=ejector.active,
        max_ejection_percent=ejector.settings.max_ejection_percent,
        next_sweep=ejector.next_sweep,
        success_rate_average=average,
        success_rate_threshold=threshold,
        local_success_rate_average=local_average,
        local_success_rate_threshold=local_threshold,
        stats={"ejections_active": ejector.active, **ejector.stats},
        endpoints=tuple(_look(tally) for tally in tallies),
    )


def _look(tally: Tally) -> EndpointSnapshot:
    """Return what a tally holds now."""
    return EndpointSnapshot(
        key=tally.key,
        ejected=tally.ejected,
        ejection=tally.ejection if tally.ejected else None,
        multiplier=tally.multiplier,
        num_ejections=tally.num_ejections,
        consecutive_5xx=tally.consecutive_5xx,
        consecutive_gateway_failure=tally.consecutive_gateway_failure,
        consecutive_local_origin_failure=tally.consecutive_local_origin_failure,
        successes=tally.successes,
        failures=tally.failures,
        success_rate=tally.success_rate,
        local_success_rate=tally.local_success_rate,
        last_ejection=tally.last_ejection,
        last_unejection=tally.last_unejection,
    )
