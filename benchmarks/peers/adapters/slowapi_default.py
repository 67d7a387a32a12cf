"""slowapi: the middleware that its documentation shows first."""

from typing import Any

from slowapi.middleware import SlowAPIMiddleware

from benchmarks.peers.adapters import slowapi

DISTRIBUTION = "slowapi"
LAW = "fixed window"


def asgi(limit: int) -> tuple[Any, Any]:
    return slowapi.asgi(limit, SlowAPIMiddleware)
