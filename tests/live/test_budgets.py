"""`Budgets`: its verbs, on a clock that stands still until it is moved."""

import asyncio
import threading

import pytest

from trafficcore import Reason, Rejected
from trafficcore.errors import ConfigError, ImpossibleCost
from trafficcore.live import Budgets

RATES = {"requests": "60/min", "input": "6000/min", "output": "600/min"}


@pytest.fixture
def provider(clock):
    """A provider; all of its output budget is spent."""
    found = Budgets(RATES, at_once=2, workloads={"chat": 3, "batch": 1}, clock=clock, name="llm")
    found.acquire(input=6000, output=600).end()
    return found


def left(provider):
    return provider.snapshot()["tokens"]


def pass_time(provider, clock, seconds):
    clock.advance(seconds)
    provider.kick()


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


def test_it_charges_every_budget_or_none(clock):
    provider = Budgets(RATES, clock=clock)
    permit = provider.try_acquire(input=1000, output=600)
    assert permit.costs == {"requests": 1, "input": 1000, "output": 600}
    assert not permit.waited
    assert provider.try_acquire(input=1000, output=1) is None
    assert left(provider) == {"requests": 59, "input": 5000, "output": 0}


def test_each_part_is_corrected_apart_as_often_as_it_is_known_better(provider, clock):
    clock.advance(60)
    permit = provider.acquire(input=1000, output=200)
    permit.cost(output=50)
    assert left(provider) == {"requests": 59, "input": 5000, "output": 550, "slots": 1}
    permit.cost(output=300)
    permit.end()
    permit.cost(input=1100, output=700)
    assert left(provider) == {"requests": 59, "input": 4900, "output": -100, "slots": 2}
    assert permit.costs == {"requests": 1, "input": 1100, "output": 700}
    assert provider.try_acquire(input=0, output=1) is None
    assert provider.try_acquire(input=0, output=0), "it asks nothing of what is owed"


def test_who_waits_is_queued_once_and_goes_by_weight(provider, clock):
    async def main():
        order = []

        async def one(name):
            async with provider.slot(name, input=10, output=10):
                order.append(name)

        tasks = []
        for name in ["batch"] * 3 + ["chat"] * 9:
            tasks.append(asyncio.create_task(one(name)))
            await settled()
        assert provider.waiting == 12
        for _ in tasks:
            pass_time(provider, clock, 1)
            await settled()
        await asyncio.gather(*tasks)
        assert [order[:4].count("batch"), order[:8].count("batch")] == [1, 2]

    asyncio.run(main())


def test_what_was_charged_too_much_goes_to_the_next_at_once(provider, clock):
    async def main():
        pass_time(provider, clock, 30)
        first = provider.acquire(input=0, output=300)
        task = asyncio.create_task(provider.acquire_async(input=0, output=100))
        await settled()
        assert not task.done()
        first.cost(output=200)
        await settled()
        assert (await task).waited

    asyncio.run(main())


def test_a_slot_that_comes_back_lets_the_next_in_another_thread_go(provider, clock):
    clock.advance(60)
    held = [provider.acquire(input=0, output=0) for _ in range(2)]
    gone = threading.Event()

    def wait():
        with provider.slot(input=0, output=0):
            gone.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while not provider.waiting:
        pass
    assert not gone.is_set()
    held[0].end()
    held[0].end()
    thread.join(5)
    assert gone.is_set()
    assert left(provider)["slots"] == 1
    held[1].end()


def test_who_gives_up_has_spent_nothing(provider, clock):
    async def main():
        task = asyncio.create_task(provider.acquire_async(input=100, output=1))
        await settled()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    clock.advance(60)
    assert left(provider) == {"requests": 60, "input": 6000, "output": 600, "slots": 2}


def test_who_is_granted_as_it_is_cancelled_passes_everything_on(provider, clock):
    async def main():
        first, second = (
            asyncio.create_task(provider.acquire_async(input=0, output=10)) for _ in range(2)
        )
        await settled()
        pass_time(provider, clock, 1)
        first.cancel()
        await settled()
        permit = await second
        assert left(provider)["slots"] == 1
        permit.end()
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(main())
    assert left(provider)["slots"] == 2


def test_a_refusal_says_when(clock):
    provider = Budgets(RATES, clock=clock, name="llm")
    provider.acquire(input=6000, output=600)
    with pytest.raises(Rejected) as caught:
        provider.acquire(timeout=0, input=3000, output=1)
    assert (caught.value.reason, caught.value.source) == (Reason.QUEUE_TIMEOUT, "llm")
    assert caught.value.retry_after == pytest.approx(30)


def test_a_block_that_raises_gives_its_slot_back_and_keeps_its_charge(provider, clock):
    clock.advance(60)
    with pytest.raises(ValueError), provider.slot(input=10, output=10):
        raise ValueError
    assert left(provider) == {"requests": 59, "input": 5990, "output": 590, "slots": 2}

    @provider.slot(input=10, output=10)
    async def call(x):
        return x, left(provider)["slots"]

    @provider.slot(input=10, output=10)
    def plain(x):
        return x, left(provider)["slots"]

    assert asyncio.run(call(3)) == (3, 1)
    assert plain(4) == (4, 1)
    assert left(provider)["output"] == 570


def test_users_of_one_workload_have_equal_parts(provider, clock):
    async def main():
        order = []

        async def one(user):
            async with provider.slot("chat", key=user, input=0, output=10):
                order.append(user)

        tasks = []
        for user in "aaaabb":
            tasks.append(asyncio.create_task(one(user)))
            await settled()
        for _ in tasks:
            pass_time(provider, clock, 1)
            await settled()
        assert order == ["a", "b", "a", "b", "a", "a"]

    asyncio.run(main())


def test_what_costs_nothing_waits_for_nobody(clock):
    provider = Budgets({"calls": 1}, clock=clock)
    provider.acquire()

    async def main():
        task = asyncio.create_task(provider.acquire_async())
        await settled()
        assert provider.waiting == 1
        assert provider.acquire(calls=0).costs == {"calls": 0}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["workload", "timeout", "key"])
def test_a_budget_has_a_name_that_a_use_can_say(name):
    with pytest.raises(ConfigError, match=f"cannot be called '{name}'"):
        Budgets({name: 1})


def test_slots_alone_bound_what_runs(clock):
    places = Budgets(at_once=1, workloads={"chat": 3}, clock=clock)
    with places.slot("chat") as permit:
        assert permit.costs == {}
        assert places.try_acquire() is None
        with pytest.raises(Rejected) as caught:
            places.acquire(timeout=0)
        assert caught.value.retry_after is None
    assert places.try_acquire() is not None
    with pytest.raises(ConfigError, match="or slots"):
        Budgets()


def test_what_can_never_be_is_told_at_once(provider):
    with pytest.raises(ImpossibleCost, match="output of 601 is more than the 600 there ever are"):
        provider.acquire(output=601)
    with pytest.raises(ConfigError, match="there is no budget 'tokens'"):
        provider.acquire(tokens=1)
    with pytest.raises(ConfigError, match="weight of 'x'"):
        Budgets(RATES, workloads={"x": 0})
    permit = provider.try_acquire(input=0, output=0)
    permit.cost(output=601)
    assert permit.costs["output"] == 601, "what has happened has happened"
