"""Sweeps may be late: each is run as of its own deadline, and idle time costs nothing."""

from fractions import Fraction

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from trafficcore.core.outlier import Ejector, Settings

OUT = Settings(max_ejection_percent=100)


def cluster(settings=OUT, hosts="abc", now=0, **more):
    ejector = Ejector(settings, **more)
    return ejector, *(ejector.add(host, now) for host in hosts)


def fail(ejector, tally, now, times=5, code=500):
    for _ in range(times):
        ejector.record(tally, now, code)


def test_the_grid_begins_at_the_first_time_seen():
    ejector, _a, *_ = cluster(now=7)
    ejector.add("d", 12)
    assert ejector.next_sweep == ejector.next_deadline() == 17
    ejector.sweep(16)
    assert ejector.next_sweep == 17
    ejector.sweep(38)
    assert ejector.next_sweep == 47
    ejector.force_sweep(40)
    assert ejector.next_sweep == 47


def test_missed_sweeps_are_run_as_of_their_own_deadlines():
    late, *tallies = cluster()
    prompt, *twins = cluster()
    for ejector, tally in ((late, tallies[0]), (prompt, twins[0])):
        fail(ejector, tally, 1)
    for now in range(400):
        prompt.sweep(now)
    late.sweep(399)
    assert late.take_changes() == prompt.take_changes()
    assert tallies[0].last_unejection == twins[0].last_unejection == 40
    assert tallies[0].multiplier == twins[0].multiplier == 0


def test_a_year_of_idleness_costs_a_few_sweeps(monkeypatch):
    settings = attrs.evolve(OUT, interval=0.001, base_ejection_time=100, max_ejection_time=1e6)
    ejector, a, b, _c = cluster(settings)
    for _ in range(9):
        fail(ejector, a, ejector.next_sweep)
        ejector.health_check_ok(a, ejector.next_sweep)
    fail(ejector, a, 1)
    seen = []
    turn = type(b).turn
    monkeypatch.setattr(type(b), "turn", lambda tally: seen.append(tally) or turn(tally))
    ejector.sweep(1000.9995)
    assert a.ejected
    assert a.multiplier == 10
    ejector.sweep(1001.0075)
    # back at the sweep at or after 1001; one off in each sweep from an interval later on
    assert not a.ejected
    assert a.last_unejection == pytest.approx(1001)
    assert a.multiplier == 3
    ejector.sweep(365 * 86400.0)
    assert a.multiplier == 0
    assert ejector.next_sweep == pytest.approx(365 * 86400.0, abs=0.002)
    assert len(seen) < 3 * 20


@given(
    st.floats(0, 1e7),
    st.sampled_from([0.1, 1 / 3, 0.7, 1.0, 5.0, 10.0]),
    st.integers(1, 9),
    st.integers(1, 1000),
)
def test_float_times_lose_no_sweep_to_rounding(start, interval, steps, turn):
    """A sweep ejects; so times meet deadlines exactly, but for the last bits of a float."""
    settings = Settings(
        interval=interval,
        base_ejection_time=steps * interval,
        max_ejection_percent=100,
        consecutive_5xx=0,
        enforcing_success_rate=0,
        enforcing_failure_percentage=100,
        failure_percentage_minimum_hosts=1,
        failure_percentage_request_volume=1,
    )
    ejector, a = cluster(settings, "a", start)
    ejector.sweep(ejector._grid.deadline(turn - 1))
    a.bad(500)
    for more in range(steps):
        ejector.sweep(ejector._grid.deadline(turn + more))
        assert a.ejected
    ejector.sweep(ejector._grid.deadline(turn + steps))
    assert not a.ejected
    assert a.multiplier == 1
    ejector.sweep(ejector._grid.deadline(turn + steps + 1))
    assert a.multiplier == 0
    [ejected, returned] = ejector.changes
    assert ejected.until == pytest.approx(returned.at, abs=1e-6)


def test_a_clock_that_steps_back_changes_nothing():
    ejector, a, *_ = cluster(now=100)
    fail(ejector, a, 90)
    ejector.sweep(50)
    assert a.ejected
    assert ejector.take_changes()[0].until == 120
    ejector.sweep(120)
    assert not a.ejected


def test_a_health_check_ahead_of_its_time_delays_the_decay_until_then():
    ejector, a, *_ = cluster()
    fail(ejector, a, 1)
    ejector.health_check_ok(a, 95)
    ejector.sweep(100)
    assert a.multiplier == 1
    ejector.sweep(110)
    assert a.multiplier == 0


def test_a_draw_that_fails_leaves_the_sweeps_to_be_run_again():
    settings = attrs.evolve(
        OUT,
        consecutive_5xx=0,
        enforcing_failure_percentage=50,
        failure_percentage_minimum_hosts=1,
        failure_percentage_request_volume=1,
    )
    numbers = iter([])
    ejector, a = cluster(settings, "a", draw=lambda: next(numbers))
    a.bad(500)
    with pytest.raises(StopIteration):
        ejector.sweep(35)
    ejector.sweep(45)
    assert ejector.next_sweep == 50
    assert ejector._grid.next == 50


def test_times_may_be_fractions():
    settings = attrs.evolve(OUT, interval=Fraction(1, 3), base_ejection_time=Fraction(2, 3))
    ejector, a, *_ = cluster(settings, now=Fraction(1, 7))
    fail(ejector, a, Fraction(1, 7))
    ejector.sweep(Fraction(1, 7) + Fraction(2, 3) - Fraction(1, 10**30))
    assert a.ejected
    ejector.sweep(Fraction(1, 7) + Fraction(2, 3))
    assert not a.ejected
    assert isinstance(ejector.next_sweep, Fraction)
