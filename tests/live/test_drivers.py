"""`Driver`: who parks is told once, and what nobody takes goes back."""

import asyncio
import gc
import logging
import threading
from math import inf
from typing import Any

import pytest

from trafficcore.live import drivers
from trafficcore.live.drivers import Driver, driver_of


class Ticket:
    def __init__(self) -> None:
        self.verdict: Any = None
        self.wake: Any = None


class Verdict:
    def __init__(self) -> None:
        self.given_back = 0

    def give_back(self, now: float) -> None:
        self.given_back += 1


class Scripted:
    """A queue that decides what a test tells it to, when the clock says so."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: dict[Any, tuple[float, Any]] = {}
        self.polls: list[float] = []
        self.fault: Exception | None = None
        self.entered, self.hold = threading.Event(), threading.Event()
        self.hold.set()
        self.driver = None

    def enter(self, at: float = inf, verdict: Any = "yes") -> Ticket:
        ticket = Ticket()
        with self.lock:
            self.waiting[ticket] = (at, verdict)
        return ticket

    def decide(self, ticket: Ticket, at: float) -> None:
        with self.lock:
            self.waiting[ticket] = (at, self.waiting[ticket][1])

    def poll(self, now: float) -> list[tuple[Any, Any]]:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        with self.lock:
            self.polls.append(now)
            due = [ticket for ticket, (at, _) in self.waiting.items() if at <= now]
            decided = [(ticket, self.waiting.pop(ticket)[1]) for ticket in due]
        if decided:
            self.entered.set()
            self.hold.wait(10)
        return decided

    def next_deadline(self) -> float:
        with self.lock:
            return min((at for at, _ in self.waiting.values()), default=inf)

    def cancel(self, ticket: Any, now: float) -> bool:
        with self.lock:
            return self.waiting.pop(ticket, None) is not None


@pytest.fixture
def queue():
    return Scripted()


@pytest.fixture
def driver(queue, clock):
    return Driver(queue, clock)


def parked(driver, ticket):
    """Park in a thread of its own; return it and the list its answer goes to."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(driver.park_thread(ticket)))
    thread.start()
    until(lambda: ticket.wake is not None)
    return thread, answers


def until(condition):
    """Wait for what another thread is about to do."""
    pause = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it never came to pass")


async def turns(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # another thread makes it true
            await asyncio.sleep(0.001)


def test_who_parks_after_the_decision_finds_it(queue, driver, clock):
    ticket = queue.enter(at=clock())
    driver.run(clock())
    assert ticket.wake is None
    assert driver.park_thread(ticket) == "yes"
    again = queue.enter(at=clock())
    driver.run(clock())
    assert asyncio.run(driver.park_async(again)) == "yes"


def test_what_is_due_when_somebody_parks_is_run_by_him(queue, driver, clock):
    assert driver.park_thread(queue.enter(at=clock())) == "yes"
    assert asyncio.run(driver.park_async(queue.enter(at=clock()))) == "yes"
    assert driver._thread is None


def test_a_thread_and_a_task_are_woken_by_a_kick(queue, driver, clock):
    async def main():
        ticket = queue.enter(at=clock() + 5)
        thread, answers = parked(driver, queue.enter(at=clock() + 7))
        task = asyncio.create_task(driver.park_async(ticket))
        await turns(lambda: ticket.wake is not None)
        clock.advance(5)
        driver.kick()
        assert await task == "yes"
        assert answers == []
        clock.advance(2)
        driver.kick()
        thread.join(10)
        assert answers == ["yes"]

    asyncio.run(main())


def test_the_timer_wakes_by_itself_at_the_time(queue):
    import time

    driver = Driver(queue)
    start = time.monotonic()
    late, early = queue.enter(at=start + 0.04), queue.enter(at=start + 0.02)
    thread, answers = parked(driver, late)
    assert driver.park_thread(early) == "yes"
    thread.join(10)
    assert answers == ["yes"]
    assert min(queue.polls) >= start + 0.02
    assert len(queue.polls) <= 6  # twice a decision at most: nothing polls in between


def test_only_a_sooner_time_rouses_the_timer(queue, driver, clock):
    first = queue.enter(at=clock() + 10)
    one, _ = parked(driver, first)
    until(lambda: driver._armed == clock() + 10)
    roused = []
    rouse, driver._rouse = driver._rouse, lambda: roused.append(rouse())
    two, _ = parked(driver, queue.enter(at=clock() + 20))
    assert roused == []
    three, _ = parked(driver, queue.enter(at=clock() + 5))
    assert len(roused) == 1
    clock.advance(20)
    driver.kick()
    for thread in (one, two, three):
        thread.join(10)
        assert not thread.is_alive()


def test_the_thread_ends_when_nobody_waits_and_another_begins(queue, driver, clock, monkeypatch):
    monkeypatch.setattr(drivers, "_IDLE", 0.001)
    for _ in range(3):
        ticket = queue.enter(at=clock() + 1)
        thread, answers = parked(driver, ticket)
        clock.advance(1)
        driver.kick()
        thread.join(10)
        assert answers == ["yes"]
        driver._rouse()
        until(lambda: driver._thread is None)
    assert driver._armed == inf


def test_one_whose_wake_raises_harms_nobody(queue, driver, clock, caplog):
    class Broken(Ticket):
        def __init__(self):
            self.verdict = None
            self.wake = lambda: 1 / 0

    with queue.lock:
        queue.waiting[Broken()] = (clock() + 1, "lost")
    thread, answers = parked(driver, queue.enter(at=clock() + 1))
    clock.advance(1)
    with caplog.at_level(logging.ERROR):
        driver.kick()
    thread.join(10)
    assert answers == ["yes"]
    assert "could not be woken" in caplog.text


def test_a_poll_that_raises_is_tried_again(queue, caplog, monkeypatch):
    import time

    monkeypatch.setattr(drivers, "_RETRY", 0.001)
    driver = Driver(queue)
    ticket = queue.enter(at=inf)
    thread, answers = parked(driver, ticket)
    queue.fault = ValueError("a bug")
    queue.decide(ticket, time.monotonic() + 0.01)
    with caplog.at_level(logging.ERROR):
        driver._rouse()
        thread.join(10)
    assert answers == ["yes"]
    assert "could not be polled" in caplog.text


def test_a_cancelled_task_frees_its_place(queue, driver, clock):
    async def main():
        ticket = queue.enter(at=clock() + 5)
        task = asyncio.create_task(driver.park_async(ticket))
        await turns(lambda: ticket.wake is not None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert queue.waiting == {}

    asyncio.run(main())


@pytest.mark.parametrize("when", ["before it is told", "before the loop runs on"])
def test_a_verdict_for_a_cancelled_task_is_given_back(queue, driver, clock, when):
    async def main():
        verdict = Verdict()
        ticket = queue.enter(at=clock() + 5, verdict=verdict)
        task = asyncio.create_task(driver.park_async(ticket))
        await turns(lambda: ticket.wake is not None)
        clock.advance(5)
        if when == "before it is told":
            queue.hold.clear()
            thread = threading.Thread(target=driver.kick)
            thread.start()
            await turns(queue.entered.is_set)  # decided, and on its way
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert verdict.given_back == 0
            queue.hold.set()
            thread.join(10)
        else:
            driver.kick()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        # whichever thread has it to tell, perhaps the one of the timer
        await turns(lambda: verdict.given_back)
        assert ticket.verdict is verdict

    asyncio.run(main())


def test_a_thread_that_is_interrupted_leaves_nothing(queue, driver, clock, monkeypatch):
    class Interrupted(threading.Event):
        def wait(self, timeout=None):
            raise KeyboardInterrupt

    monkeypatch.setattr(drivers.threading, "Event", Interrupted)
    ticket = queue.enter()
    with pytest.raises(KeyboardInterrupt):
        driver.park_thread(ticket)
    assert queue.waiting == {}


def test_a_loop_that_is_closed_gives_back_what_it_was_granted(queue, driver, clock):
    verdict = Verdict()
    ticket = queue.enter(at=clock() + 5, verdict=verdict)
    loop = asyncio.new_event_loop()
    task = loop.create_task(driver.park_async(ticket))
    loop.run_until_complete(asyncio.sleep(0))
    task._log_destroy_pending = False
    loop.close()
    clock.advance(5)
    driver.kick()
    assert verdict.given_back >= 1


def test_thousands_of_closed_waits_do_not_nest(queue, driver, clock):
    """Each one given back lets the next be told, from inside its wake-up."""
    loop = asyncio.new_event_loop()
    verdicts = [Verdict() for _ in range(3000)]
    tickets = [queue.enter(at=clock() + 1, verdict=verdict) for verdict in verdicts]
    tasks = [loop.create_task(driver.park_async(ticket)) for ticket in tickets]
    loop.run_until_complete(asyncio.sleep(0))
    for task in tasks:
        task._log_destroy_pending = False
    loop.close()
    clock.advance(1)
    driver.kick()
    assert all(verdict.given_back for verdict in verdicts)


def test_a_coroutine_thrown_away_is_undone_at_the_next_run(queue, driver, clock):
    async def main():
        ticket = queue.enter()
        waiting = driver.park_async(ticket)
        waiting.send(None)
        waiting.close()
        del waiting
        gc.collect()
        assert ticket in queue.waiting  # not from inside the collector
        driver.kick()
        assert queue.waiting == {}

    asyncio.run(main())


def test_a_wait_ends_after_its_timeout_without_a_verdict(queue, driver):
    ticket = queue.enter()
    assert driver.park_thread(ticket, timeout=0.001) is None
    assert asyncio.run(driver.park_async(queue.enter(), timeout=0.001)) is None
    assert queue.waiting == {}


def test_who_has_cancelled_a_ticket_may_end_its_wait(queue, driver, clock):
    ticket = queue.enter()
    thread, answers = parked(driver, ticket)
    assert queue.cancel(ticket, clock())
    ticket.wake()
    thread.join(10)
    assert answers == [None]


def test_after_a_fork_there_is_no_thread_and_nobody_to_tell(queue, driver, clock):
    ticket = queue.enter(at=clock() + 5)
    thread, answers = parked(driver, ticket)
    until(lambda: driver._thread is not None)
    timer = driver._thread
    driver.after_fork()
    assert driver._thread is None
    assert driver._armed == inf
    clock.advance(5)
    driver.kick()
    thread.join(10)
    assert answers == ["yes"]
    assert timer is not None


def test_an_engine_has_one_driver(queue):
    assert driver_of(queue) is driver_of(queue)
