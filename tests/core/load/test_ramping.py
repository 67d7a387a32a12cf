"""`Ramping`, worked out late, against one that is asked at each tick."""

from fractions import Fraction as F

from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.load import Criteria, Ramping

STEPS = [(F(10), 0), (F(50), 4), (F(100), 20)]
LATENCY = Criteria(forward=F(1, 10), backward=F(1, 5), reset=F(1, 2))


def percents(ramp, *times):
    return [ramp.percent(F(time)) for time in times]


def test_with_no_criterion_it_goes_on_by_itself():
    ramp = Ramping(STEPS)
    assert percents(ramp, 100, 101, 102, 102.5, 103, 125, 1000) == [10, 10, 20, 20, 30, 100, 100]


def test_a_ramp_that_is_not_started_holds():
    ramp = Ramping(STEPS, started=False)
    assert percents(ramp, 0, 50) == [10, 10]
    ramp.change(started=True, resetting=False)
    assert percents(ramp, 50, 52) == [10, 20]


def test_reset_by_hand_holds_it_at_its_first_step():
    ramp = Ramping(STEPS)
    assert percents(ramp, 0, 5) == [10, 50]
    ramp.change(started=True, resetting=True)
    assert percents(ramp, 6, 60) == [10, 10]


def test_latencies_move_it_on_and_back_and_to_its_start():
    ramp = Ramping(STEPS, [LATENCY])
    assert percents(ramp, 0, 10) == [10, 10], "nothing has been seen"
    ramp.record(0, F(10), F(1, 20))
    assert percents(ramp, 11, 13) == [10, 30]
    ramp.record(0, F(13), F(9, 20))  # the mean is 1/4
    assert percents(ramp, 14, 15) == [20, 10]
    ramp.record(0, F(15), F(1, 10))
    assert ramp.snapshot(F(16))["latencies"] == [F(1, 5)]
    assert percents(ramp, 17) == [10], "neither below the one nor above the other"
    ramp.record(0, F(17), F(9))
    assert percents(ramp, 18) == [10]
    assert ramp.snapshot(F(18))["at_start"] is True


def test_any_driver_is_enough_and_the_worse_one_decides():
    ramp = Ramping(STEPS, [Criteria(forward=F(1)), Criteria(forward=F(1), reset=F(2))])
    assert percents(ramp, 0) == [10]
    ramp.record(0, F(0), F(1, 2))
    assert percents(ramp, 2) == [20]
    ramp.record(1, F(2), F(3))
    assert percents(ramp, 3) == [10]


def test_what_nobody_sees_any_more_moves_nothing():
    ramp = Ramping(STEPS, [Criteria(forward=F(1))])
    assert percents(ramp, 0) == [10]
    ramp.record(0, F(0), 0)
    assert percents(ramp, 10_000) == [100]
    assert ramp.snapshot(F(10_000))["latencies"] == [None]


CALLS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 1), st.sampled_from([0, 1, 2, 3, 6])),
    max_size=30,
)


@given(CALLS, st.lists(st.integers(0, 300), max_size=5))
def test_looked_at_late_it_stands_where_it_would_have_stood(calls, looks):
    criteria = [LATENCY, Criteria(forward=F(1, 4))]
    late, eager = Ramping(STEPS, criteria), Ramping(STEPS, criteria)
    events = sorted([(F(t, 2), 0, d, F(tenths, 10)) for t, d, tenths in calls]
                    + [(F(t, 2), 1, 0, F(0)) for t in looks])  # fmt: skip
    clock = F(0)
    assert late.percent(clock) == eager.percent(clock)
    for now, look, driver, latency in events:
        while clock + 1 <= now:
            clock += 1
            eager.percent(clock)
        if look:
            assert late.percent(now) == eager.percent(now)
        else:
            late.record(driver, now, latency)
            eager.record(driver, now, latency)
    for _ in range(60):
        clock += 1
        eager.percent(clock)
    assert late.percent(clock) == eager.percent(clock)


def test_a_pause_in_silence_has_been_a_pause():
    ramp = Ramping([(0, 1), (100, 600)], started=False)
    assert percents(ramp, 0) == [0]
    ramp.change(started=True, resetting=False)
    assert percents(ramp, 3600, 3601, 3901) == [0, 0, 50]
    ramp.change(started=False, resetting=False)
    assert percents(ramp, 4000, 9000) == [50, 50]


def test_a_reset_that_is_taken_back_at_once_was_a_reset():
    ramp = Ramping([(0, 1), (100, 600)])
    assert percents(ramp, 0, 301) == [0, 50]
    ramp.change(started=True, resetting=True)
    ramp.change(started=True, resetting=False)
    assert percents(ramp, 301, 308) == [0, 1]
