"""fastapi-limiter: a dependency of a route over pyrate-limiter; it tells nothing of what is left."""

from typing import Any

from fastapi import Depends
from fastapi_limiter.depends import RateLimiter
from pyrate_limiter import Limiter

from benchmarks.peers import apps
from benchmarks.peers.adapters.pyrate_limiter import _BucketOfKey

DISTRIBUTION = "fastapi-limiter"
LAW = "token bucket"


async def _key(request: Any) -> str:
    key: str = request.headers["x-api-key"]
    return key


def asgi(limit: int) -> tuple[Any, Any]:
    one = RateLimiter(Limiter(_BucketOfKey(limit, 3600)), identifier=_key)
    return apps.fastapi(), apps.fastapi(Depends(one))
