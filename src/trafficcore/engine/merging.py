"""`merged`: several DestinationRules of one host, namespace and selector are one, as in Istio.

Law    the first rule decides. Subsets of the others are added, of two of one name the first stands;
       a policy of theirs counts where the first has none. What a subset of a rule without a
       policy leaves out, it has from the policy that counts.
"""

from collections.abc import Iterable
from typing import Final

import attrs

from trafficcore.spec import Destination, Subset, TrafficPolicy

__all__ = ["alike", "merged"]

_NONE: Final = TrafficPolicy()
#: Fields that come from one object of a manifest: they are all replaced, or none is.
_OBJECTS: Final = (
    ("outlier",),
    ("locality", "zone_aware", "simple", "hashing", "warmup"),
    ("max_requests", "connect_timeout"),
    ("retry_caps",),
)


def alike(one: Destination, other: Destination) -> bool:
    """Whether two rules are of one host, namespace and selector."""
    return (one.host, one.namespace, one.labels) == (other.host, other.namespace, other.labels)


def merged(best: Destination, destinations: Iterable[Destination]) -> Destination:
    """Return a rule with what others like it add."""
    same = [spec for spec in destinations if alike(spec, best)]
    if len(same) == 1:
        return best
    base = next((spec for spec in same if spec.policy != _NONE or spec.ports), best)
    subsets: dict[str, Subset] = {}
    for spec in same:
        for subset in spec.subsets:
            bare = spec.policy == _NONE and not spec.ports
            subsets.setdefault(subset.name, _under(subset, base) if bare else subset)
    return attrs.evolve(best, policy=base.policy, ports=base.ports, subsets=tuple(subsets.values()))


def _under(subset: Subset, base: Destination) -> Subset:
    """Return a subset of a rule without a policy as one under the policy of another."""
    ports = {port: _filled(subset.policy, policy) for port, policy in base.ports}
    return attrs.evolve(
        subset,
        policy=_filled(subset.policy, base.policy),
        ports=tuple((ports | dict(subset.ports)).items()),
    )


def _filled(own: TrafficPolicy, base: TrafficPolicy) -> TrafficPolicy:
    """Return a policy with the objects that it leaves out, from another."""
    for names in _OBJECTS:
        if all(getattr(own, name) == getattr(_NONE, name) for name in names):
            own = attrs.evolve(own, **{name: getattr(base, name) for name in names})
    return own
