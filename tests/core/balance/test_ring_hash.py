from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.balance import ring
from trafficcore.core.balance import Endpoint, Ring, RingMaker
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.errors import ConfigError

WHOLE = 2**64
#: Where Envoy's own test finds the places of 127.0.0.1:90 to :95, two of each.
KNOWN = [
    833437586790550860, 928266305478181108, 1033482794131418490, 3551244743356806947,
    3851675632748031481, 5583722120771150861, 6311230543546372928, 7700377290971790572,
    13144177310400110813, 13444792449719432967, 15516499411664133160, 16117243373044804889,
]  # fmt: skip


def hosts(count):
    return [Endpoint(f"127.0.0.1:{90 + i}") for i in range(count)]


def alike(endpoints):
    return [(host, 1 / len(endpoints)) for host in endpoints]


def places(endpoints, count):
    return [
        (xxhash64(f"{host.address}_{i}".encode()), host) for host in endpoints for i in range(count)
    ]


def test_the_ring_is_envoys():
    made = RingMaker(12)(alike(hosts(6)))
    assert len(made) == 12
    by_hand = dict(places(hosts(6), 2))
    assert sorted(by_hand) == KNOWN
    assert [made.find(number).address for number in KNOWN] == [
        by_hand[number].address for number in KNOWN
    ]
    assert made.find(KNOWN[0] + 1) is made.find(KNOWN[1])
    assert made.find(KNOWN[-1] + 1) is made.find(0) is made.find(KNOWN[0])


@given(
    st.lists(st.integers(0, WHOLE - 1), min_size=1, max_size=30, unique=True),
    st.lists(st.integers(0, WHOLE - 1), max_size=30),
)
def test_a_look_up_is_the_models(numbers, asked):
    made = [(number, Endpoint(f"h:{i % 5}")) for i, number in enumerate(numbers)]
    table = Ring(made)
    for number in [*asked, *numbers, 0, WHOLE - 1]:
        assert table.find(number) is ring(made, number)


@given(st.lists(st.integers(0, WHOLE - 1), min_size=1, max_size=30, unique=True))
def test_shares_are_the_arcs(numbers):
    endpoints = hosts(3)
    made = [(number, endpoints[i % 3]) for i, number in enumerate(numbers)]
    shares = Ring(made).shares()
    assert sum(shares.values()) == 1
    ordered = sorted(numbers)
    for host in endpoints:
        own = [number for number, whose in made if whose is host]
        arcs = [number - ordered[ordered.index(number) - 1] for number in own]
        wanted = sum(arc if arc > 0 else arc + WHOLE for arc in arcs)
        assert shares.get(host, 0) == Fraction(wanted, WHOLE)


def test_an_empty_ring_has_nobody():
    table = RingMaker()([])
    assert table.find(0) is None
    assert table.find(WHOLE - 1) is None
    assert table.shares() == {}
    assert len(table) == 0


@pytest.mark.parametrize(
    ("count", "least", "size"),
    # the lightest has a whole number of places, and the others as many
    [(3, 1024, 1026), (10, 1024, 1030), (64, 1024, 1024), (2000, 1024, 2000), (1, 7, 7)],
)
def test_there_are_as_many_places_as_envoy_has(count, least, size):
    assert len(RingMaker(least)(alike(hosts(count)))) == size


def test_a_host_has_places_by_its_part():
    a, b, c = hosts(3)
    table = RingMaker(100)([(a, 0.1), (b, 0.2), (c, 0.7)])
    counts = [sum(host is one for host in table._hosts[:-1]) for one in (a, b, c)]
    assert counts == [10, 20, 70]


def test_parts_of_a_place_even_out():
    endpoints = hosts(7)
    parts = [0.04] + [0.16] * 6
    table = RingMaker(5)(list(zip(endpoints, parts, strict=True)))
    counts = [sum(host is one for host in table._hosts[:-1]) for one in endpoints]
    assert counts == [1, 4, 4, 4, 4, 4, 4]


def test_a_ring_does_not_hang_on_what_was_made_before():
    maker, endpoints = RingMaker(50), hosts(5)
    whole = maker(alike(endpoints))
    maker(alike(endpoints[:3]))
    again = maker(alike(endpoints))
    assert again._hashes == whole._hashes
    maker.keep([endpoints[0].address])
    assert list(maker._known) == [endpoints[0].address]
    assert maker(alike(endpoints))._hashes == whole._hashes


def test_where_the_number_of_places_stays_hardly_more_than_the_calls_of_who_left_move():
    """The share that moves when one of n leaves is at most 1.1 / n, over all that may."""
    endpoints = hosts(100)
    maker = RingMaker()  # eleven places each, for a hundred and for one less
    keys = [xxhash64(f"key {i}".encode()) for i in range(500)]
    whole = maker(alike(endpoints))
    before = [whole.find(key) for key in keys]
    moved = 0
    for gone in endpoints:
        table = maker(alike([host for host in endpoints if host is not gone]))
        for key, host in zip(keys, before, strict=True):
            now = table.find(key)
            assert now is not gone
            moved += now is not host
    # each key moves once with its own host; sums of doubles give and take a place here and there
    assert len(keys) <= moved <= 1.1 * len(keys)


@pytest.mark.parametrize("least", [0, -1, 8_388_609])
def test_a_size_that_is_none_is_refused(least):
    with pytest.raises(ConfigError, match="1 to 8388608 places"):
        RingMaker(least)
