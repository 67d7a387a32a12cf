from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.balance.locality_weighted import Zone, effective_weight, schedule


def zone(weight, hosts, good, excluded=0):
    return Zone(weight=weight, hosts=hosts, good=good, excluded=excluded)


def test_a_zone_keeps_its_weight_until_the_factor_is_used_up():
    assert effective_weight(zone(2, 100, 100)) == 2
    assert effective_weight(zone(2, 100, 72)) == 2
    assert effective_weight(zone(2, 100, 50)) == Fraction(14, 10)
    assert effective_weight(zone(2, 100, 50), 100) == 1
    assert effective_weight(zone(2, 100, 0)) == 0


def test_excluded_hosts_are_not_there():
    assert effective_weight(zone(1, 10, 2, excluded=8)) == 1
    assert effective_weight(zone(1, 10, 0, excluded=10)) == 0
    assert effective_weight(zone(1, 0, 0)) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 9)), max_size=6))
def test_turns_are_in_proportion_and_zones_without_a_part_get_none(rows):
    zones = [zone(weight, max(hosts, good), good) for weight, hosts, good in rows]
    weights = [effective_weight(z) for z in zones]
    turns = schedule(zones)
    assert len(turns) == sum(1 for weight in weights if weight)
    if not len(turns):
        assert turns.pick(lambda entry: entry[1]) is None
        return
    picked = [turns.pick(lambda entry: entry[1])[0] for _ in range(300)]
    for index, weight in enumerate(weights):
        assert abs(picked.count(index) - 300 * weight / sum(weights)) <= len(zones)
        assert weight or index not in picked


def test_a_schedule_may_start_further_in():
    zones = [zone(1, 1, 1)] * 3
    firsts = [schedule(zones, picks=seed).pick(lambda entry: entry[1])[0] for seed in range(4)]
    assert firsts == [0, 1, 2, 0]
