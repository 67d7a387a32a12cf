import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.balance import loads as model_loads
from trafficcore.core.balance import Level, choose, priority_loads


@st.composite
def levels(draw):
    def level():
        hosts = draw(st.integers(0, 30))
        healthy = draw(st.integers(0, hosts))
        degraded = draw(st.integers(0, hosts - healthy))
        excluded = draw(st.integers(0, hosts - healthy - degraded))
        return Level(hosts=hosts, healthy=healthy, degraded=degraded, excluded=excluded)

    return [level() for _ in range(draw(st.integers(1, 5)))]


thresholds = st.sampled_from([0, 1, 20, 50, 80, 100, 250])
factors = st.sampled_from([100, 140, 200, 333])


@given(levels(), thresholds, factors)
def test_loads_sum_to_100(levels, threshold, factor):
    loads = priority_loads(levels, panic_threshold=threshold, overprovisioning=factor)
    assert sum(loads.healthy) + sum(loads.degraded) == 100
    assert min(loads.healthy + loads.degraded) >= 0


@given(levels(), thresholds, factors)
def test_loads_follow_health_where_not_all_panic(levels, threshold, factor):
    loads = priority_loads(levels, panic_threshold=threshold, overprovisioning=factor)
    if all(loads.panic) or not loads.available:
        return
    told = model_loads(loads.health, loads.degraded_health)
    assert (list(loads.healthy), list(loads.degraded)) == told


@given(levels(), thresholds, factors)
def test_enough_health_in_all_is_no_panic_anywhere(levels, threshold, factor):
    loads = priority_loads(levels, panic_threshold=threshold, overprovisioning=factor)
    if loads.available == 100 or threshold == 0:
        assert not any(loads.panic)
    for level, panic in zip(levels, loads.panic, strict=True):
        good, total = level.healthy + level.degraded, level.hosts - level.excluded
        if panic and total:
            assert 100 * good / total < threshold


@given(levels(), thresholds, st.integers(0, 10**20))
def test_the_choice_by_hash_has_the_shares_of_the_loads(levels, threshold, start):
    loads = priority_loads(levels, panic_threshold=threshold)
    chosen = [choose(loads, start + k) for k in range(100)]
    for priority in range(len(levels)):
        assert chosen.count((priority, False)) == loads.healthy[priority]
        assert chosen.count((priority, True)) == loads.degraded[priority]


def test_excluded_hosts_have_no_say_in_health_but_count_in_total_panic():
    warming = Level(hosts=10, healthy=0, excluded=10)
    down = Level(hosts=10, healthy=0)
    loads = priority_loads([warming, down])
    assert loads.health == (0, 0)
    assert loads.panic == (True, True)
    assert loads.healthy == (50, 50)
    half = priority_loads([Level(hosts=10, healthy=3, excluded=6), Level(hosts=1, healthy=1)])
    assert half.health == (100, 100)


def test_all_down_without_panic_sends_everything_where_nobody_is():
    loads = priority_loads([Level(hosts=2, healthy=0)] * 2, panic_threshold=0)
    assert loads.healthy == (100, 0)
    assert loads.panic == (False, False)


def test_no_hosts_at_all_go_to_the_first_priority():
    assert priority_loads([Level(hosts=0, healthy=0)] * 2).healthy == (100, 0)


@pytest.mark.parametrize(
    ("healthy", "hosts", "panics"), [(1, 2, False), (49, 100, True), (50, 100, False), (1, 3, True)]
)
def test_panic_is_strictly_below_the_threshold(healthy, hosts, panics):
    # the factor is at 1, so that a half is not enough for all
    loads = priority_loads([Level(hosts=hosts, healthy=healthy)], overprovisioning=100)
    assert loads.panic == (panics,)


def test_weights_stand_for_counts_in_health_and_not_in_panic():
    heavy = Level(hosts=2, healthy=1, weights=(9, 0, 10))
    light = Level(hosts=2, healthy=1, weights=(1, 0, 10))
    loads = priority_loads([heavy, light], overprovisioning=100)
    assert loads.health == (90, 10)
    assert loads.healthy == (90, 10)
    assert loads.panic == (False, False)


def test_weighted_health_that_rounds_to_nothing_leaves_no_load_and_the_first_priority():
    # half of the hosts are good, so no panic; but they weigh 1 of 1,000
    loads = priority_loads([Level(hosts=2, healthy=1, weights=(1, 0, 1000))])
    assert loads.healthy == (0,)
    assert choose(loads, 7) == (0, False)


def rows(*healthy, hosts=100, degraded=(0, 0, 0)):
    return [
        Level(hosts=hosts, healthy=good, degraded=less)
        for good, less in zip(healthy, degraded, strict=False)
    ]


def test_what_rounding_loses_goes_to_the_first_that_has_any():
    assert priority_loads(rows(25, 25, 20), panic_threshold=0).healthy == (37, 35, 28)
    assert priority_loads(rows(25, 25, 20)).healthy == (34, 33, 33)  # all panic
    assert priority_loads(rows(0, 5, 65), panic_threshold=0).healthy == (0, 8, 92)
    only_degraded = rows(0, 0, 0, degraded=(0, 25, 20))
    loads = priority_loads(only_degraded, panic_threshold=0)
    assert (loads.healthy, loads.degraded) == ((0, 0, 0), (0, 56, 44))


def test_degraded_hosts_take_what_is_left():
    levels = rows(10, 20, 10, degraded=(20, 10, 0))
    loads = priority_loads(levels, overprovisioning=100, panic_threshold=0)
    assert (loads.healthy, loads.degraded) == ((16, 28, 14), (28, 14, 0))
