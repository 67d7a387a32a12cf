"""What the tests of the server shells share: engines to watch, and both protocols by hand."""

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from support.policies import breaker, engine, quota, request
from trafficcore import AsgiTraffic, Engine, Permit
from trafficcore.live.drivers import driver_of

HOST = "web.default.svc.cluster.local"


def inbound(engine: Engine, now: float = 0) -> dict[str, int]:
    return engine.snapshot(now)["traffic"]["inbound"]


def in_flight(engine: Engine) -> int:
    return inbound(engine)["in_flight"]


def breaker_state(engine: Engine, now: float) -> dict[str, Any]:
    (rule,) = [rule for rule in engine.snapshot(now)["rules"] if "breaker" in rule]
    return rule["breaker"]


def watching(**rule: Any) -> Engine:
    """An engine whose breaker sees every request; one slow or failed call would trip it."""
    return engine(breaker(rule={"max_slow": 1, "error_percent": 1, "min_requests": 1, **rule}))


def is_open(engine: Engine, now: float) -> bool:
    return breaker_state(engine, now)["state"] == "open"


# --- ASGI by hand -------------------------------------------------------------------------------


def http_scope(path: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", HOST.encode())],
        "client": ("10.0.0.1", 1234),
        "server": ("127.0.0.1", 80),
        **more,
    }


def websocket_scope(path: str = "/", *, denial: bool = True, **more: Any) -> dict[str, Any]:
    scope = http_scope(path, **more)
    del scope["method"]
    extensions = {"websocket.http.response": {}} if denial else {}
    return {**scope, "type": "websocket", "scheme": "ws", "extensions": extensions}


class Peer:
    """The server's side of one ASGI call: what the client sends, and what it got."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.coming: asyncio.Queue[Any] = asyncio.Queue()
        for message in messages or ({"type": "http.request", "body": b"", "more_body": False},):
            self.coming.put_nowait(message)
        self.sent: list[dict[str, Any]] = []
        self.fails: BaseException | None = None
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        message = await self.coming.get()
        if isinstance(message, BaseException):
            raise message
        self.received += 1
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if self.fails is not None:
            raise self.fails
        self.sent.append(message)

    def leave(self, kind: str = "http.disconnect") -> None:
        self.coming.put_nowait({"type": kind})

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


async def call(app: Any, scope: dict[str, Any] | None = None, peer: Peer | None = None) -> Peer:
    """Run one request to its end."""
    peer = peer or Peer()
    await app(scope or http_scope(), peer.receive, peer.send)
    return peer


def run(app: Any, scope: dict[str, Any] | None = None, *messages: dict[str, Any]) -> Peer:
    async def main() -> Peer:
        return await call(app, scope, Peer(*messages))

    return asyncio.run(main())


async def soon(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Let others run until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # it is the engine's, which tells nobody
            await asyncio.sleep(0.001)


def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.005)


async def respond(send: Callable[[Any], Awaitable[None]], status: int = 200, *parts: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """The smallest application."""
    await respond(send, 200, b"ok")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, message by message."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    await respond(send, 200, *parts)


class Queueing:
    """An engine that grants one request a second, its only token taken."""

    def __init__(self, clock: Any, app: Any = echo, *rules: Any, **more: Any) -> None:
        self.clock = clock
        self.engine: Engine = engine(quota(1, 1, **more), *rules)
        self.app = AsgiTraffic(app, self.engine, clock=clock)

    async def spend(self) -> None:
        assert (await call(self.app)).status == 200

    def take_token(self) -> None:
        """Take it without a request, which would need the application."""
        assert isinstance(self.engine.admit(request(), self.clock()), Permit)

    async def queue(self, peer: Peer | None = None, **scope: Any) -> "asyncio.Task[Peer]":
        before = self.waiting
        task = asyncio.create_task(call(self.app, http_scope(**scope), peer))
        await soon(lambda: self.waiting == before + 1 or task.done())
        return task

    @property
    def waiting(self) -> int:
        return inbound(self.engine)["queued"]

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        driver_of(self.engine).kick()

    async def tokens_left(self) -> bool:
        """Whether a request would be admitted at once."""
        task = asyncio.create_task(call(self.app))
        await asyncio.sleep(0.02)
        if task.done():
            return (await task).status == 200
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False


# --- WSGI by hand -------------------------------------------------------------------------------


def environ(path: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": HOST,
        "REMOTE_ADDR": "10.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **more,
    }


class Started:
    """A `start_response` that remembers."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.exc_info: Any = None
        self.written: list[bytes] = []
        self.calls = 0

    def __call__(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.calls += 1
        self.status, self.headers, self.exc_info = status, list(headers), exc_info
        return self.written.append


def serve(app: Any, env: dict[str, Any] | None = None) -> tuple[str, dict[str, str], bytes]:
    """Run one WSGI request as a server does."""
    started = Started()
    body = app(env if env is not None else environ(), started)
    try:
        data = b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    return started.status, dict(started.headers), b"".join(started.written) + data


TEXT = [("content-type", "text/plain")]


def wsgi_plain(env: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [*TEXT, ("content-length", "2")])
    return [b"ok"]


class Items:
    """An iterable of items that counts how often it is closed."""

    def __init__(self, *items: Any) -> None:
        self.items = iter(items)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        item = next(self.items)
        if isinstance(item, BaseException):
            raise item
        return item() if callable(item) else item

    def close(self) -> None:
        self.closed += 1


def returning(body: Any, status: str = "200 OK") -> Any:
    def app(env: Any, start_response: Any) -> Any:
        start_response(status, TEXT)
        return body

    return app


def read_json(body: bytes) -> Any:
    def no_constant(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(body, parse_constant=no_constant)
