"""Priority levels: how much of the load each gets, and when health stops mattering (panic).

Law    health = min(100, overprovisioning * healthy // hosts); the first levels take what they
       can of 100 %, the rest spills over; healthy hosts before degraded ones. A level panics when
       all levels together fall short of 100 and its own share of good hosts is under the
       threshold: then every host of it counts as good. All in panic: the load follows the hosts.
State  none: integers in, integers out.   Cost  O(levels)
Source Envoy load_balancer_impl.cc. Its documentation differs in places; the code is followed.
"""

from collections.abc import Sequence
from typing import Final

import attrs

__all__ = ["Level", "Loads", "choose", "priority_loads"]

FULL: Final = 100


@attrs.frozen(kw_only=True)
class Level:
    """The hosts of one priority, counted; `excluded` ones (still warming) have no say in health.

    `weights`, where given, replaces the counts in the health of the level, not in panic: the sums
    of weights of (healthy, degraded, all but excluded) hosts.
    """

    hosts: int
    healthy: int
    degraded: int = 0
    excluded: int = 0
    weights: tuple[int, int, int] | None = None


@attrs.frozen(kw_only=True)
class Loads:
    """What each priority gets, in per cent: the two loads together sum to 100.

    `health` and `degraded_health` are what the loads were worked out from, `available` is their
    sum, capped at 100; `panic` says which priorities use all their hosts.
    """

    healthy: tuple[int, ...]
    degraded: tuple[int, ...]
    panic: tuple[bool, ...]
    health: tuple[int, ...]
    degraded_health: tuple[int, ...]
    available: int


def priority_loads(
    levels: Sequence[Level], *, panic_threshold: int = 50, overprovisioning: int = 140
) -> Loads:
    """Distribute 100 % over `levels`, the first being priority 0; a `panic_threshold` of 0 is off.

    One load is not 100 in sum: weighted health may round to nothing while no level panics, and
    then all loads are 0.
    """
    health = tuple(_health(level, 0, overprovisioning) for level in levels)
    degraded_health = tuple(_health(level, 1, overprovisioning) for level in levels)
    available = min(FULL, sum(health) + sum(degraded_health))
    threshold = min(FULL, panic_threshold)
    panic = tuple(available < FULL and _few_good(level, threshold) for level in levels)
    degraded = [0] * len(levels)
    if available:
        healthy, degraded = _by_health(health, degraded_health, available)
    else:
        healthy = [0] * len(levels)
    if not available and not threshold:
        healthy[0] = FULL  # nobody will be found there, which is the point
    elif all(panic):
        healthy, degraded = _by_hosts([level.hosts for level in levels]), [0] * len(levels)
    return Loads(
        healthy=tuple(healthy),
        degraded=tuple(degraded),
        panic=panic,
        health=health,
        degraded_health=degraded_health,
        available=available,
    )


def choose(loads: Loads, number: int) -> tuple[int, bool]:
    """Return (priority, whether its degraded hosts are meant) for any whole `number` (a hash)."""
    mark = number % FULL + 1
    reached = 0
    for part, degraded in ((loads.healthy, False), (loads.degraded, True)):
        for priority, load in enumerate(part):
            reached += load
            if mark <= reached:
                return priority, degraded
    return 0, False


def _health(level: Level, kind: int, overprovisioning: int) -> int:
    """Give the health of a level from its healthy (kind 0) or degraded (kind 1) hosts."""
    if level.weights is None:
        good, total = (level.healthy, level.degraded)[kind], level.hosts - level.excluded
    else:
        good, total = level.weights[kind], level.weights[2]
    if level.hosts == level.excluded or not total:
        return 0
    return min(FULL, overprovisioning * good // total)


def _few_good(level: Level, threshold: int) -> bool:
    """Whether the plain share of good hosts is under the threshold; of no hosts it is 0 %."""
    total = level.hosts - level.excluded
    if not total:
        return threshold > 0
    return FULL * (level.healthy + level.degraded) < threshold * total


def _by_health(
    health: Sequence[int], degraded_health: Sequence[int], available: int
) -> tuple[list[int], list[int]]:
    left = FULL
    parts: list[list[int]] = []
    for part in (health, degraded_health):
        loads = []
        for own in part:
            load = min(left, own * FULL // available)
            loads.append(load)
            left -= load
        parts.append(loads)
    if left:  # lost to rounding
        first = next((p for p, own in enumerate(health) if own), None)
        if first is not None:
            parts[0][first] += left
        else:
            parts[1][next(p for p, own in enumerate(degraded_health) if own)] += left
    return parts[0], parts[1]


def _by_hosts(hosts: Sequence[int]) -> list[int]:
    """Spread the load over the hosts as they come, excluded ones too."""
    total = sum(hosts)
    if not total:
        return [FULL] + [0] * (len(hosts) - 1)
    loads = [FULL * count // total for count in hosts]
    loads[next(p for p, count in enumerate(hosts) if count)] += FULL - sum(loads)
    return loads
