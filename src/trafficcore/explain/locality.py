"""What a locality setting means: which endpoints come first, and how much goes on to others."""

from collections.abc import Iterator

from trafficcore.core.balance import Level, priority_loads
from trafficcore.engine.istio_locality import assign
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.words import listed
from trafficcore.spec import LocalityLb, TrafficPolicy, ZoneAwareLb

__all__ = ["locality_meanings"]

#: Fine enough to find the per cent at which a level begins to pass calls on.
_MANY = 100


def locality_meanings(policy: TrafficPolicy) -> Iterator[Meaning]:
    """Yield what the locality setting means; none is as the mesh has it, which is on."""
    if policy.zone_aware is not None:
        yield from _zone_aware(policy.zone_aware)
        return
    outlier = policy.outlier is not None
    used = LocalityLb() if policy.locality is None else policy.locality
    why = assign((), "", {}, outlier, used).why
    yield Meaning("locality", why, f"Locality: {why}.")
    if not used.enabled:
        return
    if used.distribute:
        yield from _distribute(used)
        return
    if not outlier:
        return
    for origin, target in used.failover:
        text = f"Calls from the region {origin} that it cannot take go to {target} before others."
        yield Meaning(f"failover from {origin}", target, text)
    yield _spill()


def _zone_aware(setting: ZoneAwareLb) -> Iterator[Meaning]:
    if not setting.enabled:
        yield Meaning("locality", "zone-aware: off", "Locality: all endpoints are alike.")
        return
    text = (
        "Endpoints of the own region come first. In it calls stay in the own zone as far as its"
        " endpoints carry its callers' share, and go by what the others have left over beyond that;"
        f" with fewer than {setting.min_cluster_size} healthy endpoints zones are not looked at."
    )
    yield Meaning("locality", f"zone-aware from {setting.min_cluster_size} endpoints on", text)
    for origin, target in setting.failover:
        text = f"Calls from the region {origin} that it cannot take go to {target} before others."
        yield Meaning(f"failover from {origin}", target, text)


def _distribute(setting: LocalityLb) -> Iterator[Meaning]:
    for origin, targets in setting.distribute:
        value = listed([f"{part} % to {to}" for to, part in sorted(targets)])
        text = f"From {origin}: {value}; nothing goes to others."
        yield Meaning(f"distribute from {origin}", value, text)


def _spill() -> Meaning:
    """Say how much stays with one of two hosts out, and from where on all does."""
    whole = Level(hosts=_MANY, healthy=_MANY)
    half, over = priority_loads([Level(hosts=2, healthy=1), whole]).healthy
    enough = next(
        healthy
        for healthy in range(_MANY + 1)
        if priority_loads([Level(hosts=_MANY, healthy=healthy), whole]).healthy[0] == 100
    )
    text = (
        f"With one of two hosts of your zone out, {half} % stays and {over} % goes on to the next"
        f" level; with {enough} % of them healthy all of it stays (overprovisioning factor 1.4)."
    )
    return Meaning("overprovisioning", "1.4", text)
