"""Real servers on loopback ports of the system's choosing, in threads, gone when the block ends."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import uvicorn

__all__ = ["serve", "serve_all"]


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """Serve an ASGI application; yields `host:port`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        ready = threading.Event()
        started = server.startup

        async def startup(sockets: list[socket.socket] | None = None) -> None:
            await started(sockets)
            ready.set()

        server.startup = startup  # type: ignore[method-assign]  # it has no hook for "listening"
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="demo-server", daemon=True
        )
        thread.start()
        try:
            if not ready.wait(10):
                raise RuntimeError("a server on loopback did not start within 10 s")
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(5)


@contextmanager
def serve_all(apps: list[Any]) -> Iterator[list[str]]:
    """Serve several applications, each on a port of its own."""
    with ExitStack() as stack:
        yield [stack.enter_context(serve(app)) for app in apps]
