"""What the tests of the server shells share: a raw ASGI client, real servers, engines to watch."""

import asyncio
import contextlib
import http.client
import io
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from support.policies import breaker, engine
from trafficcore.engine import Engine

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
        while not condition():
            await asyncio.sleep(0.001)


def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.005)


async def respond(
    send: Callable[[Any], Awaitable[None]], status: int = 200, *parts: bytes
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """The smallest application."""
    await respond(send, 200, b"ok")


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


# --- real servers -------------------------------------------------------------------------------


@contextmanager
def uvicorn_server(app: Any, **settings: Any) -> Iterator[int]:
    """Serve an ASGI application on a free loopback port; yields the port."""
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(app, log_level="critical", **settings)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        eventually(lambda: server.started)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


class _Requests(WSGIRequestHandler):
    def get_stderr(self) -> Any:
        return io.StringIO()

    def log_message(self, *args: Any) -> None:
        pass


class _Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def wsgi_server(app: Any) -> Iterator[int]:
    """Serve a WSGI application, a thread a request."""
    server = _Threads(("127.0.0.1", 0), _Requests)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def get(port: int, path: str = "/", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Make one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers={"Host": HOST, **names})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def open_request(port: int, path: str = "/") -> socket.socket:
    """Send a request and read nothing."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=15)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    return connection


def reset(connection: socket.socket) -> None:
    """Go away without a word, as a killed client does."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_json(body: bytes) -> Any:
    def no_constant(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(body, parse_constant=no_constant)


async def ticks(count: int, pause: float) -> AsyncIterator[bytes]:
    for number in range(count):
        yield b"%d\n" % number
        await asyncio.sleep(pause)
