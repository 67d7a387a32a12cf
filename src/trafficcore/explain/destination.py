"""What a DestinationRule means: where calls go, who is left out, and what a port has of its own."""

from collections.abc import Iterator

from trafficcore.explain.balancing import balancing_meanings
from trafficcore.explain.ejection import ejection_meanings
from trafficcore.explain.locality import locality_meanings
from trafficcore.explain.meaning import Meaning, under
from trafficcore.explain.scope import process
from trafficcore.spec import Destination, TrafficPolicy

__all__ = ["destination_meanings"]


def destination_meanings(rule: Destination, hosts: int | None = None) -> tuple[Meaning, ...]:
    """Return what one DestinationRule means, for so many hosts where that is known."""
    found = [_clients(rule), Meaning("requests", f"calls to {rule.host}")]
    found += _policy(rule.policy, hosts)
    for port, policy in sorted(rule.ports):
        found += under(f"port {port}", _policy(policy, hosts), f"On port {port} instead")
    return tuple(found)


def _clients(rule: Destination) -> Meaning:
    if rule.labels:
        return process(rule.namespace, rule.labels)
    text = (
        f"For calls to {rule.host}; of several such rules that of the client's namespace decides,"
        f" then the service's, then the root one (this one is of {rule.namespace})."
    )
    return Meaning("process", f"clients, by the namespace {rule.namespace}", text)


def _policy(policy: TrafficPolicy, hosts: int | None) -> Iterator[Meaning]:
    yield from ejection_meanings(policy.outlier, hosts)
    if policy.max_requests is not None:
        most = policy.max_requests
        text = f"At most {most} calls are in flight at once; another is answered 503 at once."
        yield Meaning("calls in flight", f"at most {most}", text)
    yield from balancing_meanings(policy)
    yield from locality_meanings(policy.locality, outlier=policy.outlier is not None)
