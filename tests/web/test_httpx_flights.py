"""A service that hangs trips its breaker before any call of it ends; gRPC's errors are errors."""

import asyncio
from importlib import import_module

import pytest

from support.outbound import URL, breaker, engine
from trafficcore.web.grpc_status import status_of
from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport


@pytest.fixture(params=["httpx2", "httpx"])
def lib(request):
    return import_module(request.param)


def hanging(lib, clock, *, asks=None, **more):
    """Return statuses: of a call made while another has hung for 2 s, then of the hanging one."""
    inside = []

    class Service(lib.BaseTransport):
        def handle_request(self, request):
            if request.url.path == "/hang":
                clock.advance(2)
                inside.append(client.get(f"{URL}quick").status_code)
            return lib.Response(200)

    shell = TrafficTransport(
        engine(breaker(slow_after=1, max_slow=1)), Service(), clock=clock, **more
    )
    with lib.Client(transport=shell) as client:
        inside.append(client.get(f"{URL}hang").status_code)
        shown = shell._gate._engine.snapshot(clock())["rules"][0]["breaker"]
    return inside, shown


def test_a_call_in_flight_trips_the_breaker_that_the_next_call_meets(lib, clock):
    statuses, shown = hanging(lib, clock)
    assert statuses == [498, 200]
    assert (shown["state"], shown["slow"], shown["late"]) == ("open", 1, 0)


def test_by_choice_it_is_slow_when_it_ends(lib, clock):
    statuses, shown = hanging(lib, clock, slow_in_flight=False)
    assert statuses == [200, 200]
    assert (shown["state"], shown["slow"]) == ("open", 1)


def test_a_response_that_has_begun_may_last(lib, clock):
    class Stream(lib.SyncByteStream):
        def __iter__(self):
            yield b"a"

    class Service(lib.BaseTransport):
        def handle_request(self, _):
            return lib.Response(200, stream=Stream())

    it = engine(breaker(slow_after=1, max_slow=1))
    shell = TrafficTransport(it, Service(), clock=clock)
    with lib.Client(transport=shell) as client:
        with client.stream("GET", URL) as response:
            clock.advance(5)
            assert it.snapshot(clock())["rules"][0]["breaker"]["watched"] == 0
            response.read()
        assert client.get(URL).status_code == 200
    assert it.snapshot(clock())["rules"][0]["breaker"]["slow"] == 0


def test_a_call_that_is_cancelled_when_it_was_slow_counts_as_slow(lib, clock):
    class Service(lib.AsyncBaseTransport):
        async def handle_async_request(self, _):
            reached.set()
            await asyncio.Event().wait()

    it = engine(breaker(slow_after=1, max_slow=2))
    shell = AsyncTrafficTransport(it, Service(), clock=clock)
    reached = asyncio.Event()

    async def main():
        async with lib.AsyncClient(transport=shell) as client:
            for seconds in (0.5, 2):
                task = asyncio.create_task(client.get(URL))
                await reached.wait()
                reached.clear()
                clock.advance(seconds)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(main())
    shown = it.snapshot(clock())["rules"][0]["breaker"]
    assert (shown["total"], shown["slow"], shown["watched"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("status", "header", "counts_as"),
    [
        (200, None, 200),
        (200, "0", 200),
        (200, "14", 503),
        (200, " 4", 504),
        (200, "5", 404),
        (200, "8", 429),
        (200, "77", 500),
        (503, "0", 503),
    ],
)
def test_what_a_status_of_grpc_counts_as(status, header, counts_as):
    assert status_of(status, header) == counts_as


@pytest.mark.parametrize(("code", "errors"), [("0", 0), ("14", 1), ("5", 0)])
@pytest.mark.parametrize("slow", ["start", "end"])
def test_trailers_alone_are_told_to_the_breaker(code, errors, slow, lib, clock):
    class Service(lib.BaseTransport):
        def handle_request(self, _):
            return lib.Response(200, headers={"grpc-status": code})

    it = engine(breaker(error_percent=100, min_requests=9))
    with lib.Client(transport=TrafficTransport(it, Service(), clock=clock, slow=slow)) as client:
        assert client.get(URL).status_code == 200
    shown = it.snapshot(clock())["rules"][0]["breaker"]
    assert (shown["errors"], shown["gateway_errors"]) == (errors, errors)
