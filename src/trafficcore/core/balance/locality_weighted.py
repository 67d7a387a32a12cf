"""Locality-weighted balancing: zones by weight, each cut back as its hosts fail.

Law    effective weight = weight * min(1, overprovisioning / 100 * good / (hosts - excluded));
       zones without weight or without good hosts drop out; the rest take turns by EDF.
State  none here; a schedule is an `Edf`.   Cost  O(zones)
Source Envoy locality_wrr.cc
"""

from collections.abc import Sequence
from fractions import Fraction

import attrs

from trafficcore.core.balance.edf import Edf

__all__ = ["Zone", "effective_weight", "schedule"]


@attrs.frozen(kw_only=True)
class Zone:
    """The hosts of one locality inside a priority; `good` are the healthy (or degraded) ones."""

    weight: int
    hosts: int
    good: int
    excluded: int = 0


def effective_weight(zone: Zone, overprovisioning: int = 140) -> Fraction:
    """Return the weight left to a zone, exactly; nothing where it has no hosts."""
    hosts = zone.hosts - zone.excluded
    if not hosts:
        return Fraction(0)
    most = 100 * hosts
    return Fraction(zone.weight * min(most, overprovisioning * zone.good), most)


def schedule(
    zones: Sequence[Zone], *, overprovisioning: int = 140, picks: int = 0
) -> Edf[tuple[int, Fraction]]:
    """Return the turns of the zones, as (index, effective weight); empty where none has a part."""
    weights = [effective_weight(zone, overprovisioning) for zone in zones]
    entries = [(index, weight) for index, weight in enumerate(weights) if weight]
    return Edf.started(entries, lambda entry: entry[1], picks)
