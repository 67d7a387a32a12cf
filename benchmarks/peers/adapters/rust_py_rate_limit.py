"""rust-py-rate-limit, in Rust: fixed windows of whole seconds."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rust_py_rate_limit import RateLimiter
from rust_py_rate_limit.fastapi import RateLimitMiddleware
from rust_py_rate_limit.flask import FlaskRateLimiter

from benchmarks.peers import apps

DISTRIBUTION = "rust-py-rate-limit"
LAW = "fixed window"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    return partial(RateLimiter(limit, seconds).allow, "all")


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    return RateLimiter(limit, seconds, max_keys=2 * keys).allow


def asgi(limit: int) -> tuple[Any, Any]:
    limited = apps.starlette()
    limited.add_middleware(
        RateLimitMiddleware,
        limit=limit,
        window_seconds=3600,
        key_func=lambda request: request.headers["x-api-key"],
    )
    return apps.starlette(), limited


def wsgi(limit: int) -> tuple[Any, Any]:
    from flask import request

    limited = apps.flask()
    decorate = FlaskRateLimiter(
        limited,
        limit=limit,
        window_seconds=3600,
        key_func=lambda: request.headers["x-api-key"],
    ).limit()
    limited.view_functions["a"] = decorate(limited.view_functions["a"])
    return apps.flask(), limited
