"""Settings at the ends of what a float is, and amounts that are none."""

import math
from fractions import Fraction

import pytest

from support.shared import shared_gcra, shared_keyed
from trafficcore.core.limit import Gcra, KeyedGcra, TokenBucket
from trafficcore.core.limit.amounts import round_up
from trafficcore.core.limit.gcra import spacing
from trafficcore.core.limit.sliding import SlidingWindow
from trafficcore.errors import ConfigError
from trafficcore.live import KeyedRateLimiter, RateLimiter, SlidingWindowLimiter


@pytest.mark.parametrize(
    ("capacity", "rate"),
    [(1, 1e-309), (1, 5e-324), (1e300, 1e-300), (1.5, Fraction(1, 10**400))],
)
def test_a_rate_that_fills_the_bucket_in_no_finite_time_is_refused(capacity, rate):
    for make in (spacing, Gcra, KeyedGcra):
        with pytest.raises(ConfigError, match="in a finite time, not"):
            make(capacity, rate)


def test_the_handles_refuse_it_too_and_keep_what_they_had():
    for make in (RateLimiter, KeyedRateLimiter):
        with pytest.raises(ConfigError, match="in a finite time, not 1e-309"):
            make(1e-309, 1, share="local")
        limiter = make(10, 10, share="local")
        with pytest.raises(ConfigError, match="in a finite time, not 1e-309"):
            limiter.update(rate=1e-309)
        assert limiter.rate == 10


@pytest.mark.parametrize("rate", [1e-307, Fraction(1, 10**300)])
def test_the_slowest_rates_grant_what_is_there_and_no_more(rate):
    bucket = Gcra(1, rate)
    assert [bucket.try_acquire(100.0), bucket.try_acquire(100.0)] == [True, False]
    assert bucket.earliest(100.0) > 1e299


@pytest.mark.parametrize(("limit", "window"), [(5, 1e-320), (5, 1e-300), (1e300, 1e10)])
def test_a_window_that_cannot_be_counted_in_is_refused(limit, window):
    for make in (SlidingWindow, SlidingWindowLimiter):
        with pytest.raises(ConfigError, match="window must be one that can hold"):
            make(limit, window)


def test_a_window_of_the_longest_kind_ends_its_search():
    machine = SlidingWindow(1, 1e308)
    assert machine.try_acquire(100.0)
    assert machine.earliest(100.0) == math.inf


@pytest.mark.parametrize("due", [5.0, -5.0, 0.0, math.inf, math.nan])
def test_a_time_that_never_comes_is_no_loop(due):
    assert round_up(due, lambda _: False) == math.inf


@pytest.mark.parametrize("make", [Gcra, TokenBucket, KeyedGcra])
def test_a_whole_number_that_no_float_can_be_is_no_setting(make):
    for settings in ((10**400, 1), (1, 10**400)):
        with pytest.raises(ConfigError, match="must be"):
            make(*settings)


NONE = [math.inf, -math.inf, math.nan, 0, -1, 10**400, "1", None, [1]]
AMOUNT = "cost must be a finite number above 0, not"


@pytest.mark.parametrize("cost", NONE)
@pytest.mark.parametrize("make", [Gcra, TokenBucket, SlidingWindow, shared_gcra])
def test_no_machine_takes_or_gives_back_what_is_no_amount(make, cost):
    machine = make(10, 1)
    machine.try_acquire(5.0)
    before = machine.tokens_at(5.0)
    for verb in ("refund", "charge", "take_up_to"):
        if hasattr(machine, verb):
            values = (5.0, cost) if verb == "take_up_to" else (cost, 5.0)
            with pytest.raises(ConfigError, match=AMOUNT):
                getattr(machine, verb)(*values)
    assert machine.tokens_at(5.0) == before


@pytest.mark.parametrize("cost", NONE)
@pytest.mark.parametrize("make", [KeyedGcra, shared_keyed])
def test_no_keyed_machine_does_either(make, cost):
    machine = make(10, 1)
    machine.try_acquire("a", 5.0)
    before = machine.tokens_at("a", 5.0)
    for verb in (machine.refund, machine.charge):
        with pytest.raises(ConfigError, match=AMOUNT):
            verb("a", cost, 5.0)
    assert machine.tokens_at("a", 5.0) == before


@pytest.mark.parametrize("cost", NONE)
@pytest.mark.parametrize(
    "make",
    [
        lambda: RateLimiter(10, share="local"),
        lambda: RateLimiter(2e6, share="local"),
        lambda: KeyedRateLimiter(10, share="local").of("a"),
        lambda: SlidingWindowLimiter(10, 1),
    ],
)
def test_no_handle_knows_such_a_cost(make, cost):
    limiter = make()
    for name in ("try_acquire", "acquire", "reserve", "earliest", "refund"):
        verb = getattr(limiter, name, None)
        if verb is not None:
            with pytest.raises(ConfigError, match=AMOUNT):
                verb(cost)
    if hasattr(limiter, "correct"):
        for pair in ((1, cost), (cost, 1)):
            if cost != 0:
                with pytest.raises(ConfigError, match="must be a finite number from 0, not"):
                    limiter.correct(*pair)


def test_a_debt_beyond_all_floats_can_be_given_back():
    bucket, keyed = Gcra(1, 0.01), KeyedGcra(1, 0.01)
    bucket.charge(1.7e308, 5.0)
    keyed.charge("a", 1.7e308, 5.0)
    assert not bucket.try_acquire(5.0)
    assert not keyed.try_acquire("a", 5.0)
    bucket.refund(1.7e308, 5.0)
    keyed.refund("a", 1.7e308, 5.0)
    assert [bucket.try_acquire(5.0) for _ in "ab"] == [True, False]
    assert [keyed.try_acquire("a", 5.0) for _ in "ab"] == [True, False]
