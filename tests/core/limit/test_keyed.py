"""KeyedGcra is a dict of buckets that forgets, and nobody can tell."""

import math
import sys
from fractions import Fraction as F

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from model.bucket import ModelBucket
from trafficcore.core.limit import Gcra, KeyedGcra
from trafficcore.errors import ConfigError

KEYS = st.sampled_from("abcdefgh")


class KeyedMachine(RuleBasedStateMachine):
    """Against a model bucket for every key that ever came, none of them ever forgotten."""

    @initialize(capacity=st.integers(1, 4), rate=st.fractions(F(1, 50), 4, max_denominator=50))
    def start(self, capacity, rate):
        self.now = F(0)
        self.real = KeyedGcra(capacity, rate, max_keys=8)
        self.models = {key: ModelBucket(capacity, rate) for key in "abcdefgh"}

    @rule(seconds=st.fractions(0, 3, max_denominator=6) | st.integers(50, 200))
    def wait(self, seconds):
        self.now += seconds

    @rule(key=KEYS, cost=st.fractions(F(1, 2), 5, max_denominator=2) | st.just(1))
    def try_acquire(self, key, cost):
        granted = self.models[key].try_acquire(self.now, cost)
        assert self.real.try_acquire(key, self.now, cost) is granted

    @rule(key=KEYS, cost=st.integers(1, 5))
    def refund(self, key, cost):
        self.models[key].refund(cost, self.now)
        self.real.refund(key, cost, self.now)

    @rule(key=KEYS, cost=st.integers(1, 5))
    def read(self, key, cost):
        due = self.models[key].earliest(self.now, cost)
        assert self.real.earliest(key, self.now, cost) == (math.inf if due is None else due)
        assert self.real.tokens_at(key, self.now) == self.models[key].tokens_at(self.now)

    def teardown(self):
        if hasattr(self, "real"):
            assert sorted(self.real.keys.made_up) == sorted(self.real.full_at)
            assert len(self.real) <= 8


TestKeyed = KeyedMachine.TestCase


def test_keys_have_buckets_of_their_own():
    machine = KeyedGcra(2, F(1))
    assert [machine.try_acquire("a", F(0)) for _ in range(3)] == [True, True, False]
    assert [machine.try_acquire("b", F(0)) for _ in range(3)] == [True, True, False]
    assert machine.try_acquire("a", F(1))
    assert len(machine) == 2


def test_a_full_key_is_forgotten_after_a_minute_by_new_ones():
    machine = KeyedGcra(1, F(1))
    machine.try_acquire("old", F(0))
    machine.try_acquire("new", F(60))
    assert "old" in machine.full_at
    machine.try_acquire("newer", F(61))
    assert "old" not in machine.full_at
    assert machine.try_acquire("old", F(61))


def test_a_full_key_goes_at_once_where_room_is_needed():
    machine = KeyedGcra(1, F(1), max_keys=2)
    machine.try_acquire("a", F(0))
    machine.try_acquire("b", F(0))
    assert machine.try_acquire("c", F(1))
    assert set(machine.full_at) <= {"a", "b", "c"}
    assert len(machine) == 1


def test_a_key_that_is_not_full_is_never_forgotten():
    machine = KeyedGcra(10, F(1), max_keys=3)
    for _ in range(10):
        machine.try_acquire("drained", F(0))
    for second in range(10):
        for i in range(50):
            machine.try_acquire(f"made up {i}", F(second))
        assert "drained" in machine.full_at
        assert machine.tokens_at("drained", F(second)) == second
        assert len(machine) <= 3


def test_new_keys_share_one_bucket_while_none_is_full():
    machine = KeyedGcra(3, F(1), max_keys=2)
    for key in "ab":
        assert machine.try_acquire(key, F(0), 3)
    assert [machine.try_acquire(key, F(0)) for key in "vwxyz"] == [True] * 3 + [False] * 2
    assert machine.overflowed == 5
    assert machine.tokens_at("anybody", F(0)) == 0
    assert machine.earliest("anybody", F(0)) == 1
    assert machine.try_acquire("anybody", F(1))
    assert not machine.try_acquire("a", F(1), 2)


def test_a_key_flood_leaves_the_offender_refused_and_memory_at_its_bound():
    machine = KeyedGcra(10, 1.0, max_keys=100)
    assert all(machine.try_acquire("offender", 0.0) for _ in range(10))
    assert machine.try_acquire("known", 0.0)
    for i in range(20_000):
        machine.try_acquire(f"made up {i}", 0.5)
    assert not machine.try_acquire("offender", 0.5)
    assert machine.try_acquire("known", 0.5)
    assert len(machine) == 100
    assert len(machine.keys.made_up) == 100
    # a burst's time later everything is as if nothing had been
    assert all(machine.try_acquire("new customer", 11.0) for _ in range(10))
    assert not machine.try_acquire("new customer", 11.0)


@pytest.mark.stress
def test_a_million_made_up_keys():
    """The flood of the issue: nobody gains, nobody known loses, and memory stays at its bound."""
    machine = KeyedGcra(10, 1.0, max_keys=50_000, known=lambda key: key.startswith("customer"))
    assert machine.try_acquire("offender", 0.0, 10)
    assert machine.try_acquire("customer 1", 0.0, 4)
    for i in range(1_000_000):
        machine.try_acquire(f"made up {i}", 1 + i * 1e-6)
    assert len(machine) == 50_001
    held = (machine.full_at, machine.keys.made_up, machine.keys.known)
    assert sum(map(len, held)) == 2 * 50_001
    assert sum(map(sys.getsizeof, held)) < 50_000 * 80
    assert machine.snapshot(2.0)["known"] == 1
    assert machine.overflowed > 900_000
    assert not machine.try_acquire("offender", 1.999, 2)
    assert machine.tokens_at("customer 1", 2.0) == pytest.approx(8, abs=0.001)
    assert machine.try_acquire("customer 2", 2.0, 10)  # met in the flood: its own, and whole
    assert not machine.try_acquire("somebody else", 2.0, 2)
    # a burst's time later all is as if nothing had been
    later = 2.0 + 10
    assert machine.try_acquire("somebody else", later, 10)
    assert machine.try_acquire("offender", later, 10)
    assert len(machine) <= 50_002


def test_known_keys_have_buckets_of_their_own_and_are_forgotten_as_others_are():
    asked = []

    def known(key):
        asked.append(key)
        return key.startswith("k")

    machine = KeyedGcra(2, F(1), max_keys=1, known=known)
    assert machine.try_acquire("a", F(0), 2)
    assert machine.try_acquire("b", F(0), 2)  # from the overflow
    for i in range(5):
        assert machine.try_acquire(f"k{i}", F(0), 2)
        assert not machine.try_acquire(f"k{i}", F(0))
    assert machine.tokens_at("k9", F(0)) == 2
    assert machine.earliest("k9", F(0)) == 0
    assert machine.snapshot(F(0))["known"] == 5
    assert asked.count("k0") == 1
    for i in range(5, 9):
        assert machine.try_acquire(f"k{i}", F(100))
    assert sorted(machine.full_at) == ["a", "k5", "k6", "k7", "k8"]


def test_reserving_and_owing_of_a_key_that_is_new():
    machine = KeyedGcra(2, F(1), max_keys=1)
    assert machine.reserve("a", F(0), 2) == 0
    assert machine.reserve("a", F(0), 1) == 1
    assert machine.reserve("a", F(0), 1, latest=F(1)) == math.inf
    assert machine.reserve("a", F(0), 3) == math.inf
    assert machine.level_at("a", F(0)) == -1
    assert machine.due("a", F(0), 5) == 6
    assert machine.reserve("b", F(0), 2) == 0  # of the overflow
    assert machine.reserve("c", F(0), 2) == 2
    assert machine.reserve("d", F(0), 2, latest=F(3)) == math.inf
    machine.charge("d", 3, F(0))
    assert machine.earliest("d", F(0)) == 6
    owing = KeyedGcra(2, F(1))
    owing.charge("a", 5, F(0))
    assert owing.level_at("a", F(0)) == -3
    assert owing.level_at("b", F(0)) == 2
    with pytest.raises(ConfigError, match="cost must be"):
        owing.charge("a", 0, F(0))


@pytest.mark.parametrize("capacity", [0, 1, 2, 8])
def test_new_settings_are_those_of_gcra_for_every_key(capacity):
    keyed, single = KeyedGcra(4, F(1)), {key: Gcra(4, F(1)) for key in "abcd"}
    for cost, key in enumerate("abc", start=1):
        assert keyed.try_acquire(key, F(0), cost)
        assert single[key].try_acquire(F(0), cost)
    keyed.charge("c", 5, F(0))
    single["c"].charge(5, F(0))
    keyed.update(F(1), capacity, F(2))
    for key, machine in single.items():
        machine.update(F(1), capacity, F(2))
        assert keyed.level_at(key, F(1)) == machine.level_at(F(1))
    assert sorted(keyed.keys.made_up) == sorted(keyed.full_at)
    with pytest.raises(ConfigError, match="at most 1000000 for each key"):
        keyed.update(F(1), 1, 2e6)
    assert keyed.rate == 2


def test_a_thread_whose_now_is_old_gains_nothing_from_a_key_that_was_forgotten():
    machine = KeyedGcra(1, F(1), max_keys=1)
    assert machine.try_acquire("a", F(9))
    assert machine.try_acquire("b", F(10))  # needs the room of "a", which is full as of 10
    assert machine.keys.swept == 10
    machine.keys.max_keys = 2
    assert machine.tokens_at("a", F("9.5")) == F("0.5")
    assert machine.earliest("a", F("9.5")) == 10
    assert not machine.try_acquire("a", F("9.5"))
    assert "a" not in machine.full_at
    assert machine.try_acquire("a", F(10))


def test_the_overflow_is_no_looser_for_an_old_now():
    machine = KeyedGcra(1, F(1), max_keys=1)
    assert machine.try_acquire("a", F(9))
    assert machine.try_acquire("b", F(10))
    assert not machine.try_acquire("c", F("9.5"))
    assert machine.try_acquire("c", F(10))


def test_a_refund_goes_to_a_known_key_alone():
    machine = KeyedGcra(2, F(1), max_keys=1)
    assert machine.try_acquire("a", F(0), 2)
    assert machine.try_acquire("b", F(0), 2)  # from the overflow
    machine.refund("b", 2, F(0))
    assert machine.tokens_at("b", F(0)) == 0
    machine.refund("a", 1, F(0))
    assert machine.tokens_at("a", F(0)) == 1
    with pytest.raises(ConfigError, match="cost must be"):
        machine.refund("a", -1, F(0))


def test_costs_are_checked_as_everywhere():
    machine = KeyedGcra(2, 1.0)
    assert not machine.try_acquire("a", 0.0, 3)
    assert machine.earliest("a", 0.0, 3) == math.inf
    for cost in (0, -1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="cost must be"):
            machine.try_acquire("a", 0.0, cost)
        with pytest.raises(ConfigError, match="cost must be"):
            machine.earliest("a", 0.0, cost)
    assert len(machine) == 0


def test_a_capacity_of_0_refuses_every_key_and_keeps_none():
    machine = KeyedGcra(0, 0)
    assert not machine.try_acquire("a", 0.0)
    assert not machine.try_acquire("a", 1e9)
    assert len(machine) == 0
    assert machine.rate == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capacity": -1, "rate": 1}, "capacity must be"),
        ({"capacity": 1, "rate": 0}, "rate must be above 0"),
        ({"capacity": 1, "rate": math.nan}, "rate must be"),
        ({"capacity": 1, "rate": 2e6}, "at most 1000000 for each key, not 2000000.0"),
        ({"capacity": 1, "rate": 1, "max_keys": 0}, "max_keys must be at least 1, not 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        KeyedGcra(**settings)


def test_the_snapshot_is_plain_data():
    machine = KeyedGcra(2, 1.0, max_keys=1)
    machine.try_acquire("a", 0.0)
    machine.try_acquire("b", 0.0)
    assert machine.snapshot(0.0) == {
        "keys": 1,
        "known": 0,
        "max_keys": 1,
        "overflowed": 1,
        "capacity": 2,
        "rate": 1.0,
    }
