"""nopanic: a policy around a block that raises where it refuses."""

from collections.abc import Callable

import nopanic

DISTRIBUTION = "nopanic"
LAW = "token bucket"


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    guard = nopanic.rate_limit(limit, seconds, max_wait=0).guard

    def ask() -> bool:
        try:
            with guard():
                return True
        except nopanic.RateLimited:
            return False

    return ask


def slots(most: int) -> Callable[[], bool]:
    guard = nopanic.bulkhead(most, max_wait=0).guard

    def ask() -> bool:
        with guard():
            return True

    return ask


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    policies = nopanic.keyed(
        lambda _: nopanic.rate_limit(limit, seconds, max_wait=0), key=str, maxsize=2 * keys
    )

    def ask(key: str) -> bool:
        try:
            with policies.get(key).guard():
                return True
        except nopanic.RateLimited:
            return False

    return ask
