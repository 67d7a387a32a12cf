"""Gcra: the token bucket in one number.

Law     full(now) = max(full_at, now); a cost is granted where full + cost * inc - burst <= now,
        and then full_at = full + cost * inc. inc = 1 / rate, burst = capacity * inc. The level is
        (burst - (full(now) - now)) / inc tokens: `TokenBucket` and this give the same answers.
        What is reserved or charged is taken at once, whether it is there or not: full_at grows,
        and nobody is granted anything before the debt is paid.
State   `full_at`: when the bucket was, or will be, full again.
Floats  burst has a little more, or full bursts at one instant would come one token short: what
        rounding can lose on clocks up to 2^31 s, and at most a thousandth of a token, which is
        never a token. None of it on Fractions (give the rate as one).
        With capacity * rate up to 2^19 that is enough on clocks up to 2^24 s, half a year. Beyond,
        `bucket` chooses `TokenBucket`; where there is no choice, as for keys, a full burst may be
        off there by capacity * rate / 2^30 tokens, rounded up.
Cost    O(1), one load and one store.
Source  ITU-T I.371 (GCRA, virtual scheduling); hot-path measurements in docs/explanation.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

from contextlib import AbstractContextManager
from math import inf
from typing import Any, ClassVar, Final

from trafficcore.core.limit.amounts import check_amount, checked, is_finite, refused_cost, round_up
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["ROOM_GCRA", "Gcra", "first_grant", "rescaled", "spacing"]

#: Capacity times rate up to which a thousandth of a token is more than a full burst can lose.
ROOM_GCRA: Final = 2**19


def spacing(capacity: float, rate: float) -> tuple[float, float]:
    """Return `(inc, burst)`: seconds for one token, and for all of them with the floats' slack."""
    checked("capacity", capacity)
    if not checked("rate", rate):
        raise ConfigError("rate must be above 0 here, not 0: a TokenBucket may have it")
    inc = 1 / rate
    burst = capacity * inc if is_finite(inc) else inf
    # Below one token the slack could make one.
    if isinstance(inc, float) and capacity >= 1:
        # Each token of a burst may lose the last bit of a time: of a clock's, or of the burst's.
        burst += min(inc / 1024, capacity * (burst / 2**51 + 1 / 2**22))
    if not is_finite(burst):
        raise ConfigError(f"rate must fill {capacity!r} tokens in a finite time, not {rate!r}")
    return inc, burst


class Gcra:
    """Holds at most `capacity` tokens and earns `rate` (above 0) of them a second; starts full."""

    ATOMIC: ClassVar[tuple[str, ...]] = (
        "try_acquire",
        "reserve",
        "charge",
        "refund",
        "update",
        "tokens_at",
        "level_at",
        "due",
        "earliest",
        "snapshot",
    )
    __slots__ = ("_lock", "burst", "capacity", "full_at", "inc", "rate")

    def __init__(
        self, capacity: float, rate: float, *, lock: AbstractContextManager[Any] = NO_LOCK
    ) -> None:
        self.inc, self.burst = spacing(capacity, rate)
        self.capacity = capacity
        self.rate = rate
        self.full_at: float = -inf
        self._lock = lock

    def try_acquire(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there at `now`. *Atomic*.

        Law: see the module. Twin: tests/model/bucket.py. A cost of 1 needs no check: where the
        bucket holds less, the law itself refuses. The cost is tested against the capacity before
        anything else, for beyond it the law would borrow.
        """
        need = self.inc
        if cost != 1:
            if not 0 < cost <= self.capacity:
                return refused_cost(cost, self.capacity)
            need *= cost
        t = self.full_at
        if t < now:
            t = now
        t += need
        if t - self.burst > now:
            return False
        self.full_at = t
        return True

    def reserve(self, now: float, cost: float = 1, latest: float = inf) -> float:
        """Take `cost` tokens now, to be used from the time returned on. *Atomic*.

        `inf`: that would be after `latest`, or never, and nothing is taken.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        need = cost * self.inc
        t = self.full_at
        if t < now:
            t = now
        t += need
        due = t - self.burst
        if due < now:
            due = now
        if due > latest:
            return inf
        self.full_at = t
        return due

    def charge(self, cost: float, now: float) -> None:
        """Take `cost` tokens, there or not, however many: what is missing is a debt. *Atomic*."""
        if cost != 1:
            check_amount(cost)
        need = cost * self.inc
        t = self.full_at
        if t < now:
            t = now
        t += need
        self.full_at = t

    def refund(self, cost: float, now: float) -> None:
        """Give `cost` tokens back; what would not fit is lost. *Atomic*."""
        if cost != 1:
            check_amount(cost)
        earned = cost * self.inc
        t = self.full_at
        t -= earned
        # Never before now: time that has passed is no level above full. Nor what is no number,
        # as where a debt beyond all floats is given back.
        if not t > now:
            t = now
        self.full_at = t

    def update(self, now: float, capacity: float, rate: float) -> None:
        """Go on with other settings: the level is scaled, a debt is kept. *Atomic*.

        Half full stays half full. What is owed is owed in tokens, whatever the bucket holds.
        """
        inc, burst = spacing(capacity, rate)
        owed = self.full_at
        if owed < now:
            owed = now
        owed = (owed - now) / self.inc
        level = self.capacity - owed
        if level > 0:
            level = level * capacity / self.capacity
        self.full_at = now + (capacity - level) * inc
        self.inc = inc
        self.burst = burst
        self.capacity = capacity
        self.rate = rate

    def tokens_at(self, now: float) -> float:
        """Return how many tokens there are at `now`, from 0. *Atomic*."""
        t = self.full_at
        if t < now:
            return self.capacity
        tokens = (self.burst - (t - now)) / self.inc
        if tokens > self.capacity:
            return self.capacity
        return tokens if tokens > 0 else 0

    def level_at(self, now: float) -> float:
        """Return how many tokens there are at `now`; below 0, how many are owed. *Atomic*."""
        t = self.full_at
        if t < now:
            return self.capacity
        return self.capacity - (t - now) / self.inc

    def due(self, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens, be it more than it holds, have come in. *Atomic*.

        For a sum of costs that are taken one after the other.
        """
        need = cost * self.inc
        t = self.full_at
        if t < now:
            t = now
        t = t + need - self.burst
        return t if t > now else now

    def earliest(self, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never. *Atomic*.

        Absolute, and if nobody else takes or gives, granted at exactly that time.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        return first_grant(now, cost * self.inc, self.burst, self.full_at)

    def snapshot(self, now: float) -> dict[str, float]:
        """Return the level at `now` and the settings, as plain data. *Atomic*."""
        return {"tokens": self.tokens_at(now), "capacity": self.capacity, "rate": self.rate}


def first_grant(now: float, need: float, burst: float, full_at: float) -> float:
    """Return the first time from `now` on at which the law grants `need` seconds' worth."""

    def granted(at: float) -> bool:
        return (full_at if full_at > at else at) + need - burst <= at

    if granted(now):
        return now
    due = full_at + need - burst
    return round_up(due if due > now else now, granted)


def rescaled(
    full_at: float, now: float, old: tuple[float, float], new: tuple[float, float]
) -> float:
    """Return `full_at` as `Gcra.update` changes it, from one `(capacity, inc)` to another."""
    if full_at < now:
        return now
    level = old[0] - (full_at - now) / old[1]
    if level > 0:
        level = level * new[0] / old[0]
    return now + (new[0] - level) * new[1]
