"""Whatever happens: never more out than may be, and nobody is called who is out but in panic."""

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import policies as p
from trafficcore.engine import Engine, Identity, Permit, Rejection
from trafficcore.outcome import Outcome
from trafficcore.spec import ConsistentHash, OutlierDetection, TrafficPolicy

ZONES = ("r/a", "r/b", "s/c")
#: A call that fails or not at the endpoint it goes to, or time that goes by.
STEPS = st.lists(
    st.one_of(st.sampled_from([True, True, False]), st.integers(1, 40)), min_size=5, max_size=120
)
PICKERS: Any = st.sampled_from(
    [
        {"simple": "ROUND_ROBIN"},
        {"simple": "RANDOM"},
        {"simple": "LEAST_REQUEST"},
        {"hashing": ConsistentHash(header="x-user", size=16)},
        {"hashing": ConsistentHash(header="x-user", maglev=True, size=31)},
    ]
)


def built(
    hosts: list[tuple[int, int]],
    percent: int,
    panic: int,
    istio: str | None,
    picker: Any,
    draw: Any,
) -> Engine:
    outlier = OutlierDetection(
        consecutive_5xx=1,
        interval=5,
        base_ejection_time=20,
        max_ejection_percent=percent,
        min_health_percent=panic,
    )
    rule = attrs.evolve(p.destination(), policy=TrafficPolicy(outlier=outlier, **picker))
    places = [
        (f"10.0.0.{number}:80", ZONES[zone], weight) for number, (zone, weight) in enumerate(hosts)
    ]
    identity = Identity(locality="r/a", istio=istio)
    return p.engine(rule, endpoints={p.NAME: places}, identity=identity, draw=draw)


@given(
    hosts=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=12),
    percent=st.integers(1, 100),
    panic=st.sampled_from([0, 0, 50, 100]),
    istio=st.sampled_from([None, "1.22"]),
    picker=PICKERS,
    random=st.randoms(use_true_random=False),
    steps=STEPS,
)
def test_the_ejected_share_and_the_picks_keep_their_bounds(
    hosts: list[tuple[int, int]],
    percent: int,
    panic: int,
    istio: str | None,
    picker: Any,
    random: Any,
    steps: list[Any],
) -> None:
    engine = built(hosts, percent, panic, istio, picker, random.random)
    most = max(percent * len(hosts) // 100, 1 if istio else 0)
    now = 0.0
    for number, step in enumerate(steps):
        if step is not True and step is not False:
            now += step
            continue
        verdict = engine.admit(p.calling(headers={"x-user": str(number)}), now)
        # after the call: what was due before it has been done
        (cluster,) = engine.snapshot(now)["clusters"]
        out = {entry["address"] for entry in cluster["endpoints"] if entry["ejected"]}
        assert len(out) <= most
        in_panic = any(level["panic"] for level in cluster["priorities"])
        if isinstance(verdict, Rejection):
            assert len(out) == len(hosts)
            assert not in_panic
            continue
        assert isinstance(verdict, Permit)
        assert verdict.endpoint is not None
        assert verdict.endpoint.address not in out or in_panic
        shares = {entry["address"]: entry["share"] for entry in cluster["endpoints"]}
        assert sum(shares.values()) == pytest.approx(1)
        assert shares[verdict.endpoint.address] > 0
        verdict.settle(Outcome.SUCCESS if step else Outcome.FAILURE, now, 200 if step else 503)


def test_a_snapshot_says_who_is_out_by_which_rule_and_until_when() -> None:
    engine = built([(0, 1), (0, 1), (1, 1)], 50, 0, None, {"simple": "ROUND_ROBIN"}, None)
    for now in (1, 2):
        failed = engine.admit(p.calling(), now)
        assert isinstance(failed, Permit)
        failed.settle(Outcome.FAILURE, now, 503)
    (cluster,) = engine.snapshot(3)["clusters"]
    assert json.loads(json.dumps(cluster)) == cluster
    first, second, third = cluster["endpoints"]
    assert first["ejection"] == {
        "by": "consecutive_5xx",
        "count": 1,
        "threshold": 1,
        "requests": None,
        "rate": None,
        "average": None,
        "at": 1,
        "until": 21,  # 20 s from 1 s on, when sweeps began
        "remaining": 18,
        "ejections": 1,
    }
    assert (second["ejection"], third["ejection"]) == (None, None)
    assert second["outcomes"]["failures"] == 1
    assert cluster["outlier"]["stats"]["ejections_overflow"] == 1  # one of three is all that may
    assert cluster["outlier"]["always_eject_one_host"] is False
    assert cluster["priorities"] == [
        {"priority": 0, "load": 70, "hosts": 2, "healthy": 1, "health": 70, "panic": False,
         "why": "1 of 2 healthy count as 70 %"},
        {"priority": 1, "load": 30, "hosts": 1, "healthy": 1, "health": 100, "panic": False,
         "why": "1 of 1 healthy count as 100 %"},
    ]  # fmt: skip
    assert cluster["zone_aware"] is None
