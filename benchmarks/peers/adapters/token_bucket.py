"""token-bucket: no lock at all; its documentation says what that costs."""

from collections.abc import Callable

import token_bucket

DISTRIBUTION = "token-bucket"
LAW = "token bucket"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    consume = token_bucket.Limiter(limit / seconds, limit, token_bucket.MemoryStorage()).consume
    return lambda: consume("all")


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    return token_bucket.Limiter(limit / seconds, limit, token_bucket.MemoryStorage()).consume
