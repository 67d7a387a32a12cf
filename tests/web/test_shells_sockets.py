"""The server shells over real sockets: what only a real client can do to them."""

import asyncio
import http.client
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest

from support.policies import engine, limit, quota
from support.servers import get, open_request, reset, uvicorn_server, wsgi_server
from support.shells import HOST, breaker_state, eventually, in_flight, inbound, is_open, watching
from trafficcore import AsgiTraffic, Engine, WsgiTraffic

pytestmark = pytest.mark.sockets

PAUSE = 0.25


def asgi_app() -> Any:
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    async def hello(request: Any) -> Any:
        return PlainTextResponse("hello")

    async def background(request: Any) -> Any:
        return PlainTextResponse("done", background=BackgroundTask(asyncio.sleep, 1))

    async def stream(request: Any) -> Any:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(int(request.query_params.get("n", 12))):
                yield b"x" * 1000
                await asyncio.sleep(PAUSE)

        return StreamingResponse(parts())

    async def slow(request: Any) -> Any:
        await asyncio.sleep(0.6)
        return PlainTextResponse("slow")

    async def hang(request: Any) -> Any:
        while not await request.is_disconnected():  # noqa: ASYNC110  # as people write it
            await asyncio.sleep(0.01)
        return PlainTextResponse("for nobody")

    async def broken(request: Any) -> Any:
        async def parts() -> AsyncIterator[bytes]:
            yield b"x" * 1000
            raise ValueError("broken")

        return StreamingResponse(parts())

    views = (hello, background, stream, slow, hang, broken)
    return Starlette(routes=[Route(f"/{view.__name__}", view) for view in views])


def wsgi_app(env: Any, start_response: Any) -> Any:
    path = env["PATH_INFO"]
    headers = [("content-type", "text/plain")]
    if path == "/slow":
        time.sleep(0.6)

    class Background:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"done"])

        def close(self) -> None:
            time.sleep(1)

    def parts() -> Iterator[bytes]:
        count = int(env["QUERY_STRING"].removeprefix("n=") or 12)
        for number in range(count):
            yield b"x" * 1000
            if path == "/broken":
                raise ValueError("broken")
            if number < count - 1:
                time.sleep(PAUSE)

    body: Any = [b"hello"]
    if path == "/background":
        body = Background()
        headers.append(("content-length", "4"))
    elif path in ("/stream", "/broken", "/hang"):
        body = parts()
    start_response("200 OK", headers)
    return body


Serving = Callable[[Engine], AbstractContextManager[int]]


@pytest.fixture(params=["asgi", "wsgi"])
def serving(request: Any) -> Serving:
    if request.param == "asgi":
        return lambda own: uvicorn_server(AsgiTraffic(asgi_app(), own))
    return lambda own: wsgi_server(WsgiTraffic(wsgi_app, own, threads=8))


@pytest.fixture
def asgi() -> Serving:
    return lambda own: uvicorn_server(AsgiTraffic(asgi_app(), own))


def now() -> float:
    return time.monotonic()


def test_three_requests_against_a_limit_of_two(serving: Serving) -> None:
    own = engine(limit(2, 60))
    with serving(own) as port:
        answers = [get(port, "/hello") for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    _, headers, body = answers[2]
    assert body == b"local_rate_limited"
    assert headers["retry-after"] in ("29", "30")


def test_a_background_task_of_a_second_is_not_in_flight(serving: Serving) -> None:
    own = watching()
    with serving(own) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        begun = now()
        connection.request("GET", "/background", headers={"Host": HOST})
        response = connection.getresponse()
        assert response.read(4) == b"done"
        eventually(lambda: in_flight(own) == 0)
        assert now() - begun < 0.5
        connection.close()
    assert not is_open(own, now())
    assert inbound(own)["admitted"] == 1


def test_a_stream_of_three_seconds_is_not_slow_and_a_late_answer_is(serving: Serving) -> None:
    own = watching()
    with serving(own) as port:
        begun = now()
        status, _, body = get(port, "/stream")
        assert (status, len(body)) == (200, 12_000)
        assert now() - begun > 2.5
        eventually(lambda: in_flight(own) == 0)
        assert not is_open(own, now())
        assert get(port, "/slow")[2] == b"slow" or get(port, "/slow")[0] == 498
        eventually(lambda: is_open(own, now()))
        assert get(port, "/hello")[0] == 498


def test_a_client_gone_in_mid_body_is_no_verdict(serving: Serving) -> None:
    own = watching()
    untouched = breaker_state(own, now())
    with serving(own) as port:
        connection = open_request(port, "/stream")
        assert connection.recv(100)
        assert in_flight(own) == 1
        reset(connection)
        eventually(lambda: in_flight(own) == 0)
    assert breaker_state(own, now()) == untouched


def test_an_exception_after_the_start_is_a_failure(serving: Serving) -> None:
    own = watching()
    with serving(own) as port:
        with suppress(http.client.HTTPException):  # a body cut short
            get(port, "/broken")
        eventually(lambda: is_open(own, now()))
    assert in_flight(own) == 0


def test_clients_that_leave_by_the_hundred_leave_nothing_behind(serving: Serving) -> None:
    own = watching()
    untouched = breaker_state(own, now())
    with serving(own) as port:
        for _ in range(4):
            connections = [open_request(port, "/stream?n=1000") for _ in range(50)]
            eventually(lambda: in_flight(own) == 50)
            for connection in connections:
                reset(connection)
            eventually(lambda: in_flight(own) == 0)
        assert breaker_state(own, now()) == untouched
        assert get(port, "/hello")[0] == 200
    assert inbound(own)["admitted"] == 201


def test_clients_that_leave_before_any_answer_leave_nothing_behind(asgi: Serving) -> None:
    own = watching()
    untouched = breaker_state(own, now())
    with asgi(own) as port:
        connections = [open_request(port, "/hang") for _ in range(100)]
        eventually(lambda: in_flight(own) == 100)
        for connection in connections:
            reset(connection)
        eventually(lambda: in_flight(own) == 0)
        assert breaker_state(own, now()) == untouched


def test_a_client_that_leaves_the_queue_frees_its_place(asgi: Serving) -> None:
    own = engine(quota(1, 0.1))
    with asgi(own) as port:
        assert get(port, "/hello")[0] == 200
        connections = [open_request(port, "/hello") for _ in range(20)]
        eventually(lambda: inbound(own)["queued"] == 20)
        for connection in connections:
            reset(connection)
        eventually(lambda: inbound(own)["queued"] == 0)
    assert in_flight(own) == 0
    assert inbound(own)["admitted"] == 1


def test_who_waits_is_served_in_real_time(serving: Serving) -> None:
    own = engine(quota(1, 4))
    with serving(own) as port:
        begun = now()
        assert [get(port, "/hello")[0] for _ in range(5)] == [200] * 5
        assert 0.9 < now() - begun < 3
    assert inbound(own)["queued"] == in_flight(own) == 0


def test_a_server_that_shuts_down_leaves_nobody_in_the_queue(asgi: Serving) -> None:
    own = engine(quota(1, 0.001))

    def short(own: Engine) -> AbstractContextManager[int]:
        return uvicorn_server(AsgiTraffic(asgi_app(), own), timeout_graceful_shutdown=1)

    with short(own) as port:
        assert get(port, "/hello")[0] == 200
        connection = open_request(port, "/hello")
        eventually(lambda: inbound(own)["queued"] == 1)
    connection.close()
    eventually(lambda: inbound(own)["queued"] == 0)
    assert in_flight(own) == 0


@pytest.mark.parametrize("protocol", ["websockets-sansio", "wsproto"])
def test_a_websocket_is_one_request_from_upgrade_to_close(protocol: str) -> None:
    pytest.importorskip("wsproto" if protocol == "wsproto" else "websockets")
    client = pytest.importorskip("websockets.sync.client")
    exceptions = pytest.importorskip("websockets.exceptions")
    own = engine(limit(2, 3600))

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    app = AsgiTraffic(echo, own)
    with uvicorn_server(app, ws=protocol, lifespan="off") as port:
        for leave in ("close", "reset"):
            with client.connect(f"ws://127.0.0.1:{port}/") as websocket:
                websocket.send("hello")
                assert websocket.recv() == "hello"
                assert in_flight(own) == 1
                if leave == "reset":
                    reset(websocket.socket)
            eventually(lambda: in_flight(own) == 0)
        with (
            pytest.raises(exceptions.InvalidStatus) as refused,
            client.connect(f"ws://127.0.0.1:{port}/"),
        ):
            pass
    assert refused.value.response.status_code == 429
    assert refused.value.response.body == b"local_rate_limited"
