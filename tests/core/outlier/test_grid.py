"""Sweeps keep to their grid, on floats as on exact numbers, and a gap costs a few of them."""

import math
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import given

from trafficcore.core.outlier.grid import Grid, catch_up, passed, reached

starts = st.floats(0, 1e7)
intervals = st.sampled_from([0.001, 0.1, 1 / 3, 0.7, 1.0, 10.0, 60.0])


def laid(start, interval):
    grid = Grid(interval)
    grid.begin(start)
    return grid


@given(starts, intervals, st.integers(0, 10**6), st.floats(0, 1))
def test_the_index_is_of_the_last_deadline_at_or_before(start, interval, turn, part):
    grid = laid(start, interval)
    moment = grid.deadline(turn) + part * interval
    index = grid.index(moment)
    assert grid.deadline(index) <= moment < grid.deadline(index + 1)
    assert grid.index(grid.deadline(turn)) == turn


@given(starts, intervals, st.integers(1, 10**5), st.integers(1, 100))
def test_a_whole_number_of_intervals_after_a_deadline_is_at_a_deadline(start, interval, turn, more):
    grid = laid(start, interval)
    due = grid.deadline(turn) + more * interval
    assert reached(grid.deadline(turn + more), due)
    assert not passed(grid.deadline(turn + more), due)
    assert not reached(grid.deadline(turn + more - 1), due)
    assert abs(grid.after(due) - due) < 1e-6
    assert abs(grid.after(due, strictly=True) - due - interval) < 1e-6


def test_exact_numbers_get_no_slack():
    tiny = Fraction(1, 10**9)
    assert reached(Fraction(1), Fraction(1))
    assert not reached(Fraction(1) - tiny, Fraction(1))
    assert passed(Fraction(1) + tiny, Fraction(1))
    assert not passed(1, 1)
    assert reached(1.0 - 1e-9, 1.0)
    assert not passed(1.0 + 1e-9, 1.0)


def test_a_grid_begins_once():
    grid = Grid(10)
    assert grid.next == math.inf
    grid.begin(3)
    grid.begin(7)
    assert grid.next == 13
    grid.stop()
    assert grid.next == math.inf
    grid.begin(20)
    assert grid.next == 30


def test_another_interval_counts_from_the_last_sweep_but_not_to_before_now():
    grid = laid(0, 10)
    grid.step(2)
    assert grid.next == 30
    grid.change(10, 25)
    assert grid.next == 30
    grid.change(60, 25)
    assert grid.next == 80
    grid.change(1, 25)
    assert grid.next == 25
    idle = Grid(10)
    idle.change(5, 99)
    idle.begin(100)
    assert idle.next == 105


class Sweeps:
    """Ten idle sweeps, but for the numbers of those that see calls."""

    def __init__(self, busy=(), earliest=math.inf):
        self.grid = laid(0, 10)
        self.busy, self.earliest = busy, earliest
        self.seen = []
        self.idled = 0

    def run(self, now):
        catch_up(self.grid, now, self.sweep, lambda at: self.earliest, self.idle)
        return self.seen

    def sweep(self, at):
        self.seen.append(at)
        return at in self.busy

    def idle(self, turns):
        self.idled += turns


def test_nothing_runs_before_its_deadline_and_the_deadline_is_in():
    sweeps = Sweeps()
    assert sweeps.run(9) == []
    assert sweeps.run(10) == [10]
    assert sweeps.run(10) == [10]
    assert sweeps.grid.next == 20


def test_a_gap_is_stepped_over_in_one_after_the_first_idle_sweep():
    sweeps = Sweeps(busy={10, 20})
    assert sweeps.run(10**9 + 5) == [10, 20, 30]
    assert sweeps.idled == 10**8 - 3
    assert sweeps.grid.next == 10**9 + 10


def test_a_gap_is_stepped_over_up_to_a_return():
    sweeps = Sweeps(earliest=75)
    seen = sweeps.run(79)
    assert seen == [10, 70]
    assert sweeps.idled == 5
    sweeps = Sweeps(earliest=70)
    assert sweeps.run(79) == [10, 70]
