"""What the tests of the client shell share: engines for one service, and servers that misbehave."""

import gzip
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from trafficcore.engine import Engine, Identity
from trafficcore.spec import (
    BreakRule,
    Destination,
    Direction,
    Limit,
    OutlierDetection,
    Policy,
    QuotaRule,
    QuotaSelector,
    RateLimitRule,
    Response,
    Scope,
    Source,
    TrafficPolicy,
    VirtualHost,
    Workload,
    WorkloadParameters,
)

HOST = "api.default.svc.cluster.local"
URL = f"http://{HOST}/"
SOURCE = Source(file="policy.yaml", line=7, kind="Test", namespace="default", name="rule")


def scope(direction: Direction = Direction.OUTBOUND, host: str = HOST) -> Scope:
    return Scope(direction=direction, namespace="default", vhost=VirtualHost(host))


def limit(quota: int, fill_interval: float = 60, **answer: Any) -> RateLimitRule:
    return RateLimitRule(
        source=SOURCE,
        scope=scope(),
        limit=Limit(quota=quota, fill_interval=fill_interval, **answer),
    )


def breaker(**settings: Any) -> BreakRule:
    answer = Response(status=498, headers=(("x-envoy-overload", "true"),), body="delay break!")
    return BreakRule(source=SOURCE, scope=scope(), response=answer, **settings)


def quota(rate: float, *, timeout: float | None = None, capacity: float = 1) -> QuotaRule:
    return QuotaRule(
        source=SOURCE,
        namespace="default",
        capacity=capacity,
        fill_amount=rate,
        interval=1,
        selectors=(QuotaSelector(service=HOST, control_point="egress"),),
        workloads=(Workload(name="all", parameters=WorkloadParameters(queue_timeout=timeout)),),
    )


def ejection(**settings: Any) -> Destination:
    outlier = OutlierDetection(max_ejection_percent=100, **settings)
    return Destination(
        source=SOURCE, host=HOST, namespace="default", policy=TrafficPolicy(outlier=outlier)
    )


def engine(
    *rules: Any,
    endpoints: Sequence[str | tuple[str, str]] | None = None,
    locality: str = "",
    listeners: Sequence[Any] = (),
    **settings: Any,
) -> Engine:
    kinds = {RateLimitRule: "limits", BreakRule: "breakers", QuotaRule: "quotas"}
    fields: dict[str, tuple[Any, ...]] = {}
    for rule in rules:
        kind = kinds.get(type(rule), "destinations")
        fields[kind] = (*fields.get(kind, ()), rule)
    return Engine(
        Policy(**fields),
        identity=Identity(locality=locality),
        endpoints=None if endpoints is None else {HOST: endpoints},
        listeners=listeners,
        **settings,
    )


def outbound(engine: Engine, now: float = 0) -> dict[str, int]:
    return engine.snapshot(now)["traffic"]["outbound"]


def ejected(engine: Engine, now: float = 0) -> set[str]:
    (cluster,) = engine.snapshot(now)["clusters"]
    return {entry["address"] for entry in cluster["endpoints"] if entry["ejected"]}


class Handler(BaseHTTPRequestHandler):
    """Does what the first part of the path says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    #: An answer goes out in one piece, where nobody asks for pieces: who is killed has begun none.
    wbufsize = -1
    server: "Server"

    def do_GET(self) -> None:
        self.server.note(self)
        verb, _, rest = self.path.lstrip("/").partition("/")
        status = self.server.status or 200
        if verb == "status":
            status = int(rest)
        body = self.server.name.encode()
        if verb == "redirect":
            self.send_response(302)
            self.send_header("location", f"/{rest}")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if verb == "chunks":
            self.chunks(int(rest))
            return
        if verb == "drip":
            self.drip(int(rest))
            return
        if verb == "hang":
            self.server.let_go.wait(10)
        self.send_response(status)
        if verb == "gzip":
            body = gzip.compress(body * 1000)
            self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(body) + (100 if verb == "broken" else 0)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if verb == "broken":
            self.close_connection = True

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.bodies.append(body)
        self.do_GET()

    def chunks(self, count: int) -> None:
        """Send chunks, each when the test asks for it."""
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for _ in range(count):
            if not self.server.next_chunk.acquire(timeout=10):
                break
            self.wfile.write(b"5\r\nchunk\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def drip(self, count: int) -> None:
        """Send a body of known length, each byte when the test asks for it."""
        self.send_response(200)
        self.send_header("content-length", str(count))
        self.end_headers()
        self.wfile.flush()
        for _ in range(count):
            if not self.server.next_chunk.acquire(timeout=10):
                break
            self.wfile.write(b"x")
            self.wfile.flush()

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A server on a loopback port of its own, which remembers what it saw."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str = "server", port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.name = name
        self.status = 0
        self.let_go = threading.Event()
        self.next_chunk = threading.Semaphore(0)
        self.hosts: list[str] = []
        self.bodies: list[bytes] = []
        self.hits = 0
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def note(self, request: Handler) -> None:
        with self._lock:
            self.hits += 1
            self.hosts.append(request.headers["host"])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in mid-answer is what the tests are about."""


@contextmanager
def serving(*names: str) -> Iterator[list[Server]]:
    servers = [Server(name) for name in names]
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield servers
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.let_go.set()
            server.shutdown()
            thread.join()
            server.server_close()


def refusing_address() -> str:
    """Return the address of a port on which nobody listens."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"
