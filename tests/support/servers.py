"""Real servers on loopback ports, and clients that misbehave."""

import contextlib
import http.client
import io
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from support.shells import HOST, eventually


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

    def told(env: Any, start_response: Any) -> Any:
        env["wsgi.multithread"] = True  # wsgiref says no, whatever its server is mixed with
        return app(env, start_response)

    server.set_app(told)
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
