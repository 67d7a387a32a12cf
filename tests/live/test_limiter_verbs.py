"""Reserving, correcting and changing a limiter, alone and among those who wait."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.exactness import hammer
from trafficcore.engine.guard import locked
from trafficcore.errors import ConfigError, ImpossibleCost, Rejected
from trafficcore.live.limiter import KeyedRateLimiter, RateLimiter, _DenseRateLimiter
from trafficcore.testing import VirtualTime


def one_of_many(rate, capacity=None, **more):
    return KeyedRateLimiter(rate, capacity, **more).of("ann")


def dense(rate, capacity=None, **more):
    return locked(_DenseRateLimiter)(rate, capacity, **more)


KINDS = pytest.mark.parametrize("kind", [RateLimiter, dense, one_of_many])


@KINDS
def test_a_reservation_says_from_when_it_is_good(kind, clock):
    limiter = kind(2, 2, clock=clock)
    turns = [limiter.reserve() for _ in range(4)]
    assert [turn.at for turn in turns] == pytest.approx([100, 100, 100.5, 101], abs=1e-5)
    assert [turn.delay for turn in turns] == pytest.approx([0, 0, 0.5, 1], abs=1e-5)
    assert turns[0].delay == 0
    assert all(turn.at == 100 + turn.delay for turn in turns)
    assert repr(turns[0]) == "<Reservation of 1 at 100.0>"


@KINDS
def test_nobody_goes_past_who_has_reserved(kind, clock):
    limiter = kind(1, 1, clock=clock)
    limiter.try_acquire()
    turn = limiter.reserve()
    clock.now = turn.at
    assert not limiter.try_acquire()
    assert limiter.earliest() == pytest.approx(102, abs=1e-5)
    clock.now = limiter.earliest()
    assert limiter.try_acquire()


@KINDS
def test_what_would_take_too_long_is_not_taken(kind, clock):
    limiter = kind(1, 1, clock=clock)
    limiter.try_acquire()
    with pytest.raises(Rejected) as refusal:
        limiter.reserve(timeout=0.9)
    assert refusal.value.retry_after == pytest.approx(1, abs=1e-5)
    assert limiter.reserve(timeout=1).at == pytest.approx(101, abs=1e-5)
    with pytest.raises(ConfigError, match="timeout must be a number of seconds, not nan"):
        limiter.reserve(timeout=math.nan)
    with pytest.raises(ImpossibleCost):
        limiter.reserve(2)


@KINDS
def test_a_cancelled_reservation_gives_back_what_is_unused_once(kind, clock):
    limiter = kind(1, 2, clock=clock)
    limiter.try_acquire(2)
    first, second = limiter.reserve(), limiter.reserve()
    clock.advance(0.5)
    assert second.cancel() == pytest.approx(1)
    assert second.cancel() == 0
    assert limiter.earliest() == pytest.approx(102, abs=1e-5)
    clock.now = 101.5
    assert first.cancel() == 0  # it has been used
    assert limiter.tokens() == pytest.approx(0.5, abs=0.001)


@KINDS
def test_who_reserved_later_keeps_the_time_and_nothing_is_gained_by_it(kind, clock):
    limiter = kind(1, 1, clock=clock)
    limiter.try_acquire()
    first, second = limiter.reserve(), limiter.reserve()
    assert first.cancel() == pytest.approx(0, abs=0.001)  # a bucket of one holds one
    clock.now = second.at
    assert not limiter.try_acquire()


@KINDS
def test_more_than_estimated_is_a_debt_and_less_comes_back(kind, clock):
    limiter = kind(1, 10, clock=clock)
    assert limiter.try_acquire(4)
    limiter.correct(4, 1)
    assert limiter.tokens() == pytest.approx(9, abs=0.001)
    limiter.correct(estimated=1, actual=21)
    assert limiter.tokens() == 0
    assert limiter.earliest() == pytest.approx(112, abs=1e-4)
    limiter.correct(21, 0)
    assert limiter.tokens() == pytest.approx(10, abs=0.001)
    limiter.correct(5, 5)
    assert limiter.tokens() == pytest.approx(10, abs=0.001)
    for wrong in (-1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="actual must be a finite number from 0"):
            limiter.correct(1, wrong)
        with pytest.raises(ConfigError, match="estimated must be"):
            limiter.correct(wrong, 1)


def test_a_reservation_is_corrected_as_often_as_it_is_known_better(clock):
    limiter = RateLimiter(1, 10, clock=clock)
    turn = limiter.reserve(4)
    turn.correct(6)
    assert limiter.tokens() == pytest.approx(4, abs=0.001)
    turn.correct(1)
    assert limiter.tokens() == pytest.approx(9, abs=0.001)
    assert turn.cost == 1


@pytest.mark.parametrize("kind", [RateLimiter, dense])
def test_half_full_stays_half_full(kind, clock):
    limiter = kind(1, 10, clock=clock)
    limiter.try_acquire(5)
    limiter.update(capacity=20)
    assert limiter.tokens() == pytest.approx(10, abs=0.001)
    assert (limiter.rate, limiter.capacity) == (1, 20)
    limiter.update("120/min", 4)
    assert limiter.tokens() == pytest.approx(2, abs=0.001)
    assert (limiter.rate, limiter.capacity) == (2, 4)
    clock.advance(1)
    assert limiter.try_acquire(4)
    assert not limiter.try_acquire()
    limiter.correct(0, 3)
    limiter.update(capacity=40)  # what is owed is owed
    assert limiter.earliest(1) == pytest.approx(clock.now + 2, abs=1e-3)
    with pytest.raises(ConfigError, match="capacity must be"):
        limiter.update(capacity=-1)
    assert limiter.capacity == 40


def test_a_rate_that_is_kept_in_another_way_needs_another_limiter(clock):
    limiter = RateLimiter(1, 10, clock=clock)
    for rate in (0, 2e6):
        with pytest.raises(ConfigError, match="rate must stay above 0 and at most 1000000"):
            limiter.update(rate)
    limiter.update(capacity=0)
    assert not limiter.try_acquire()
    wide = RateLimiter(2e6, 10, clock=clock)
    for rate in (0, 5, 1e9):
        wide.update(rate)
        assert wide.rate == rate
        assert wide.try_acquire()


def test_new_settings_of_keys_keep_the_level_of_each(clock):
    limiter = KeyedRateLimiter(1, 10, clock=clock)
    limiter.try_acquire("half", 5)
    limiter.try_acquire("spent", 10)
    turn = limiter.reserve("spent", 2)
    limiter.update("2/s", 20)
    assert limiter.tokens("half") == pytest.approx(10, abs=0.01)
    assert limiter.tokens("new") == 20
    assert limiter.tokens("spent") == 0
    assert turn.at == pytest.approx(102, abs=1e-4)
    # two come in each second; at 102 two are used, and two are left
    assert limiter.earliest("spent", 4) == pytest.approx(103, abs=1e-3)
    assert (limiter.rate, limiter.capacity) == (2, 20)
    for rate in (0, 2e6):
        with pytest.raises(ConfigError, match="rate must be"):
            limiter.update(rate)
    assert limiter.tokens("half") == pytest.approx(10, abs=0.01)
    assert limiter.try_acquire("half", 10)


@pytest.mark.stress
def test_changes_among_eight_threads_lose_and_gain_nothing():
    """The level of a bucket that hardly fills is scaled up and down again, and only spent."""
    limiter = RateLimiter(1e-6, 40_000)
    keyed = KeyedRateLimiter(1e-6, 40_000)

    def work(index):
        if index == 0:
            for _ in range(200):
                for each in (limiter, keyed):
                    each.update(2e-6, 40_000)
                    each.update(1e-6, 40_000)
            return (0, 0)
        took = sum(limiter.try_acquire() for _ in range(8_000))
        return took, sum(keyed.try_acquire("a") for _ in range(8_000))

    results = hammer(work)
    assert sum(one for one, _ in results) == pytest.approx(40_000, abs=1)
    assert sum(other for _, other in results) == pytest.approx(40_000, abs=1)


def test_those_who_wait_are_told_of_new_settings():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter("1/h", 1, clock=loop.time)
        keyed = KeyedRateLimiter("1/h", 1, clock=loop.time)
        limiter.try_acquire()
        keyed.try_acquire("a")
        waiting = [
            asyncio.create_task(limiter.acquire_async()),
            asyncio.create_task(keyed.acquire_async("a")),
        ]
        await asyncio.sleep(1)
        limiter.update("1/s")
        keyed.update("1/s")
        await asyncio.gather(*waiting)
        assert loop.time() - 1000 == pytest.approx(2, abs=0.01)

    VirtualTime(1000).run(main())


def test_who_waits_for_more_than_there_can_be_now_is_told():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(1, 5, clock=loop.time)
        limiter.try_acquire(5)
        first = asyncio.create_task(limiter.acquire_async(4))
        second = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        limiter.update(capacity=2)
        with pytest.raises(ImpossibleCost, match="a cost of 4 is above the capacity, 2"):
            await first
        await second

    VirtualTime(1000).run(main())


@KINDS
def test_a_reservation_is_behind_those_who_wait_already(kind):
    async def main():
        loop = asyncio.get_running_loop()
        limiter = kind(1, 1, clock=loop.time)
        limiter.try_acquire()
        start, done = loop.time(), []

        async def work(name):
            await limiter.acquire_async()
            done.append((name, round(loop.time() - start, 3)))

        tasks = [asyncio.create_task(work(name)) for name in "ab"]
        await asyncio.sleep(0)
        turn = limiter.reserve()
        assert turn.delay == pytest.approx(3, abs=1e-4)
        with pytest.raises(Rejected):
            limiter.reserve(timeout=3.5)
        tasks.append(asyncio.create_task(work("c")))
        await asyncio.gather(*tasks)
        assert done == [("a", 1), ("b", 2), ("c", 4)]
        assert not limiter.try_acquire()

    VirtualTime(1000).run(main())


@KINDS
def test_a_reservation_behind_those_who_wait_can_be_given_back(kind):
    async def main():
        loop = asyncio.get_running_loop()
        limiter = kind(1, 1, clock=loop.time)
        limiter.try_acquire()
        first = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        turn = limiter.reserve()
        last = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0.5)
        assert turn.cancel() == 1
        await asyncio.gather(first, last)
        assert loop.time() - 1000 == pytest.approx(2, abs=1e-3)

    VirtualTime(1000).run(main())


@given(
    steps=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from(["acquire", "give up", "reserve", "cancel", "try"]),
            st.integers(1, 3),
        ),
        max_size=14,
    )
)
def test_never_more_than_the_law_whoever_waits_reserves_or_gives_up(steps):
    """Any interleaving of the verbs, on virtual time; what is used is held to the law."""

    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(2, 3, clock=loop.time)
        used, tasks, turns = [], [], []

        async def wait(cost):
            await limiter.acquire_async(cost)
            used.append((loop.time(), cost))

        for pause, verb, cost in steps:
            await asyncio.sleep(pause)
            if verb == "acquire":
                tasks.append(asyncio.create_task(wait(cost)))
            elif verb == "give up" and tasks:
                tasks[-1].cancel()
            elif verb == "reserve":
                turns.append(limiter.reserve(cost))
            elif verb == "cancel" and turns:
                turns[-cost % len(turns)].cancel()
            elif verb == "try" and limiter.try_acquire(cost):
                used.append((loop.time(), cost))
        await asyncio.gather(*tasks, return_exceptions=True)
        used.extend((turn.at, turn.cost) for turn in turns if turn.open)
        used.sort()
        for first, (start, _) in enumerate(used):
            total = 0
            for at, cost in used[first:]:
                total += cost
                assert total <= 3 + 2 * (at - start) + 1e-3
        assert limiter.snapshot()["waiting"] == 0
        assert limiter._desk.line.ahead == 0

    VirtualTime(1000).run(main())
