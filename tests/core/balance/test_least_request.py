from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.balance import Endpoint, FullScan, RandomChoice, TwoChoices, Weighted
from trafficcore.core.balance.least_request import (
    biased_weight,
    check_choices,
    full_scan,
    n_choices,
)
from trafficcore.errors import ConfigError


def hosts_with(active, weights=None):
    hosts = []
    for i, calls in enumerate(active):
        host = Endpoint(f"10.0.0.{i}:80", weight=weights[i] if weights else 1)
        host.active = calls
        hosts.append(host)
    return hosts


def drawing(numbers):
    left = iter(numbers)
    return lambda below: next(left) % below


def uniform(numbers, size):
    """What a random() gives for these indices of `size`."""
    left = iter(numbers)
    return lambda: (next(left) + 0.5) / size


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=6),
    st.lists(st.integers(0, 50), min_size=4, max_size=4),
)
def test_the_first_of_the_least_busy_drawn_is_chosen(active, numbers):
    hosts = hosts_with(active)
    drawn = [hosts[n % len(hosts)] for n in numbers]
    for choices in (2, 3, 4):
        best = min(drawn[:choices], key=lambda host: host.active)  # min keeps the first
        assert n_choices(hosts, drawing(numbers), choices) is best


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(0, 5), st.integers(0, 5))
def test_the_picker_chooses_as_the_law_does(active, one, two):
    hosts = hosts_with(active)
    one, two = one % len(hosts), two % len(hosts)
    picked = TwoChoices(hosts, uniform([one, two], len(hosts))).pick()
    assert picked is n_choices(hosts, drawing([one, two]))


def test_the_scan_gives_each_of_the_tied_the_same_chance():
    hosts = hosts_with([3, 1, 1, 2, 1])
    found = Counter()
    for second, third in product(range(2), range(3)):  # the draws at the ties, all as likely
        found[full_scan(hosts, drawing([second, third])).address] += 1
    assert found == {"10.0.0.1:80": 2, "10.0.0.2:80": 2, "10.0.0.4:80": 2}


def test_the_scanning_picker_takes_the_least_busy():
    hosts = hosts_with([3, 0, 2])
    assert FullScan(hosts, lambda: 0.999).pick() is hosts[1]
    tied = hosts_with([1, 1])
    assert FullScan(tied, lambda: 0.0).pick() is tied[1]
    assert FullScan(tied, lambda: 0.5).pick() is tied[0]


def test_nobody_is_nobody():
    assert n_choices([], drawing([])) is None
    assert full_scan([], drawing([])) is None
    assert TwoChoices([], lambda: 0.0).pick() is None
    assert FullScan([], lambda: 0.0).pick() is None
    assert Weighted([]).pick() is None
    assert RandomChoice([], lambda: 0.0).pick() is None


@pytest.mark.parametrize("choices", [1, 0, 2.0, "2"])
def test_fewer_than_two_choices_are_refused(choices):
    with pytest.raises(ConfigError, match="not"):
        check_choices(choices)


def test_bias_divides_the_weight_by_the_calls():
    assert biased_weight(6, 2) == 2
    assert biased_weight(6, 2, 0) == 6
    assert biased_weight(8, 3, 0.5) == 4
    assert biased_weight(6, 2, -1) == biased_weight(6, 2, float("nan")) == 2


def test_weighted_least_request_turns_from_the_busy():
    hosts = hosts_with([0, 0], weights=[1, 2])
    picker = Weighted(hosts)
    names = [hosts.index(picker.pick()) for _ in range(6)]
    assert names == [1, 0, 1, 1, 0, 1]
    hosts[1].active = 9  # weight 2 / 10, read as it is put back
    counts = Counter(hosts.index(picker.pick()) for _ in range(60))
    assert counts[0] == pytest.approx(50, abs=2)
    assert Counter(hosts.index(Weighted(hosts, bias=0, picks=k).pick()) for k in range(3)) == {
        1: 2,
        0: 1,
    }


def test_random_choice_follows_the_weights():
    hosts = hosts_with([0, 0, 0], weights=[1, 2, 3])
    draws = iter([(k + 0.5) / 600 for k in range(600)])
    picker = RandomChoice(hosts, lambda: next(draws))
    found = Counter(picker.pick().weight for _ in range(600))
    assert found == {1: 100, 2: 200, 3: 300}
