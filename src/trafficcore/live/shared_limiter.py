"""The limiters whose buckets are in a file that all workers of this machine map.

Law     That of `RateLimiter` and `KeyedRateLimiter`, decided by `store.SharedGcra` and
        `store.SharedKeyed`. Who waits in one process is served there in the order of coming;
        between processes there is no order: the first in each line asks again when the bucket
        says, and somebody may have been quicker.
Cost    Two system calls a decision. One that finds the file locked waits, as `store/file.py` says.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from trafficcore.core.limit.amounts import check_amount
from trafficcore.errors import ConfigError
from trafficcore.live.keyed_limiter import KeyedRateLimiter
from trafficcore.live.limiter import RateLimiter
from trafficcore.live.sharing import check_shared, shared_bucket, shared_keyed

#: Why a shared limit takes no new settings.
FIXED = 'a limit with share="host" is known by its numbers: make another one with others'

__all__ = ["SharedKeyedRateLimiter", "SharedRateLimiter"]


class SharedRateLimiter(RateLimiter):
    """A `RateLimiter` with `share="host"`."""

    ATOMIC: ClassVar[tuple[str, ...]] = ()
    __slots__ = ()

    def _new_bucket(self, capacity: float, rate: float) -> Any:
        check_shared(self.name, rate)
        return shared_bucket(self.name, capacity, rate)

    def try_acquire(self, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there; answer at once. *Guarded* by the file's lock."""
        now = self._clock()
        if cost != 1:
            check_amount(cost)
        if self._waiting and cost <= self.capacity:
            return False
        granted: bool = self._bucket.try_acquire(now, cost)
        return granted

    def _check_rate(self, rate: float) -> None:  # noqa: ARG002  # whatever it is
        raise ConfigError(FIXED)


class SharedKeyedRateLimiter(KeyedRateLimiter):
    """A `KeyedRateLimiter` with `share="host"`."""

    ATOMIC: ClassVar[tuple[str, ...]] = ()
    __slots__ = ()

    def _new_machine(self, max_keys: int, known: Callable[[str], bool] | None) -> Any:
        check_shared(self.name, self.rate)
        if known is not None:
            raise ConfigError('known goes with buckets of this process, not with share="host"')
        return shared_keyed(self.name, self.capacity, self.rate, max_keys)

    def try_acquire(self, key: str, cost: float = 1) -> bool:
        """Take `cost` of `key`'s tokens if they are there. *Guarded* by the file's lock."""
        now = self._clock()
        if cost != 1:
            check_amount(cost)
        if self._lines and key in self._lines and cost <= self.capacity:
            return False
        granted: bool = self._machine.try_acquire(key, now, cost)
        if not granted:
            self._tell()
        return granted

    def update(self, rate: float | str | None = None, capacity: float | None = None) -> None:  # noqa: ARG002  # as its base
        """Refuse: see `FIXED`."""
        raise ConfigError(FIXED)
