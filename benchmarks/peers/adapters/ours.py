"""trafficcore, through its public names."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.test_web import asgi_app, wsgi_app
from trafficcore import AsgiTraffic, KeyedRateLimiter, RateLimiter, WsgiTraffic
from trafficcore.core.fair import QuotaQueue, TokenBucket
from trafficcore.limits import Limit, header
from trafficcore.live import Budgets

DISTRIBUTION = "trafficcore"
LAW = "token bucket"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    # Slow enough, where the limit is beyond all use, to be of the kind that everyday limits are.
    rate = min(limit / seconds, 2**19 / limit)
    return RateLimiter(rate, limit, share="local").try_acquire


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    return KeyedRateLimiter(limit / seconds, limit, max_keys=2 * keys, share="local").try_acquire


def shared(folder: Path, limit: int, seconds: int) -> Callable[[], bool]:
    os.environ["TRAFFICCORE_SHARE_DIR"] = str(folder / "trafficcore")
    return RateLimiter(limit / seconds, limit, share="host", name="peers").try_acquire


def fair(flows: int, waiting: int) -> Callable[[int], int]:
    queue = QuotaQueue(TokenBucket(1, 1000, 1))
    now = 1.0
    queue.try_acquire(now)
    names = [(f"flow-{n}", 1 + n % 7) for n in range(flows)]
    for n in range(waiting):
        queue.enqueue(now, *names[n % flows])

    def steps(calls: int) -> int:
        nonlocal now
        yes = 0
        for n in range(calls):
            queue.enqueue(now, *names[n % flows])
            now += 0.001
            yes += len(queue.poll(now))
        # rounding may shift a grant from one round to the next
        return calls if abs(yes - calls) <= 1 else yes

    return steps


def slots(most: int) -> Callable[[], bool]:
    take = Budgets(at_once=most).try_acquire

    def ask() -> bool:
        spending = take()
        if spending is None:
            return False
        spending.end()
        return True

    return ask


def _limit(limit: int) -> Limit:
    return Limit(limit / 3600, limit, by=header("x-api-key"), name="api", share="local")


def asgi(limit: int) -> tuple[Any, Any]:
    return asgi_app, AsgiTraffic(asgi_app, limits=[_limit(limit)], headers="ietf")


def wsgi(limit: int) -> tuple[Any, Any]:
    return wsgi_app, WsgiTraffic(wsgi_app, limits=[_limit(limit)], headers="ietf")
