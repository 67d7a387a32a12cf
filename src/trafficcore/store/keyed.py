"""SharedKeyed: `core.limit.KeyedGcra` in a file that all workers of a machine map.

Law     `Gcra` for each key; an absent key is a full bucket. Only full buckets are ever replaced,
        the longest full first. An absent key is full as of `swept`, the latest time at which a
        replaced one was: a worker whose `now` is older must not gain by it.
State   A column of hashes and one of `full_at`; a key may stand in any of the 64 places from the
        one its hash names. Two keys of one hash (64 bits, keyed) share a bucket.
Bounds  As many records as the file has slots. While none of a new key's places is free or full,
        it draws on one overflow bucket.
Cells   A time that is NaN or +inf was not written here: an empty bucket, as of whenever it is
        looked at. What takes from it, or tries to, writes a time again.
Killed  Stores in this order: `swept`, the hash, `full_at`. After any of them the table is valid:
        a new hash beside the old time is a full bucket, as the absent one was.
Cost    Two system calls and a keyed hash; a new key looks through its places.
"""

from math import inf, isnan
from sys import byteorder
from typing import Final

from trafficcore.core.limit import FASTEST_GCRA
from trafficcore.core.limit.amounts import check_amount, refused_cost
from trafficcore.core.limit.gcra import first_grant, spacing
from trafficcore.errors import ConfigError, StoreError
from trafficcore.store.file import HostFile
from trafficcore.store.layout import FIRST, OVERFLOW_FULL_AT, OVERFLOWED, SWEPT

__all__ = ["SharedKeyed"]

#: Places of a key. With half of the slots in use, hardly one new key in a million finds none.
_PLACES: Final = 64


class SharedKeyed:
    """Holds at most `capacity` tokens for each key, and earns `rate` a second for each.

    The file is this limit's own: another with other numbers has another. The rate is above 0 and
    at most 1e6; a capacity of 0 refuses everything, and goes with a rate of 0 too. What writes is
    *guarded*, by the file's two locks; the others only read.
    """

    __slots__ = (
        "_file",
        "_span",
        "_starts",
        "burst",
        "capacity",
        "inc",
        "max_keys",
        "rate",
    )

    def __init__(self, file: HostFile, capacity: float, rate: float) -> None:
        self.inc, self.burst = spacing(capacity, 1 if capacity == 0 == rate else rate)
        if rate > FASTEST_GCRA:
            raise ConfigError(f"rate must be at most {FASTEST_GCRA} for each key, not {rate!r}")
        self.capacity = capacity
        self.rate = rate
        self.max_keys = file.slots
        self._file = file
        self._span = min(_PLACES, file.slots)
        self._starts = file.slots - self._span + 1

    @property
    def overflowed(self) -> int:
        """How many requests the overflow bucket has answered, in all workers."""
        return self._file.words[OVERFLOWED]

    def try_acquire(self, key: str, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens of `key`'s if they are there. Twin: `KeyedGcra.try_acquire`."""
        return self.reserve(key, now, cost, now) <= now

    def reserve(self, key: str, now: float, cost: float = 1, latest: float = inf) -> float:
        """Take `cost` of `key`'s tokens now, to be used from the time returned on.

        `inf`: that would be after `latest`, or never, and nothing is taken.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        due = self._reserve(key, now, cost, latest)
        return inf if due is None else due

    def charge(self, key: str, cost: float, now: float) -> None:
        """Take `cost` of `key`'s tokens, there or not, however many: a debt.

        Raises `StoreError` where the file's lock cannot be had: the debt is not written down.
        """
        check_amount(cost)
        if self._reserve(key, now, cost, inf) is None:
            raise StoreError(f"{self._file.path}: another worker does not let go of it")

    def refund(self, key: str, cost: float, now: float) -> None:
        """Give `cost` tokens back to `key`, if it has a bucket of its own."""
        check_amount(cost)
        earned = cost * self.inc
        file = self._file
        digest = file.digest(key)
        with file.lock:
            while True:
                turns = file.turns
                try:
                    at = self._place(digest) if file.seize() else None
                    floats = file.floats
                    if file.turns == turns:
                        if at is not None:
                            t = floats[at]
                            t = (t if t < inf else now + self.burst) - earned
                            floats[at] = t if t > now else now
                        return
                finally:
                    file.release()

    def tokens_at(self, key: str, now: float) -> float:
        """Return how many tokens `key` has at `now`."""
        tokens = (self.burst - (self._full(key, now) - now)) / self.inc
        if tokens > self.capacity:
            return self.capacity
        return tokens if tokens > 0 else 0

    def level_at(self, key: str, now: float) -> float:
        """Return how many tokens `key` has at `now`; below 0, how many are owed."""
        t = self._full(key, now)
        return self.capacity if t < now else self.capacity - (t - now) / self.inc

    def due(self, key: str, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens, be it above capacity, have come in for `key`."""
        return max(max(self._full(key, now), now) + cost * self.inc - self.burst, now)

    def earliest(self, key: str, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never.

        Absolute. A key without a bucket of its own is told when the overflow bucket grants it.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        return first_grant(now, cost * self.inc, self.burst, self._full(key, now))

    def snapshot(self, now: float) -> dict[str, float]:
        """Return counts and settings, as plain data: `keys` are those not full. Looks at all."""
        file = self._file
        with file.floats[FIRST + file.slots :] as column:
            keys = sum(t > now for t in column.tolist())
        return {
            "keys": keys,
            "max_keys": self.max_keys,
            "overflowed": self.overflowed,
            "capacity": self.capacity,
            "rate": self.rate,
        }

    def owns(self, key: str) -> bool:
        """Whether `key` has a bucket of its own; else it is full, or shares the overflow bucket."""
        return self._place(self._file.digest(key)) is not None

    def _reserve(self, key: str, now: float, cost: float, latest: float) -> float | None:
        """Do what `reserve` does; None where the file's lock cannot be had."""
        need = cost * self.inc
        file = self._file
        digest = file.digest(key)
        with file.lock:
            while True:
                turns = file.turns
                try:
                    if not file.seize():
                        return None
                    at, own = self._seat(digest, now)
                    floats, words = file.floats, file.words
                    # From here to the last store no call: a signal handler's decision comes
                    # before, and then this one is made once more.
                    if file.turns == turns:
                        since, swept = floats[at], floats[SWEPT]
                        if not since < inf:
                            floats[at] = since = now + self.burst
                        if not swept < inf:
                            floats[SWEPT] = swept = now + self.burst
                        if not own and since < swept:
                            since = swept
                        t = (since if since > now else now) + need
                        due = t - self.burst
                        if at == OVERFLOW_FULL_AT:
                            words[OVERFLOWED] += 1
                        if due > now and due > latest:
                            return inf
                        if not own and at != OVERFLOW_FULL_AT:
                            floats[SWEPT] = since
                            words[at - file.slots] = digest
                        floats[at] = t
                        return due if due > now else now
                finally:
                    file.release()

    def _seat(self, digest: int, now: float) -> tuple[int, bool]:
        """Return the place, in `floats`, that answers a key, and whether it is its own already.

        Else it is that of the bucket that has been full for longest, or the overflow bucket's.
        """
        at = self._place(digest)
        if at is not None:
            return at, True
        start = FIRST + self._file.slots + digest % self._starts
        column = self._file.floats[start : start + self._span].tolist()
        times = [inf if isnan(t) else t for t in column]
        longest = min(times)
        return (start + times.index(longest) if longest <= now else OVERFLOW_FULL_AT), False

    def _place(self, digest: int) -> int | None:
        """Return the place of a key's own bucket; None: it has none."""
        file = self._file
        start = FIRST + digest % self._starts
        sought = digest.to_bytes(8, byteorder)
        column = bytes(file.words[start : start + self._span])
        found = column.find(sought)
        while found > 0 and found % 8:
            found = column.find(sought, found + 1)
        return None if found < 0 else start + file.slots + found // 8

    def _full(self, key: str, now: float) -> float:
        """Return the time at which the bucket that answers `key` is full."""
        floats = self._file.floats
        at, own = self._seat(self._file.digest(key), now)
        cells = [at] if own else [at, SWEPT] if at == OVERFLOW_FULL_AT else [SWEPT]
        times = [floats[cell] for cell in cells]
        return max(t if t < inf else now + self.burst for t in times)
