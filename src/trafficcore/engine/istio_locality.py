"""What Istio makes of `localityLbSetting`: a priority for each endpoint, weights for localities.

Law    failover: region, zone, sub-zone compared with the own ones, in this order, give levels 0 to
       3, a failover rule makes 4 of the regions it does not name. failoverPriority: the first
       label that differs decides. Both: labels first. distribute: weights, and what no pattern
       names gets nothing. Levels in use are then numbered from 0 without gaps.
State  none.   Cost  O(endpoints, times labels), at load and when endpoints change
Source Istio pilot/pkg/networking/core/loadbalancer and xds/endpoints (how groups are formed)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs

from trafficcore.spec import LocalityLb

__all__ = [
    "Assignment",
    "Group",
    "apply_setting",
    "apply_zone_aware",
    "assign",
    "assign_zone_aware",
]

NETWORK: Final = "topology.istio.io/network"
TOPOLOGY: Final = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
)


class Member(Protocol):
    """What is looked at of an endpoint."""

    @property
    def locality(self) -> str: ...
    @property
    def weight(self) -> int: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


@attrs.frozen(kw_only=True)
class Group:
    """Endpoints of one locality (None: unknown) and one priority; a weight of None is not set."""

    locality: str | None
    members: tuple[Any, ...] = ()
    weight: int | None = None
    priority: int = 0


@attrs.frozen(kw_only=True)
class Assignment:
    """The priority of each endpoint, in the order they came in; None: it gets no calls.

    `weights`, by (priority, locality), is what `build_picker` takes as `locality_weights`; None:
    localities have no weights. `why` says in words what was applied.
    """

    priorities: tuple[int | None, ...]
    weights: Mapping[tuple[int, str], int] | None = None
    why: str = ""


def assign(
    endpoints: Iterable[Member],
    own_locality: str,
    own_labels: Mapping[str, str],
    outlier: bool,
    setting: LocalityLb | None,
) -> Assignment:
    """Apply a setting to the endpoints of a cluster; None: the mesh has none either.

    `outlier` says whether the cluster has outlier detection: without it nobody would ever fail
    over, and failover is not applied. Topology labels follow from localities, as in the mesh.
    """
    members = list(endpoints)
    if setting is None or not setting.enabled:
        return Assignment(priorities=(0,) * len(members), why="locality is switched off")
    weighted = bool(setting.distribute) or (
        outlier and bool(setting.failover or setting.failover_priority)
    )
    groups = apply_setting(
        _groups(members), own_locality, _with_topology(own_labels, own_locality), outlier, setting
    )
    return _assignment(len(members), groups, weighted, _why(setting, outlier))


def assign_zone_aware(
    endpoints: Iterable[Member],
    own_locality: str,
    own_labels: Mapping[str, str],
    setting: LocalityLb,
) -> Assignment:
    """Apply a zone-aware setting: the own region first, and zones balanced inside a priority."""
    members = list(endpoints)
    labels = _with_topology(own_labels, own_locality)
    groups = apply_zone_aware(_groups(members), own_locality, labels, setting)
    why = "zone-aware: own region, then others" if setting.enabled else "zone-aware: off"
    return _assignment(len(members), groups, False, why)


def apply_setting(
    groups: Sequence[Group],
    own_locality: str,
    own_labels: Mapping[str, str],
    outlier: bool,
    setting: LocalityLb | None,
) -> list[Group]:
    """Return the groups with priorities and weights; those left without members get no calls."""
    if setting is None or not setting.enabled:
        return list(groups)
    if setting.distribute:
        return _distribute(groups, own_locality, setting.distribute)
    if not outlier:
        return list(groups)
    if setting.failover_priority:
        made = _by_labels(groups, own_labels, setting.failover_priority)
        if not setting.failover:
            return made
        groups = made
    rule = _rule_for(own_locality, setting.failover)
    return _compacted(
        groups,
        [group.priority * 5 + _level(own_locality, group.locality, rule) for group in groups],
    )


def apply_zone_aware(
    groups: Sequence[Group],
    own_locality: str,
    own_labels: Mapping[str, str],
    setting: LocalityLb,
) -> list[Group]:
    """Return the groups with priorities by region: the own, the one failed over to, all others."""
    if not setting.enabled:
        return list(groups)
    if setting.failover_priority:
        groups = _by_labels(groups, own_labels, setting.failover_priority)
    order = {_rule_for(own_locality, setting.failover): 1, _split(own_locality)[0]: 0}
    levels = [order.get(_split(group.locality)[0], 2) for group in groups]
    return _compacted(groups, [g.priority * 3 + own for g, own in zip(groups, levels, strict=True)])


def _why(setting: LocalityLb, outlier: bool) -> str:
    if setting.distribute:
        return "distribute: localities by weight"
    if not outlier:
        return "failover needs outlier detection: all localities alike"
    if setting.failover_priority:
        then = " before region, zone, sub-zone" if setting.failover else ""
        return f"failoverPriority: {', '.join(setting.failover_priority)}{then}"
    return "failover: own sub-zone, zone, region, then others"


def _split(locality: str | None) -> tuple[str, str, str]:
    """Return region, zone and sub-zone, "" where there is none."""
    region, zone, subzone, *_ = *(locality or "").split("/"), "", ""
    return region, zone, subzone


def _with_topology(labels: Mapping[str, str], locality: str) -> dict[str, str]:
    own = {key: value for key, value in zip(TOPOLOGY, _split(locality), strict=True) if value}
    return {**labels, **own}


@attrs.frozen
class _Placed:
    """An endpoint by its place in the list, with the labels the mesh would give it."""

    index: int
    weight: int
    labels: Mapping[str, str]


def _groups(members: Sequence[Member]) -> list[Group]:
    """Return a group per locality, weighing what its endpoints weigh."""
    places: dict[str, list[_Placed]] = {}
    for index, member in enumerate(members):
        labels = _with_topology(member.labels, member.locality)
        places.setdefault(member.locality, []).append(_Placed(index, member.weight, labels))
    return [
        Group(
            locality=locality,
            members=tuple(placed),
            weight=sum(member.weight for member in placed),
        )
        for locality, placed in places.items()
    ]


def _assignment(count: int, groups: Sequence[Group], weighted: bool, why: str) -> Assignment:
    priorities: list[int | None] = [None] * count
    for group in groups:
        for member in group.members:
            priorities[member.index] = group.priority
    weights = {(g.priority, g.locality or ""): g.weight or 0 for g in groups if g.members}
    return Assignment(priorities=tuple(priorities), weights=weights if weighted else None, why=why)


def _matches(locality: str | None, pattern: str) -> bool:
    """Whether a locality is of a pattern: `*` for any segment, a missing tail for any tail."""
    region, *tail = zip(_split(locality), _split(pattern), strict=True)
    return region[1] in ("*", region[0]) and all(own in ("*", "", has) for has, own in tail)


def _distribute(
    groups: Sequence[Group],
    own_locality: str,
    rules: Sequence[tuple[str, Sequence[tuple[str, int]]]],
) -> list[Group]:
    """Return the groups weighted by the first rule from here; each goes to its first pattern."""
    targets = next((to for from_, to in rules if _matches(own_locality, from_)), None)
    if targets is None:
        return list(groups)
    made = [attrs.evolve(group, members=()) for group in groups]
    left = dict(enumerate(groups))
    for pattern, share in targets:
        claimed = {i: group for i, group in left.items() if _matches(group.locality, pattern)}
        sizes = {i: 1 if group.weight is None else group.weight for i, group in claimed.items()}
        total = sum(sizes.values())
        for index, group in claimed.items():
            made[index] = left.pop(index)
            if sizes[index] * share:
                weight = -(-sizes[index] * share // total)  # rounded up
                made[index] = attrs.evolve(group, weight=weight)
    return made


def _by_labels(
    groups: Sequence[Group], own_labels: Mapping[str, str], keys: Sequence[str]
) -> list[Group]:
    """Return the groups split by the first label in which an endpoint differs from here."""
    if not own_labels or not any(group.members for group in groups):
        return list(groups)
    wanted = _wanted(own_labels, keys)
    made = []
    network = keys[0] == NETWORK
    for group in groups:
        values: dict[int, list[Any]] = {}
        for member in group.members:
            values.setdefault(_mismatch(member.labels, wanted, network), []).append(member)
        made += [
            attrs.evolve(
                group,
                members=tuple(members),
                weight=sum(member.weight for member in members),
                priority=value,
            )
            for value, members in sorted(values.items())
        ]
    return _compacted(made, [group.priority for group in made])


def _wanted(own_labels: Mapping[str, str], keys: Sequence[str]) -> list[tuple[str, str]]:
    """Return the labels to look at, each with the value here; `key=value` overrules the own one."""
    split = [key.split("=") for key in keys]
    fixed = {parts[0]: parts[1] for parts in split if len(parts) == 2}
    return [(parts[0], fixed.get(parts[0], own_labels.get(parts[0], ""))) for parts in split]


def _mismatch(labels: Mapping[str, str], wanted: Sequence[tuple[str, str]], network: bool) -> int:
    """Return how early the labels differ; another network weighs more than all that follows."""
    value = 0
    for index, (key, own) in enumerate(wanted):
        if labels.get(key, "") == own:
            continue
        if index or not network:
            return value + len(wanted) - index
        value = len(wanted)
    return value


def _rule_for(own_locality: str, failover: Sequence[tuple[str, str]]) -> str | None:
    """Return the region that the first rule for the own region names."""
    own = _split(own_locality)[0]
    return next((to for from_, to in failover if from_ == own), None)


def _level(own_locality: str, locality: str | None, rule: str | None) -> int:
    own, other = _split(own_locality), _split(locality)
    if own[0] == other[0]:
        return 0 if own == other else 1 if own[1] == other[1] else 2
    if rule is not None and (locality is None or other[0] != rule):
        return 4
    return 3


def _compacted(groups: Sequence[Group], values: Sequence[int]) -> list[Group]:
    """Return the groups with the distinct values numbered from 0 as their priorities."""
    numbers = {value: number for number, value in enumerate(sorted(set(values)))}
    return [
        attrs.evolve(group, priority=numbers[value])
        for group, value in zip(groups, values, strict=True)
    ]
