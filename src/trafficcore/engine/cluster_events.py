"""What a cluster's ejector did, as the events that listeners get."""

from trafficcore.core.outlier import Change, Ejected
from trafficcore.engine.events import EndpointEjected, EndpointReturned
from trafficcore.engine.rule import Rule
from trafficcore.spec import Source

__all__ = ["event_of"]

_NOWHERE = Source(file="", line=0, kind="endpoints", namespace="", name="")


def event_of(change: Change, cluster: str, rule: Rule | None) -> EndpointEjected | EndpointReturned:
    """Return the event of one change; a rule in shadow ejects on paper."""
    source = _NOWHERE if rule is None else rule.source
    shadow = rule is not None and rule.shadow
    address = change.key.address
    if not isinstance(change, Ejected):
        return EndpointReturned(change.at, source, cluster, address)
    return EndpointEjected(
        change.at,
        source,
        cluster,
        address,
        change.kind.value,
        change.enforced and not shadow,
        None if shadow else change.until,
        change.num_ejections,
        change.count,
    )
