"""`Target`: where calls go: what a choice among the clusters of a service is made of."""

import attrs

from trafficcore.engine.cluster import Cluster

__all__ = ["Target"]


@attrs.frozen(eq=False)
class Target:
    """Where a call goes: a cluster, or None: to the address that it names."""

    cluster: Cluster | None
