"""Which bucket: one protocol, two machines, and the rule that chooses."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any, Final, Protocol

from trafficcore.core.limit.gcra import ROOM_GCRA, Gcra
from trafficcore.core.limit.token_bucket import TokenBucket
from trafficcore.core.nolock import NO_LOCK

__all__ = ["FASTEST_GCRA", "Bucket", "bucket", "suits_gcra"]

#: Tokens a second up to which one float holds the law; above it `inc` nears a clock's last bit.
FASTEST_GCRA: Final = 1_000_000


class Bucket(Protocol):
    """What `Gcra` and `TokenBucket` have in common."""

    @property
    def capacity(self) -> float:
        """The most tokens it holds."""
        ...

    @property
    def rate(self) -> float:
        """The tokens that come in a second."""
        ...

    def try_acquire(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there at `now`."""
        ...

    def reserve(self, now: float, cost: float = 1, latest: float = inf) -> float:
        """Take `cost` tokens now for use from the time returned on; `inf`: not by `latest`."""
        ...

    def charge(self, cost: float, now: float) -> None:
        """Take `cost` tokens whether they are there or not."""
        ...

    def refund(self, cost: float, now: float) -> None:
        """Give `cost` tokens back, never above capacity."""
        ...

    def update(self, now: float, capacity: float, rate: float) -> None:
        """Go on with other settings, the level scaled."""
        ...

    def tokens_at(self, now: float) -> float:
        """Return how many tokens there are at `now`, from 0."""
        ...

    def level_at(self, now: float) -> float:
        """Return how many tokens there are at `now`; below 0, how many are owed."""
        ...

    def due(self, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens, be it above capacity, have come in."""
        ...

    def earliest(self, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never."""
        ...

    def snapshot(self, now: float) -> dict[str, float]:
        """Return the level at `now` and the settings."""
        ...


def suits_gcra(rate: float, capacity: float) -> bool:
    """Say whether one float holds the law at these numbers, full bursts and all."""
    return 0 < rate <= FASTEST_GCRA and capacity * rate <= ROOM_GCRA


def bucket(
    capacity: float,
    rate: float,
    *,
    lock: AbstractContextManager[Any] = NO_LOCK,
    build: Callable[[type[Any]], type[Any]] | None = None,
) -> Bucket:
    """Return a full bucket of the cheaper kind that is right at this rate.

    `build` makes a class of the class chosen: where there is no GIL, its owner hands in a lock and
    `guard.guarded`.
    """
    kind: type[Any] = Gcra if suits_gcra(rate, capacity) else TokenBucket
    made: Bucket = (kind if build is None else build(kind))(capacity, rate, lock=lock)
    return made
