"""SharedKeyed is a bucket for every key, whoever asks, and whatever a worker was killed in."""

import math
from contextlib import closing

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from support.shared import shared_keyed, temporary_file
from trafficcore.core.limit import Gcra
from trafficcore.errors import ConfigError
from trafficcore.store import HostFile, SharedKeyed
from trafficcore.store.layout import FIRST, OVERFLOW_FULL_AT, SWEPT

KEYS = st.sampled_from("abcdefgh")


class KeyedMachine(RuleBasedStateMachine):
    """Against a bucket for every key that ever came, none of them ever forgotten; to the bit."""

    @initialize(capacity=st.integers(1, 4), rate=st.floats(0.02, 4))
    def start(self, capacity, rate):
        self.now = 0.0
        self.real = shared_keyed(capacity, rate, max_keys=8)
        self.models = {key: Gcra(capacity, rate) for key in "abcdefgh"}

    @rule(seconds=st.floats(0, 3) | st.integers(50, 200))
    def wait(self, seconds):
        self.now += seconds

    @rule(key=KEYS, cost=st.floats(0.5, 5) | st.just(1))
    def try_acquire(self, key, cost):
        granted = self.models[key].try_acquire(self.now, cost)
        assert self.real.try_acquire(key, self.now, cost) is granted

    @rule(key=KEYS, cost=st.integers(1, 5), patience=st.floats(0, 5))
    def reserve(self, key, cost, patience):
        latest = self.now + patience
        due = self.models[key].reserve(self.now, cost, latest)
        assert self.real.reserve(key, self.now, cost, latest) == due

    @rule(key=KEYS, cost=st.integers(1, 9))
    def charge(self, key, cost):
        self.models[key].charge(cost, self.now)
        self.real.charge(key, cost, self.now)

    @rule(key=KEYS, cost=st.integers(1, 5))
    def refund(self, key, cost):
        self.models[key].refund(cost, self.now)
        self.real.refund(key, cost, self.now)

    @rule(key=KEYS, cost=st.integers(1, 5))
    def read(self, key, cost):
        model = self.models[key]
        assert self.real.earliest(key, self.now, cost) == model.earliest(self.now, cost)
        assert self.real.tokens_at(key, self.now) == model.tokens_at(self.now)
        assert self.real.level_at(key, self.now) == model.level_at(self.now)
        assert self.real.due(key, self.now, 3 * cost) == model.due(self.now, 3 * cost)

    def teardown(self):
        if hasattr(self, "real"):
            assert_valid(self.real)
            self.real._file.close()


TestKeyed = KeyedMachine.TestCase


def assert_valid(machine):
    """Each hash stands in one place, and that is among its own."""
    file = machine._file
    taken = [
        (slot, digest) for slot in range(FIRST, FIRST + file.slots) if (digest := file.words[slot])
    ]
    assert len({digest for _, digest in taken}) == len(taken)
    for slot, digest in taken:
        assert machine._place(digest) == slot + file.slots


@pytest.fixture
def keyed():
    machines = []

    def make(capacity, rate, max_keys=100):
        machines.append(shared_keyed(capacity, rate, max_keys))
        return machines[-1]

    yield make
    for machine in machines:
        machine._file.close()


def test_keys_have_buckets_of_their_own(keyed):
    machine = keyed(2, 1.0)
    assert [machine.try_acquire("a", 0.0) for _ in range(3)] == [True, True, False]
    assert [machine.try_acquire("b", 0.0) for _ in range(3)] == [True, True, False]
    assert machine.try_acquire("a", 1.0)


def test_a_key_that_is_not_full_is_never_replaced(keyed):
    machine = keyed(10, 1.0, max_keys=3)
    for _ in range(10):
        machine.try_acquire("drained", 0.0)
    for second in range(10):
        for i in range(50):
            machine.try_acquire(f"made up {i}", float(second))
        assert machine.tokens_at("drained", second) == pytest.approx(second, abs=0.001)
    assert_valid(machine)


def test_new_keys_share_one_bucket_while_none_is_full(keyed):
    machine = keyed(3, 1.0, max_keys=2)
    for key in "ab":
        assert machine.try_acquire(key, 0.0, 3)
    assert [machine.try_acquire(key, 0.0) for key in "vwxyz"] == [True] * 3 + [False] * 2
    assert machine.snapshot(0.0)["overflowed"] == 5
    assert machine.tokens_at("anybody", 0.0) == pytest.approx(0, abs=0.001)
    assert machine.earliest("anybody", 0.0) == pytest.approx(1, abs=0.001)
    assert machine.try_acquire("anybody", 1.0)
    assert not machine.try_acquire("a", 1.0, 2)


def test_a_key_flood_leaves_the_offender_refused_and_the_file_at_its_size(keyed):
    machine = keyed(10, 1.0, max_keys=128)
    assert all(machine.try_acquire("offender", 0.0) for _ in range(10))
    assert machine.try_acquire("known", 0.0)
    for i in range(20_000):
        machine.try_acquire(f"made up {i}", 0.5)
    assert not machine.try_acquire("offender", 0.5)
    assert machine.try_acquire("known", 0.5)
    assert machine.snapshot(0.5)["keys"] <= 128
    assert machine.snapshot(0.5)["overflowed"] > 19_000
    assert_valid(machine)
    # a burst's time later everything is as if nothing had been
    assert machine.snapshot(11.0)["keys"] == 0
    assert all(machine.try_acquire("new customer", 11.0) for _ in range(10))
    assert not machine.try_acquire("new customer", 11.0)


def test_half_a_table_finds_places_for_all_its_keys(keyed):
    machine = keyed(1, 1e-6, max_keys=20_000)
    assert all(machine.try_acquire(f"key {i}", 1.0) for i in range(10_000))
    assert not any(machine.try_acquire(f"key {i}", 1.0) for i in range(10_000))
    assert machine.snapshot(1.0)["overflowed"] == 0


def test_a_worker_whose_now_is_old_gains_nothing_from_a_key_that_was_replaced(keyed):
    machine = keyed(1, 1.0, max_keys=1)
    assert machine.try_acquire("a", 9.0)
    assert machine.try_acquire("b", 10.0)  # in the place of "a", which is full as of 10
    assert machine._file.floats[SWEPT] == 10
    assert machine.try_acquire("c", 11.0)
    assert machine.tokens_at("a", 12.0) == 1
    # nobody's place is full at 10.5, and the overflow bucket is full as of 11 as well
    assert not machine.try_acquire("a", 10.5)
    assert machine.earliest("a", 10.5) == pytest.approx(11, abs=0.001)


def test_a_free_place_is_no_looser_for_an_old_now(keyed):
    machine = keyed(1, 1.0, max_keys=4)
    machine._file.floats[SWEPT] = 10.0
    assert machine.tokens_at("a", 9.5) == pytest.approx(0.5, abs=0.001)
    assert not machine.try_acquire("a", 9.5)
    assert machine.try_acquire("a", 10.0)


def test_a_refund_goes_to_a_key_of_the_table_alone(keyed):
    machine = keyed(2, 1.0, max_keys=1)
    assert machine.try_acquire("a", 0.0, 2)
    assert machine.try_acquire("b", 0.0, 2)  # from the overflow
    machine.refund("b", 2, 0.0)
    assert machine.tokens_at("b", 0.0) == pytest.approx(0, abs=0.001)
    machine.refund("a", 1, 0.0)
    assert machine.tokens_at("a", 0.0) == pytest.approx(1, abs=0.001)
    with pytest.raises(ConfigError, match="cost must be"):
        machine.refund("a", -1, 0.0)
    with pytest.raises(ConfigError, match="cost must be"):
        machine.charge("a", 0, 0.0)


def test_a_hash_that_begins_inside_another_is_not_taken_for_it(keyed):
    """Eight bytes are sought in a row of hashes: they may stand astride two of them."""
    machine = keyed(1, 1.0, max_keys=4)
    words = machine._file.words
    words[FIRST : FIRST + 2] = memoryview(
        bytes(3) + (77 << 8 | 1).to_bytes(8, "little") + bytes(5)
    ).cast("Q")
    assert machine._place(77 << 8 | 1) is None
    words[FIRST + 2] = 77 << 8 | 1
    assert machine._place(77 << 8 | 1) == FIRST + 2 + 4


def test_costs_are_checked_as_everywhere(keyed):
    machine = keyed(2, 1.0)
    assert not machine.try_acquire("a", 0.0, 3)
    assert machine.earliest("a", 0.0, 3) == math.inf
    for cost in (0, -1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="cost must be"):
            machine.try_acquire("a", 0.0, cost)
        with pytest.raises(ConfigError, match="cost must be"):
            machine.earliest("a", 0.0, cost)
    assert machine.snapshot(0.0) == {
        "keys": 0,
        "max_keys": 100,
        "overflowed": 0,
        "capacity": 2,
        "rate": 1.0,
    }


def test_a_capacity_of_0_refuses_every_key(keyed):
    machine = keyed(0, 0)
    assert not machine.try_acquire("a", 0.0)
    assert machine.earliest("a", 0.0) == math.inf


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((-1, 1), "capacity must be"),
        ((1, 0), "rate must be above 0"),
        ((1, 2e6), "at most 1000000 for each key, not 2000000.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with closing(temporary_file(4)) as file, pytest.raises(ConfigError, match=message):
        SharedKeyed(file, *settings)


class Killed(BaseException):
    """The end of a worker."""


class Column:
    """A column whose writer is killed before one of its stores."""

    def __init__(self, column, stores):
        self._column = column
        self._stores = stores

    def __getitem__(self, place):
        return self._column[place]

    def __setitem__(self, place, value):
        if not self._stores:
            raise Killed
        self._stores.pop()
        self._column[place] = value

    def release(self):
        self._column.release()


class Recorded(HostFile):
    """As a worker sees its file who is killed after some stores."""

    __slots__ = ()

    def limit(self, stores):
        left = [None] * stores
        self.floats = Column(self.floats, left)
        self.words = Column(self.words, left)


@pytest.mark.parametrize("stores", [0, 1, 2])
@pytest.mark.parametrize("capacity", [1, 3])
def test_a_worker_killed_between_two_stores_leaves_a_valid_table(tmp_path, stores, capacity):
    """In the place of a full bucket a new key's comes: after each of its three stores."""
    with closing(HostFile(tmp_path / "keys", slots=2)) as file:
        others = SharedKeyed(file, capacity, 0.1)
        assert others.try_acquire("old", 0.0)
        assert others.try_acquire("other", 50.0, capacity)
        with closing(Recorded(tmp_path / "keys", slots=2)) as doomed:
            worker = SharedKeyed(doomed, capacity, 0.1)
            doomed.limit(stores)
            with pytest.raises(Killed):
                worker.try_acquire("new", 50.5)
        assert_valid(others)
        assert others.tokens_at("old", 50.5) == capacity
        assert not others.try_acquire("other", 50.5)
        # the dead one's request was never let in, so all of the burst is there
        assert others.try_acquire("new", 50.5, capacity)
        assert not others.try_acquire("new", 50.5)
        assert_valid(others)


@pytest.mark.parametrize("cell", [math.nan, math.inf])
def test_a_cell_that_holds_no_time_is_an_empty_bucket_that_fills_again(cell):
    machine = shared_keyed(4, 2.0, max_keys=8)
    assert machine.try_acquire("a", 10.0)
    at = machine._place(machine._file.digest("a"))
    for verb in (machine.charge, machine.refund):
        machine._file.floats[at] = cell
        assert abs(machine.level_at("a", 10.0)) < 0.01
        assert not machine.try_acquire("a", 10.0)
        assert machine.level_at("a", 10.5) == pytest.approx(1, abs=0.01)
        machine._file.floats[at] = cell
        verb("a", 1, 10.0)
        left = 1 if verb == machine.charge else 3
        assert machine.level_at("a", 11.0) == pytest.approx(left, abs=0.01)


@pytest.mark.parametrize("cell", [math.nan, math.inf])
@pytest.mark.parametrize("at", [SWEPT, OVERFLOW_FULL_AT])
def test_absent_keys_gain_nothing_by_a_cell_that_holds_no_time(cell, at):
    machine = shared_keyed(4, 2.0, max_keys=2)
    if at == OVERFLOW_FULL_AT:
        for key in "ab":
            assert machine.try_acquire(key, 10.0, 4)
    machine._file.floats[at] = cell
    assert machine.tokens_at("new", 10.0) < 0.01
    assert not machine.try_acquire("new", 10.0)
    assert machine.level_at("new", 10.5) == pytest.approx(1, abs=0.01)
    assert machine.try_acquire("new", 10.6)


def test_a_bucket_that_holds_no_time_is_never_replaced():
    machine = shared_keyed(1, 1.0, max_keys=2)
    floats, start = machine._file.floats, FIRST + machine._file.slots
    floats[start] = floats[start + 1] = math.nan
    machine.try_acquire("new", 10.0)
    assert machine.overflowed == 1
