"""`build_picker`: endpoints with their priorities and health become an immutable picker.

Law    What Envoy draws at random is dealt out in turns: loads of 70/30 are exact over every 100
       picks, and inside each the hosts go round by weight (EDF order). Tables are bounded: where
       weights are too fine for one, hosts of a weight go round among themselves.
State  the picker's, carried over from the one before: a round that is unchanged goes on where it
       stood; in another, those that stay keep their order and what they have yet to wait.
Cost   O(endpoints), off the hot path
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Any

from trafficcore.core.balance.cycle import LARGEST, cycle, slots_of
from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.layout import DEGRADED, Layout, Round, Source
from trafficcore.core.balance.priority import priority_loads
from trafficcore.core.balance.round_robin import Nested, Picker, Rotation, Spread
from trafficcore.core.balance.sources import (
    ZoneAware,
    by_priority,
    level_of,
    plan_zones,
    sources_of,
)
from trafficcore.core.nolock import NO_LOCK

__all__ = ["build_picker"]

Hosts = tuple[Endpoint, ...]


def _as_it_is(cls: Any) -> Any:
    return cls


def build_picker(  # Envoy's settings, one by one
    endpoints: Iterable[Endpoint],
    *,
    panic_threshold: int = 0,
    overprovisioning: int = 140,
    locality_weights: Mapping[tuple[int, str], int] | None = None,
    zone_aware: ZoneAware | None = None,
    hosts: Callable[[Hosts], Picker] | None = None,
    previous: Picker | None = None,
    lock: Any = NO_LOCK,
    guarded: Callable[[Any], Any] = _as_it_is,
) -> Picker:
    """Return a picker over `endpoints` as they are now.

    A `panic_threshold` of 0 is off. `locality_weights`, by (priority, locality), turns on
    locality-weighted balancing; `zone_aware` is looked at where that has no say. `hosts` makes
    the picker of one group of hosts, in the place of weighted round robin. `previous` is the
    picker to go on from. `lock` and `guarded` serve where *atomic* needs a lock.
    """
    levels = by_priority(endpoints)
    loads = priority_loads(
        [level_of(level) for level in levels],
        panic_threshold=panic_threshold,
        overprovisioning=overprovisioning,
    )
    zones = None if zone_aware is None else plan_zones(levels[0], zone_aware)
    sources = sources_of(
        levels,
        loads,
        locality_weights=locality_weights,
        zones=zones,
        overprovisioning=overprovisioning,
    )
    rounds = _Rounds(None if previous is None else previous.layout, lock, guarded)
    picker = rounds.of_sources(sources, hosts)
    picker.layout = Layout(
        loads=loads,
        sources=tuple(sources),
        zones=None if zones is None else zones[1],
        rounds=rounds.made,
        hosts=frozenset(rounds.of_hosts),
    )
    return picker


class _Rounds:
    """Makes the tables of one picker, each from its forerunner in the last one."""

    def __init__(self, last: Layout | None, lock: Any, guarded: Callable[[Any], Any]) -> None:
        self._last = last
        self._lock = lock
        self._guarded = guarded
        self._leads: dict[Hashable, float] | None = None
        self.made: dict[Hashable, Round] = {}
        self.of_hosts: set[Hashable] = set()

    def of_sources(
        self, sources: Sequence[Source], make: Callable[[Hosts], Picker] | None
    ) -> Picker:
        """Return turns of priorities, inside them of localities, inside them of hosts."""
        groups: dict[tuple[int, bool], list[Source]] = {}
        for source in sources:
            groups.setdefault((source.priority, source.kind == DEGRADED), []).append(source)
        pickers = {}
        for group, members in groups.items():
            pickers[group] = self._turns(
                group,
                [source.locality for source in members],
                [source.share for source in members],
                [
                    self._rotation((*group, source.locality), source.endpoints)
                    if make is None
                    else make(source.endpoints)
                    for source in members
                ],
            )
        loads = [sum((s.share for s in members), Fraction(0)) for members in groups.values()]
        return self._turns((), list(groups), loads, list(pickers.values()))

    def _turns(
        self,
        path: Hashable,
        keys: Sequence[Hashable],
        weights: Sequence[int | Fraction],
        pickers: Sequence[Picker],
    ) -> Picker:
        """Return a picker that gives each of `pickers` its share of the turns."""
        if len(pickers) == 1:
            return pickers[0]
        flat = all(isinstance(picker, Rotation) for picker in pickers)
        kind = Spread if flat else Nested
        return self._round(path, tuple(keys), slots_of(weights), kind, pickers)

    def _rotation(self, path: tuple[Hashable, ...], hosts: Hosts) -> Picker:
        """Return a round robin over hosts by weight; over sorts of hosts where that is too long."""
        weights = [host.weight for host in hosts]
        if len(set(weights)) < 2:
            slots: tuple[int, ...] = (1,) * len(hosts)
        elif sum(weights) // gcd(*weights) > LARGEST:
            return self._by_weight(path, hosts)
        else:
            slots = slots_of(weights)
        self.of_hosts.add(path)
        return self._round(path, hosts, slots, Rotation, hosts)

    def _by_weight(self, path: tuple[Hashable, ...], hosts: Hosts) -> Picker:
        groups: dict[int, list[Endpoint]] = {}
        for host in hosts:
            groups.setdefault(host.weight, []).append(host)
        return self._turns(
            path,
            list(groups),
            [weight * len(group) for weight, group in groups.items()],
            [self._rotation((*path, weight), tuple(group)) for weight, group in groups.items()],
        )

    def _round(
        self,
        path: Hashable,
        keys: tuple[Hashable, ...],
        slots: tuple[int, ...],
        kind: type[Any],
        parts: Sequence[Any],
    ) -> Picker:
        """Make one table: the last one from where it stands, or a new one that follows on it."""
        last = None if self._last is None else self._last.rounds.get(path)
        if last is not None and last.keys == keys and last.slots == slots:
            lead, order, at = last.lead, last.order, last.picker.at
        else:
            waits = self._waits(path, last)
            lead = tuple([waits.get(key, 1) for key in keys])
            order, at = cycle(slots, lead if waits else None), 0
        picker: Picker = self._guarded(kind)([parts[i] for i in order], at, self._lock)
        self.made[path] = Round(keys=keys, slots=slots, lead=lead, order=order, picker=picker)
        return picker

    def _waits(self, path: Hashable, last: Round | None) -> dict[Hashable, float]:
        """Return what is known of how long keys have yet to wait; hosts may come from anywhere."""
        if path not in self.of_hosts:
            return {} if last is None else last.leads()
        if self._leads is None:
            self._leads = {} if self._last is None else self._last.host_leads()
        return self._leads
