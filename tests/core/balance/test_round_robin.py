from collections import Counter

import pytest

from support.exactness import NotAtomic, assert_atomic, hammer
from trafficcore.core.balance import Endpoint
from trafficcore.core.balance.round_robin import Nested, Rotation, Spread
from trafficcore.engine.guard import locked, new_lock

THREADS, EACH = 8, 4000


def endpoints(count, start=0):
    return [Endpoint(f"10.0.0.{i}:80") for i in range(start, start + count)]


def picks_by_many(picker):
    """Pick in many threads at once; return how often each was picked."""

    def work(_index):
        pick = picker.pick
        return Counter(pick() for _ in range(EACH))

    return sum(hammer(work, threads=THREADS), Counter())


def test_a_rotation_goes_round_its_table():
    a, b = endpoints(2)
    rotation = Rotation([a, b, a])
    assert [rotation.pick() for _ in range(6)] == [a, b, a, a, b, a]
    assert Rotation([a, b, a], at=2).pick() is a
    assert rotation.table == (a, b, a)


def test_nobody_is_picked_from_an_empty_table():
    rotation = Rotation([])
    assert [rotation.pick() for _ in range(3)] == [None] * 3
    assert rotation.at == 0


def test_each_rotation_of_a_spread_keeps_its_own_place():
    a, b, c = endpoints(3)
    one, two = Rotation([a, b]), Rotation([c])
    spread = Spread([one, two, one], at=1)
    assert [spread.pick() for _ in range(6)] == [c, a, b, c, a, b]
    assert spread.at == 1
    assert one.at == 0


def test_pickers_of_any_kind_take_turns():
    a, b, c = endpoints(3)
    inner = Spread([Rotation([a]), Rotation([b])])
    nested = Nested([inner, Rotation([c])])
    assert [nested.pick() for _ in range(4)] == [a, c, b, c]
    assert nested.at == 0


@pytest.mark.parametrize(
    ("function", "constants"),
    [
        (Rotation.pick, {"_last", "_table"}),
        (Spread.pick, {"_last", "_table", "_order"}),
        (Nested.pick, {"_last", "_order", "pick"}),
    ],
)
def test_a_pick_cannot_be_split(function, constants):
    assert_atomic(function, state={"_next"}, constants=constants)


def test_the_check_sees_a_form_that_can_be_split():
    def pick(self):
        at = self._next
        endpoint = self.look(at)
        self._next = at + 1
        return endpoint

    with pytest.raises(NotAtomic):
        assert_atomic(pick, state={"_next"})


@pytest.mark.stress
@pytest.mark.parametrize("force", [lambda cls: cls, locked], ids=["free", "locked"])
def test_threads_share_a_rotation_to_the_last_pick(force):
    hosts = endpoints(7)
    counts = picks_by_many(force(Rotation)(hosts, 0, new_lock()))
    assert sum(counts.values()) == THREADS * EACH
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.stress
@pytest.mark.parametrize("force", [lambda cls: cls, locked], ids=["free", "locked"])
def test_threads_get_the_exact_shares_of_a_spread(force):
    lock = new_lock()
    near, far = endpoints(3), endpoints(4, start=10)
    one, two = (force(Rotation)(hosts, 0, lock) for hosts in (near, far))
    counts = picks_by_many(force(Spread)([one, one, two, one, two] * 20, 0, lock))
    total = THREADS * EACH
    assert sum(counts[host] for host in near) == total * 3 // 5
    assert sum(counts[host] for host in far) == total * 2 // 5
    for hosts in (near, far):
        here = [counts[host] for host in hosts]
        assert max(here) - min(here) <= 1


@pytest.mark.stress
@pytest.mark.parametrize("force", [lambda cls: cls, locked], ids=["free", "locked"])
def test_threads_get_the_exact_shares_of_nested_turns(force):
    lock = new_lock()
    a, b, c = endpoints(3)
    inner = force(Spread)([force(Rotation)([a], 0, lock), force(Rotation)([b], 0, lock)], 0, lock)
    nested = force(Nested)([inner, force(Rotation)([c], 0, lock)], 0, lock)
    counts = picks_by_many(nested)
    assert counts[c] == THREADS * EACH // 2
    assert counts[a] == counts[b] == THREADS * EACH // 4
