"""Where calls go: what a DestinationRule becomes."""

import attrs

from trafficcore.spec.outliers import OutlierDetection
from trafficcore.spec.source import Source

__all__ = ["Destination", "LocalityLb", "TrafficPolicy", "Warmup"]


@attrs.frozen(kw_only=True)
class LocalityLb:
    """Istio's `localityLbSetting`, localities as `region/zone/sub-zone` text.

    `distribute` and `failover` pairs keep the order they were written in.
    """

    enabled: bool = True
    distribute: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    failover: tuple[tuple[str, str], ...] = ()
    failover_priority: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Warmup:
    """Istio's `warmup`: how long, in seconds, an endpoint that joins takes to its full weight."""

    duration: float
    minimum_percent: float = 10
    aggression: float = 1


@attrs.frozen(kw_only=True)
class TrafficPolicy:
    """One `trafficPolicy`: whole objects replace each other, as in Istio, nothing is merged.

    `simple` names the algorithm; "" stands for Istio's default, LEAST_REQUEST. `max_requests` is
    how many calls may be in flight at once, None: any number.
    """

    outlier: OutlierDetection | None = None
    locality: LocalityLb | None = None
    simple: str = ""
    warmup: Warmup | None = None
    max_requests: int | None = None


@attrs.frozen(kw_only=True)
class Destination:
    """One DestinationRule: `host` is a full name or a wildcard, `policy` the top-level one.

    `ports` holds what `portLevelSettings` puts in the place of `policy` for a port.
    """

    source: Source
    host: str
    namespace: str
    labels: tuple[tuple[str, str], ...] = ()
    policy: TrafficPolicy = TrafficPolicy()
    ports: tuple[tuple[int, TrafficPolicy], ...] = ()
    shadow: bool = False
