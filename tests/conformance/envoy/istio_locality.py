"""Priorities and weights that Istio gives to groups of endpoints."""

from typing import Any

import attrs

from conformance.envoy.balance_steps import play, same
from trafficcore.engine.istio_locality import Group, apply_setting, apply_zone_aware
from trafficcore.spec import LocalityLb


def run(case: dict[str, Any]) -> None:
    play(case, Adapter)


@attrs.frozen(kw_only=True)
class Member:
    address: str
    weight: int = 1
    labels: dict[str, str] = attrs.Factory(dict)


def group(
    *,
    locality: str | None = None,
    weight: int | None = None,
    endpoints: list[dict[str, Any]] | None = None,
) -> Group:
    members = tuple(Member(**endpoint) for endpoint in endpoints or ())
    return Group(locality=locality, weight=weight, members=members)


def pair(rule: dict[str, Any]) -> tuple[str, Any]:
    assert set(rule) == {"from", "to"}, f"unknown keys in {rule}"
    to = rule["to"]
    return rule["from"], tuple(to.items()) if isinstance(to, dict) else to


def setting(
    *,
    enabled: bool | None = None,
    distribute: list[dict[str, Any]] | None = None,
    failover: list[dict[str, str]] | None = None,
    failover_priority: list[str] | None = None,
) -> LocalityLb:
    return LocalityLb(
        enabled=enabled is not False,
        distribute=tuple(pair(rule) for rule in distribute or ()),
        failover=tuple(pair(rule) for rule in failover or ()),
        failover_priority=tuple(failover_priority or ()),
    )


def zone_aware_setting(*, min_cluster_size: int | None = None, **others: Any) -> LocalityLb:
    """The size is for Envoy to look at, and has no part in priorities."""
    assert min_cluster_size is None or min_cluster_size >= 1
    assert "distribute" not in others
    return setting(**others)


class Adapter:
    def __init__(
        self,
        hosts: list[str],
        *,
        proxy: dict[str, Any],
        groups: list[dict[str, Any]],
        outlier_detection: bool = False,
        locality_lb_setting: dict[str, Any] | None = None,
        zone_aware_lb_setting: dict[str, Any] | None = None,
    ) -> None:
        same(hosts, [])
        assert set(proxy) <= {"locality", "labels"}, f"unknown keys in {proxy}"
        self.here = (proxy.get("locality") or "", proxy.get("labels") or {})
        self.outlier = outlier_detection
        self.locality = locality_lb_setting
        self.zone_aware = zone_aware_lb_setting
        self.groups = [group(**one) for one in groups]
        # Where a case gives no endpoints, somebody has to stand in the group, to be dropped.
        self.counted = any("endpoints" in one for one in groups)

    def op_apply(self, t: Any = 0) -> None:
        groups = self.groups
        if not self.counted:
            groups = [attrs.evolve(g, members=(Member(address="any"),)) for g in groups]
        if self.zone_aware is not None:
            made = zone_aware_setting(**self.zone_aware)
            self.applied = apply_zone_aware(groups, *self.here, made)
        elif self.locality is not None:
            made = setting(**self.locality)
            self.applied = apply_setting(groups, *self.here, self.outlier, made)
        else:
            self.applied = apply_setting(groups, *self.here, self.outlier, None)

    def expect_priorities(self, value: list[int]) -> None:
        same([group.priority for group in self.applied], value)

    def expect_weights(self, value: list[int]) -> None:
        same([group.weight or 0 for group in self.applied], value)

    def expect_dropped(self, value: list[int]) -> None:
        same([i for i, group in enumerate(self.applied) if not group.members], value)

    def expect_groups(self, value: list[dict[str, Any]]) -> None:
        same(len(self.applied), len(value))
        for made, expected in zip(self.applied, value, strict=True):
            told = {
                "locality": made.locality,
                "addresses": [member.address for member in made.members],
                "weight": made.weight or 0,
                "priority": made.priority,
            }
            assert set(expected) <= set(told), f"unknown keys in {expected}"
            same({key: told[key] for key in expected}, expected)
