"""Rings by themselves: what counts at which time, exactly, and what leaves when."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.breaker import Count, Cumulative, Time
from trafficcore.core.breaker.counts import NOTHING
from trafficcore.core.breaker.window import make_window

times = st.lists(st.integers(0, 40).map(lambda n: Fraction(n, 4)), max_size=40).map(sorted)


def one(duration=1):
    return (1, 0, 0, 0, 0, duration)


@given(times, st.sampled_from([(2, 1), (2, 4), (Fraction(5), 3), (3, 3)]))
def test_a_result_counts_while_its_bucket_is_one_of_the_last_n(at, shape):
    size, buckets = shape
    length = Fraction(size) / buckets
    window = make_window(Time(Fraction(size), buckets), Fraction(0))
    for number, now in enumerate(at):
        if now >= window.until:
            window.turn(now, NOTHING)
        window.turn(now, one())
        expected = sum(now // length - then // length < buckets for then in at[: number + 1])
        assert window.read(now, NOTHING)[0] == window.kept[0] == expected
        assert window.read(now, NOTHING)[5] == expected
        assert window.evicted == number + 1 - expected
        later = now + size / 2
        left = sum(later // length - then // length < buckets for then in at[: number + 1])
        assert window.read(later, NOTHING)[0] == left
        assert window.evicted == number + 1 - expected


@given(times, st.integers(1, 5), st.sampled_from([1, 2, Fraction(1, 2)]))
def test_by_its_start_a_result_goes_to_its_own_bucket_or_is_dropped(starts, buckets, step):
    window = make_window(Time(Fraction(buckets * step), buckets, "start"), Fraction(0))
    now = Fraction(7 * step)
    window.turn(now, NOTHING)
    starts = [start * step for start in starts if start <= 7][::-1]
    kept = [start for start in starts if 7 - start // step < buckets]
    assert [window.add(one(), start) for start in starts] == [start in kept for start in starts]
    for later in range(7, 20):
        left = sum(later - start // step < buckets for start in kept)
        assert window.read(Fraction(later * step), NOTHING)[0] == left


KINDS = [
    (1, 1, 0, 0, 0, 0),
    (1, 0, 1, 0, 0, 2),
    (1, 1, 1, 1, 1, 0),
    (1, 1, 0, 0, 1, Fraction(1, 2)),
]
GOOD = (1, 0, 0, 0, 0, 0)
kinds = st.lists(st.sampled_from(KINDS), max_size=6)


def summed(results):
    return tuple(map(sum, zip(NOTHING, *results, strict=True)))


@given(st.lists(st.tuples(st.integers(0, 7), kinds), max_size=30), st.integers(1, 9))
def test_the_last_n_results_count_whether_they_come_alone_or_as_a_run(batches, size):
    window = make_window(Count(size), 0)
    log = []
    for good, others in batches:
        window.turn(0, (good, 0, 0, 0, 0, 0))
        log += [GOOD] * good
        for other in others:
            window.add(other, 0)
            log.append(other)
            assert window.place(0) == len(log) - 1
        assert window.read(0, NOTHING) == window.kept == summed(log[-size:])
        assert window.evicted == len(log) - len(log[-size:])


MORE = (0, 1, 0, 1, 1, Fraction(3))


@given(st.lists(st.sampled_from([GOOD, *KINDS]), min_size=1, max_size=20), st.data())
def test_a_result_of_the_last_n_can_be_added_to_and_leaves_with_what_was_added(results, data):
    size = data.draw(st.integers(1, 9))
    window = make_window(Count(size), 0)
    for result in results:
        window.add(result, 0)
    log = list(results)
    for place in data.draw(st.lists(st.integers(0, len(log) - 1), max_size=4)):
        inside = place >= len(log) - size
        assert window.amend(place, MORE) is inside
        if inside:
            log[place] = tuple(map(sum, zip(log[place], MORE, strict=True)))
        assert window.kept == summed(log[-size:])
    for _ in range(size):
        window.add(GOOD, 0)
        log.append(GOOD)
        assert window.kept == summed(log[-size:])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20).map(sorted), st.data())
def test_a_result_in_a_bucket_can_be_added_to_and_leaves_with_what_was_added(at, data):
    window = make_window(Time(5, 5), 0)
    log = {}
    for now in at:
        window.turn(now, NOTHING)
        window.turn(now, GOOD)
        log.setdefault(now, []).append(GOOD)
    now = at[-1]
    for place in data.draw(st.lists(st.integers(0, 9), max_size=4)):
        inside = place in log and now - place < 5
        assert bool(window.amend(place, MORE)) is inside
        if inside:
            log[place].append(MORE)
    for later in range(now, now + 6):
        there = [each for then, those in log.items() if later - then < 5 for each in those]
        assert window.read(later, NOTHING) == summed(there)
        window.turn(later, NOTHING)
        assert window.kept == summed(there)


def test_all_results_count():
    window = make_window(Cumulative(), 0)
    window.turn(1, one(2))
    assert window.add(one(3), 1) is True
    assert window.read(10**9, one(4)) == (3, 0, 0, 0, 0, 9)
    assert window.amend(window.place(1), MORE) is True
    assert (window.read(5, NOTHING), window.evicted) == ((2, 1, 0, 1, 1, 8), 0)
    window.clear(5)
    assert window.read(5, NOTHING) == NOTHING


@pytest.mark.parametrize("size", [0.1, 0.3, 1.1, 7.7, 1e-3])
@pytest.mark.parametrize("base", [0.0, 1.0, 1e5 / 3, 1e9 / 7])
def test_on_floats_the_present_is_always_before_the_next_turn(size, base):
    window = make_window(Time(size, 10), 0.0)
    now = base
    for _ in range(2_000):
        window.turn(now, NOTHING)
        assert now < window.until <= now + size / 10 * 1.01
        assert type(window.until) is float
        now = window.until


def test_times_that_are_whole_turn_at_whole_times():
    window = make_window(Time(10, 10), 3)
    assert (window.until, type(window.until)) == (4, int)
    window.turn(7.5, NOTHING)
    assert (window.until, type(window.until)) == (8.0, float)


def test_rounding_leaves_nothing_behind_in_an_empty_window():
    window = make_window(Time(1, 10), 0.0)
    for tenth in range(300):
        window.turn(tenth / 10, one(0.1 + tenth))
    window.turn(100.0, NOTHING)
    assert window.kept == NOTHING
