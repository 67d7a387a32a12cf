"""`Recent`, against a list of all that ever came."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.load import Recent
from trafficcore.errors import ConfigError

EVENTS = st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 9)), max_size=40)


@given(EVENTS, st.integers(1, 6), st.sampled_from([F(1), F(1, 3), F(5, 2)]), st.integers(0, 30))
def test_it_counts_what_a_list_of_everything_counts(events, slots, slot, more):
    recent = Recent(slots, slot)
    all_of_it = []
    for time, amount in sorted(events):
        now = F(time, 2)
        recent.add(now, F(amount))
        all_of_it.append((int(now // slot), amount))
    index = (all_of_it[-1][0] if all_of_it else 0) + more
    kept = [amount for at, amount in all_of_it if index - slots <= at < index]
    assert recent.before(index) == (len(kept), sum(kept))
    assert recent.mean(index) == (F(sum(kept), len(kept)) if kept else None)


def test_the_running_slot_says_nothing_yet():
    recent = Recent(3)
    recent.add(0.5, 10)
    assert recent.mean(recent.at(0.9)) is None
    assert recent.mean(recent.at(1)) == 10
    assert recent.mean(recent.at(3.9)) == 10
    assert recent.mean(recent.at(4)) is None


def test_a_clock_that_steps_back_counts_in_the_newest_slot():
    recent = Recent(3)
    recent.add(5, 1)
    recent.add(2, 1)
    assert recent.before(6) == (2, 2)


def test_memory_is_that_of_the_slots():
    recent = Recent(3)
    for now in range(1000):
        recent.add(now, 1)
    assert len(recent._ring) <= 4


@pytest.mark.parametrize(("slots", "slot"), [(0, 1), (1, 0), (1, -1)])
def test_bounds(slots, slot):
    with pytest.raises(ConfigError, match="not"):
        Recent(slots, slot)
