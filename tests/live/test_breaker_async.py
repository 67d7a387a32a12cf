"""Coroutines and asynchronous generators behind a breaker, cancelled wherever that can happen."""

import asyncio
import inspect
from concurrent.futures import Future

import pytest

from trafficcore import Rejected
from trafficcore.core.breaker import HalfOpen, Open, Ratio, Rule, Settings, State
from trafficcore.live.breaker import CircuitBreaker

ONE = Settings(
    trip=[Rule("error_count", 1), Rule("slow_count", 1)],
    open=Open(10),
    slow_after=1,
    half_open=HalfOpen(2, verdict=Ratio(2, 2)),
)
IDLE = {"admitted": 0, "in_flight": 0, "bad": 0}


@pytest.fixture(params=[False, True], ids=["", "slow_in_flight"])
def breaker(request, clock):
    return CircuitBreaker(settings=ONE, clock=clock, slow_in_flight=request.param)


@pytest.fixture
def trying(breaker, clock):
    """A breaker that is half-open, where a permit that is lost is missed."""
    breaker.to("open")
    clock.advance(10)
    assert breaker.state is State.HALF_OPEN
    return breaker


class Turn:
    """One await at which the task gives way."""

    def __await__(self):
        yield self


async def three_turns():
    for _ in range(3):
        await Turn()
    return "done"


def run(coroutine):
    """Drive a coroutine to its end, whatever it waits for."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def test_a_coroutine_function_stays_one(breaker):
    @breaker
    async def ask(x: int) -> int:
        await Turn()
        return x

    assert inspect.iscoroutinefunction(ask)
    assert run(ask(3)) == 3
    assert run(breaker.call(ask, 4)) == 4
    assert breaker.snapshot()["total"] == 3  # `call` guarded a guarded one


def test_the_permit_is_taken_when_it_is_awaited(trying):
    coroutine = trying(three_turns)()
    assert trying.snapshot()["probes"] == IDLE
    coroutine.close()
    assert trying.snapshot()["probes"] == IDLE


def test_its_duration_is_that_of_the_whole_call(breaker, clock):
    @breaker
    async def ask():
        await Turn()
        clock.advance(2)

    run(ask())
    assert breaker.state is State.OPEN
    with pytest.raises(Rejected):
        run(ask())


def test_an_exception_is_an_error_and_a_timeout_is_one(breaker):
    @breaker
    async def ask():
        await Turn()
        raise TimeoutError

    with pytest.raises(TimeoutError):
        run(ask())
    assert breaker.state is State.OPEN


def test_a_coroutine_that_a_plain_function_returns_is_awaited_before_it_counts(breaker):
    async def ask():
        await Turn()
        raise KeyError

    with pytest.raises(KeyError):
        run(breaker.call(lambda: ask()))  # noqa: PLW0108  # its kind cannot be seen
    assert breaker.state is State.OPEN
    breaker.reset()
    assert run(breaker.call(lambda: three_turns())) == "done"  # noqa: PLW0108
    assert breaker.snapshot()["total"] == 1


def test_an_object_with_an_asynchronous_call_is_a_coroutine_function(breaker):
    class Service:
        async def __call__(self):
            return await three_turns()

    guarded = breaker(Service())
    assert inspect.iscoroutinefunction(guarded)
    assert run(guarded()) == "done"


async def as_decorated(breaker):
    await breaker(three_turns)()


async def as_called(breaker):
    await breaker.call(three_turns)


async def as_returned(breaker):
    await breaker.call(lambda: three_turns())  # noqa: PLW0108


async def as_block(breaker):
    async with breaker:
        await three_turns()


async def as_plain_block(breaker):
    with breaker:
        await three_turns()


async def as_generator(breaker):
    @breaker
    async def items():
        for _ in range(3):
            await Turn()
            yield
            await Turn()

    async for _ in items():
        await Turn()


FORMS = [as_decorated, as_called, as_returned, as_block, as_plain_block, as_generator]


@pytest.mark.parametrize("end", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt])
@pytest.mark.parametrize("form", FORMS)
def test_a_call_cancelled_at_any_await_loses_no_permit(form, end, trying):
    awaits = 0
    while True:
        coroutine = form(trying)
        try:
            for _ in range(awaits + 1):
                coroutine.send(None)
        except StopIteration:
            break  # it came to its end before the await of this round
        assert trying.snapshot()["probes"]["in_flight"] == 1
        with pytest.raises(end):
            coroutine.throw(end())
        assert trying.snapshot()["probes"] == IDLE, f"await {awaits}"
        awaits += 1
    assert awaits >= 3
    assert trying.snapshot()["probes"] == {"admitted": 1, "in_flight": 0, "bad": 0}
    run(form(trying))
    assert trying.state is State.CLOSED


def test_tasks_that_are_cancelled_by_the_hundred_change_nothing(trying):
    @trying
    async def hang():
        await asyncio.Event().wait()

    async def main():
        for form in (hang, lambda: as_hanging_block(trying)):
            for _ in range(100):
                tasks = [asyncio.ensure_future(form()) for _ in range(2)]
                await asyncio.sleep(0)
                assert trying.snapshot()["probes"]["in_flight"] == 2
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert trying.snapshot()["probes"] == IDLE

    asyncio.run(main())
    assert trying.snapshot()["ignored"] == 0


async def as_hanging_block(breaker):
    async with breaker:
        await asyncio.Event().wait()


# Asynchronous generators


async def collect(items):
    return [item async for item in items]


def test_an_asynchronous_generator_is_settled_at_its_end_and_timed_to_its_first_item(trying, clock):
    @trying
    async def items():
        await Turn()
        yield 1
        clock.advance(9)
        yield 2

    assert inspect.isasyncgenfunction(items)
    assert run(collect(items())) == [1, 2]
    assert trying.snapshot()["probes"] == {"admitted": 1, "in_flight": 0, "bad": 0}
    assert trying.snapshot()["slow"] == 0


def test_an_asynchronous_generator_closed_early_gives_its_permit_back(trying):
    closed = []

    @trying
    async def items():
        try:
            while True:
                yield 1
        finally:
            await Turn()
            closed.append(True)

    async def one():
        running = items()
        assert await anext(running) == 1
        await running.aclose()

    run(one())
    assert closed == [True]
    assert trying.snapshot()["probes"] == IDLE


def test_an_asynchronous_generator_is_sent_and_thrown_what_its_consumer_does(breaker):
    @breaker
    async def items():
        got = yield 1
        try:
            yield got
        except KeyError:
            yield "caught"
        raise LookupError

    async def talk():
        running = items()
        assert await anext(running) == 1
        assert await running.asend("a") == "a"
        assert await running.athrow(KeyError()) == "caught"
        await anext(running)

    with pytest.raises(LookupError):
        run(talk())
    assert breaker.state is State.OPEN


def test_an_asynchronous_generator_that_yields_nothing_takes_as_long_as_it_ran(breaker, clock):
    @breaker
    async def items():
        clock.advance(2)
        for _ in ():
            yield

    assert run(collect(items())) == []
    assert breaker.state is State.OPEN


def test_a_coroutine_that_is_closed_or_cancelled_before_it_begins_gives_its_permit_back(trying):
    def asked():
        return trying.call(lambda: three_turns())  # noqa: PLW0108  # its kind cannot be seen

    async def cancelled():
        task = asyncio.ensure_future(asked())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert trying.snapshot()["probes"] == IDLE
    asked().close()
    assert trying.snapshot()["probes"] == IDLE
    with pytest.warns(RuntimeWarning, match="never awaited"):
        del [asked()][0]
    assert trying.snapshot()["probes"] == IDLE
    begun = asked()
    begun.send(None)
    begun.close()
    begun.close()
    assert trying.snapshot()["probes"] == IDLE


def test_such_a_coroutine_can_be_awaited_and_thrown_into(breaker):
    async def stubborn():
        try:
            await Turn()
        except KeyError:
            return "kept on"

    def made():
        return stubborn()

    async def main():
        return await breaker.call(made)

    coroutine = main()
    coroutine.send(None)
    with pytest.raises(StopIteration) as stop:
        coroutine.throw(KeyError())
    assert stop.value.value == "kept on"
    assert breaker.snapshot()["successes"] == 1


async def _fail():
    raise OSError("no route")


async def _sleep_for_ever():
    await asyncio.get_running_loop().create_future()


def test_a_future_counts_when_it_is_done(breaker):
    async def main():
        guarded = breaker(lambda given: asyncio.ensure_future(given))  # noqa: PLW0108
        assert await guarded(asyncio.sleep(0, "now")) == "now"
        assert breaker.snapshot()["successes"] == 1
        waiting = guarded(_sleep_for_ever())
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (breaker.cancelled, breaker.state) == (1, State.CLOSED)
        with pytest.raises(OSError, match="no route"):
            await guarded(_fail())
        await asyncio.sleep(0)

    asyncio.run(main())
    assert breaker.state is State.OPEN


def test_a_future_of_a_pool_counts_when_it_is_done(breaker):
    guarded, future = breaker(lambda given: given), Future()
    assert guarded(future) is future
    assert breaker.snapshot()["total"] == 0
    future.set_exception(OSError())
    assert breaker.state is State.OPEN


def test_a_probe_that_is_a_future_keeps_its_permit_until_it_is_done(trying):
    guarded, future = trying(lambda given: given), Future()
    guarded(future)
    assert trying.snapshot()["probes"]["in_flight"] == 1
    future.cancel()
    future.set_running_or_notify_cancel()
    assert trying.snapshot()["probes"] == IDLE
