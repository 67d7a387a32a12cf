"""`Gauge`: what is left in the buckets of one limit, as headers tell it; whoever owns them.

State   the machine it looks at, its numbers, and what headers called each level so far.
Cost    a look at one bucket, flat, and a few whole numbers.
"""

from math import ceil
from typing import Any

from trafficcore.core.limit import KeyedGcra

__all__ = ["Gauge", "Sole"]


class Sole:
    """A bucket for all, with a key that says nothing."""

    __slots__ = ("_bucket",)

    def __init__(self, made: Any) -> None:
        self._bucket = made

    def try_acquire(self, _key: str, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there at `now`."""
        answer: bool = self._bucket.try_acquire(now, cost)
        return answer

    def refund(self, _key: str, cost: float, now: float) -> None:
        """Give `cost` tokens back."""
        self._bucket.refund(cost, now)

    def charge(self, _key: str, cost: float, now: float) -> None:
        """Take `cost` tokens, there or not."""
        self._bucket.charge(cost, now)

    def tokens_at(self, _key: str, now: float) -> float:
        """Return how many tokens there are at `now`, from 0."""
        level: float = self._bucket.tokens_at(now)
        return level

    def level_at(self, _key: str, now: float) -> float:
        """Return how many tokens there are at `now`; below 0, how many are owed."""
        level: float = self._bucket.level_at(now)
        return level

    def earliest(self, _key: str, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never."""
        due: float = self._bucket.earliest(now, cost)
        return due

    def snapshot(self, now: float) -> dict[str, float]:
        """Return the level at `now` and the settings."""
        state: dict[str, float] = self._bucket.snapshot(now)
        return state


class Gauge:
    """What is left in a machine of so much `capacity` and `rate`, by key."""

    __slots__ = (
        "capacity", "item", "keyed", "machine", "name", "policy", "rate", "told", "top", "window",
    )  # fmt: skip

    def __init__(self, name: str, machine: Any, capacity: float, rate: float) -> None:
        self.name = name
        self.machine = machine
        self.keyed = isinstance(machine, KeyedGcra)
        self.capacity = capacity
        self.rate = rate
        #: The most whole tokens.
        self.top = int(capacity)
        #: Seconds in which an empty bucket fills, whole; None: never.
        self.window = ceil(capacity / rate) if rate else None
        #: What the headers that tell of it call it, and its policy there; see `web.limit_headers`.
        self.item = self.policy = ""
        #: What they said of each level so far, by the form in which they say it.
        self.told: dict[str, dict[tuple[int, int | None], Any]] = {}

    def left(self, key: str, now: float) -> tuple[int, int | None]:
        """Return how many whole tokens a key has, and in how many whole seconds it has one more.

        None: never, or it is full. A remainder of rounding is no token short. Every answer with
        headers asks this, so a key's own bucket is read flat: law and twin are those of
        `KeyedGcra.level_at`: a debt is waited for. Whole numbers are compared with whole ones:
        with floats it costs more.
        """
        machine = self.machine
        full_at = machine.full_at.get(key) if self.keyed else None
        if full_at is None:
            tokens = self.machine.level_at(key, now)
        else:
            tokens = (machine.burst - (full_at - now)) / machine.inc
        whole = int(tokens + 1e-9)
        if whole >= self.top:
            return self.top, None
        if whole < 0:  # noqa: PLR1730  # max() is a call
            whole = 0
        rate = self.rate
        if rate >= 1 and tokens >= 0:
            return whole, 1
        if not rate:
            return whole, None
        return whole, int((whole + 1 - tokens) / rate + 0.999999)
