"""What the middleware adds to a request, without sockets: the wrapped app less the bare one."""

import asyncio
import io
import time
from collections.abc import Callable, Iterable
from itertools import cycle, islice
from typing import Any

from benchmarks.measure import Row
from benchmarks.test_engine import NAME, POLICIES
from trafficcore import AsgiTraffic, Engine, WsgiTraffic
from trafficcore.limits import Limit, header

INBOUND = POLICIES.replace("sidecar_outbound", "sidecar_inbound").replace("egress", "ingress")


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("content-length", "5")])
    return [b"hello"]


def _added(row: Row, name: str, bare: Callable[[int], int], wrapped: Callable[[int], int]) -> None:
    """Publish wrapped less bare in floors; both are timed in turn, in one run."""
    calls = row.calls // 10
    spent = []

    def prepare(count: int) -> None:
        begun = time.process_time()
        assert bare(count) == count
        spent.append((time.process_time() - begun) / count)

    ratio = row.measure(name, wrapped, prepare=prepare, calls=calls)
    each = row.median / calls
    floor = each / ratio
    spent.sort()
    row.publish_over(name, ratio - spent[len(spent) // 2] / floor)


def _asgi(app: Any, scopes: list[dict[str, Any]]) -> Callable[[int], int]:
    """Return what runs an ASGI application on these requests in turn and counts its 200s."""

    async def run(calls: int) -> int:
        yes = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal yes
            if message.get("status") == 200:
                yes += 1

        for scope in islice(cycle(scopes), calls):
            await app({**scope, "state": {}}, receive, send)
        return yes

    return lambda calls: asyncio.run(run(calls))


def _wsgi(app: Any, environs: list[dict[str, Any]]) -> Callable[[int], int]:
    """Return what runs a WSGI application on these requests in turn and counts its 200s."""

    def run(calls: int) -> int:
        yes = 0

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            nonlocal yes
            if status.startswith("200"):
                yes += 1

        for environ in islice(cycle(environs), calls):
            body = app(dict(environ), start_response)
            for _chunk in body:
                pass
            if hasattr(body, "close"):
                body.close()
        return yes

    return run


SCOPE = {
    "type": "http", "method": "GET", "path": "/a", "raw_path": b"/a", "query_string": b"",
    "root_path": "", "scheme": "http", "http_version": "1.1", "client": ("10.0.0.9", 5),
    "headers": [(b"host", NAME.encode()), (b"user_type", b"guest"), (b"accept", b"*/*")],
}  # fmt: skip
ENVIRON = {
    "REQUEST_METHOD": "GET", "PATH_INFO": "/a", "SCRIPT_NAME": "", "QUERY_STRING": "",
    "HTTP_HOST": NAME, "HTTP_USER_TYPE": "guest", "wsgi.url_scheme": "http",
    "REMOTE_ADDR": "10.0.0.9", "wsgi.input": io.BytesIO(), "wsgi.multithread": True,
}  # fmt: skip
#: Those who call, in turn: each has its bucket, and every answer says another level.
KEYS = [f"key-{number}" for number in range(100)]
KEYED_SCOPES = [
    {**SCOPE, "headers": [*SCOPE["headers"], (b"x-api-key", key.encode())]} for key in KEYS
]
KEYED_ENVIRONS = [{**ENVIRON, "HTTP_X_API_KEY": key} for key in KEYS]


def test_asgi(row: Row) -> None:
    engine = Engine.load(INBOUND, listeners=())
    wrapped = AsgiTraffic(asgi_app, engine)
    _added(row, "asgi-all-four", _asgi(asgi_app, [SCOPE]), _asgi(wrapped, [SCOPE]))
    assert engine.snapshot(time.monotonic())["traffic"]["inbound"]["in_flight"] == 0


def test_wsgi(row: Row) -> None:
    engine = Engine.load(INBOUND, listeners=())
    wrapped = WsgiTraffic(wsgi_app, engine)
    _added(row, "wsgi-all-four", _wsgi(wsgi_app, [ENVIRON]), _wsgi(wrapped, [ENVIRON]))
    assert engine.snapshot(time.monotonic())["traffic"]["inbound"]["in_flight"] == 0


#: More than all rounds ask of one key.
LIMIT = Limit("1000/min", by=header("x-api-key"), name="api")


def test_asgi_limit(row: Row) -> None:
    wrapped = AsgiTraffic(asgi_app, limits=[LIMIT], headers="ietf")
    _added(row, "asgi-keyed-limit", _asgi(asgi_app, KEYED_SCOPES), _asgi(wrapped, KEYED_SCOPES))


def test_wsgi_limit(row: Row) -> None:
    wrapped = WsgiTraffic(wsgi_app, limits=[LIMIT], headers="ietf")
    _added(row, "wsgi-keyed-limit", _wsgi(wsgi_app, KEYED_ENVIRONS), _wsgi(wrapped, KEYED_ENVIRONS))
