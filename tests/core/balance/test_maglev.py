from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.balance import maglev
from trafficcore.core.balance import Endpoint, MaglevMaker
from trafficcore.core.balance.maglev import is_prime
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.errors import ConfigError


def hosts(count):
    return [Endpoint(f"127.0.0.1:{90 + i}") for i in range(count)]


def alike(endpoints):
    return [(host, 1 / len(endpoints)) for host in endpoints]


def table(made, size):
    return [made.find(number) for number in range(size)]


def test_the_table_is_envoys():
    made = MaglevMaker(7)(alike(hosts(6)))
    assert " ".join(host.address[-2:] for host in table(made, 7)) == "92 94 90 91 95 90 93"
    assert made.find(7) is made.find(0)
    assert len(made) == 7


@given(
    st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=6),
    st.sampled_from([2, 3, 7, 31, 101]),
)
def test_a_table_is_the_models(weights, size):
    endpoints = sorted(hosts(len(weights)), key=lambda host: host.address)
    # powers of two, so that parts are exact and the order of turns is beyond doubt
    parts = [weight / 64 for weight in weights]
    made = MaglevMaker(size)(list(zip(endpoints, parts, strict=True)))
    orders = []
    for host in endpoints:
        name = host.address.encode()
        offset, skip = xxhash64(name) % size, xxhash64(name, 1) % (size - 1) + 1
        orders.append([(offset + i * skip) % size for i in range(size)])
    wanted = [endpoints[index] for index in maglev(orders, weights)]
    assert table(made, size) == wanted
    counts = Counter(wanted)
    assert made.shares() == {host: Fraction(count, size) for host, count in counts.items()}


def test_the_order_hosts_come_in_is_nothing():
    endpoints = hosts(5)
    one = MaglevMaker(101)(alike(endpoints))
    two = MaglevMaker(101)(alike(endpoints[::-1]))
    assert table(one, 101) == table(two, 101)


def test_places_go_by_weight():
    a, b = hosts(2)
    counts = Counter(table(MaglevMaker(17)([(a, 1 / 3), (b, 2 / 3)]), 17))
    assert counts == {a: 6, b: 11}


def test_an_empty_table_has_nobody():
    made = MaglevMaker()([])
    assert made.find(0) is None
    assert made.find(2**64 - 1) is None
    assert made.shares() == {}


def test_who_comes_back_finds_the_table_it_left():
    maker, endpoints = MaglevMaker(101), hosts(4)
    whole = maker(alike(endpoints))
    without = maker(alike(endpoints[1:]))
    assert endpoints[0] not in table(without, 101)
    again = maker(alike(endpoints))
    assert table(again, 101) == table(whole, 101)
    newer = hosts(4)  # the same addresses, other objects: they are what is handed out
    assert set(table(maker(alike(newer)), 101)) == set(newer)
    assert len(maker._made) == 2
    for count in range(1, 30):
        maker(alike(hosts(count)))
    assert len(maker._made) == 8
    maker.keep([])
    assert maker._made == {}


@pytest.mark.parametrize("count", [3, 10, 20])
def test_when_one_of_n_leaves_at_most_a_tenth_more_than_its_own_calls_move(count):
    endpoints, maker = hosts(count), MaglevMaker()
    before = table(maker(alike(endpoints)), 65537)
    moved = 0
    for gone in endpoints[:4]:
        after = table(maker(alike([host for host in endpoints if host is not gone])), 65537)
        moved += sum(one is not two for one, two in zip(before, after, strict=True))
    assert moved / (len(endpoints[:4]) * 65537) <= 1.1 / count


def test_hosts_share_alike():
    counts = Counter(table(MaglevMaker()(alike(hosts(100))), 65537))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("size", [0, 1, 4, 65536, 5_000_011])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ConfigError, match=f"a prime size below 5000011, not {size}"):
        MaglevMaker(size)


def test_primes():
    assert [number for number in range(30) if is_prime(number)] == [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29,
    ]  # fmt: skip
    assert not is_prime(65539 * 65537)
