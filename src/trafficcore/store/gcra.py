"""SharedGcra: `core.limit.Gcra` with its one number in a file that all workers of a machine map.

Law     That of `Gcra`, step for step; the tests hold it to the same tables.
Cells   A time that is NaN or +inf was not written here: an empty bucket, as of whenever it is
        looked at. What takes from it, or tries to, writes a time again.
State   `full_at`, eight bytes in a `HostFile`, found by a key. A key names the same bucket in
        every worker for as long as the file lives, so rate and capacity belong into it.
Bounds  Where the file's lock cannot be had, nothing is granted and nothing given back; a debt
        that cannot be written down is an error.
Cost    Two system calls. Reading takes no lock.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

from collections.abc import Callable
from math import inf

from trafficcore.core.limit import FASTEST_GCRA
from trafficcore.core.limit.amounts import check_amount, refused_cost
from trafficcore.core.limit.gcra import first_grant, spacing
from trafficcore.errors import ConfigError, StoreError
from trafficcore.store.file import HostFile

__all__ = ["SharedGcra"]


class SharedGcra:
    """Holds at most `capacity` tokens and earns `rate` of them a second, for all workers together.

    The rate is above 0 and at most 1e6. Numbers are kept as floats. What takes or gives back is
    *guarded*, by the file's two locks; the others only read.
    """

    __slots__ = ("_at", "_file", "burst", "capacity", "inc", "rate")

    def __init__(self, file: HostFile, key: str, capacity: float, rate: float) -> None:
        self.inc, self.burst = spacing(capacity, rate)
        if rate > FASTEST_GCRA:
            raise ConfigError(f"a shared rate must be at most {FASTEST_GCRA}, not {rate!r}")
        self.capacity = capacity
        self.rate = rate
        self._file = file
        self._at = file.find(key)

    @property
    def full_at(self) -> float:
        """When the bucket was, or will be, full again."""
        return self._file.floats[self._at]

    def try_acquire(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there at `now`. Twin: `Gcra.try_acquire`."""
        need = self.inc
        if cost != 1:
            if not 0 < cost <= self.capacity:
                return refused_cost(cost, self.capacity)
            need *= cost
        file = self._file
        with file.lock:
            turns = file.turns
            try:
                if not file.seize():
                    return False
                floats, at = file.floats, self._at
                # From here to the store no call: what runs in between runs before, and is seen.
                if file.turns != turns:
                    return False
                t = floats[at]
                if not t < inf:
                    floats[at] = t = now + self.burst
                if t < now:
                    t = now
                t += need
                if t - self.burst > now:
                    return False
                floats[at] = t
                return True
            finally:
                file.release()

    def reserve(self, now: float, cost: float = 1, latest: float = inf) -> float:
        """Take `cost` tokens now, to be used from the time returned on. Twin: `Gcra.reserve`.

        `inf`: that would be after `latest`, or never, and nothing is taken.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        need = cost * self.inc

        def take(t: float) -> float | None:
            t = max(t, now) + need
            return None if t - self.burst > max(latest, now) else t

        t = self._change(now, take)
        return inf if t is None else max(t - self.burst, now)

    def charge(self, cost: float, now: float) -> None:
        """Take `cost` tokens, there or not: what is missing is a debt. Twin: `Gcra.charge`.

        Raises `StoreError` where the file's lock cannot be had: the debt is not written down.
        """
        check_amount(cost)
        need = cost * self.inc
        if self._change(now, lambda t: max(t, now) + need) is None:
            raise StoreError(f"{self._file.path}: another worker does not let go of it")

    def refund(self, cost: float, now: float) -> None:
        """Give `cost` tokens back; what would not fit is lost. Twin: `Gcra.refund`."""
        check_amount(cost)
        earned = cost * self.inc
        self._change(now, lambda t: max(t - earned, now))

    def tokens_at(self, now: float) -> float:
        """Return how many tokens there are at `now`."""
        t = self._full(now)
        if t < now:
            return self.capacity
        tokens = (self.burst - (t - now)) / self.inc
        if tokens > self.capacity:
            return self.capacity
        return tokens if tokens > 0 else 0

    def level_at(self, now: float) -> float:
        """Return how many tokens there are at `now`; below 0, how many are owed."""
        t = self._full(now)
        return self.capacity if t < now else self.capacity - (t - now) / self.inc

    def due(self, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens, be it more than it holds, have come in."""
        return max(max(self._full(now), now) + cost * self.inc - self.burst, now)

    def earliest(self, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never.

        Absolute, and granted at exactly that time if no worker takes or gives meanwhile.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        return first_grant(now, cost * self.inc, self.burst, self._full(now))

    def snapshot(self, now: float) -> dict[str, float]:
        """Return the level at `now` and the settings, as plain data."""
        return {"tokens": self.tokens_at(now), "capacity": self.capacity, "rate": self.rate}

    def _full(self, now: float) -> float:
        t = self.full_at
        return t if t < inf else now + self.burst

    def _change(self, now: float, step: Callable[[float], float | None]) -> float | None:
        """Store what `step` makes of `full_at` and return it; None: nothing was stored.

        That is so where `step` says None, and where the file's lock cannot be had.
        """
        file, at = self._file, self._at
        with file.lock:
            while True:
                turns = file.turns
                try:
                    full = self._full(now) if file.seize() else None
                    t = None if full is None else step(full)
                    floats = file.floats
                    # A signal handler's decision may have come in between; then once more.
                    if file.turns == turns:
                        if t is not None:
                            floats[at] = t
                        elif full is not None and not floats[at] < inf:
                            floats[at] = full
                        return t
                finally:
                    file.release()
