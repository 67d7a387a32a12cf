"""`zoneAwareLbSetting` in the engine: calls stay in their zone as far as it carries its callers."""

from typing import Any

import attrs
import pytest

from support import policies as p
from trafficcore.engine import Engine, Identity, Permit
from trafficcore.errors import ConfigError
from trafficcore.outcome import Outcome
from trafficcore.spec import ConsistentHash, OutlierDetection, TrafficPolicy, ZoneAwareLb

ALIKE = {"r/a": 2, "r/b": 2, "r/c": 2}
PLACES = [(f"{zone}{number}:1", f"r/{zone}") for zone in "abc" for number in range(2)]


def built(
    callers: dict[str, int], places: list[Any] = PLACES, own: str = "r/a", **policy: Any
) -> Engine:
    setting = policy.pop("zone_aware", ZoneAwareLb())
    rule = attrs.evolve(p.destination(), policy=TrafficPolicy(zone_aware=setting, **policy))
    identity = Identity(locality=own, callers=callers)
    return p.engine(rule, endpoints={p.NAME: places}, identity=identity)


def cluster(engine: Engine, now: float = 0) -> dict[str, Any]:
    (told,) = engine.snapshot(now)["clusters"]
    return dict(told)


def by_zone(engine: Engine, now: float = 0) -> dict[str, float]:
    shares: dict[str, float] = {}
    for entry in cluster(engine, now)["endpoints"]:
        shares[entry["locality"]] = shares.get(entry["locality"], 0) + entry["share"]
    return {zone: pytest.approx(share) for zone, share in shares.items() if share}


def test_a_zone_that_carries_its_callers_keeps_them() -> None:
    one = built(ALIKE)
    assert by_zone(one) == {"r/a": 1}
    assert cluster(one)["zone_aware"]["state"] == "direct"
    for _ in range(10):
        permit = one.admit(p.calling(), 0)
        assert isinstance(permit, Permit)
        assert permit.endpoint is not None
        assert permit.endpoint.locality == "r/a"


def test_what_it_cannot_carry_goes_where_there_is_room() -> None:
    one = built({"r/a": 4, "r/b": 4, "r/c": 2}, [*PLACES, ("b9:1", "r/b"), ("b8:1", "r/b")])
    told = cluster(one)["zone_aware"]
    assert told["state"] == "residual"
    assert told["local_percent"] == 62.5  # 25 % of the endpoints for 40 % of the callers
    assert by_zone(one) == {"r/a": 0.625, "r/b": 0.25, "r/c": 0.125}


@pytest.mark.parametrize(
    ("callers", "places", "own", "reason"),
    [
        ({}, PLACES, "r/a", "callers_unknown"),
        ({"r/a": 3}, PLACES, "r/a", "callers_in_one_zone"),
        (ALIKE, PLACES[:2], "r/a", "hosts_in_one_zone"),
        ({"r/b": 1, "r/c": 1}, PLACES, "r/a", "local_cluster_not_ok"),
        (ALIKE, PLACES[:5], "r/a", "cluster_too_small"),
    ],
)
def test_where_it_is_off_the_snapshot_says_why(
    callers: dict[str, int], places: list[Any], own: str, reason: str
) -> None:
    told = cluster(built(callers, places, own))["zone_aware"]
    assert (told["state"], told["reason"]) == ("none", reason)
    assert told["why"]
    shares = [entry["share"] for entry in cluster(built(callers, places, own))["endpoints"]]
    assert shares == pytest.approx([1 / len(places)] * len(places))


def test_it_begins_at_as_many_endpoints_as_the_rule_says() -> None:
    small = built(ALIKE, PLACES[:5], zone_aware=ZoneAwareLb(min_cluster_size=5))
    assert by_zone(small) == {"r/a": 1}


def test_an_ejected_endpoint_takes_its_zone_below_its_callers() -> None:
    outlier = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100)
    one = built(ALIKE, outlier=outlier, zone_aware=ZoneAwareLb(min_cluster_size=1))
    permit = one.admit(p.calling(), 0)
    assert isinstance(permit, Permit)
    permit.settle(Outcome.FAILURE, 0, 500)
    told = cluster(one, 1)["zone_aware"]
    assert told["state"] == "residual"
    assert by_zone(one, 1)["r/a"] == pytest.approx(0.6, abs=0.001)


def test_other_regions_come_after_the_own_one() -> None:
    far = [(f"far{number}:1", "s/x") for number in range(4)]
    one = built(ALIKE, [*PLACES, *far])
    assert by_zone(one) == {"r/a": 1}
    assert [level["hosts"] for level in cluster(one)["priorities"]] == [6, 4]
    named = built(ALIKE, [*far, ("near:1", "t/y")], zone_aware=ZoneAwareLb(failover=(("r", "t"),)))
    assert by_zone(named) == {"t/y": 1}


def test_switched_off_all_are_alike() -> None:
    one = built(ALIKE, zone_aware=ZoneAwareLb(enabled=False))
    assert cluster(one)["zone_aware"] is None
    assert len(by_zone(one)) == 3


def test_a_hash_looks_at_no_zone() -> None:
    one = built(ALIKE, hashing=ConsistentHash(header="x"))
    assert cluster(one)["zone_aware"] is None
    assert len(by_zone(one)) == 3


@pytest.mark.parametrize("count", [-1, 1.5, "2"])
def test_callers_are_whole_numbers(count: Any) -> None:
    with pytest.raises(ConfigError, match="callers of r/a must be a whole number"):
        Identity(callers={"r/a": count})
