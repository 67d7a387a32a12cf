"""limits: its fixed window, the cheapest of its strategies."""

from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

DISTRIBUTION = "limits"
LAW = "fixed window"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    ask = keyed(limit, seconds, 1)
    return lambda: ask("all")


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    hit = FixedWindowRateLimiter(MemoryStorage()).hit
    item = RateLimitItemPerSecond(limit, seconds)
    return lambda key: hit(item, key)
