"""What the middleware adds to a request, without sockets: the wrapped app less the bare one."""

import asyncio
import io
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.measure import Row
from benchmarks.test_engine import NAME, POLICIES
from trafficcore import AsgiTraffic, Engine, WsgiTraffic

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


def test_asgi(row: Row) -> None:
    scope = {
        "type": "http", "method": "GET", "path": "/a", "raw_path": b"/a", "query_string": b"",
        "root_path": "", "scheme": "http", "http_version": "1.1", "client": ("10.0.0.9", 5),
        "headers": [(b"host", NAME.encode()), (b"user_type", b"guest"), (b"accept", b"*/*")],
    }  # fmt: skip
    engine = Engine.load(INBOUND, listeners=())

    def batch(app: Any) -> Callable[[int], int]:
        async def run(calls: int) -> int:
            yes = 0

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                nonlocal yes
                if message.get("status") == 200:
                    yes += 1

            for _ in range(calls):
                await app({**scope, "state": {}}, receive, send)
            return yes

        return lambda calls: asyncio.run(run(calls))

    _added(row, "asgi-all-four", batch(asgi_app), batch(AsgiTraffic(asgi_app, engine)))
    assert engine.snapshot(time.monotonic())["traffic"]["inbound"]["in_flight"] == 0


def test_wsgi(row: Row) -> None:
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/a", "SCRIPT_NAME": "", "QUERY_STRING": "",
        "HTTP_HOST": NAME, "HTTP_USER_TYPE": "guest", "wsgi.url_scheme": "http",
        "REMOTE_ADDR": "10.0.0.9", "wsgi.input": io.BytesIO(), "wsgi.multithread": True,
    }  # fmt: skip
    engine = Engine.load(INBOUND, listeners=())

    def batch(app: Any) -> Callable[[int], int]:
        def run(calls: int) -> int:
            yes = 0

            def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
                nonlocal yes
                if status.startswith("200"):
                    yes += 1

            for _ in range(calls):
                body = app(dict(environ), start_response)
                for _chunk in body:
                    pass
                if hasattr(body, "close"):
                    body.close()
            return yes

        return run

    _added(row, "wsgi-all-four", batch(wsgi_app), batch(WsgiTraffic(wsgi_app, engine)))
    assert engine.snapshot(time.monotonic())["traffic"]["inbound"]["in_flight"] == 0
