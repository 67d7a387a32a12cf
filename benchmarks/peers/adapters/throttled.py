"""throttled-py: GCRA, with room for the keys; by itself it keeps 1024 and forgets the oldest."""

from collections.abc import Callable
from datetime import timedelta

from throttled import Throttled
from throttled.rate_limiter import per_duration
from throttled.store import MemoryStore

DISTRIBUTION = "throttled-py"
LAW = "GCRA"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    ask = keyed(limit, seconds, 1)
    return lambda: ask("all")


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    quota = per_duration(timedelta(seconds=seconds), limit, burst=limit)
    take = Throttled(
        using="gcra", quota=quota, store=MemoryStore(options={"MAX_SIZE": 2 * keys})
    ).limit
    return lambda key: not take(key).limited
