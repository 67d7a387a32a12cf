"""The whole call's time, to its last byte, in every client; a try's, to its first, in a loop."""

import asyncio
from importlib import import_module

import pytest

from support.clients import KINDS, Script, client
from support.outbound import URL, ejected, ejection, engine, outbound
from trafficcore.outcome import Outcome
from trafficcore.spec import Retries
from trafficcore.web.call import verdict_of
from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport

A = "10.0.0.1:8080"


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_still_coming_when_the_time_is_over_is_a_timeout(kind, clock):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    script = Script(200)
    policy = Retries(3, "5xx", timeout=2)
    one = client(kind, script, gate, clock=clock, sleep=clock.advance, retries=policy)
    script.during = lambda: clock.advance(0.9)
    assert one.call("GET", URL).content == b"body"
    script.during = lambda: clock.advance(2)
    with pytest.raises(one.errors):
        one.call("GET", URL)
    assert len(script.tries) == 2  # what has begun is not tried again
    assert ejected(gate, clock()) == {A}
    assert outbound(gate)["in_flight"] == 0
    (room,) = gate.snapshot(clock())["retries"].values()
    assert (room["active"], room["retries"]) == (0, 0)


@pytest.mark.parametrize("name", ["httpx2", "httpx"])
def test_a_try_that_only_seems_alive_is_interrupted_and_tried_elsewhere(name):
    lib = import_module(name)
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A, "10.0.0.2:8080"])
    tries = []

    class Dripping(lib.AsyncBaseTransport):
        """Gives a sign of life now and then, so that no single wait is ever too long."""

        async def handle_async_request(self, request):
            tries.append(request.url.host)
            while len(tries) == 1:  # noqa: ASYNC110  # it shows that it is there, and no more
                await asyncio.sleep(0.001)
            return lib.Response(200, content=b"here")

    async def main():
        shell = AsyncTrafficTransport(gate, Dripping(), retries=Retries(1, per_try_timeout=0.02))
        async with lib.AsyncClient(transport=shell) as session:
            assert (await session.get(URL)).text == "here"
        tries.clear()
        shell = AsyncTrafficTransport(gate, Dripping(), retries=Retries(0, timeout=0.02))
        async with lib.AsyncClient(transport=shell) as session:
            with pytest.raises(lib.ReadTimeout, match="the call's own time is over"):
                await session.get(URL)

    asyncio.run(main())
    assert outbound(gate)["in_flight"] == 0


@pytest.mark.parametrize("name", ["httpx2", "httpx"])
def test_a_timeout_of_somebody_elses_is_left_as_it_is(name):
    lib = import_module(name)

    class Late(lib.AsyncBaseTransport):
        async def handle_async_request(self, request):
            raise TimeoutError("another's")

    async def main():
        shell = AsyncTrafficTransport(None, Late(), retries=Retries(0, timeout=5))
        with pytest.raises(TimeoutError, match="another's"):
            await shell.handle_async_request(lib.Request("GET", URL))

    asyncio.run(main())


@pytest.mark.parametrize("name", ["httpx2", "httpx"])
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(("policy", "body"), [({}, 10), ({"timeout": 8}, 5), ({"timeout": 60}, 10)])
def test_how_long_a_try_may_take_is_about_the_beginning_of_its_answer(
    name, way, policy, body, clock
):
    lib = import_module(name)
    retries = Retries(1, per_try_timeout=2, **policy)
    waits = []

    class Stream(lib.SyncByteStream, lib.AsyncByteStream):
        def __init__(self, request):
            self.request = request

        def __iter__(self):
            waits.append(self.request.extensions["timeout"]["read"])
            yield b"body"

        async def __aiter__(self):
            for piece in self:
                yield piece

    def answer(request):
        waits.append(request.extensions["timeout"]["read"])
        clock.advance(3)
        return lib.Response(200, stream=Stream(request))

    class Inner(lib.BaseTransport, lib.AsyncBaseTransport):
        def handle_request(self, request):
            return answer(request)

        async def handle_async_request(self, request):
            return answer(request)

    async def main():
        shell = AsyncTrafficTransport(None, Inner(), clock=clock, retries=retries)
        async with lib.AsyncClient(transport=shell, timeout=10) as session:
            assert (await session.get(URL)).text == "body"

    if way == "async":
        asyncio.run(main())
    else:
        shell = TrafficTransport(None, Inner(), clock=clock, retries=retries)
        with lib.Client(transport=shell, timeout=10) as session:
            assert session.get(URL).text == "body"
    assert waits == [2, body]


class Event:
    """What h2 makes of a reset stream."""

    error_code = 7


def test_a_stream_refused_by_http2_is_told_by_its_code():
    def error(event):
        inner = RuntimeError(event)
        outer = import_module("httpx").RemoteProtocolError("<StreamReset>")
        outer.__cause__ = inner
        return outer

    assert verdict_of(error(Event())).fault.value == "refused-stream"
    assert verdict_of(error(Event())).outcome is Outcome.FAILURE
    other = Event()
    other.error_code = 2
    assert verdict_of(error(other)).fault.value == "reset"
    assert verdict_of(OSError("gone")).fault.value == "reset"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [TypeError("numbers"), UnicodeError("中"), AttributeError("no")])
def test_what_the_caller_got_wrong_is_neither_tried_again_nor_counted(kind, error, clock):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    script = Script(error)
    policy = Retries(3, "5xx")
    one = client(kind, script, gate, clock=clock, sleep=clock.advance, retries=policy)
    with pytest.raises(type(error)):
        one.call("GET", URL)
    assert len(script.tries) == 1
    assert ejected(gate, clock()) == set()
    assert outbound(gate)["in_flight"] == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "requests"])
def test_a_refused_stream_is_tried_again_whatever_the_method(kind, clock):
    def refused(number):
        if number > 1:
            return 200
        error = import_module(kind.split("-")[0]).RemoteProtocolError("<StreamReset>")
        error.__cause__ = RuntimeError(Event())
        return error

    script = Script(refused)
    one = client(kind, script, None, clock=clock, sleep=clock.advance, retries=1)
    assert one.call("POST", "http://api.example/", content=b"data").status_code == 200
    assert len(script.tries) == 2
