"""A breaker a key, never one for strangers, never more than the bound."""

import pytest

from support.exactness import assert_atomic, hammer
from trafficcore.core.breaker import Breaker, KeyedBreaker, Open, Rule, Settings, Time
from trafficcore.engine import guard
from trafficcore.errors import ConfigError

SETTINGS = Settings(window=Time(10, 10), trip=[Rule("error_count", 1)], open=Open(60))


def make(now):
    return Breaker(SETTINGS, lock=guard.new_lock(), now=now)


def trip(keyed, key, now):
    breaker = keyed.find(key, now)
    breaker.bad(breaker.try_acquire(now), now)
    return breaker


def test_each_key_has_its_own():
    keyed = KeyedBreaker(make)
    a = trip(keyed, "a", 0)
    assert keyed.find("a", 1) is a
    assert not a.try_acquire(1)
    assert keyed.find("b", 1).try_acquire(1)


def test_idle_ones_make_room_and_open_ones_stay():
    keyed = KeyedBreaker(make, bound=3)
    opened = trip(keyed, "open", 0)
    busy = keyed.find("busy", 0)
    busy.good(busy.try_acquire(0), 0)
    idle = keyed.find("idle", 0)
    assert keyed.find("new", 1) is not None
    assert keyed.snapshot(1)["keys"] == 3
    assert keyed.find("open", 1) is opened
    assert keyed.find("busy", 1) is busy
    assert keyed.find("idle", 20) is not idle


def test_at_the_bound_with_all_open_new_keys_pass_unguarded():
    keyed = KeyedBreaker(make, bound=2)
    trip(keyed, "a", 0)
    trip(keyed, "b", 0)
    assert keyed.find("c", 1) is None
    assert keyed.find("c", 1) is None
    assert keyed.unguarded == 2
    keyed.find("a", 2).reset(2)
    assert keyed.find("c", 2) is not None
    seen = keyed.snapshot(2)
    assert (seen["keys"], seen["unguarded"]) == (2, 2)
    assert seen["breakers"]["b"]["state"] == "open"


def test_a_half_open_one_is_never_dropped():
    keyed = KeyedBreaker(make, bound=1)
    a = trip(keyed, "a", 0)
    assert a.try_acquire(60)
    assert keyed.find("b", 61) is None
    assert keyed.find("a", 61) is a


def test_one_new_key_looks_at_a_few_old_ones_only():
    keyed = KeyedBreaker(make, bound=1000)
    breakers = [trip(keyed, key, 0) for key in range(1000)]
    looked = sum(breaker.now == 5 for breaker in breakers)
    assert looked == 0
    assert keyed.find("new", 5) is None
    assert sum(breaker.now == 5 for breaker in breakers) == 16


def test_short_of_the_bound_it_looks_at_two():
    keyed = KeyedBreaker(make)
    breakers = [trip(keyed, key, 0) for key in range(9)]
    keyed.find("new", 5)
    assert sum(breaker.now == 5 for breaker in breakers) == 2


def test_idle_keys_go_as_new_ones_come():
    keyed = KeyedBreaker(make)
    for key in range(1000):
        keyed.find(key, key)
    assert keyed.snapshot(1000)["keys"] <= 2


def test_finding_an_old_key_is_atomic():
    assert_atomic(KeyedBreaker.find, {"_breakers"})


def test_a_bound_of_none_is_refused():
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        KeyedBreaker(make, bound=0)


@pytest.mark.stress
def test_threads_that_meet_at_a_new_key_get_one_breaker():
    keyed = KeyedBreaker(make, lock=guard.new_lock())

    def work(_):
        found = []
        for key in range(300):
            breaker = keyed.find(key, 0)
            breaker.good(breaker.try_acquire(0), 0)  # not idle, so not dropped
            found.append(breaker)
        return found

    results = hammer(work)
    same = sum(len({id(found[key]) for found in results}) == 1 for key in range(300))
    assert same >= 290  # a new one may be dropped before its first result is in
