"""asgi-ratelimit: counts in its event loop alone, and tells nothing of what is left."""

from typing import Any

from ratelimit import RateLimitMiddleware, Rule
from ratelimit.backends.simple import MemoryBackend

from benchmarks.test_web import asgi_app

DISTRIBUTION = "asgi-ratelimit"
LAW = "fixed window"


async def _key(scope: Any) -> tuple[str, str]:
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return value.decode("latin-1"), "default"
    return "", "default"


def asgi(limit: int) -> tuple[Any, Any]:
    rules = {r"^/a": [Rule(hour=limit)]}
    return asgi_app, RateLimitMiddleware(asgi_app, _key, MemoryBackend(), rules)
