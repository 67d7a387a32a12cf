from collections import Counter
from fractions import Fraction
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.balance import ring
from model.balance import shares as by_weight
from support.exactness import assert_atomic, hammer
from trafficcore.core.balance import Endpoint, Hashed, MaglevMaker, RingMaker, build_hashed
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.engine.guard import locked, new_lock

NUMBERS = [xxhash64(f"key {i}".encode()) for i in range(400)]
makers = pytest.mark.parametrize("make", [RingMaker, MaglevMaker])
rows = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 4)), min_size=1, max_size=12
)


def cluster(*rows):
    made = []
    for number, (priority, healthy, *rest) in enumerate(rows):
        weight, locality = (*rest, *(1, "")[len(rest) :])
        endpoint = Endpoint(f"10.0.0.{number}:80", locality, weight)
        endpoint.priority, endpoint.healthy = priority, healthy
        made.append(endpoint)
    return made


def small(make):
    return make(31)


@makers
@given(rows=rows, threshold=st.sampled_from([0, 50, 100]))
def test_who_is_picked_may_be_picked(make, rows, threshold):
    """Every key goes to a live endpoint of the priority that its hash and the loads name."""
    endpoints = cluster(*rows)
    picker = build_hashed(endpoints, table=small(make), panic_threshold=threshold)
    loads = picker.layout.loads
    for number in NUMBERS:
        found = picker.find(number)
        reached = [sum(loads.healthy[: at + 1]) for at in range(len(loads.healthy))]
        priority = next(at for at, most in enumerate(reached) if number % 100 < most)
        usable = [
            host
            for host in endpoints
            if host.priority == priority and (host.healthy or loads.panic[priority])
        ]
        assert found in usable if usable else found is None


@given(rows=rows, threshold=st.sampled_from([0, 60]))
def test_in_its_priority_a_key_goes_where_the_ring_says(rows, threshold):
    endpoints = cluster(*[(priority, healthy) for priority, healthy, _ in rows])
    picker = build_hashed(endpoints, table=RingMaker(1), panic_threshold=threshold)
    for number in NUMBERS[:50]:
        found = picker.find(number)
        if found is None:
            continue
        panic = picker.layout.loads.panic[found.priority]
        peers = [
            host
            for host in endpoints
            if host.priority == found.priority and (host.healthy or panic)
        ]
        places = [(xxhash64(f"{host.address}_0".encode()), host) for host in peers]
        assert found is ring(places, number)


@makers
@given(rows=rows)
def test_shares_are_what_keys_find(make, rows):
    endpoints = cluster(*rows)
    picker = build_hashed(endpoints, table=make(101))
    told = picker.layout.shares()
    assert told == picker.shares()
    if any(host.healthy for host in endpoints):
        assert sum(told.values()) == 1
    keys = [xxhash64(f"many {i}".encode()) for i in range(3000)]
    counts = Counter(picker.find(key) for key in keys)
    for host in endpoints:
        assert abs(counts[host] / len(keys) - told.get(host, 0)) < 0.06


def test_shares_come_near_the_weights():
    endpoints = cluster(*[(0, True, 1 + i % 3) for i in range(12)])
    wanted = by_weight(endpoints, [100], [False])
    for make, slack in ((MaglevMaker(), 0.01), (RingMaker(100_000), 0.2)):
        told = build_hashed(endpoints, table=make).shares()
        for host in endpoints:
            assert abs(told[host] / wanted[host] - 1) < slack


@makers
def test_a_key_keeps_its_host_while_others_come_and_go(make):
    endpoints = cluster(*[(0, True)] * 10)
    maker = make(1_021)
    before = build_hashed(endpoints, table=maker)
    first = {number: before.find(number) for number in NUMBERS}
    endpoints[3].healthy = False
    out = build_hashed(endpoints, table=maker)
    stayed = sum(out.find(number) is host for number, host in first.items())
    assert stayed > 0.7 * len(first)
    assert all(out.find(number) is not endpoints[3] for number in first)
    endpoints[3].healthy = True
    back = build_hashed(endpoints, table=maker)
    assert all(back.find(number) is host for number, host in first.items())


@makers
def test_localities_have_their_parts_whatever_their_health(make):
    endpoints = cluster(
        (0, True, 1, "a"), (0, False, 1, "a"), (0, True, 1, "b"), (0, True, 1, "c"), (1, True, 1)
    )
    weights = {(0, "a"): 3, (0, "b"): 1, (0, "c"): 0, (1, ""): 5}
    picker = build_hashed(
        endpoints, table=make(4_999), locality_weights=weights, overprovisioning=200
    )
    told = picker.shares()
    assert endpoints[1] not in told
    assert endpoints[3] not in told  # a locality of no weight
    assert float(told[endpoints[0]]) == pytest.approx(0.75, abs=0.05)  # not scaled: one of two left
    assert float(told[endpoints[2]]) == pytest.approx(0.25, abs=0.05)


@makers
def test_localities_that_all_weigh_nothing_are_all_alike(make):
    endpoints = cluster((0, True, 1, "a"), (0, True, 1, "b"))
    picker = build_hashed(endpoints, table=make(101), locality_weights={(0, "a"): 0})
    assert set(picker.shares()) == set(endpoints)


@makers
def test_degraded_hosts_are_in_no_table(make):
    endpoints = cluster((0, True), (0, True))
    endpoints[1].degraded = True
    picker = build_hashed(endpoints, table=make(101))
    assert {picker.find(number) for number in NUMBERS} == {endpoints[0]}
    endpoints[0].degraded = True
    assert build_hashed(endpoints, table=make(101)).find(5) is None


@makers
def test_nobody_healthy_is_nobody_and_panic_is_everybody(make):
    endpoints = cluster((0, False), (0, False))
    assert build_hashed(endpoints, table=make(101)).find(1) is None
    picker = build_hashed(endpoints, table=make(101), panic_threshold=50)
    assert set(picker.shares()) == set(endpoints)
    assert picker.layout.sources[0].kind == "panic"
    assert build_hashed([], table=make(101)).pick() is None


@makers
def test_the_layout_says_where_calls_go(make):
    endpoints = cluster((0, True), (0, False), (1, True))
    layout = build_hashed(endpoints, table=make(101)).layout
    assert [(s.priority, s.kind, s.share) for s in layout.sources] == [
        (0, "healthy", Fraction(7, 10)),
        (1, "healthy", Fraction(3, 10)),
    ]
    assert layout.shares()[endpoints[2]] == Fraction(3, 10)


def test_without_a_key_a_host_is_drawn():
    endpoints = cluster(*[(0, True)] * 4)
    draws = [0.0, 0.25, 0.5, 0.999]
    picker = build_hashed(endpoints, table=MaglevMaker(31), random=cycle(draws).__next__)
    assert [picker.pick() for _ in draws] == [picker.find(int(draw * 2**64)) for draw in draws]


def test_without_a_key_and_without_chance_hosts_get_about_alike():
    endpoints = cluster(*[(0, True)] * 10)
    picker = build_hashed(endpoints, table=MaglevMaker())
    counts = Counter(picker.pick() for _ in range(10_000))
    assert all(950 < counts[host] < 1050 for host in endpoints)


def test_a_pick_cannot_be_split():
    assert_atomic(Hashed.pick, state={"_next"}, constants={"_random", "find"})


@pytest.mark.stress
@pytest.mark.parametrize("force", [lambda cls: cls, locked], ids=["free", "locked"])
def test_threads_walk_as_one(force):
    endpoints = cluster(*[(0, True)] * 10)
    picker = build_hashed(endpoints, table=MaglevMaker(), lock=new_lock(), guarded=force)
    alone = build_hashed(endpoints, table=MaglevMaker())
    wanted = Counter(alone.pick() for _ in range(8_000))
    made = hammer(lambda _: Counter(picker.pick() for _ in range(1_000)), threads=8)
    assert sum(made, Counter()) == wanted
