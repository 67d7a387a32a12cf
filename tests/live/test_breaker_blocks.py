"""Which permit belongs to which `with`, wherever both halves of it run."""

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack

import pytest

from support.exactness import hammer
from trafficcore import Rejected
from trafficcore.core.breaker import Cumulative, HalfOpen, Open, Ratio, Rule, Settings, State
from trafficcore.live.breaker import CircuitBreaker

MANY = Settings(
    window=Cumulative(),
    trip=[Rule("error_count", 1)],
    open=Open(10),
    slow_after=10**6,
    half_open=HalfOpen(5, verdict=Ratio(5, 5)),
)
IDLE = {"admitted": 0, "in_flight": 0, "bad": 0}


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(settings=MANY, clock=clock)


def durations(breaker):
    return breaker.snapshot()["duration_total"]


def test_a_block_that_ends_well_is_good_and_one_that_raises_is_an_error(breaker):
    with breaker:
        pass
    assert breaker.snapshot()["successes"] == 1
    with pytest.raises(KeyError), breaker:
        raise KeyError
    assert breaker.state is State.OPEN
    with pytest.raises(Rejected), breaker:
        pytest.fail("it was admitted")


def test_the_permit_of_a_block_may_be_ended_inside_it(breaker):
    with breaker as permit:
        permit.ignore()
    with breaker as permit:
        permit.success()
        permit.failure()
    with breaker as permit:
        permit.failure()
    seen = breaker.snapshot()
    assert (seen["ignored"], seen["state"], seen["last_trip"]["total"]) == (1, "open", 2)


def test_blocks_of_one_frame_nest(breaker, clock):
    with breaker as outer:
        clock.advance(1)
        with breaker as inner:
            assert inner is not outer
            clock.advance(2)
        assert durations(breaker) == 2
        with breaker:
            clock.advance(4)
        assert durations(breaker) == 6
    assert durations(breaker) == 13
    assert len(breaker._blocks) == 0


def test_a_function_that_calls_itself_holds_a_block_each_time(breaker, clock):
    def dive(depth):
        with breaker:
            clock.advance(1)
            if depth:
                dive(depth - 1)

    dive(3)
    assert durations(breaker) == 1 + 2 + 3 + 4


def test_generators_that_take_turns_keep_their_own(breaker, clock):
    def held():
        with breaker:
            yield

    first, second = held(), held()
    next(first)
    clock.advance(1)
    next(second)
    clock.advance(2)
    assert list(first) == []  # not the last that began
    assert durations(breaker) == 3
    clock.advance(4)
    assert list(second) == []
    assert durations(breaker) == 9


def test_a_generator_resumed_in_other_contexts_and_threads_keeps_its_own(breaker, clock):
    """What frameworks do with dependencies that yield: each half in a copy of the context."""

    def held(start):
        clock.advance(start)
        with breaker:
            yield

    with ThreadPoolExecutor(2) as pool:
        running = [held(1), held(10)]
        for each in running:
            pool.submit(contextvars.copy_context().run, next, each).result()
        clock.advance(100)
        for each in running:
            pool.submit(contextvars.copy_context().run, list, each).result()
    assert durations(breaker) == 110 + 100
    assert len(breaker._blocks) == 0


def test_a_generator_that_is_dropped_gives_its_permit_back(breaker, clock):
    breaker.to("open")
    clock.advance(10)

    def held():
        with breaker:
            yield

    running = held()
    next(running)
    assert breaker.snapshot()["probes"]["in_flight"] == 1
    del running
    assert breaker.snapshot()["probes"] == IDLE
    assert len(breaker._blocks) == 0


def test_tasks_keep_their_own(breaker, clock):
    async def work(steps):
        async with breaker:
            for _ in range(steps):
                await asyncio.sleep(0)
                clock.advance(1)

    async def main():
        async with breaker:
            await asyncio.gather(*map(work, [3, 1, 2]))

    asyncio.run(main())
    assert breaker.snapshot()["total"] == 4
    assert len(breaker._blocks) == 0


def test_a_task_begun_inside_a_block_and_living_longer_keeps_nothing_of_it(breaker):
    class Big:
        pass

    async def work(go):
        await go.wait()
        async with breaker:
            pass

    async def begin(go, alive):
        big = Big()
        alive.append(sys.getrefcount(big))
        async with breaker:
            task = asyncio.ensure_future(work(go))
            await asyncio.sleep(0)
        alive.append(sys.getrefcount(big))
        return task

    async def main():
        alive = []
        go = asyncio.Event()
        task = await begin(go, alive)
        assert alive[0] == alive[1]
        assert not breaker._blocks._by_frame
        go.set()
        await task

    asyncio.run(main())
    assert breaker.snapshot()["total"] == 2


def test_stacks_of_contexts_end_what_they_began(breaker, clock):
    with ExitStack() as stack:
        stack.enter_context(breaker)
        clock.advance(1)
        stack.enter_context(breaker)
        clock.advance(2)
    assert durations(breaker) == 2 + 3

    async def main():
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(breaker)
            clock.advance(4)
            with breaker:
                clock.advance(8)

    asyncio.run(main())
    assert durations(breaker) == 5 + 12 + 8
    assert len(breaker._blocks) == 0


def test_a_class_may_hold_it_for_its_own_blocks(breaker, clock):
    class Client:
        def __enter__(self):
            return breaker.__enter__()

        def __exit__(self, *error):
            return breaker.__exit__(*error)

    with Client():
        clock.advance(1)
        with breaker:
            clock.advance(2)
        with Client():
            clock.advance(4)
    assert durations(breaker) == 7 + 2 + 4
    assert len(breaker._blocks) == 0


def test_two_breakers_do_not_mix(breaker, clock):
    other = CircuitBreaker(settings=MANY, clock=clock)
    with ExitStack() as stack:
        stack.enter_context(breaker)
        clock.advance(1)
        stack.enter_context(other)
        clock.advance(2)
    assert (durations(breaker), durations(other)) == (3, 2)


def test_leaving_what_was_not_entered_is_told(breaker):
    with pytest.raises(RuntimeError, match="not entered here"):
        breaker.__exit__(None, None, None)
    assert breaker.snapshot()["total"] == 0


def test_a_refused_block_leaves_nothing_behind(breaker):
    breaker.to("forced_open")
    for _ in range(3):
        with pytest.raises(Rejected), breaker:
            pass
    assert len(breaker._blocks) == 0


@pytest.mark.stress
def test_threads_hold_no_more_blocks_than_there_are_permits(clock):
    half_open = HalfOpen(None, 3, verdict=Ratio(10**6, 10**6), max_wait=None)
    settings = Settings(trip=[Rule("error_count", 1)], open=Open(10), half_open=half_open)
    breaker = CircuitBreaker(settings=settings, clock=clock)
    breaker.to("open")
    clock.advance(10)
    inside, most, admitted = [0], [0], [0]
    lock = threading.Lock()

    def work(_):
        for _ in range(300):
            try:
                with breaker:
                    with lock:
                        inside[0] += 1
                        admitted[0] += 1
                        most[0] = max(most[0], inside[0])
                    with lock:
                        inside[0] -= 1
            except Rejected:
                continue

    hammer(work)
    assert most[0] <= 3
    seen = breaker.snapshot()
    assert seen["probes"]["in_flight"] == 0
    assert seen["total"] == admitted[0] == 2400 - seen["rejected"]
    assert len(breaker._blocks) == 0
