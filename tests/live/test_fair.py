"""`QuotaScheduler`: its verbs, on a clock that stands still until it is moved."""

import asyncio
import threading
from math import inf, nan

import pytest

from support.exactness import hammer, python_clock
from trafficcore import QuotaScheduler, Reason, Rejected
from trafficcore.errors import ConfigError

WORKLOADS = {"guest": 50, "subscriber": 200}


@pytest.fixture
def scheduler(clock):
    """One token a second, and one to begin with, spent."""
    found = QuotaScheduler(1, workloads=WORKLOADS, clock=clock, name="calls")
    assert found.try_acquire() is True
    return found


def pass_time(scheduler, clock, seconds):
    clock.advance(seconds)
    scheduler._driver.kick()


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


async def queue(scheduler, order, *names, **more):
    """Have tasks wait, one after the other, that write down when they went."""

    async def one(name):
        async with scheduler.slot(name, **more):
            order.append(name)

    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(one(name)))
        await settled()
    return tasks


def test_who_waits_goes_by_weight_and_in_order(scheduler, clock):
    async def main():
        order = []
        tasks = await queue(scheduler, order, *["guest"] * 2, *["subscriber"] * 6)
        assert scheduler.waiting == 8
        assert not scheduler.try_acquire()
        for _ in tasks:
            pass_time(scheduler, clock, 1)
            await settled()
        assert [order.index("guest"), order.count("guest")] == [3, 2]
        await asyncio.gather(*tasks)

    asyncio.run(main())


def test_a_thread_waits_its_turn(scheduler, clock):
    grants = []
    thread = threading.Thread(target=lambda: grants.append(scheduler.acquire("guest", timeout=9)))
    thread.start()
    while not scheduler.waiting:
        thread.join(0.001)
    pass_time(scheduler, clock, 1)
    thread.join(10)
    assert [grant.waited for grant in grants] == [True]


def test_it_wakes_by_itself():
    scheduler = QuotaScheduler(200, capacity=1, workloads=WORKLOADS)
    for _ in range(3):
        with scheduler.slot("guest", timeout=5):
            pass


def test_nobody_who_never_waits_is_refused_with_a_time_to_come_back(scheduler):
    with pytest.raises(Rejected) as refused:
        scheduler.acquire("guest", cost=1, timeout=0)
    assert refused.value.reason is Reason.QUEUE_TIMEOUT
    assert refused.value.retry_after == 1
    assert refused.value.source == "calls"
    assert scheduler.waiting == 0


def test_who_could_not_be_served_in_time_is_refused_at_once_if_that_is_asked_for(clock):
    found = QuotaScheduler(1, workloads=WORKLOADS, clock=clock, foresee=True)
    assert found.try_acquire()

    async def main():
        tasks = await queue(found, [], *["guest"] * 3)
        with pytest.raises(Rejected) as refused:
            await found.acquire_async("guest", timeout=3.5)
        assert refused.value.reason is Reason.QUEUE_TIMEOUT
        assert refused.value.retry_after == 4
        assert found.waiting == 3
        for _ in tasks:
            pass_time(found, clock, 1)
            await settled()
        await asyncio.gather(*tasks)

    asyncio.run(main())


def test_a_wait_ends_at_its_deadline(scheduler, clock):
    async def main():
        task = asyncio.create_task(scheduler.acquire_async("guest", cost=1, timeout=0.5))
        await settled()
        pass_time(scheduler, clock, 0.75)
        with pytest.raises(Rejected) as refused:
            await task
        assert refused.value.reason is Reason.QUEUE_TIMEOUT
        assert refused.value.retry_after == 0.25

    asyncio.run(main())


def test_a_full_queue_drops_the_newest_of_whoever_waits_for_most(clock):
    async def main():
        scheduler = QuotaScheduler(1, workloads=WORKLOADS, clock=clock, max_waiting=2)
        scheduler.try_acquire()
        order = []
        guests = await queue(scheduler, order, "guest", "guest")
        (subscriber,) = await queue(scheduler, order, "subscriber")
        with pytest.raises(Rejected) as refused:
            await guests[1]
        assert refused.value.reason is Reason.QUEUE_FULL
        with pytest.raises(Rejected) as refused:
            scheduler.acquire("guest")
        assert refused.value.reason is Reason.QUEUE_FULL
        for _ in range(2):
            pass_time(scheduler, clock, 1)
            await settled()
        await asyncio.gather(guests[0], subscriber)
        assert order == ["subscriber", "guest"]

    asyncio.run(main())


def test_a_cancelled_task_gives_its_place_to_the_next(scheduler, clock):
    async def main():
        order = []
        first, second = await queue(scheduler, order, "guest", "guest")
        first.cancel()
        await settled()
        assert scheduler.waiting == 1
        pass_time(scheduler, clock, 1)
        await second
        assert order == ["guest"]

    asyncio.run(main())


def test_a_grant_to_one_just_cancelled_goes_to_the_next_at_once(scheduler, clock):
    async def main():
        order = []
        first, second = await queue(scheduler, order, "guest", "guest")
        clock.advance(1)
        scheduler._driver.kick()
        first.cancel()  # granted, and not run since
        await settled()
        assert first.cancelled()
        assert second.done()
        assert order == ["guest"]

    asyncio.run(main())


def test_costs_are_corrected_when_they_are_known(scheduler, clock):
    async def main():
        clock.advance(1)
        cheap = scheduler.acquire("guest")
        assert not cheap.waited
        order = []
        (task,) = await queue(scheduler, order, "subscriber")
        cheap.reconcile(0)  # it used nothing after all: the next goes at once
        await settled()
        assert task.done()
        task = asyncio.create_task(scheduler.acquire_async("guest"))
        await settled()
        pass_time(scheduler, clock, 1)
        dear = await task
        dear.reconcile(4)
        assert (dear.waited, dear.cost) == (True, 4)
        assert scheduler.snapshot()["tokens"] == pytest.approx(-3)
        dear.reconcile(2)
        assert scheduler.snapshot()["tokens"] == pytest.approx(-1)

    asyncio.run(main())


def test_it_decorates_functions_and_coroutine_functions(clock):
    scheduler = QuotaScheduler(2, workloads=WORKLOADS, clock=clock)

    @scheduler.slot("guest", timeout=0)
    def plain(x, *, y=1):
        """Doc."""
        return x + y

    @scheduler.slot("guest", timeout=0)
    async def task(x):
        return x

    assert plain(1, y=2) == 3
    assert (plain.__name__, plain.__doc__) == ("plain", "Doc.")
    assert asyncio.run(task(5)) == 5
    with pytest.raises(Rejected):
        plain(1)
    with pytest.raises(Rejected):
        asyncio.run(task(1))


def test_users_of_one_workload_share_it_evenly(scheduler, clock):
    async def main():
        order = []

        async def one(user):
            async with scheduler.slot("guest", key=user):
                order.append(user)

        tasks = []
        for user in ("ann", "ann", "ann", "bob"):
            tasks.append(asyncio.create_task(one(user)))
            await settled()
        for _ in tasks:
            pass_time(scheduler, clock, 1)
            await settled()
        assert order == ["ann", "bob", "ann", "ann"]

    asyncio.run(main())


def test_a_priority_of_its_own_goes_before_the_workloads(scheduler, clock):
    async def main():
        order = []
        tasks = await queue(scheduler, order, "subscriber", "nobody-knows-it")
        tasks += await queue(scheduler, order, "guest", priority=1000)
        for _ in tasks:
            pass_time(scheduler, clock, 1)
            await settled()
        assert order == ["guest", "subscriber", "nobody-knows-it"]

    asyncio.run(main())


def test_the_snapshot_is_plain_data(scheduler):
    async def main():
        tasks = await queue(scheduler, [], "guest", "other", cost=2)
        assert scheduler.snapshot() == {
            "name": "calls",
            "workloads": {"default": 1, "guest": 50, "subscriber": 200},
            "tokens": 0,
            "waiting": 2,
            "flows": {
                "guest": {"waiting": 1, "tokens": 2},
                "default": {"waiting": 1, "tokens": 2},
            },
            "granted": 0,
            "timed_out": 0,
            "refused": 0,
            "cancelled": 0,
        }
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert scheduler.snapshot()["cancelled"] == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("rate", "more", "burst", "in_a_minute"),
    [(5, {}, 5, 5), (5, {"interval": 60}, 5, 5), ("120/min", {}, 120, 120),
     ("120/min", {"capacity": 3}, 3, 3), (1, {"capacity": 7}, 7, 7)],
)  # fmt: skip
def test_rates_are_numbers_or_texts(clock, rate, more, burst, in_a_minute):
    scheduler = QuotaScheduler(rate, clock=clock, **more)
    assert sum(scheduler.try_acquire() for _ in range(1000)) == burst
    clock.advance(60)
    assert sum(scheduler.try_acquire() for _ in range(1000)) == in_a_minute


@pytest.mark.parametrize(
    "settings",
    [{"rate": -1}, {"rate": "fast"}, {"rate": 1, "interval": 0}, {"rate": 1, "tags": "fifo"},
     {"rate": 1, "workloads": {"a": 0}}, {"rate": 1, "workloads": {"a": inf}},
     {"rate": 1, "max_waiting": -1}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ConfigError):
        QuotaScheduler(**settings)


@pytest.mark.parametrize("cost", [float("nan"), inf])
def test_a_cost_that_is_none_is_an_error(scheduler, cost):
    with pytest.raises(ConfigError, match="cost"):
        scheduler.acquire("guest", cost=cost)
    assert scheduler.waiting == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"priority": 0}, "priority must be above 0 and finite, not 0"),
        ({"priority": nan}, "priority must be above 0"),
        ({"timeout": nan}, "timeout must be a number of seconds"),
        ({"key": []}, "a key must be hashable"),
        ({"workload": []}, "a workload must be a text"),
    ],
)
def test_what_is_wrong_with_a_call_is_told_though_it_need_not_wait(wrong, message, clock):
    scheduler = QuotaScheduler(10, clock=clock)
    with pytest.raises(ConfigError, match=message):
        scheduler.acquire(**wrong)
    with pytest.raises(ConfigError, match=message):
        asyncio.run(scheduler.acquire_async(**wrong))
    assert scheduler.snapshot()["tokens"] == 10


@pytest.mark.parametrize("actual", [-3, inf, float("nan")])
def test_a_true_cost_is_a_number_from_0(clock, actual):
    scheduler = QuotaScheduler(10, clock=clock)
    grant = scheduler.acquire(cost=4)
    with pytest.raises(ConfigError, match="a cost must be from 0"):
        grant.reconcile(actual)
    assert (grant.cost, scheduler.snapshot()["tokens"]) == (4, 6)


def test_threads_that_correct_one_grant_lose_nothing():
    scheduler = QuotaScheduler(1000, clock=python_clock(lambda: 1.0))
    grant = scheduler.acquire(cost=1)
    hammer(lambda n: [grant.reconcile(n + turn % 7) for turn in range(500)], threads=4)
    assert scheduler.snapshot()["tokens"] == 1000 - grant.cost
