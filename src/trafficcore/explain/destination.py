"""What a DestinationRule means: where calls go, who is left out, and what a port has of its own."""

from collections.abc import Iterator

from trafficcore.engine.subsets import SUBSET
from trafficcore.explain.balancing import balancing_meanings
from trafficcore.explain.ejection import ejection_meanings
from trafficcore.explain.locality import locality_meanings
from trafficcore.explain.meaning import Meaning, under
from trafficcore.explain.retries import caps_meanings
from trafficcore.explain.scope import process
from trafficcore.explain.words import listed, span
from trafficcore.spec import Destination, Subset, TrafficPolicy

__all__ = ["destination_meanings"]


def destination_meanings(
    rule: Destination, hosts: int | None = None, istio: str | None = None
) -> tuple[Meaning, ...]:
    """Return what one DestinationRule means, for so many hosts where that is known."""
    found = [_clients(rule), Meaning("requests", f"calls to {rule.host}")]
    found += _policy(rule.policy, hosts, istio)
    for port, policy in sorted(rule.ports):
        found += under(f"port {port}", _policy(policy, hosts, istio), f"On port {port} instead")
    for subset in rule.subsets:
        found += _subset(subset, rule, istio)
    return tuple(found)


def _subset(subset: Subset, rule: Destination, istio: str | None) -> Iterator[Meaning]:
    """Say which endpoints a subset has, and what of its policies is not as everywhere else."""
    labels = listed([f"{key}={value}" for key, value in subset.labels]) or "no label in particular"
    key = f"subset {subset.name}"
    text = (
        f"The endpoints with {labels} are the subset {subset.name}: calls that a route or the"
        f" label {SUBSET} sends there go to no others."
    )
    yield Meaning(key, labels, text)
    usual = dict(rule.ports)
    for port, policy in [(0, subset.policy), *subset.ports]:
        known = {one.key: one for one in _policy(usual.get(port, rule.policy), None, istio)}
        where = key if not port else f"{key} port {port}"
        lead = f"In {subset.name}" + (f" on port {port}" if port else "")
        changed = [one for one in _policy(policy, None, istio) if known.get(one.key) != one]
        yield from under(where, changed, lead)


def _clients(rule: Destination) -> Meaning:
    if rule.labels:
        return process(rule.namespace, rule.labels)
    text = (
        f"For calls to {rule.host}; of several such rules that of the client's namespace decides,"
        f" then the service's, then the root one (this one is of {rule.namespace})."
    )
    return Meaning("process", f"clients, by the namespace {rule.namespace}", text)


def _policy(policy: TrafficPolicy, hosts: int | None, istio: str | None) -> Iterator[Meaning]:
    yield from ejection_meanings(policy.outlier, hosts, istio)
    if policy.max_requests is not None:
        most = policy.max_requests
        text = f"At most {most} calls are in flight at once; another is answered 503 at once."
        yield Meaning("calls in flight", f"at most {most}", text)
    if policy.connect_timeout is not None:
        wait = span(policy.connect_timeout)
        text = f"A call of a client transport waits at most {wait} for its connection."
        yield Meaning("connect timeout", wait, text)
    yield from caps_meanings(policy.retry_caps)
    yield from balancing_meanings(policy)
    yield from locality_meanings(policy)
