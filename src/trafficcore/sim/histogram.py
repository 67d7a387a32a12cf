"""`Histogram`: how long things took, in buckets that grow with what they hold.

Law    128 buckets for each doubling: a quantile is off by less than 0.8 %, or by 1e-12 s. Count,
       least and most are exact; sum and deviation are to rounding. The quantile q is the least
       value that q of all are at or below (nearest rank), taken to lie evenly inside its bucket.
State  one array of counts, whatever their number, and a block not yet counted.
"""

from math import inf, sqrt
from typing import Final

import numpy as np

__all__ = ["Histogram"]

_BLOCK: Final = 4096
_PARTS: Final = 128
#: Doublings below and above one second. The first bucket holds all below 1e-12 s, read as the
#: least there is; the last all beyond three months.
_LEAST, _MOST = -40, 24
_SIZE: Final = (_MOST - _LEAST) * _PARTS


class Histogram:
    """Counts durations in seconds; `add` is on the path, everything else is not."""

    __slots__ = ("_buckets", "_count", "_least", "_most", "_new", "_spread", "_sum", "add")

    def __init__(self) -> None:
        self._buckets = np.zeros(_SIZE, np.int64)
        self._new: list[float] = []
        self._count = 0
        self._sum = 0.0
        #: The sum of all squared deviations from the mean.
        self._spread = 0.0
        self._least = float("inf")
        self._most = 0.0
        #: Enter one duration. Call `settle` now and then, so that the block stays a block.
        self.add = self._new.append

    @property
    def full(self) -> bool:
        """Whether a block waits to be counted."""
        return len(self._new) >= _BLOCK

    def settle(self) -> None:
        """Count what was added."""
        new = self._new
        if not new:
            return
        values = np.array(new)
        new.clear()
        added, mean = len(values), float(values.mean())
        self._spread += float(((values - mean) ** 2).sum())
        if self._count:  # two groups as one (Chan et al. 1979): squares are never subtracted
            apart = mean - self._sum / self._count
            self._spread += apart * apart * self._count * added / (self._count + added)
        self._count += added
        self._sum += float(values.sum())
        self._least = min(self._least, float(values.min()))
        self._most = max(self._most, float(values.max()))
        parts, doublings = np.frexp(values)  # exact, so the same everywhere
        at = (doublings - _LEAST) * _PARTS + ((parts * 2 - 1) * _PARTS).astype(np.int64)
        at[values <= 0] = 0
        self._buckets += np.bincount(np.clip(at, 0, _SIZE - 1), minlength=_SIZE)

    @property
    def count(self) -> int:
        """How many durations there are."""
        self.settle()
        return self._count

    @property
    def sum(self) -> float:
        """Their sum."""
        self.settle()
        return self._sum

    @property
    def least(self) -> float:
        """The shortest; 0 where there is none."""
        return self._least if self.count else 0.0

    @property
    def most(self) -> float:
        """The longest; 0 where there is none."""
        return self._most if self.count else 0.0

    @property
    def mean(self) -> float:
        """The mean; 0 where there is none."""
        return self.sum / self._count if self.count else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation of all of them (population)."""
        if not self.count:
            return 0.0
        return sqrt(self._spread / self._count)

    def quantile(self, share: float) -> float:
        """Return the duration that `share` (0 to 1) of all are at or below; 0 where none is."""
        if not self.count:
            return 0.0
        rank = max(1, int(np.ceil(share * self._count - 1e-9)))
        ends = np.cumsum(self._buckets)
        at = int(np.searchsorted(ends, rank))
        if not at:
            return self._least
        low, high = _edges(at)
        high = min(high, self._most)
        held = int(self._buckets[at])
        before = int(ends[at]) - held
        value = low + (high - low) * (rank - before) / held
        return min(max(value, self._least), self._most)

    def bars(self) -> list[tuple[float, float, int]]:
        """Return (from, to, count) of each bucket that holds anything."""
        self.settle()
        found = np.flatnonzero(self._buckets).tolist()
        return [
            (max(low, self._least), min(high, self._most), int(self._buckets[at]))
            for at, (low, high) in ((at, _edges(at)) for at in found)
        ]


def _edges(at: int) -> tuple[float, float]:
    doubling, part = divmod(at, _PARTS)
    base: float = 2.0 ** (doubling + _LEAST - 1)
    low = base * (1 + part / _PARTS) if at else 0.0
    return low, base * (1 + (part + 1) / _PARTS) if at < _SIZE - 1 else inf
