"""RateLimiter: its law is the machine's, and it reads as people expect."""

import asyncio
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.exactness import assert_atomic
from trafficcore.core.limit import Gcra, TokenBucket
from trafficcore.engine.guard import locked
from trafficcore.errors import ConfigError, ImpossibleCost, Rejected
from trafficcore.live.limiter import RateLimiter, _DenseRateLimiter
from trafficcore.outcome import Reason

KINDS = pytest.mark.parametrize("kind", [RateLimiter, locked(RateLimiter)], ids=["free", "locked"])


@pytest.mark.parametrize(
    ("cls", "state"), [(RateLimiter, {"full_at"}), (_DenseRateLimiter, {"tokens", "last"})]
)
def test_try_acquire_gives_way_nowhere_in_its_run(cls, state):
    assert_atomic(cls.try_acquire, state, untrusted={"cost"})


@KINDS
def test_a_burst_then_a_token_at_a_time(kind, clock):
    limiter = kind(rate=10, capacity=2, clock=clock)
    assert [limiter.try_acquire() for _ in range(3)] == [True, True, False]
    clock.advance(0.0999)
    assert not limiter.try_acquire()
    clock.advance(0.0001)
    assert limiter.try_acquire()
    assert not limiter.try_acquire()


STEPS = st.lists(
    st.tuples(
        st.floats(-1, 20) | st.just(0.0),
        st.sampled_from(["try_acquire", "refund", "earliest"]),
        st.integers(1, 12) | st.floats(0.1, 12),
    ),
    max_size=30,
)


@pytest.mark.parametrize(
    ("rate", "capacity", "machine"),
    [(0.5, 10, Gcra), (7.3, 2.5, Gcra), (2e6, 10, TokenBucket), (0, 10, TokenBucket)],
)
@given(steps=STEPS)
def test_the_law_is_the_machines(rate, capacity, machine, steps):
    now = [50.0]
    handle = RateLimiter(rate, capacity, clock=lambda: now[0])
    core = machine(capacity, float(rate))
    for wait, verb, cost in steps:
        now[0] += wait if rate < 1e6 else wait * 1e-6
        if verb == "try_acquire":
            assert handle.try_acquire(cost) is core.try_acquire(now[0], cost)
        elif verb == "refund":
            handle.refund(cost)
            core.refund(cost, now[0])
        elif cost > capacity:
            with pytest.raises(ImpossibleCost):
                handle.earliest(cost)
        else:
            assert handle.earliest(cost) == core.earliest(now[0], cost)
        assert handle.tokens() == core.tokens_at(now[0])


def test_the_default_clock_and_capacity():
    limiter = RateLimiter(3)
    assert [limiter.try_acquire() for _ in range(4)] == [True] * 3 + [False]


@pytest.mark.parametrize("rate", [0, 1e-9, 0.5, 1e6, 1_000_001, 1e9])
@pytest.mark.parametrize("kind", [RateLimiter, locked(_DenseRateLimiter)], ids=["free", "locked"])
def test_it_limits_at_any_rate(kind, rate, clock):
    clock.now = 3e7
    limiter = kind(rate, 1000, clock=clock)
    assert sum(limiter.try_acquire() for _ in range(1100)) == pytest.approx(1000, abs=2)
    assert not limiter.try_acquire(100)


def test_a_billion_tokens_a_second_are_counted_exactly(clock):
    limiter = RateLimiter(1e9, 1000, clock=clock)
    assert sum(limiter.try_acquire() for _ in range(1100)) == 1000
    earned = int((clock.advance(2**-23) - 100) * 1e9)
    assert sum(limiter.try_acquire() for _ in range(1100)) == earned == 119
    assert type(limiter).__name__ == "_DenseRateLimiter"
    assert isinstance(limiter, RateLimiter)


@pytest.mark.parametrize("limiter", [RateLimiter(0), RateLimiter(5, 0), RateLimiter("0/min")])
def test_a_quota_of_0_refuses_everything(limiter):
    assert not limiter.try_acquire()
    assert not limiter.try_acquire(0.1)
    with pytest.raises(ImpossibleCost):
        limiter.earliest()
    with pytest.raises(Rejected) as refusal, limiter:
        pass
    assert refusal.value.retry_after is None


@pytest.mark.parametrize("limiter", [RateLimiter(5), RateLimiter(1e9)], ids=["gcra", "dense"])
@pytest.mark.parametrize("cost", [0, -1, math.nan, math.inf, -math.inf])
def test_a_cost_that_is_no_amount_is_an_error(limiter, cost):
    for ask in (limiter.try_acquire, limiter.acquire, limiter.earliest, limiter.reserve):
        with pytest.raises(ConfigError, match="cost must be a finite number above 0"):
            ask(cost)
    with pytest.raises(ConfigError, match="cost must be"):
        asyncio.run(limiter.acquire_async(cost))


def test_a_cost_above_the_capacity_is_never_granted(clock):
    limiter = RateLimiter(5, clock=clock)
    assert not limiter.try_acquire(6)
    for ask in (limiter.acquire, limiter.earliest, limiter.reserve):
        with pytest.raises(ImpossibleCost, match="a cost of 6 is above the capacity, 5"):
            ask(6)
    with pytest.raises(ImpossibleCost, match="above the capacity"):
        asyncio.run(limiter.acquire_async(6))
    assert limiter.tokens() == 5


@pytest.mark.parametrize("limiter", [RateLimiter(5), RateLimiter(2e9)], ids=["gcra", "dense"])
def test_costs_may_be_of_any_number_class(limiter):
    assert limiter.try_acquire(Fraction(1, 2))
    assert limiter.try_acquire(True)
    assert not isinstance(limiter.tokens(), Fraction)


@KINDS
def test_a_block_takes_a_token_or_raises(kind, clock):
    limiter = kind(0.5, clock=clock, name="logins")
    with limiter as entered:
        assert entered is limiter
    with pytest.raises(Rejected) as refusal, limiter:
        pytest.fail("entered")
    assert refusal.value.reason is Reason.RATE_LIMITED
    assert refusal.value.source == "logins"
    assert refusal.value.retry_after == pytest.approx(2, abs=1e-5)
    clock.advance(refusal.value.retry_after)
    with limiter:
        pass


def test_an_async_block_takes_a_token_or_raises(clock):
    limiter = RateLimiter(1, clock=clock)

    async def main():
        async with limiter as entered:
            assert entered is limiter
        with pytest.raises(Rejected):
            async with limiter:
                pytest.fail("entered")

    asyncio.run(main())


def test_a_block_does_not_swallow_errors(clock):
    limiter = RateLimiter(5, clock=clock)
    with pytest.raises(ZeroDivisionError), limiter:
        _ = 1 / 0

    async def main():
        async with limiter:
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


def test_a_decorated_function_takes_a_token_a_call(clock):
    limiter = RateLimiter(1, 2, clock=clock)

    @limiter
    def greet(name, *, loud=False):
        """Say hello."""
        return name.upper() if loud else name

    assert greet.__name__ == "greet"
    assert greet.__doc__ == "Say hello."
    assert greet("ann") == "ann"
    assert greet("ann", loud=True) == "ANN"
    with pytest.raises(Rejected):
        greet("ann")


def test_a_decorated_coroutine_function_takes_a_token_when_awaited(clock):
    limiter = RateLimiter(1, clock=clock)

    @limiter
    async def greet(name):
        return name

    async def main():
        assert asyncio.iscoroutinefunction(greet)
        greet("never awaited").close()
        assert await greet("ann") == "ann"
        with pytest.raises(Rejected):
            await greet("ann")

    asyncio.run(main())


@KINDS
def test_what_is_given_back_can_be_taken_again_and_no_more(kind, clock):
    limiter = kind(1, 3, clock=clock)
    assert limiter.try_acquire(3)
    limiter.refund(2)
    assert limiter.tokens() == pytest.approx(2, abs=0.001)
    limiter.refund(50)
    assert limiter.try_acquire(3)
    assert not limiter.try_acquire()
    with pytest.raises(ConfigError, match="cost must be"):
        limiter.refund(0)


def test_earliest_is_on_the_limiters_clock_and_granted_then(clock):
    limiter = RateLimiter(3, clock=clock)
    assert limiter.earliest() == clock.now
    limiter.try_acquire(3)
    due = limiter.earliest(2)
    assert due == pytest.approx(100 + 2 / 3, abs=1e-5)
    clock.now = due
    assert limiter.try_acquire(2)


def test_a_clock_that_steps_back_earns_nothing(clock):
    limiter = RateLimiter(1, 2, clock=clock)
    assert limiter.try_acquire(2)
    clock.now -= 50
    assert not limiter.try_acquire()
    clock.now += 50.5
    assert not limiter.try_acquire()
    clock.now += 0.5
    assert limiter.try_acquire()


def test_the_snapshot_is_plain_data(clock):
    limiter = RateLimiter("6/min", clock=clock, name="mail")
    limiter.try_acquire(6)
    clock.advance(25)
    assert limiter.snapshot() == {
        "name": "mail",
        "tokens": pytest.approx(2.5, abs=1e-4),
        "capacity": 6,
        "rate": pytest.approx(0.1),
        "waiting": 0,
    }


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_settings_that_cannot_work_are_refused_with_their_value(value):
    with pytest.raises(ConfigError, match=f"rate must be .* not {value!r}"):
        RateLimiter(value)
    with pytest.raises(ConfigError, match=f"capacity must be .* not {value!r}"):
        RateLimiter(1, value)
