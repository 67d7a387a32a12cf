"""pyrate-limiter: its token bucket; a bucket for each key is for its user to make."""

from collections.abc import Callable
from pathlib import Path

from pyrate_limiter import (
    AbstractBucket,
    BucketFactory,
    Limiter,
    Rate,
    RateItem,
    SQLiteBucket,
    StateBucket,
    TokenBucket,
)

DISTRIBUTION = "pyrate-limiter"
LAW = "token bucket"


def _bucket(limit: int, seconds: int) -> StateBucket:
    return StateBucket([Rate(limit, seconds * 1000)], algorithm=TokenBucket())


class _BucketOfKey(BucketFactory):
    """Makes a bucket for each key that is new, as its documentation shows."""

    def __init__(self, limit: int, seconds: int) -> None:
        self._settings = limit, seconds
        self._clock = _bucket(limit, seconds)
        self._buckets: dict[str, StateBucket] = {}

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self._clock.now(), weight=weight)

    def get(self, item: RateItem) -> AbstractBucket:
        bucket = self._buckets.get(item.name)
        if bucket is None:
            bucket = self._buckets[item.name] = _bucket(*self._settings)
        return bucket


def limiter(limit: int, seconds: int) -> Callable[[], bool]:
    acquire = Limiter(_bucket(limit, seconds)).try_acquire
    return lambda: bool(acquire("all", blocking=False))


def keyed(limit: int, seconds: int, keys: int) -> Callable[[str], bool]:
    acquire = Limiter(_BucketOfKey(limit, seconds)).try_acquire
    return lambda key: bool(acquire(key, blocking=False))


def shared(folder: Path, limit: int, seconds: int) -> Callable[[], bool]:
    """Between processes: SQLite under a file lock; a log of the window, as it has no other.

    It waits for the lock a little: asked not to, it takes a busy lock for a refusal.
    """
    bucket = SQLiteBucket.init_from_file(
        [Rate(limit, seconds * 1000)], db_path=str(folder / "pyrate.sqlite"), use_file_lock=True
    )
    acquire = Limiter(bucket).try_acquire
    return lambda: bool(acquire("all", timeout=0.05))
