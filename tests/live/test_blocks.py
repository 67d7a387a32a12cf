"""Slots and control points kept in a variable, and functions of every kind inside them."""

import asyncio
import threading
from contextlib import AsyncExitStack, ExitStack
from functools import partial

import pytest

from support import policies as p
from trafficcore import QuotaScheduler
from trafficcore.errors import ConfigError
from trafficcore.live import Budgets, ControlPoint


def free(budgets):
    return budgets.snapshot()["tokens"]["slots"]


@pytest.fixture
def budgets(clock):
    return Budgets(at_once=4, clock=clock)


@pytest.fixture(params=["budgets", "control point"])
def place(request, budgets, clock):
    """A block kept in a variable, and how many uses of it are under way."""
    if request.param == "budgets":
        return budgets.slot(), lambda: 4 - free(budgets)
    engine = p.engine()
    point = ControlPoint(engine, "checkout", clock=clock)

    def held():
        return engine.snapshot(0)["traffic"].get("application", {}).get("in_flight", 0)

    return point(), held


def test_one_slot_serves_tasks_that_overlap(place):
    block, held = place

    async def job(gate):
        async with block:
            await gate.wait()

    async def main():
        gate = asyncio.Event()
        tasks = [asyncio.ensure_future(job(gate)) for _ in range(3)]
        await asyncio.sleep(0)
        assert held() == 3
        gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert held() == 0


def test_one_slot_nests_in_one_frame(place):
    block, held = place
    with block as outer:
        with block as inner:
            assert inner is not outer
            assert held() == 2
        assert held() == 1
    assert held() == 0


def test_one_slot_serves_threads_that_overlap(budgets):
    slot, inside, go = budgets.slot(), threading.Barrier(4), threading.Event()

    def job():
        with slot:
            inside.wait()
            go.wait()

    threads = [threading.Thread(target=job) for _ in range(3)]
    for thread in threads:
        thread.start()
    inside.wait()
    assert free(budgets) == 1
    go.set()
    for thread in threads:
        thread.join()
    assert free(budgets) == 4


def test_generators_that_take_turns_end_their_own_use(budgets):
    slot, ended = budgets.slot(), []

    def held(name):
        with slot as spending:
            yield spending
        ended.append((name, spending._open))

    first, second = held("first"), held("second")
    one, other = next(first), next(second)
    assert list(first) == []
    assert (one._open, other._open) == (False, True)
    assert list(second) == []
    assert ended == [("first", False), ("second", False)]


def test_stacks_end_what_they_entered(place):
    block, held = place
    with ExitStack() as stack:
        stack.enter_context(block)
        stack.enter_context(block)
        assert held() == 2
    assert held() == 0

    async def main():
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(block)
            assert held() == 1

    asyncio.run(main())
    assert held() == 0


def test_a_use_that_is_refused_or_cancelled_holds_nothing(budgets):
    slot = budgets.slot()

    async def job():
        async with slot:
            pytest.fail("it must not run")

    async def main():
        taken = [budgets.acquire() for _ in range(4)]
        task = asyncio.ensure_future(job())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for each in taken:
            each.end()

    asyncio.run(main())
    assert free(budgets) == 4
    assert len(slot._blocks) == 0


# Decorated


def test_a_generator_runs_inside_the_slot(place):
    block, held = place

    @block
    def items(count):
        got = yield held()
        for _ in range(count):
            got = yield got
        return "end"

    running = items(1)
    assert held() == 0  # the body has not begun
    assert next(running) == 1
    assert running.send("sent") == "sent"
    assert held() == 1
    with pytest.raises(StopIteration) as stop:
        running.send(None)
    assert stop.value.value == "end"
    assert held() == 0
    closed = items(5)
    next(closed)
    closed.close()
    assert held() == 0


def test_an_async_generator_runs_inside_the_slot(place):
    block, held = place
    closed = []

    @block
    async def items():
        try:
            got = yield held()
            while got != "end":
                try:
                    got = yield got
                except KeyError:
                    got = "thrown"
        finally:
            closed.append(held())

    async def main():
        running = items()
        assert held() == 0
        assert await anext(running) == 1
        assert await running.asend("sent") == "sent"
        assert await running.athrow(KeyError()) == "thrown"
        with pytest.raises(StopAsyncIteration):
            await running.asend("end")
        assert held() == 0
        left = items()
        await anext(left)
        await left.aclose()
        assert held() == 0

    asyncio.run(main())
    assert closed == [1, 1]


class _Model:
    def __init__(self, held):
        self.held = held

    async def __call__(self):
        await asyncio.sleep(0)
        return self.held()


def test_an_object_whose_call_is_async_runs_inside_the_slot(place):
    block, held = place
    assert asyncio.run(block(_Model(held))()) == 1
    assert asyncio.run(block(partial(_Model(held).__call__))()) == 1
    assert held() == 0


def test_what_gives_a_coroutine_without_being_async_is_refused(place, clock):
    block, held = place
    model = _Model(held)

    def made():
        return model()

    for decorate in (block, QuotaScheduler(9, clock=clock).slot()):
        with pytest.raises(ConfigError, match="must be `async` itself"):
            decorate(made)()
    assert held() == 0


def test_the_scheduler_waits_before_the_body_of_a_generator(clock):
    scheduler = QuotaScheduler(2, clock=clock)
    taken = scheduler.slot(timeout=0)

    @taken
    def items():
        yield 1

    @taken
    async def later():
        yield 2

    async def main():
        return [item async for item in later()]

    first, second = items(), later()
    assert scheduler.try_acquire()
    assert list(first) == [1]
    assert not scheduler.try_acquire()
    clock.advance(1)
    assert asyncio.run(main()) == [2]
    asyncio.run(second.aclose())
    assert asyncio.run(taken(_Model(lambda: 3))()) == 3
    assert not scheduler.try_acquire()
