"""Another endpoint for a call that is tried again: what was tried before is left, where it can be.

Law    The picker is asked again, a few times at most, until it names an endpoint that the call has
       not tried; if it never does, the first answer stands. Nothing was sent to what is left.
Source Envoy's `previous_hosts` with `host_selection_retry_max_attempts`, which Istio sets to 5.
"""

from collections.abc import Container
from typing import TYPE_CHECKING, Any, Final

from trafficcore.engine.verdict import Permit

if TYPE_CHECKING:
    from trafficcore.engine.cluster import Cluster

__all__ = ["cluster_of", "move"]

#: How often another one is asked for.
_LOOKS: Final = 5


def cluster_of(permit: Any) -> "Cluster | None":
    """Return the service that a permit's call goes to; None: nothing chooses an endpoint for it."""
    plan = permit._plan if isinstance(permit, Permit) else None  # noqa: SLF001  # its own ring's
    return None if plan is None else plan.cluster


def move(permit: Any, tried: Container[Any]) -> None:
    """Have a call that has not been sent yet go to an endpoint that is not among `tried`."""
    cluster = cluster_of(permit)
    if cluster is None or permit.endpoint not in tried:
        return
    for _ in range(_LOOKS):
        other = cluster.picker.pick()
        if other is not None and other not in tried:
            other.active += 1
            permit.endpoint.active -= 1
            permit.endpoint = other
            return
