"""KeyedRateLimiter: the machine with a clock, and lines for each key."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.exactness import assert_atomic
from trafficcore.core.limit import KeyedGcra
from trafficcore.engine.guard import locked
from trafficcore.errors import ConfigError, ImpossibleCost, Rejected
from trafficcore.live.limiter import KeyedRateLimiter
from trafficcore.outcome import Reason
from trafficcore.testing import VirtualTime

KINDS = pytest.mark.parametrize(
    "kind", [KeyedRateLimiter, locked(KeyedRateLimiter)], ids=["free", "locked"]
)


def test_try_acquire_gives_way_nowhere_in_its_run():
    assert_atomic(KeyedRateLimiter.try_acquire, {"_full_at"}, untrusted={"cost"})


@KINDS
def test_keys_have_buckets_of_their_own(kind, clock):
    limiter = kind("2/s", clock=clock)
    assert [limiter.try_acquire("a") for _ in range(3)] == [True, True, False]
    assert [limiter.try_acquire("b", 2), limiter.try_acquire("b")] == [True, False]
    clock.advance(0.5)
    assert limiter.try_acquire("a")
    assert limiter.tokens("b") == pytest.approx(1, abs=0.001)


@given(
    steps=st.lists(
        st.tuples(
            st.floats(-1, 20) | st.floats(60, 90),
            st.sampled_from("abcd"),
            st.sampled_from(["try_acquire", "refund", "earliest"]),
            st.integers(1, 6),
        ),
        max_size=40,
    )
)
def test_the_law_is_the_machines(steps):
    now = [50.0]
    handle = KeyedRateLimiter(0.5, 5, max_keys=3, clock=lambda: now[0])
    core = KeyedGcra(5, 0.5, max_keys=3)
    for wait, key, verb, cost in steps:
        now[0] += wait
        if verb == "try_acquire":
            assert handle.try_acquire(key, cost) is core.try_acquire(key, now[0], cost)
        elif verb == "refund":
            handle.refund(key, cost)
            core.refund(key, cost, now[0])
        elif cost > 5:
            with pytest.raises(ImpossibleCost):
                handle.earliest(key, cost)
        else:
            assert handle.earliest(key, cost) == core.earliest(key, now[0], cost)
        assert handle.tokens(key) == core.tokens_at(key, now[0])
        assert len(handle._full_at) == len(core)


def test_memory_is_bounded_and_the_overflow_is_reported(clock):
    limiter = KeyedRateLimiter(1, 5, max_keys=10, clock=clock, name="ip")
    for i in range(100):
        limiter.try_acquire(f"key {i}")
    state = limiter.snapshot()
    assert state == {
        "name": "ip",
        "waiting": 0,
        "keys": 10,
        "known": 0,
        "max_keys": 10,
        "overflowed": 90,
        "capacity": 5,
        "rate": 1.0,
    }


def test_an_overflow_is_said_once_in_the_log(clock, caplog):
    limiter = KeyedRateLimiter(1, max_keys=2, clock=clock, name="ip")
    for i in range(20):
        limiter.try_acquire(f"key {i}")
    lines = [record.getMessage() for record in caplog.records if record.name == "trafficcore"]
    assert lines == ["ip: all 2 keys are in use; new ones share one bucket"]


def test_known_keys_do_not_share(clock):
    limiter = KeyedRateLimiter(1, max_keys=2, known={"ann", "bob"}.__contains__, clock=clock)
    for i in range(20):
        limiter.try_acquire(f"key {i}")
    assert limiter.try_acquire("ann")
    assert limiter.try_acquire("bob")
    assert not limiter.try_acquire("eve")
    assert limiter.snapshot()["known"] == 2


def test_desks_are_kept_only_for_what_is_to_come(clock):
    limiter = KeyedRateLimiter(1, clock=clock)
    for i in range(50):
        limiter.reserve(f"key {i}")
        limiter.reserve(f"key {i}")
        clock.advance(1.5)
    assert len(limiter._desks) <= 3
    turn = limiter.reserve("ann"), limiter.reserve("ann")
    assert turn[1].cancel() == pytest.approx(1)


@KINDS
def test_a_block_and_a_function_take_their_keys_token(kind, clock):
    limiter = kind(1, clock=clock, name="users")

    @limiter.by(lambda user, **_: user)
    def greet(user, *, loud=False):
        return user.upper() if loud else user

    assert greet("ann", loud=True) == "ANN"
    with pytest.raises(Rejected) as refusal:
        greet("ann")
    assert refusal.value.reason is Reason.RATE_LIMITED
    assert refusal.value.source == "users"
    assert refusal.value.retry_after == pytest.approx(1, abs=1e-5)
    with limiter.limited("bob"):
        pass
    with pytest.raises(Rejected), limiter.limited("bob"):
        pytest.fail("entered")


def test_coroutine_functions_and_async_blocks(clock):
    limiter = KeyedRateLimiter(1, clock=clock)

    @limiter.by(lambda user: user)
    async def greet(user):
        return user

    async def main():
        assert await greet("ann") == "ann"
        with pytest.raises(Rejected):
            await greet("ann")
        async with limiter.limited("bob"):
            pass
        with pytest.raises(Rejected):
            async with limiter.limited("bob"):
                pytest.fail("entered")

    asyncio.run(main())


@pytest.mark.parametrize("cost", [0, -1, math.nan, math.inf])
def test_a_cost_that_is_no_amount_is_an_error(cost, clock):
    limiter = KeyedRateLimiter(1, clock=clock)
    for ask in (limiter.try_acquire, limiter.acquire, limiter.earliest, limiter.refund):
        if ask == limiter.refund and cost == math.inf:
            continue  # as much as fits
        with pytest.raises(ConfigError, match="cost must be"):
            ask("a", cost)


def test_what_never_comes(clock):
    limiter = KeyedRateLimiter(5, clock=clock)
    assert not limiter.try_acquire("a", 6)
    for ask in (limiter.acquire, limiter.earliest, limiter.reserve):
        with pytest.raises(ImpossibleCost, match="a cost of 6 is above the capacity, 5"):
            ask("a", 6)
    with pytest.raises(ImpossibleCost, match="a cost of 6"):
        asyncio.run(limiter.acquire_async("a", 6))
    nothing = KeyedRateLimiter(0, clock=clock)
    assert not nothing.try_acquire("a")
    with pytest.raises(Rejected) as refusal, nothing.limited("a"):
        pass
    assert refusal.value.retry_after is None
    with pytest.raises(ConfigError, match="at most 1000000 for each key"):
        KeyedRateLimiter(2e6)


def test_waiting_is_for_each_key_alone(clock):
    limiter = KeyedRateLimiter(1, clock=clock, sleep=clock.advance)
    limiter.acquire("a")
    limiter.acquire("b")
    assert clock.now == 100
    limiter.acquire("a")
    assert clock.now == pytest.approx(101, abs=1e-5)
    limiter.acquire("b", timeout=0)
    with pytest.raises(Rejected) as refusal:
        limiter.acquire("b", timeout=0.5)
    assert refusal.value.retry_after == pytest.approx(1, abs=1e-5)
    assert clock.now == pytest.approx(101, abs=1e-5)
    assert limiter._lines == {}


def test_tasks_wait_in_the_order_in_which_they_came():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = KeyedRateLimiter(1, clock=loop.time)
        start, done = loop.time(), []

        async def work(key, number):
            await limiter.acquire_async(key)
            done.append((key, number, round(loop.time() - start, 4)))

        waiting = [asyncio.create_task(work(key, n)) for n in range(3) for key in "ab"]
        await asyncio.sleep(0.5)
        assert limiter.snapshot()["waiting"] == 4
        assert not limiter.try_acquire("a")
        assert limiter.earliest("a") == pytest.approx(start + 3, abs=1e-4)
        assert limiter.try_acquire("c")
        await asyncio.gather(*waiting)
        for key in "ab":
            assert [(n, at) for k, n, at in done if k == key] == [(0, 0), (1, 1), (2, 2)]
        assert limiter._lines == {}
        assert not limiter.try_acquire("a")

    VirtualTime(1000).run(main())


def test_nobody_goes_past_those_who_wait_for_a_key(clock):
    """A token is there, and the one who waits has not been run yet."""

    async def main():
        limiter = KeyedRateLimiter(1, clock=clock)
        assert limiter.try_acquire("a")
        waiting = asyncio.create_task(limiter.acquire_async("a"))
        await asyncio.sleep(0)
        clock.advance(1)
        assert limiter.tokens("a") == 1
        assert not limiter.try_acquire("a")
        limiter.refund("a")
        await waiting
        assert limiter.tokens("a") == pytest.approx(0, abs=0.001)

    asyncio.run(main())


def test_the_second_in_line_is_not_passed_when_the_first_has_gone(clock):
    async def main():
        limiter = KeyedRateLimiter(1, clock=clock)
        assert limiter.try_acquire("a")
        first, second = (asyncio.create_task(limiter.acquire_async("a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        clock.advance(1)
        assert not limiter.try_acquire("a")
        limiter.refund("a")
        await second
        assert limiter._lines == {}

    asyncio.run(main())


def test_nobody_goes_past_those_who_wait_for_the_overflow(clock):
    async def main():
        limiter = KeyedRateLimiter(1, max_keys=1, clock=clock)
        assert limiter.try_acquire("a")
        assert limiter.try_acquire("b")  # there is no room for it
        waiting = asyncio.create_task(limiter.acquire_async("b"))
        await asyncio.sleep(0)
        clock.advance(1)
        assert not limiter.try_acquire("b")
        limiter.refund("b")
        await waiting

    asyncio.run(main())


def test_a_cancelled_waiter_has_taken_nothing():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = KeyedRateLimiter(1, clock=loop.time)
        await limiter.acquire_async("a")
        first, second = (asyncio.create_task(limiter.acquire_async("a")) for _ in range(2))
        await asyncio.sleep(0.5)
        first.cancel()
        before = loop.time()
        await second
        assert loop.time() - before == pytest.approx(0.5, abs=1e-4)
        assert first.cancelled()
        assert limiter._lines == {}
        with pytest.raises(Rejected):
            await limiter.acquire_async("a", timeout=0.2)
        assert limiter._lines == {}

    VirtualTime(1000).run(main())


def test_after_a_fork_nobody_waits(clock):
    limiter = KeyedRateLimiter(1, clock=clock)
    limiter.try_acquire("a")
    with limiter._desks.waiting("a"):
        clock.advance(1)
        assert not limiter.try_acquire("a")
        limiter.after_fork()
        assert limiter.try_acquire("a")
