"""Zone-aware routing: keep calls in the own zone as far as zones carry their callers' share.

Law    with l and u the shares (of 10,000) of callers and of healthy hosts by zone, the own first:
       u0 >= l0 > 0 sends all home; else u0 * 10000 // l0 of 10,000 stay, and the rest goes by
       what other zones have left over, max(0, u - l).
State  none: counts in, a plan out.   Cost  O(zones)
Source Envoy load_balancer_impl.cc, regenerateLocalityRoutingStructures; priority 0 only.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from fractions import Fraction
from typing import Final

import attrs

__all__ = ["Routing", "ZonePlan", "zone_plan"]

WHOLE: Final = 10_000


class Routing(Enum):
    """How calls find their zone: not at all, all to the own zone, or the own zone and the rest."""

    NONE = "none"
    DIRECT = "direct"
    RESIDUAL = "residual"


@attrs.frozen(kw_only=True)
class ZonePlan:
    """What zone-aware routing does, and where it does nothing, `reason` says why.

    `local_percent` (of 10,000) stays in zone 0; `residual` sums up, zone by zone, what the others
    can take. `shares` are the parts of the load that this comes to, by zone, summing to 1 (empty
    where routing is off).
    """

    state: Routing
    reason: str = ""
    local_percent: int = 0
    residual: tuple[int, ...] = ()
    shares: tuple[Fraction, ...] = ()

    def choose(self, draw: Callable[[], int]) -> int | None:
        """Return the index of a zone (None: any host will do); `draw` gives any whole number."""
        if self.state is Routing.NONE:
            return None
        if self.state is Routing.DIRECT or draw() % WHOLE < self.local_percent:
            return 0
        if not self.residual[-1]:
            return draw() % len(self.residual)
        mark = draw() % self.residual[-1]
        return next(zone for zone, reached in enumerate(self.residual) if mark < reached)


def zone_plan(  # two clusters and three settings
    callers: Sequence[tuple[str, int]],
    hosts: Sequence[tuple[str, int]],
    *,
    callers_at_home: bool = True,
    hosts_at_home: bool = True,
    min_cluster_size: int = 6,
    force_local: int | None = None,
) -> ZonePlan:
    """Plan from (zone, how many) of callers and of healthy hosts.

    Where `…_at_home`, the first of the list is the own zone. `force_local` keeps all calls in the
    own zone as soon as it has that many healthy hosts.
    """
    at_home = hosts[0][1] if hosts and hosts_at_home else 0
    forced = force_local is not None and at_home >= force_local
    reason = _why_not(
        [count for _, count in callers],
        [count for _, count in hosts],
        callers_at_home=callers_at_home,
        min_cluster_size=min_cluster_size,
        one_zone_will_do=force_local is not None,
    )
    if reason:
        return ZonePlan(state=Routing.NONE, reason=reason)
    shares = _percentages(callers, hosts)
    home_share, home_hosts = shares[0]
    if forced or (hosts_at_home and home_hosts and home_hosts >= home_share):
        whole = (Fraction(1), *(Fraction(0) for _ in hosts[1:]))
        return ZonePlan(state=Routing.DIRECT, shares=whole)
    local = home_hosts * WHOLE // home_share if hosts_at_home and home_share else 0
    # none of it at home: there is nothing left over there, or all calls would stay
    spare = [max(0, there - here) for here, there in shares]
    residual: list[int] = []
    for own in spare:
        residual.append(own + (residual[-1] if residual else 0))
    return ZonePlan(
        state=Routing.RESIDUAL,
        local_percent=local,
        residual=tuple(residual),
        shares=tuple(_parts(local, spare)),
    )


def _why_not(
    callers: Sequence[int],
    hosts: Sequence[int],
    *,
    callers_at_home: bool,
    min_cluster_size: int,
    one_zone_will_do: bool,
) -> str:
    if len(hosts) < 2:
        return "hosts_in_one_zone"
    if len(callers) < 2 and not one_zone_will_do:
        return "callers_in_one_zone"
    if not callers_at_home or not callers or not callers[0]:
        return "local_cluster_not_ok"
    if sum(hosts) < min_cluster_size:
        return "cluster_too_small"
    return ""


def _percentages(
    callers: Sequence[tuple[str, int]], hosts: Sequence[tuple[str, int]]
) -> list[tuple[int, int]]:
    """Return each zone's share of the callers and of the hosts; (0, 0) where it has no hosts."""
    all_callers = sum(count for _, count in callers)
    all_hosts = sum(count for _, count in hosts)
    here = {zone: count for zone, count in reversed(callers) if count}
    return [
        (WHOLE * here.get(zone, 0) // all_callers, WHOLE * count // all_hosts) if count else (0, 0)
        for zone, count in hosts
    ]


def _parts(local: int, spare: Sequence[int]) -> list[Fraction]:
    """Return the parts of the load the draws of `choose` come to, on average."""
    home = Fraction(min(local, WHOLE), WHOLE)
    total = sum(spare)
    weights = spare if total else [1] * len(spare)
    parts = [(1 - home) * Fraction(own, total or len(spare)) for own in weights]
    parts[0] += home
    return parts
