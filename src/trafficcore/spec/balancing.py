"""Where calls go: what a DestinationRule becomes."""

import attrs

from trafficcore.spec.outliers import OutlierDetection
from trafficcore.spec.retries import RetryCaps
from trafficcore.spec.source import Source

__all__ = [
    "ConsistentHash",
    "Destination",
    "HashCookie",
    "LocalityLb",
    "Subset",
    "TrafficPolicy",
    "Warmup",
    "ZoneAwareLb",
]


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
class ZoneAwareLb:
    """Istio's `zoneAwareLbSetting`: the own region first, and zones of it by their callers' share.

    Below `min_cluster_size` healthy endpoints zones are not looked at.
    """

    enabled: bool = True
    failover: tuple[tuple[str, str], ...] = ()
    failover_priority: tuple[str, ...] = ()
    min_cluster_size: int = 6


@attrs.frozen(kw_only=True)
class Warmup:
    """Istio's `warmup`: how long, in seconds, an endpoint that joins takes to its full weight."""

    duration: float
    minimum_percent: float = 10
    aggression: float = 1


@attrs.frozen(kw_only=True)
class HashCookie:
    """A cookie by which calls keep to an endpoint; with a `ttl` one is made where none came.

    A `ttl` of 0 s makes one that lasts as long as its client keeps it; `attributes` are as
    written, "" a name alone.
    """

    name: str
    path: str = ""
    ttl: float | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@attrs.frozen(kw_only=True)
class ConsistentHash:
    """Istio's `consistentHash`: calls of one key go to one endpoint. At most one key is given.

    The key is a header (its name in lower case), a cookie, the caller's address or a query
    parameter; without it endpoints are drawn at random. `size` is the least number of places of a
    ring, or the size of the table, a prime, where `maglev`.
    """

    header: str = ""
    cookie: HashCookie | None = None
    source_address: bool = False
    query: str = ""
    maglev: bool = False
    size: int = 1024


@attrs.frozen(kw_only=True)
class TrafficPolicy:
    """One `trafficPolicy`: whole objects replace each other, as in Istio, nothing is merged.

    `simple` names the algorithm; "" stands for Istio's default, LEAST_REQUEST, where there is no
    `hashing`. `max_requests` is how many calls may be in flight at once, None: any number;
    `retry_caps` is the same for retries, None: nothing is said of them. `connect_timeout` is how
    many seconds a call may wait for its connection.
    """

    outlier: OutlierDetection | None = None
    locality: LocalityLb | None = None
    zone_aware: ZoneAwareLb | None = None
    simple: str = ""
    hashing: ConsistentHash | None = None
    warmup: Warmup | None = None
    max_requests: int | None = None
    retry_caps: RetryCaps | None = None
    connect_timeout: float | None = None


@attrs.frozen(kw_only=True)
class Subset:
    """Endpoints of a service that have all of `labels`, with their own policies, whole ones.

    What the subset leaves out is in `policy` and `ports` as its DestinationRule has it.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    policy: TrafficPolicy = TrafficPolicy()
    ports: tuple[tuple[int, TrafficPolicy], ...] = ()


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
    subsets: tuple[Subset, ...] = ()
    shadow: bool = False
