"""trafficcore, through its public names."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.test_web import asgi_app, wsgi_app
from trafficcore import AsgiTraffic, KeyedRateLimiter, RateLimiter, WsgiTraffic
from trafficcore.limits import Limit, header

DISTRIBUTION = "trafficcore"
LAW = "token bucket"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    return RateLimiter(limit / seconds, limit, share="local").try_acquire


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    return KeyedRateLimiter(limit / seconds, limit, max_keys=2 * keys, share="local").try_acquire


def shared(folder: Path, limit: int, seconds: int) -> Callable[[], bool]:
    os.environ["TRAFFICCORE_SHARE_DIR"] = str(folder / "trafficcore")
    return RateLimiter(limit / seconds, limit, share="host", name="peers").try_acquire


def _limit(limit: int) -> Limit:
    return Limit(limit / 3600, limit, by=header("x-api-key"), name="api", share="local")


def asgi(limit: int) -> tuple[Any, Any]:
    return asgi_app, AsgiTraffic(asgi_app, limits=[_limit(limit)], headers="ietf")


def wsgi(limit: int) -> tuple[Any, Any]:
    return wsgi_app, WsgiTraffic(wsgi_app, limits=[_limit(limit)], headers="ietf")
