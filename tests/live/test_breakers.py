"""A breaker a name, always the same one, and never one for strangers."""

import gc
import os

import pytest

from support.exactness import hammer
from trafficcore.core.breaker import IllegalMove
from trafficcore.errors import ConfigError
from trafficcore.live.breakers import Breakers


def test_a_name_has_one_breaker_with_its_own_settings(clock):
    breakers = Breakers(max_errors=5, named={"slow": {"max_errors": 1}}, clock=clock)
    assert breakers["a"] is breakers["a"]
    assert breakers["a"].name == "a"
    slow = breakers["slow"]
    slow.bad(slow.try_acquire())
    assert slow.state.value == "open"
    seen = breakers.snapshot()
    assert (seen["process"], seen["breakers"]["a"]["state"]) == (os.getpid(), "closed")
    assert "a" in breakers
    assert "b" not in breakers
    assert len(breakers) == 2


def test_idle_ones_make_room_and_come_back_while_somebody_holds_them(clock):
    breakers = Breakers(bound=1, max_errors=1, clock=clock)
    held = breakers["held"]
    assert breakers["other"] is not held
    assert "held" not in breakers
    assert breakers["held"] is held
    breakers["held"].bad(held.try_acquire())
    door = breakers["third"]
    assert (door.name, breakers.unguarded) == ("(unguarded)", 1)
    for _ in range(5):
        door.bad(door.try_acquire())
    assert door.try_acquire()
    assert breakers.snapshot()["unguarded"] == 1
    del held
    gc.collect()
    assert breakers["held"].state.value == "open"


def test_names_that_there_is_no_room_for_cannot_be_moved_by_one_of_them(clock):
    breakers = Breakers(bound=1, max_errors=1, clock=clock)
    held = breakers["held"]
    held.bad(held.try_acquire())
    with pytest.raises(IllegalMove, match="no room for its name"):
        breakers["y"].to("forced_open")
    with pytest.raises(IllegalMove, match="no room for its name"):
        breakers["y"].update(held.machine.settings)
    breakers["y"].reset()
    assert breakers["z"].call(int) == 0


def test_a_listener_of_many_is_told_whose_change_it_is(clock):
    told = []
    breakers = Breakers(max_errors=1, on_change=told.append, clock=clock)
    for name in ("a", "b"):
        breakers[name].bad(breakers[name].try_acquire())
    assert [(change.breaker, change.to.value) for change in told] == [("a", "open"), ("b", "open")]


def test_a_name_that_nobody_holds_begins_anew(clock):
    breakers = Breakers(bound=1, max_errors=2, clock=clock)
    first = breakers["a"].machine
    breakers["b"].good(breakers["b"].try_acquire())
    assert breakers["a"].name == "(unguarded)"
    clock.advance(20)
    assert breakers["a"].machine is not first


@pytest.mark.parametrize(
    "wrong",
    [{"bound": 0}, {"min_calls": -1, "error_rate": 1}, {"named": {"a": {"max_errors": -1}}}],
)
def test_settings_that_cannot_work_are_told_at_once(wrong):
    with pytest.raises(ConfigError):
        Breakers(**wrong)


def test_threads_that_meet_at_a_new_name_get_one_breaker():
    breakers = Breakers(max_errors=1)
    for name in map(str, range(50)):
        assert len(set(map(id, hammer(lambda _, name=name: breakers[name])))) == 1
