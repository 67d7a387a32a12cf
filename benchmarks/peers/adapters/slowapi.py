"""slowapi: its pure ASGI class, the cheaper of its two."""

from typing import Any

from slowapi import Limiter
from slowapi.middleware import SlowAPIASGIMiddleware

from benchmarks.peers import apps

DISTRIBUTION = "slowapi"
LAW = "fixed window"
MIDDLEWARE = SlowAPIASGIMiddleware


def asgi(limit: int, middleware: Any = SlowAPIASGIMiddleware) -> tuple[Any, Any]:
    limited = apps.starlette()
    limited.state.limiter = Limiter(
        key_func=lambda request: request.headers["x-api-key"],
        default_limits=[f"{limit}/hour"],
        headers_enabled=True,
    )
    limited.add_middleware(middleware)
    return apps.starlette(), limited
