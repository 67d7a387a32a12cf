"""A call cancelled at any of its awaits, or torn out of any of its steps, leaves nothing behind.

The coroutine is driven by hand, an await at a time, so that every place where it can be left is
one that a test can name.
"""

import asyncio
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.outbound import URL, breaker, ejection, engine, outbound, quota
from trafficcore.live.drivers import driver_of
from trafficcore.spec import Destination, Retries, RetryCaps, TrafficPolicy
from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport

A, B = "10.0.0.1:8080", "10.0.0.2:8080"
LIBRARIES = ["httpx2", "httpx"]
FAULTS = {"connect": "ConnectError", "timeout": "ReadTimeout", "reset": "RemoteProtocolError"}
STOPS = [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit]
POLICY = Retries(3, "5xx,connect-failure", caps=RetryCaps(max_retries=2))


class Await:
    """An await at which the call gives way once."""

    def __await__(self):
        yield


class Service:
    """Answers by a script; counts the answers that were opened and those that were closed."""

    def __init__(self, lib, script):
        self.lib = lib
        self.script = list(script)
        self.ended = self.opened = self.closed = 0

    def entry(self):
        return self.script.pop(0) if self.script else 200

    def answer(self, entry, stream):
        if isinstance(entry, str):
            self.ended += 1
            raise getattr(self.lib, FAULTS[entry])("no")
        self.opened += 1
        return self.lib.Response(entry, stream=stream)


def asynchronous(service):
    lib = service.lib

    class Body(lib.AsyncByteStream):
        open = True

        async def __aiter__(self):
            await Await()
            yield b"body"
            await Await()

        async def aclose(self):
            # the connection is given up at once, then there is something to wait for
            service.closed += self.open
            self.open = False
            await Await()

    class Inner(lib.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await Await()
            entry = service.entry()
            await Await()
            return service.answer(entry, Body())

    return Inner()


async def pause(_seconds):
    await Await()


async def whole(shell, lib):
    response = await shell.handle_async_request(lib.Request("GET", URL))
    try:
        async for _ in response.stream:
            pass
    finally:
        await response.stream.aclose()
    return response.status_code


def drive(coroutine, stops):
    """Step through a coroutine; throw what `stops` has for a step. Return how many there were."""
    steps = 0
    try:
        while True:
            error = stops.get(steps)
            if error is None:
                coroutine.send(None)
            else:
                coroutine.throw(error())
            steps += 1
    except StopIteration:
        return steps
    except BaseException as error:
        if isinstance(error, Exception):  # the fault of the last try
            return steps
        return -1
    finally:
        coroutine.close()


def policies():
    """Return an engine with all that a permit may hold: a breaker, a cap, tallies of endpoints."""
    rule = ejection(consecutive_5xx=1000)
    full = Destination(
        source=rule.source,
        host=rule.host,
        namespace=rule.namespace,
        policy=TrafficPolicy(outlier=rule.policy.outlier, max_requests=5),
    )
    return engine(breaker(error_percent=100, min_requests=10**6), full, endpoints=[A, B])


def check(gate, service):
    """Nothing is in flight, every answer is closed, and only tries that ended have been judged."""
    now = 0
    assert outbound(gate)["in_flight"] == 0
    shown = gate.snapshot(now)
    (cluster,) = shown["clusters"]
    assert cluster["in_flight"] == 0
    assert cluster["max_requests"] == 5
    assert all(endpoint["active"] == 0 for endpoint in cluster["endpoints"])
    for room in shown["retries"].values():
        assert (room["active"], room["retries"]) == (0, 0)
    assert service.closed == service.opened
    judged = shown["rules"][0]["breaker"]["total"]
    assert judged <= service.ended + service.opened
    return judged


SCRIPTS = st.lists(st.sampled_from([200, 404, 503, 500, *FAULTS]), max_size=5)


@pytest.mark.parametrize("name", LIBRARIES)
@given(
    script=SCRIPTS,
    stops=st.dictionaries(st.integers(0, 30), st.sampled_from(STOPS), max_size=3),
)
def test_a_call_stopped_anywhere_leaves_nothing(name, script, stops):
    lib = import_module(name)
    gate, service = policies(), Service(lib, script)
    shell = AsyncTrafficTransport(
        gate, asynchronous(service), retries=POLICY, sleep=pause, clock=lambda: 0
    )
    drive(whole(shell, lib), stops)
    check(gate, service)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("script", [[200], [503, 200], ["connect", 503, "reset", 200]])
def test_every_await_there_is(name, stop, script):
    lib = import_module(name)

    def run(stops):
        gate, service = policies(), Service(lib, script)
        shell = AsyncTrafficTransport(
            gate, asynchronous(service), retries=POLICY, sleep=pause, clock=lambda: 0
        )
        steps = drive(whole(shell, lib), stops)
        return steps, check(gate, service)

    steps, judged = run({})
    assert judged == len(script)
    assert steps > 3 * len(script)
    for at in range(1, steps):
        assert run({at: stop})[1] <= judged


@pytest.mark.parametrize("name", LIBRARIES)
@given(
    scripts=st.lists(SCRIPTS, min_size=2, max_size=6),
    turns=st.lists(st.integers(0, 5), max_size=60),
    stops=st.dictionaries(st.integers(0, 60), st.sampled_from(STOPS), max_size=4),
    caps=st.builds(RetryCaps, max_retries=st.integers(0, 2))
    | st.builds(
        RetryCaps, budget_percent=st.integers(0, 100), min_retry_concurrency=st.integers(0, 2)
    ),
)
def test_calls_beside_each_other_never_pass_the_caps(name, scripts, turns, stops, caps):
    lib = import_module(name)
    gate, service = policies(), Service(lib, [])
    policy = Retries(3, "5xx,connect-failure", caps=caps)
    shell = AsyncTrafficTransport(
        gate, asynchronous(service), retries=policy, sleep=pause, clock=lambda: 0
    )
    calls = [whole(shell, lib) for _ in scripts]
    tries = dict.fromkeys(range(len(calls)), 0)
    before = 0

    def step(index, stop=None):
        """Step through one call; what it is answered comes from its own script."""
        nonlocal before
        service.script, asked = scripts[index], len(scripts[index])
        try:
            calls[index].throw(stop()) if stop else calls[index].send(None)
        except BaseException:
            calls[index] = None
        tries[index] += asked - len(scripts[index])
        for room in gate.snapshot(0)["retries"].values():
            if room["retries"] > before:  # one was let in: it had room in what was in flight then
                assert room["retries"] <= caps.most(room["active"] + 1)
            before = room["retries"]

    for number, turn in enumerate(turns):
        index = turn % len(calls)
        if calls[index] is not None:
            step(index, stops.get(number))
    for index, call in enumerate(calls):
        while calls[index] is not None:
            step(index)
        if call is not None:
            call.close()
        assert tries[index] <= 1 + policy.attempts
    check(gate, service)


@pytest.mark.parametrize("name", LIBRARIES)
def test_in_another_kind_of_loop_a_bounded_try_is_made_as_well(name):
    lib = import_module(name)
    service = Service(lib, [503, 200])
    policy = Retries(1, "5xx", per_try_timeout=5)
    shell = AsyncTrafficTransport(None, asynchronous(service), retries=policy, sleep=pause)
    assert drive(whole(shell, lib), {}) > 0
    assert service.opened == service.closed == 2


class Torn(BaseException):
    """What no library expects."""


@pytest.mark.parametrize("name", LIBRARIES)
@given(
    script=SCRIPTS,
    at=st.integers(0, 12),
    error=st.sampled_from([KeyboardInterrupt, Torn, OSError, ValueError]),
)
def test_a_call_torn_out_of_any_step_leaves_nothing(name, script, at, error):
    lib = import_module(name)
    gate, service = policies(), Service(lib, script)
    steps = iter(range(100))

    def step():
        if next(steps) == at:
            raise error

    class Body(lib.SyncByteStream):
        open = True

        def __iter__(self):
            step()
            yield b"body"
            step()

        def close(self):
            service.closed += self.open
            self.open = False
            step()

    class Inner(lib.BaseTransport):
        def handle_request(self, request):
            step()
            return service.answer(service.entry(), Body())

    shell = TrafficTransport(gate, Inner(), retries=POLICY, sleep=lambda _: step(), clock=lambda: 0)
    try:
        response = shell.handle_request(lib.Request("GET", URL))
        try:
            list(response.stream)
        finally:
            response.stream.close()
    except (error, lib.HTTPError):
        pass
    service.ended += 1  # where the step before the answer was torn
    check(gate, service)


async def turns(condition):
    """Let the loop run until something holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the driver's thread makes it true
            await asyncio.sleep(0.001)


def failing(lib, gate, clock, answered, **policy):
    """Return a client of a service that answers each try with 503."""

    class Inner(lib.AsyncBaseTransport):
        async def handle_async_request(self, request):
            answered.append(request)
            return lib.Response(503, content=b"first")

    shell = AsyncTrafficTransport(gate, Inner(), retries=Retries(1, **policy), clock=clock)
    return lib.AsyncClient(transport=shell, timeout=None)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_try_waits_in_line_and_leaves_it_when_it_is_cancelled(name, clock):
    gate, answered = engine(quota(rate=1), endpoints=[A]), []

    async def main():
        async with failing(import_module(name), gate, clock, answered) as client:
            task = asyncio.create_task(client.get(URL))
            await turns(lambda: outbound(gate)["queued"])
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(answered) == 1
            assert outbound(gate)["queued"] == 0
            clock.advance(5)
            task = asyncio.create_task(client.get(URL))
            await turns(lambda: outbound(gate)["queued"])
            assert len(answered) == 2
            clock.advance(1)
            driver_of(gate).kick()
            assert (await task).status_code == 503
            assert len(answered) == 3

    asyncio.run(main())
    (room,) = gate.snapshot(clock())["retries"].values()
    assert (room["active"], room["retries"], room["retried"]) == (0, 0, 2)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_try_that_gets_no_turn_in_time_is_not_made(name, clock):
    gate, answered = engine(quota(rate=0.01), endpoints=[A]), []

    async def main():
        # the wait in line is the loop's, and so are these milliseconds
        client = failing(import_module(name), gate, clock, answered, timeout=0.05)
        async with client:
            assert (await client.get(URL)).content == b"first"

    asyncio.run(main())
    assert len(answered) == 1
    assert outbound(gate)["queued"] == outbound(gate)["in_flight"] == 0
    (room,) = gate.snapshot(clock())["retries"].values()
    assert (room["active"], room["retries"], room["refused"]) == (0, 0, 1)
