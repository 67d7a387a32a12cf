"""What a run keeps: counts by class and code, latencies, and series over time.

Everything here is bounded by classes, codes, zones and bins, whatever the number of requests.
"""

from math import ceil, log10
from typing import Any, Final

from trafficcore.sim.histogram import Histogram

__all__ = ["NO_ANSWER", "ClassStats", "Series", "bin_width", "code_name"]

#: The code of a call whose client gave up before an answer came.
NO_ANSWER: Final = 0
_BINS: Final = 120


def code_name(code: int) -> str:
    """Return a code as people read it."""
    return "timeout" if code == NO_ANSWER else str(code)


def bin_width(duration: float, drain: float = 0) -> float:
    """Return a round number of seconds that cuts a duration into about a hundred bins.

    A drain that is many times as long makes them wider: no series has more than some thousands.
    """
    raw = max(duration, (duration + drain) / _BINS) / _BINS
    scale = 10.0 ** int(ceil(log10(raw)) - 1)
    return next(step * scale for step in (1, 2, 2.5, 5, 10) if step * scale >= raw * (1 - 1e-9))


class Series:
    """A number for each bin of time."""

    __slots__ = ("bins", "per_second")

    def __init__(self, width: float) -> None:
        self.per_second = 1 / width
        self.bins: list[float] = []

    def add(self, now: float, amount: float = 1) -> None:
        """Add to the bin of `now`."""
        bins = self.bins
        try:
            bins[int(now * self.per_second)] += amount
        except IndexError:
            bins += [0] * (int(now * self.per_second) + 1 - len(bins))
            bins[-1] += amount


class ClassStats:
    """One class of clients: its answers, and how long they took."""

    __slots__ = (
        "_width",
        "codes",
        "first",
        "last",
        "over_time",
        "reasons",
        "sent",
        "took",
        "took_over_time",
        "unanswered",
        "warmups",
    )

    def __init__(self, width: float) -> None:
        self._width = width
        self.sent = 0
        self.warmups = 0
        self.unanswered = 0
        self.codes: dict[int, int] = {}
        #: Refusals of our own, by reason.
        self.reasons: dict[str, int] = {}
        self.took = Histogram()
        self.over_time: dict[int, Series] = {}
        self.took_over_time = Series(width)
        self.first: float | None = None
        self.last = 0.0

    def answered(self, now: float, code: int, took: float) -> None:
        """Note one answer."""
        try:
            self.codes[code] += 1
            self.over_time[code].add(now)
        except KeyError:
            self.codes[code] = 1
            series = self.over_time[code] = Series(self._width)
            series.add(now)
        took_now = self.took
        took_now.add(took)
        if took_now.full:
            took_now.settle()
        self.took_over_time.add(now, took)
        self.last = now

    @property
    def count(self) -> int:
        """How many calls were answered, one way or another."""
        return sum(self.codes.values())

    def snapshot(self) -> dict[str, Any]:
        """Return counts and latencies as plain data."""
        took = self.took
        return {
            "sent": self.sent,
            "answered": self.count,
            "unanswered": self.unanswered,
            "warmups": self.warmups,
            "codes": {code_name(code): self.codes[code] for code in sorted(self.codes)},
            "refused": dict(sorted(self.reasons.items())),
            "latency": {
                "min": took.least,
                "mean": took.mean,
                "max": took.most,
                **{f"p{share:g}": took.quantile(share / 100) for share in (50, 75, 90, 99, 99.9)},
            },
        }
