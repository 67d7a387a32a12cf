"""grelmicro: the synchronous bucket under its asynchronous limiter, which costs more."""

from collections.abc import Callable

from grelmicro.resilience.memory import MemoryTokenBucket

DISTRIBUTION = "grelmicro"
LAW = "token bucket"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    return MemoryTokenBucket(capacity=limit, refill_rate=limit / seconds).try_acquire


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    return MemoryTokenBucket(capacity=limit, refill_rate=limit / seconds).try_acquire
