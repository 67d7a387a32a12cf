"""Calls that wait for their turn: in a thread, in a loop, given up, timed out, over both libraries.

The clock stands still; moving it and kicking the driver is what time passing looks like.
"""

import asyncio
import threading
from importlib import import_module

import pytest

from support.outbound import HOST, URL, engine, limit, outbound, quota
from trafficcore.engine import Rejection
from trafficcore.live.drivers import driver_of
from trafficcore.outcome import Reason
from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport


@pytest.fixture(params=["httpx2", "httpx"])
def lib(request):
    return import_module(request.param)


def answering(lib):
    return lib.MockTransport(lambda request: lib.Response(200, text=request.url.path))


def client_of(lib, gate, clock, **settings):
    return lib.Client(transport=TrafficTransport(gate, answering(lib), clock=clock), **settings)


def async_client_of(lib, gate, clock, **settings):
    transport = AsyncTrafficTransport(gate, answering(lib), clock=clock)
    return lib.AsyncClient(transport=transport, **settings)


def pass_time(gate, clock, seconds):
    clock.advance(seconds)
    driver_of(gate).kick()


async def turns(condition):
    """Let the loop run until something holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # another thread makes it true
            await asyncio.sleep(0.001)


def test_a_thread_waits_for_its_turn(lib, clock):
    gate = engine(quota(1))
    with client_of(lib, gate, clock) as client:
        assert client.get(URL).status_code == 200
        answers = []
        thread = threading.Thread(target=lambda: answers.append(client.get(URL + "second")))
        thread.start()
        while not outbound(gate)["queued"]:
            thread.join(0.001)
        assert answers == []
        pass_time(gate, clock, 1)
        thread.join(10)
    assert [answer.text for answer in answers] == ["/second"]
    assert outbound(gate)["queued"] == outbound(gate)["in_flight"] == 0
    assert outbound(gate)["admitted"] == 2


def test_tasks_wait_for_their_turn_and_the_loop_runs_on(lib, clock):
    gate = engine(quota(1))

    async def run():
        async with async_client_of(lib, gate, clock) as client:
            tasks = [asyncio.create_task(client.get(f"{URL}{number}")) for number in range(4)]
            await turns(lambda: tasks[0].done() and outbound(gate)["queued"] == 3)
            for number in range(1, 4):
                pass_time(gate, clock, 1)
                await turns(tasks[number].done)
                assert [task.done() for task in tasks] == [n <= number for n in range(4)]
            assert [(await task).text for task in tasks] == ["/0", "/1", "/2", "/3"]

    asyncio.run(run())
    assert outbound(gate)["queued"] == outbound(gate)["in_flight"] == 0


def test_the_policys_patience_ends_in_its_refusal(lib, clock):
    gate = engine(quota(1, timeout=1.5))

    async def run():
        async with async_client_of(lib, gate, clock) as client:
            await client.get(URL)
            waiting = asyncio.create_task(client.get(URL))
            await turns(lambda: outbound(gate)["queued"])
            pass_time(gate, clock, 1.6)  # whoever looks after the deadline grants nothing
            return await waiting

    response = asyncio.run(run())
    assert response.status_code == 503
    assert isinstance(response.extensions["trafficcore"], Rejection)
    assert response.extensions["trafficcore"].reason is Reason.QUEUE_TIMEOUT
    assert outbound(gate)["refused"] == 1


def test_a_wait_ends_with_the_clients_pool_timeout_and_frees_the_place(lib, clock):
    gate = engine(limit(10), quota(1))
    words = f"no turn in the queue of {HOST} within 0.02 s"
    with client_of(lib, gate, clock, timeout=lib.Timeout(5, pool=0.02)) as client:
        client.get(URL)
        with pytest.raises(lib.PoolTimeout, match=words) as late:
            client.get(URL)
        assert late.value.request.url == URL
        assert outbound(gate)["queued"] == 0
        pass_time(gate, clock, 1)
        assert client.get(URL).status_code == 200

    async def run():
        async with async_client_of(lib, gate, clock, timeout=lib.Timeout(5, pool=0.02)) as client:
            with pytest.raises(lib.PoolTimeout, match=words):
                await client.get(URL)
            assert outbound(gate)["queued"] == 0
            pass_time(gate, clock, 1)
            assert (await client.get(URL)).status_code == 200

    asyncio.run(run())
    assert outbound(gate)["admitted"] == 3
    (bucket,) = gate.snapshot(clock())["rules"][0]["buckets"]
    assert bucket["tokens"] == pytest.approx(7 + 2 * 10 / 60)


def test_without_a_pool_timeout_a_wait_is_as_long_as_the_policy_says(lib, clock):
    gate = engine(quota(1))

    async def run():
        async with async_client_of(lib, gate, clock, timeout=None) as client:
            await client.get(URL)
            waiting = asyncio.create_task(client.get(URL))
            await turns(lambda: outbound(gate)["queued"])
            for _ in range(20):
                await asyncio.sleep(0)
            assert not waiting.done()
            pass_time(gate, clock, 1)
            assert (await waiting).status_code == 200

    asyncio.run(run())


def test_waiting_calls_cancelled_by_the_hundred_free_their_places_at_once(lib, clock):
    gate = engine(quota(1))

    async def run():
        async with async_client_of(lib, gate, clock, timeout=None) as client:
            await client.get(URL)
            tasks = [asyncio.create_task(client.get(URL)) for _ in range(300)]
            await turns(lambda: outbound(gate)["queued"] == 300)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)
            assert outbound(gate)["queued"] == outbound(gate)["in_flight"] == 0
            pass_time(gate, clock, 1)
            assert (await client.get(URL)).status_code == 200

    asyncio.run(run())
    assert outbound(gate)["admitted"] == 2


def test_calls_cancelled_as_their_turn_comes_lose_no_permit(lib, clock):
    gate = engine(quota(1))

    async def run():
        async with async_client_of(lib, gate, clock, timeout=None) as client:
            await client.get(URL)
            for _ in range(100):
                waiting = asyncio.create_task(client.get(URL))
                await turns(lambda: outbound(gate)["queued"] == 1)
                pass_time(gate, clock, 1)
                waiting.cancel()  # while the driver's thread is granting it
                ended = (await asyncio.gather(waiting, return_exceptions=True))[0]
                assert isinstance(ended, asyncio.CancelledError | lib.Response)
                await turns(lambda: outbound(gate)["in_flight"] == outbound(gate)["queued"] == 0)
                # whichever came first: a turn not taken is there for the next
                if isinstance(ended, asyncio.CancelledError):
                    await turns(lambda: tokens(gate, clock) == 1)
                    assert (await client.get(URL)).status_code == 200

    asyncio.run(run())


def tokens(gate, clock):
    return gate.snapshot(clock())["rules"][0]["quota"]["queue"]["tokens"]


def test_a_call_that_must_wait_where_no_loop_of_asyncio_runs_leaves_no_place(lib, clock):
    gate = engine(quota(1))
    transport = AsyncTrafficTransport(gate, answering(lib), clock=clock)

    def step():
        transport.handle_async_request(lib.Request("GET", URL)).send(None)

    with pytest.raises(StopIteration):
        step()
    with pytest.raises(RuntimeError, match="no running event loop"):
        step()
    assert outbound(gate)["queued"] == 0
