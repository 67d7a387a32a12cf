"""Every method that the limits call *atomic*: by its bytecode, and under eight threads.

Each stress runs twice: on the class as it is, and on the locked class of builds without a GIL.
"""

import itertools

import pytest

from support.exactness import assert_atomic, hammer
from trafficcore.core.limit import Cap, Gcra, KeyedGcra, RetryBudget, SlidingWindow, TokenBucket
from trafficcore.core.limit.concurrency import RetryCap
from trafficcore.core.limit.keys import Keys
from trafficcore.engine.guard import locked, new_lock

BUCKETS = [TokenBucket, Gcra]
STATE = {
    TokenBucket: {"tokens", "last"},
    Gcra: {"full_at"},
    KeyedGcra: {"full_at", "swept"},
    Cap: {"current"},
    SlidingWindow: {"index", "current", "previous"},
}
#: What `update` changes at once.
SETTINGS = {"capacity", "rate", "inc", "burst"}
#: What only reads, and by calling others: nothing is stored that could be lost.
READERS = {"earliest", "snapshot", "KeyedGcra.tokens_at", "SlidingWindow.tokens_at"}


def free_and_locked(*classes):
    return pytest.mark.parametrize(
        "kind",
        [variant for cls in classes for variant in (cls, locked(cls))],
        ids=[f"{cls.__name__}-{how}" for cls in classes for how in ("free", "locked")],
    )


def ticking(seconds):
    """A clock that each reading moves on; threads use what they read in any order."""
    ticks = itertools.count()

    def clock():
        return next(ticks) * seconds

    return clock


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (cls, name)
        for cls in STATE
        for name in cls.ATOMIC
        if READERS.isdisjoint({name, f"{cls.__name__}.{name}"})
    ]
    + [(KeyedGcra, "_take"), (Keys, "forget")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_an_atomic_method_gives_way_nowhere_in_its_run(cls, name):
    untrusted = {"cost"} if "gcra" in cls.__name__.lower() else ()
    state = STATE.get(cls, {"full_at", "swept"}) | (SETTINGS if name == "update" else set())
    assert_atomic(getattr(cls, name), state, untrusted=untrusted)


def test_a_refund_does_its_arithmetic_on_the_cost_first():
    for cls in (Gcra, KeyedGcra):
        assert_atomic(cls.refund, STATE[cls], untrusted={"cost"})


@pytest.mark.stress
@free_and_locked(*BUCKETS)
def test_eight_threads_take_exactly_the_capacity(kind):
    machine = kind(40_000, 1e-6, lock=new_lock())
    clock = ticking(1e-6)
    granted = hammer(lambda _: sum(machine.try_acquire(clock()) for _ in range(12_000)))
    assert sum(granted) == 40_000


@pytest.mark.stress
@free_and_locked(*BUCKETS)
def test_eight_threads_take_exactly_what_a_filling_bucket_earns(kind):
    """Half a token a reading: what was granted and what is left are what came in, to a crumb."""
    machine = kind(1_000, 50_000.0, lock=new_lock())
    clock = ticking(1e-5)
    first = clock()
    assert machine.try_acquire(first, 500)  # far from its rim, where what comes in would be lost
    granted = 500 + sum(hammer(lambda _: sum(machine.try_acquire(clock()) for _ in range(12_000))))
    end = clock()
    earned = 1_000 + 50_000 * (end - first)
    assert granted <= earned
    assert granted + machine.tokens_at(end) == pytest.approx(earned, abs=0.01)
    assert granted > 40_000


@pytest.mark.stress
@free_and_locked(*BUCKETS)
def test_eight_threads_that_give_back_what_they_take_leave_it_as_it_was(kind):
    machine = kind(100, 1e-6, lock=new_lock())
    clock = ticking(1e-6)
    assert machine.try_acquire(clock(), 60)

    def work(_):
        for _ in range(12_000):
            if machine.try_acquire(clock(), 3):
                machine.refund(3, clock())

    hammer(work)
    assert machine.tokens_at(clock()) == pytest.approx(40, abs=0.01)


@pytest.mark.stress
@free_and_locked(TokenBucket)
def test_eight_threads_that_take_what_they_get_take_it_once(kind):
    machine = kind(40_000, 1e-6, lock=new_lock())
    clock = ticking(1e-6)
    taken = hammer(lambda _: sum(machine.take_up_to(clock(), 3) for _ in range(12_000)))
    assert sum(taken) == 40_000


@pytest.mark.stress
@free_and_locked(TokenBucket)
def test_a_reset_is_seen_whole(kind):
    """Level and time change together: no reader sees the one without the other."""
    machine = kind(1e9, 1e3, lock=new_lock())
    machine.reset(0, 0.0)

    def work(index):
        seen = set()
        for turn in range(8_000):
            if index == 0:
                at = float(turn % 2 * 1000)
                machine.reset(at * 1e3, at)
            seen.add(machine.tokens_at(2_000.0))
        return seen

    assert set().union(*hammer(work)) == {2e6}


@pytest.mark.stress
@free_and_locked(KeyedGcra)
def test_eight_threads_take_exactly_the_capacity_of_every_key(kind):
    machine = kind(5, 1e-6, max_keys=10_000, lock=new_lock())
    clock = ticking(1e-6)
    keys = [f"key {i}" for i in range(300)]
    granted = hammer(lambda _: [sum(machine.try_acquire(k, clock()) for _ in "two") for k in keys])
    assert [sum(column) for column in zip(*granted, strict=True)] == [5] * len(keys)
    assert len(machine) == len(keys)


@pytest.mark.stress
@free_and_locked(KeyedGcra)
def test_eight_threads_take_exactly_what_a_key_earns(kind):
    machine = kind(1_000, 50_000.0, lock=new_lock())
    clock = ticking(1e-5)
    first = clock()
    assert machine.try_acquire("a", first, 500)
    attempts = range(12_000)
    granted = 500 + sum(hammer(lambda _: sum(machine.try_acquire("a", clock()) for _ in attempts)))
    end = clock()
    earned = 1_000 + 50_000 * (end - first)
    assert granted + machine.tokens_at("a", end) == pytest.approx(earned, abs=0.01)


@pytest.mark.stress
@free_and_locked(KeyedGcra)
def test_eight_threads_gain_nothing_where_keys_are_forgotten_and_met_again(kind):
    """Room for four of the forty keys: each earns a token in 20 readings, and no more."""
    machine = kind(1, 5_000.0, max_keys=4, lock=new_lock())
    clock = ticking(1e-5)
    clock()
    names = [f"key {i}" for i in range(40)]

    def work(index):
        mine = dict.fromkeys(names, 0)
        for turn in range(2_000):
            name = names[(turn * 7 + index) % len(names)]
            overflowed = machine.overflowed
            granted = machine.try_acquire(name, clock())
            if machine.overflowed == overflowed:  # it may have been another's; then it counts less
                mine[name] += granted
        return mine

    results = hammer(work)
    end = clock()
    for name in names:
        assert sum(mine[name] for mine in results) <= 1 + 5_000 * end
    assert len(machine) <= 4
    assert set(machine.keys.made_up) == set(machine.full_at)
    assert len(machine.keys.made_up) == len(machine.full_at)


@pytest.mark.stress
@free_and_locked(KeyedGcra)
def test_eight_threads_that_give_back_leave_a_key_as_it_was(kind):
    machine = kind(100, 1e-6, lock=new_lock())
    clock = ticking(1e-6)
    assert machine.try_acquire("a", clock(), 60)

    def work(_):
        for _ in range(12_000):
            if machine.try_acquire("a", clock(), 3):
                machine.refund("a", 3, clock())

    hammer(work)
    assert machine.tokens_at("a", clock()) == pytest.approx(40, abs=0.01)


@pytest.mark.stress
@free_and_locked(Cap)
def test_eight_threads_are_never_more_than_the_cap_inside(kind):
    cap = kind(3, lock=new_lock())
    inside, most = [], []

    def work(_):
        admitted = 0
        for _ in range(2_000):
            if cap.try_acquire():
                inside.append(1)
                most.append(len(inside))
                inside.pop()
                cap.release()
                admitted += 1
        return admitted

    assert sum(hammer(work)) > 0
    assert max(most) <= 3
    assert cap.current == 0


@pytest.mark.stress
@free_and_locked(Cap)
def test_eight_threads_are_admitted_exactly_as_often_as_there_is_room(kind):
    cap = kind(5_000, lock=new_lock())
    assert sum(hammer(lambda _: sum(cap.try_acquire() for _ in range(1_000)))) == 5_000
    assert cap.current == 5_000

    def count_in(_):
        for _ in range(1_000):
            cap.inc()

    hammer(count_in)
    assert cap.current == 13_000


@pytest.mark.stress
@free_and_locked(RetryCap)
def test_eight_threads_never_retry_beyond_the_budget(kind):
    active, pending = Cap(100), Cap(100)
    for _ in range(60):
        active.inc()
    cap = kind(RetryBudget(50, 3), active, pending, lock=new_lock())
    assert sum(hammer(lambda _: sum(cap.try_acquire() for _ in range(200)))) == 30
