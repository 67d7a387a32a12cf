"""Reservations corrected and cancelled in any order: no token comes of it."""

import asyncio
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.shared import shared_gcra
from trafficcore.core.limit import Gcra, OneKey, TokenBucket
from trafficcore.engine.guard import new_lock
from trafficcore.live.desk import Desk
from trafficcore.live.keyed_limiter import KeyedRateLimiter
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


STEPS = st.lists(
    st.tuples(
        st.floats(0, 3),
        st.sampled_from(["reserve", "cancel", "correct", "try"]),
        st.integers(1, 8),
    ),
    max_size=25,
)
#: The desk of the first reservation is not needed any more when the second is made.
CORRECTED_LATE = [(8.0, "reserve", 8), (0.0, "reserve", 8), (7.0, "correct", 2), (0.0, "try", 6)]
#: A reservation is corrected upwards after somebody took a token past the book.
CORRECTED_AFTER_A_TAKE = [
    *[(0.0, "reserve", 1)] * 3, (0.0, "cancel", 2), (0.0, "correct", 1), (2.0, "try", 1),
    (0.0, "correct", 4),
]  # fmt: skip
#: What comes back after its time would be spilt, by what another process has reserved ahead.
BACK_BEHIND_ANOTHER = [
    (0.0, "reserve", 3), (0.0, "reserve", 8), (3.0, "reserve", 1), (0.0, "correct", 3),
    (0.0, "reserve", 1),
]  # fmt: skip


def hold(now, desks, bucket, steps, *, debts):
    """Do the steps; whatever was granted, given back or corrected, the law holds throughout.

    With `debts`, calls use more than they were let in for, so it holds as a sum alone. What a call
    was found not to have used after its time came back then, and not before.
    """
    turns, firsts, others = [], [], [(now[0], 8)] * bucket.try_acquire(now[0], 8)
    for number, (pause, verb, cost) in enumerate(steps):
        now[0] += pause
        if verb == "reserve":
            turns.append(desks[number % len(desks)].reserve(cost, timeout=None))
            firsts.append(cost)
        elif verb == "try":
            others += [(now[0], cost)] * bucket.try_acquire(now[0], cost)
        elif turns and verb == "cancel":
            turns[-cost % len(turns)].cancel()
        elif turns:
            which = -cost % len(turns)
            turn, before = turns[which], turns[which].cost
            turn.correct(cost - 1 if debts else min(cost - 1, before))
            if now[0] <= turn.at:
                firsts[which] += turn.cost - before
            else:
                others.append((now[0], turn.cost - before))
        uses = others + [
            (turn.at, cost) for turn, cost in zip(turns, firsts, strict=True) if turn.open
        ]
        used = sum(cost for _, cost in uses)
        assert used + bucket.level_at(now[0]) <= 8 + now[0] - 100 + 0.02
        for start, end in itertools.product([at for at, _ in uses], repeat=2):
            used = sum(cost for at, cost in uses if start <= at <= end)
            assert debts or used <= 8.02 + max(0, end - start)


@pytest.mark.parametrize(
    ("new_bucket", "processes"), [(Gcra, 1), (TokenBucket, 1), (shared_gcra, 1), (shared_gcra, 2)]
)
@given(steps=STEPS, debts=st.booleans())
@example(steps=CORRECTED_LATE, debts=False)
@example(steps=CORRECTED_AFTER_A_TAKE, debts=True)
@example(steps=BACK_BEHIND_ANOTHER, debts=False)
def test_what_was_granted_and_what_is_left_are_never_more_than_came_in(
    new_bucket, processes, steps, debts
):
    now = [100.0]
    bucket = new_bucket(8, 1)
    desks = [
        Desk(bucket, lambda: now[0], new_lock(), lambda: None, shared=processes > 1)
        for _ in range(processes)
    ]
    hold(now, desks, bucket, steps, debts=debts)


@given(steps=STEPS, debts=st.booleans())
@example(steps=CORRECTED_LATE, debts=False)
@example(steps=CORRECTED_AFTER_A_TAKE, debts=True)
def test_the_same_for_one_key_among_many(steps, debts):
    now = [100.0]
    limiter = KeyedRateLimiter(1, 8, clock=lambda: now[0])
    hold(now, [limiter.of("a")], OneKey(limiter._machine, "a"), steps, debts=debts)


def test_reservations_of_the_bucket_that_new_keys_share_leave_nothing_behind(clock):
    limiter = KeyedRateLimiter("1/h", 3, max_keys=2, clock=clock)
    turns = [limiter.reserve(str(key)) for key in range(1000)]
    assert [turn.delay for turn in turns[:5]] == [0] * 5
    assert turns[-1].at > clock.now + 3600 * 900
    assert len(limiter._desks) <= 4
    assert turns[-1].cancel() == 0
    turns[-2].correct(3)
    assert turns[-2].cost == 1
    assert limiter.earliest("another") > turns[-1].at


def test_what_was_corrected_to_nothing_gives_nothing_back(clock):
    limiter = RateLimiter(1, 10, clock=clock)
    turn = limiter.reserve(3)
    turn.correct(0)
    assert turn.cancel() == 0
    assert limiter.tokens() == 10
