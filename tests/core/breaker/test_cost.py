"""What a result costs hangs neither on how long the window is nor on what has gone by.

Lines of Python are counted, not time: a count is the same on every machine, in every run.
"""

import sys

import pytest

from trafficcore.core.breaker import SLOW, Breaker, Count, Cumulative, Open, Rule, Settings, Time

SIZES = [1, 10, 60, 600, 3600]
TRAFFIC = [1, 100, 10_000]
RULES = (Rule("error_rate", 1, ">"), Rule("slow_count", 10**6))


#: Which way an `if` goes may make so many lines more or less; a loop over results makes thousands.
BRANCHES = 20


def flat(costs):
    return max(costs) - min(costs) <= BRANCHES


def lines(function, *args):
    """Return how many lines of Python a call runs."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*args)
    finally:
        sys.settrace(before)
    return count


def filled(window, calls):
    """A breaker in whose window so many calls of every kind have been counted, now at 7200.0."""
    breaker = Breaker(Settings(window=window, slow_after=1, trip=RULES, open=Open(60)), now=0.0)
    size = getattr(window, "size", 1) if isinstance(window, Time) else 1
    for call in range(calls):
        now = 7200.0 - size + size * call / calls
        breaker.record(breaker.try_acquire(now), now, call % 10 == 0, 2 if call % 7 == 0 else 0.5)
    breaker.good(breaker.try_acquire(7200.0), 7200.0)
    return breaker


def costs(breaker, now):
    """Return what each form costs inside a sub-window, the edges far away."""
    era = breaker.try_acquire(now)
    return {
        "acquire": lines(breaker.try_acquire, now),
        "good": lines(breaker.good, era, now),
        "error": lines(breaker.bad, era, now),
        "slow": lines(breaker.bad, era, now, SLOW),
        "recorded": lines(breaker.record, era, now, False, 0.5),
    }


def test_inside_a_sub_window_every_result_costs_the_same():
    seen = [costs(filled(Time(size), calls), 7200.01) for size in SIZES for calls in TRAFFIC]
    assert seen == [seen[0]] * len(seen)
    assert max(seen[0].values()) < 25


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_turn_costs_the_same_however_long_the_window_and_busy_the_traffic(kind):
    def turn(size, calls):
        breaker = filled(Time(size), calls)
        now = 7200.0 + size / 10
        return lines(breaker.bad, breaker.try_acquire(now), now, kind)

    seen = {turn(size, calls) for size in SIZES for calls in TRAFFIC[1:]}
    assert flat(seen)
    assert max(seen) < 200


def test_after_a_silence_the_whole_ring_goes_in_one_turn_that_costs_by_its_buckets():
    def turn(size, calls):
        breaker = filled(Time(size), calls)
        now = 7200.0 + 10 * size
        return lines(breaker.good, breaker.try_acquire(now), now)

    seen = {turn(size, calls) for size in SIZES for calls in TRAFFIC[1:]}
    assert flat(seen)
    assert max(seen) < 200 + 10 * 25


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("make", [Count, lambda _: Cumulative()], ids=["count", "all"])
def test_windows_without_time_cost_no_more_the_longer_they_are(make, kind):
    def full(size):
        breaker = filled(make(size), 3 * size)
        return lines(breaker.bad, breaker.try_acquire(7201.0), 7201.0, kind)

    seen = {full(10), full(1_000), full(10_000)}
    assert flat(seen)
    assert max(seen) < 250


def test_an_evaluation_costs_by_its_rules_alone():
    def look(size, calls):
        breaker = filled(Time(size), calls)
        breaker._error_edge = 0
        return lines(breaker.bad, breaker.try_acquire(7200.01), 7200.01)

    seen = {look(size, calls) for size in SIZES for calls in TRAFFIC}
    assert flat(seen)
    assert max(seen) < 75
