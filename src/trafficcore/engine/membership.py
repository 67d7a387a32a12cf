"""`Membership`: what a cluster is to be, as data: rule, endpoints, and how to choose among them."""

from collections.abc import Callable

import attrs

from trafficcore.core.balance import Endpoint, SlowStart, ZoneAware
from trafficcore.core.outlier import Settings
from trafficcore.engine.feed import Feed
from trafficcore.engine.hashing import Hashing
from trafficcore.engine.istio_locality import Assignment
from trafficcore.engine.picking import HostsPicker
from trafficcore.engine.rule import Rule
from trafficcore.spec import EndpointSpec, RetryCaps

__all__ = ["Membership"]


@attrs.frozen(kw_only=True)
class Membership:
    """What a cluster is to be: its rule, its endpoints, who goes first, and when one is ejected.

    `assign` gives each endpoint its priority and may weigh localities; see `istio_locality`.
    `max_requests` is how many calls may be in flight, None: any number. `hosts` picks in one group
    of hosts, None: by turns; `hashing` says by which key calls find theirs, and has its say before.
    `warmup` is how those that join grow to their weight. `feed` knows the endpoints where they are
    not a list; `entries` are the ServiceEntries that name them. `retry_caps` bounds retries, and
    `connect_timeout` the wait for a connection, None: they do not. `zone_aware` knows the callers
    where zones are balanced by them. `subset` is the name of one, and `labels` are what its
    endpoints have.
    """

    rule: Rule | None
    endpoints: tuple[EndpointSpec, ...]
    outlier: Settings | None
    panic_threshold: int
    assign: Callable[[list[Endpoint]], Assignment]
    max_requests: int | None = None
    hosts: HostsPicker | None = None
    feed: Feed | None = None
    hashing: Hashing | None = None
    entries: tuple[Rule, ...] = ()
    warmup: SlowStart | None = None
    retry_caps: RetryCaps | None = None
    connect_timeout: float | None = None
    zone_aware: ZoneAware | None = None
    subset: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    def takes(self, endpoint: EndpointSpec) -> bool:
        """Whether an endpoint has every label it must have."""
        return set(self.labels) <= set(endpoint.labels)
