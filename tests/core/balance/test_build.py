"""The picker as a whole: shares, and what a rebuild carries over."""

import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.balance import shares as model_shares
from trafficcore.core.balance import Endpoint, RandomChoice, TwoChoices, ZoneAware, build_picker
from trafficcore.core.balance.round_robin import Nested, Rotation, Spread
from trafficcore.engine.guard import locked, new_lock


def cluster(*rows):
    """Endpoints from (priority, healthy, weight, locality), the last ones optional."""
    made = []
    for i, row in enumerate(rows):
        priority, healthy, weight, locality = (*row, *(0, True, 1, "")[len(row) :])
        endpoint = Endpoint(f"10.0.{i >> 8}.{i & 255}:80", locality, weight)
        endpoint.priority, endpoint.healthy = priority, healthy
        made.append(endpoint)
    return made


def picks(picker, count):
    return [picker.pick() for _ in range(count)]


rows = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 4)), min_size=1, max_size=9
)
thresholds = st.sampled_from([0, 50, 100])


@given(rows, thresholds)
def test_every_100_picks_have_the_exact_loads(rows, threshold):
    endpoints = cluster(*rows)
    picker = build_picker(endpoints, panic_threshold=threshold)
    loads = picker.layout.loads
    history = picks(picker, 230)
    for start in range(0, 130, 13):
        window = history[start : start + 100]
        for priority, load in enumerate(loads.healthy):
            found = sum(1 for e in window if e is not None and e.priority == priority)
            assert found == load or window.count(None) == load == 100


@given(rows, thresholds)
def test_shares_are_loads_by_weight_and_the_picks_follow_them(rows, threshold):
    endpoints = cluster(*rows)
    picker = build_picker(endpoints, panic_threshold=threshold)
    loads = picker.layout.loads
    expected = model_shares(endpoints, loads.healthy, loads.panic)
    assert picker.layout.shares() == expected
    if not expected:
        assert set(picks(picker, 10)) == {None}
        return
    # whole rounds: 100 picks for the loads, each priority's own weights in it
    counts = Counter(picks(picker, 4000))
    for endpoint in endpoints:
        assert abs(counts[endpoint] - 4000 * expected.get(endpoint, 0)) <= 4


@given(rows, thresholds)
def test_only_a_panicking_priority_gives_out_the_unhealthy(rows, threshold):
    endpoints = cluster(*rows)
    picker = build_picker(endpoints, panic_threshold=threshold)
    for endpoint in picks(picker, 100):
        if endpoint is not None and not endpoint.healthy:
            assert picker.layout.loads.panic[endpoint.priority]


def test_no_healthy_host_is_none_and_panic_is_everybody():
    endpoints = cluster((0, False), (0, False))
    assert picks(build_picker(endpoints), 3) == [None] * 3
    assert set(picks(build_picker(endpoints, panic_threshold=50), 2)) == set(endpoints)
    assert build_picker([]).pick() is None


def test_total_panic_follows_the_hosts():
    endpoints = cluster(*[(0, False)] * 3, (1, False))
    counts = Counter(e.priority for e in picks(build_picker(endpoints, panic_threshold=50), 100))
    assert counts == {0: 75, 1: 25}


def test_a_load_is_spread_and_not_dealt_in_one_piece():
    endpoints = cluster((0, True), (0, False), (1, True), (1, True))
    history = [e.priority for e in picks(build_picker(endpoints), 200)]
    for start in range(190):
        assert 6 <= history[start : start + 10].count(0) <= 8  # 70 %


@pytest.mark.parametrize("weights", [[1, 2], [2, 3, 5], [1, 1, 7], [4, 4], [10, 20, 30]])
def test_weights_are_exact_over_a_round(weights):
    endpoints = cluster(*[(0, True, weight) for weight in weights])
    counts = Counter(picks(build_picker(endpoints), sum(weights)))
    assert [counts[e] for e in endpoints] == weights


def test_one_and_two_go_as_in_envoy():
    a, b = cluster((0, True, 1), (0, True, 2))
    assert picks(build_picker([a, b]), 6) == [b, a, b, b, a, b]


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=12))
def test_fine_weights_are_near_in_a_bounded_table(weights):
    endpoints = cluster(*[(0, True, weight) for weight in weights])
    picker = build_picker(endpoints)
    size = sum(len(r.order) for r in picker.layout.rounds.values())
    assert size <= 4096 + 3 * len(weights)
    rounds = 3 * 4096
    counts = Counter(picks(picker, rounds))
    for endpoint in endpoints:
        share = Fraction(endpoint.weight, sum(weights))
        assert abs(Fraction(counts[endpoint], rounds) - share) <= Fraction(len(weights) + 4, 4096)


def test_many_hosts_of_few_weights_take_turns_by_weight():
    endpoints = cluster(*[(0, True, 1 + i % 3) for i in range(3000)])
    picker = build_picker(endpoints)
    assert isinstance(picker, Spread)
    counts = Counter(picks(picker, 6000))
    assert all(counts[e] == e.weight for e in endpoints)


def test_degraded_hosts_take_what_the_healthy_cannot():
    endpoints = cluster(*[(0, False)] * 6, *[(0, True)] * 4)
    for endpoint in endpoints[8:]:
        endpoint.degraded = True
    picker = build_picker(endpoints)  # 2 healthy and 2 degraded of 10: 28 % each
    assert picker.layout.loads.healthy == (50,)
    assert picker.layout.loads.degraded == (50,)
    counts = Counter(picks(picker, 100))
    assert [counts[e] for e in endpoints] == [0] * 6 + [25] * 4
    assert {s.kind for s in picker.layout.sources} == {"healthy", "degraded"}


def test_localities_go_by_their_effective_weight():
    endpoints = cluster(
        (0, True, 1, "a"),
        (0, False, 1, "a"),
        (0, True, 1, "b"),
        (0, True, 1, "b"),
        (0, True, 1, "c"),
    )
    picker = build_picker(endpoints, locality_weights={(0, "a"): 1, (0, "b"): 2})
    # a has 1.4 * 1/2 of its weight left: 0.7 to 2; c has none
    counts = Counter(e.locality for e in picks(picker, 270))
    assert counts == {"a": 70, "b": 200}
    assert {s.locality: s.share for s in picker.layout.sources} == {
        "a": Fraction(7, 27),
        "b": Fraction(20, 27),
    }


def test_localities_without_weights_are_all_alike():
    endpoints = cluster((0, True, 1, "a"), (0, True, 1, "b"), (0, True, 1, "b"))
    picker = build_picker(endpoints, locality_weights={(1, "a"): 5})
    assert set(Counter(picks(picker, 30)).values()) == {10}


def test_priorities_of_weighted_localities_are_nested_and_still_exact():
    endpoints = cluster(
        (0, True, 1, "a"),
        (0, False, 1, "a"),
        (0, True, 1, "b"),
        (0, False, 1, "b"),
        (1, True, 1, "c"),
        (1, True, 1, "d"),
    )
    weights = {(0, "a"): 1, (0, "b"): 4, (1, "c"): 1, (1, "d"): 2}
    picker = build_picker(endpoints, locality_weights=weights)
    assert isinstance(picker, Nested)
    history = picks(picker, 500)
    for start in (0, 37, 400):
        assert sum(1 for e in history[start : start + 100] if e.priority == 0) == 70
    counts = Counter(e.locality for e in picks(picker, 1000))
    assert counts == {"a": 140, "b": 560, "c": 100, "d": 200}


def test_zone_aware_routing_applies_to_the_first_priority():
    endpoints = cluster(
        *[(0, True, 1, "A")] * 5,
        *[(0, True, 1, "B")] * 10,
        *[(0, True, 1, "C")] * 5,
        (1, True, 1, "A"),
    )
    here = ZoneAware(own="A", callers={"A": 4, "B": 4, "C": 2})
    picker = build_picker(endpoints, zone_aware=here)
    assert Counter(e.locality for e in picks(picker, 800)) == {"A": 500, "B": 200, "C": 100}
    small = build_picker(endpoints, zone_aware=ZoneAware(own="A", callers={"A": 4}))
    assert small.layout.zones.reason == "callers_in_one_zone"
    assert set(Counter(picks(small, 20)).values()) == {1}


def test_no_other_priority_routes_by_zone():
    endpoints = cluster((0, False, 1, "A"), *[(1, True, 1, "A")] * 2, *[(1, True, 1, "B")] * 2)
    endpoints.append(Endpoint("10.0.9.9:80", "B"))
    endpoints[-1].healthy = False
    here = ZoneAware(own="A", callers={"A": 1, "B": 1}, min_cluster_size=0)
    picker = build_picker(endpoints, zone_aware=here)
    assert picker.layout.zones.shares
    assert Counter(e.locality for e in picks(picker, 100)) == {"A": 50, "B": 50}
    assert [s.locality for s in picker.layout.sources] == [None]


def test_a_panicking_priority_gets_its_healthy_and_its_degraded_load():
    endpoints = cluster(*[(0, True)] * 2, *[(0, False)] * 8, (1, True), (1, False))
    endpoints[0].degraded = True
    picker = build_picker(endpoints, panic_threshold=50)
    loads = picker.layout.loads
    assert (loads.healthy, loads.degraded, loads.panic) == ((15, 71), (14, 0), (True, False))
    history = picks(picker, 1000)
    assert sum(1 for e in history if e.priority == 0) == 290
    assert set(history) == set(endpoints[:11])


def test_another_way_to_choose_among_hosts_can_be_given():
    endpoints = cluster((0, True), (0, False), (1, True), (1, True))
    source = random.Random(7).random
    for make in (TwoChoices, RandomChoice):
        picker = build_picker(endpoints, hosts=lambda group, make=make: make(group, source))
        counts = Counter(e.priority for e in picks(picker, 100))
        assert counts == {0: 70, 1: 30}
        assert build_picker(endpoints, hosts=lambda g, m=make: m(g, source), previous=picker).pick()


# What a rebuild carries over


@given(rows, thresholds, st.lists(st.integers(0, 30), max_size=8))
def test_a_rebuild_of_the_same_goes_on_where_it_stood(rows, threshold, pauses):
    endpoints = cluster(*rows)
    straight = build_picker(endpoints, panic_threshold=threshold)
    broken = build_picker(endpoints, panic_threshold=threshold)
    for pause in pauses:
        assert picks(broken, pause) == picks(straight, pause)
        broken = build_picker(endpoints, panic_threshold=threshold, previous=broken)
    assert picks(broken, 50) == picks(straight, 50)


steps = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=40)


@given(st.integers(1, 5), steps)
def test_those_that_stay_are_served_alike_however_often_others_come_and_go(stable, steps):
    """The counts of endpoints that were healthy all along never differ by more than one."""
    endpoints = cluster(*[(0, True)] * (stable + 8))
    picker = build_picker(endpoints)
    counts = Counter()
    for flip, pause in steps:
        endpoint = endpoints[stable + flip]
        endpoint.healthy = not endpoint.healthy
        picker = build_picker(endpoints, previous=picker)
        counts.update(picks(picker, pause))
        here = [counts[e] for e in endpoints[:stable]]
        assert max(here) - min(here) <= 1


@given(st.integers(2, 6), st.integers(0, 12))
def test_an_added_endpoint_waits_one_round_and_then_takes_part(size, done):
    endpoints = cluster(*[(0, True)] * (size + 1))
    picker = build_picker(endpoints[:-1])
    picks(picker, done)
    picker = build_picker([endpoints[-1], *endpoints[:-1]], previous=picker)
    round_ = picks(picker, size + 1)
    assert round_[-1] is endpoints[-1]
    assert set(round_) == set(endpoints)


def test_rebuilding_before_every_pick_favours_nobody():
    endpoints = cluster(*[(0, True)] * 5, *[(1, True)] * 5)
    for endpoint in endpoints[:2]:
        endpoint.healthy = False
    picker = build_picker(endpoints, overprovisioning=100)  # 60 % to 40 %
    counts = Counter()
    for turn in range(500):
        endpoints[turn % 2].healthy ^= turn % 3 == 0
        endpoints[(turn + 1) % 2].healthy = not endpoints[turn % 2].healthy
        picker = build_picker(endpoints, overprovisioning=100, previous=picker)
        counts[picker.pick()] += 1
    near = sum(counts[e] for e in endpoints[:5])
    assert near == pytest.approx(400, abs=10)  # 4 of 5 healthy: 80 %
    for group in (endpoints[2:5], endpoints[5:]):
        assert max(counts[e] for e in group) - min(counts[e] for e in group) <= 1


def test_loads_that_change_before_every_pick_come_to_their_mean():
    endpoints = cluster(*[(0, True)] * 10, (1, True))
    counts = Counter()
    picker = None
    for turn in range(600):
        for endpoint in endpoints[:4]:
            endpoint.healthy = turn % 2 == 0
        endpoints[4].healthy = False
        # 9 of 10 healthy, and 5 of 10
        picker = build_picker(endpoints, overprovisioning=100, previous=picker)
        assert picker.layout.loads.healthy == ((90, 10), (50, 50))[turn % 2]
        counts[picker.pick().priority] += 1
    assert counts[1] == pytest.approx(180, abs=6)


def test_weights_keep_their_shares_through_rebuilds():
    endpoints = cluster((0, True, 1), (0, True, 3), (0, True, 5), (0, True, 2))
    picker = build_picker(endpoints)
    counts = Counter()
    for turn in range(900):
        endpoints[3].healthy = turn % 7 < 3
        picker = build_picker(endpoints, previous=picker)
        counts.update(picks(picker, 1 + turn % 2))
    one, three, five = (counts[e] for e in endpoints[:3])
    assert three / one == pytest.approx(3, rel=0.1)
    assert five / one == pytest.approx(5, rel=0.1)


def test_the_loads_are_exact_again_after_any_rebuild():
    endpoints = cluster((0, True), (0, False), (1, True))
    picker = build_picker(endpoints)
    for done in range(12):
        picks(picker, done)
        picker = build_picker(endpoints, previous=picker)
        assert Counter(e.priority for e in picks(picker, 100)) == {0: 70, 1: 30}


def test_an_unchanged_priority_keeps_its_place_when_another_changes():
    endpoints = cluster((0, True), (0, False), (0, False), (1, True), (1, True), (1, True))
    picker = build_picker(endpoints)
    far = [e for e in picks(picker, 40) if e.priority == 1]
    endpoints[1].healthy = True
    picker = build_picker(endpoints, previous=picker)
    far += [e for e in picks(picker, 1000) if e.priority == 1]
    assert far[:9] == endpoints[3:] * 3
    assert far == (endpoints[3:] * len(far))[: len(far)]


def test_where_atomic_needs_a_lock_every_part_takes_it():
    endpoints = cluster((0, True, 1), (0, True, 2), (0, False), (1, True))
    lock = new_lock()
    picker = build_picker(endpoints, lock=lock, guarded=locked)
    assert isinstance(picker, Spread)
    assert type(picker) is locked(Spread)
    assert all(type(part) is locked(Rotation) for part in picker._order)
    assert all(part._lock is lock for part in (picker, *picker._order))
    free = build_picker(endpoints)
    assert picks(picker, 60) == picks(free, 60)
