"""Reservations corrected and cancelled in any order: no token comes of it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.shared import shared_gcra
from trafficcore.core.limit import Gcra, TokenBucket
from trafficcore.engine.guard import new_lock
from trafficcore.live.desk import Desk
from trafficcore.live.limiter import RateLimiter
from trafficcore.testing import VirtualTime


@pytest.mark.parametrize("verbs", [(1, None), (None, 0), (9, None), (9, 2, None), (0, None, 0)])
def test_whatever_is_corrected_what_is_cancelled_was_never_taken(verbs, clock):
    limiter = RateLimiter(1, 10, clock=clock)
    limiter.try_acquire(10)
    turn = limiter.reserve(5)
    for actual in verbs:
        if actual is None:
            turn.cancel()
        else:
            turn.correct(actual)
    assert limiter._bucket.level_at(clock.now) == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize("actual", [0, 2, 7])
def test_a_place_behind_those_who_wait_is_corrected_when_it_is_taken(actual):
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(1, 10, clock=loop.time)
        limiter.try_acquire(10)
        first = asyncio.create_task(limiter.acquire_async(10))
        await asyncio.sleep(0)
        limiter.reserve(5).correct(actual)
        assert limiter.tokens() == pytest.approx(0, abs=0.001)
        await first
        assert limiter._bucket.level_at(loop.time()) == pytest.approx(-actual, abs=0.01)

    VirtualTime(1000).run(main())


@pytest.mark.parametrize(("actual", "due"), [(0, 1012), (2, 1014), (7, 1019)])
def test_who_reserves_behind_a_corrected_place_is_told_the_time_after_it(actual, due):
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(1, 10, clock=loop.time)
        limiter.try_acquire(10)
        first = asyncio.create_task(limiter.acquire_async(10))
        await asyncio.sleep(0)
        limiter.reserve(5).correct(actual)
        assert limiter.reserve(2).at == pytest.approx(due, abs=0.01)
        await first

    VirtualTime(1000).run(main())


@pytest.mark.parametrize(
    ("new_bucket", "processes"), [(Gcra, 1), (TokenBucket, 1), (shared_gcra, 1), (shared_gcra, 2)]
)
@given(
    steps=st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sampled_from(["reserve", "cancel", "correct", "try"]),
            st.integers(1, 8),
        ),
        max_size=25,
    )
)
def test_what_was_granted_and_what_is_left_are_never_more_than_came_in(
    new_bucket, processes, steps
):
    now = [100.0]
    bucket = new_bucket(8, 1)
    desks = [
        Desk(bucket, lambda: now[0], new_lock(), lambda: None, shared=processes > 1)
        for _ in range(processes)
    ]
    turns, tried = [], 8 * bucket.try_acquire(now[0], 8)
    for number, (pause, verb, cost) in enumerate(steps):
        now[0] += pause
        if verb == "reserve":
            turns.append(desks[number % processes].reserve(cost, None))
        elif verb == "try":
            tried += cost * bucket.try_acquire(now[0], cost)
        elif turns and verb == "cancel":
            turns[-cost % len(turns)].cancel()
        elif turns:
            turns[-cost % len(turns)].correct(cost - 1)
        used = tried + sum(turn.cost for turn in turns if turn.open)
        assert used + bucket.level_at(now[0]) <= 8 + now[0] - 100 + 0.02
