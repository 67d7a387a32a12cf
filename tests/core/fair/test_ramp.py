"""`LoadRamp`: steps, lines, both ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.fair import LoadRamp
from trafficcore.errors import ConfigError

STEPS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 7)), min_size=1, max_size=5)


@given(STEPS, st.sampled_from([1, 2, 3]))
def test_forward_reaches_every_target_and_backward_undoes_it(steps, interval):
    ramp = LoadRamp(steps, interval)
    seen = [ramp.percent]
    while not ramp.at_end:
        seen.append(ramp.tick(forward=True))
    targets = [target for target, _ in steps]
    assert seen[0] == targets[0]
    assert seen[-1] == targets[-1]
    position = 0
    for target in targets:  # each in its turn
        position = seen.index(target, position)
    assert len(seen) == 1 + sum(max(1, -(-duration // interval)) for _, duration in steps)
    assert ramp.tick(forward=True) == seen[-1]
    for percent in reversed(seen[:-1]):
        assert ramp.tick(backward=True) == percent
    assert ramp.at_start
    assert ramp.tick(backward=True) == seen[0]


@given(STEPS)
def test_both_or_neither_hold_and_reset_wins(steps):
    ramp = LoadRamp(steps)
    ramp.tick(forward=True)
    percent = ramp.percent
    assert ramp.tick() == ramp.tick(forward=True, backward=True) == percent
    ramp.tick(forward=True, backward=True, reset=True)
    assert ramp.at_start


@pytest.mark.parametrize(
    ("steps", "interval"), [([], 1), ([(101, 1)], 1), ([(-1, 1)], 1), ([(1, -1)], 1), ([(1, 1)], 0)]
)
def test_settings_that_cannot_work_are_refused(steps, interval):
    with pytest.raises(ConfigError):
        LoadRamp(steps, interval)
