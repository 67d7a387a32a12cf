"""`Purse`: several budgets that are spent together, all or nothing, and one queue in front of them.

Law    a cost has a part for each bucket, and one slot where calls in flight are bounded. It is
       granted when every bucket covers its part and a slot is free; then all are charged, and
       before that none. A bucket of which nothing is asked has no say. For the queue a cost is as
       large as its dearest part: the seconds in which that part is earned.
State  the buckets and the slots.
Cost   O(buckets) a grant; the queue's is that of a `FairQueue`.
Twin   tests/model/purse.py
Source dominant resource fairness (Ghodsi et al., NSDI 2011), of requests in a queue (SIGCOMM 2012).
"""

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar, Self

from trafficcore.core.fair.bucket import TokenBucket
from trafficcore.core.fair.quota import QuotaQueue
from trafficcore.core.fair.slots import Slots
from trafficcore.core.fair.waiter import Fate, Waiter
from trafficcore.errors import ConfigError, ImpossibleCost

__all__ = ["Costs", "Purse", "PurseQueue"]

GRANTED = Fate.GRANTED


class Costs(float):
    """A cost with a part for each bucket; as a number, its size. Made by `Purse.price`."""

    __slots__ = ("parts",)
    parts: tuple[float, ...]

    def __new__(cls, size: float, parts: tuple[float, ...]) -> Self:
        """Return a cost of this size."""
        made = super().__new__(cls, size)
        made.parts = parts
        return made


class Purse:
    """Buckets by name, and `slots` (None: any number in flight). Held under its owner's lock."""

    __slots__ = ("_buckets", "_slots", "names")
    #: What a budget says of itself to the queue: no level of its own, and every use under the lock.
    capacity = inf
    dry = False
    plain = False
    unit = 1

    def __init__(self, buckets: Mapping[str, TokenBucket], slots: Slots | None = None) -> None:
        if not buckets and slots is None:
            raise ConfigError("there must be a budget at least, or slots")
        for name, bucket in buckets.items():
            if bucket.dry or not bucket.capacity:
                raise ConfigError(f"the budget {name!r} must fill, and hold something")
        if slots is not None and slots.dry:
            raise ConfigError("at least one must be allowed to run at once")
        self.names = tuple(buckets)
        self._buckets = tuple(buckets.values())
        self._slots = slots

    def price(self, parts: Mapping[str, float], otherwise: Mapping[str, float]) -> Costs:
        """Return a cost; what `parts` do not name is as `otherwise` has it."""
        unknown = [name for name in parts if name not in self.names]
        if unknown:
            known = ", ".join(self.names)
            raise ConfigError(f"there is no budget {unknown[0]!r}: there is {known}")
        found = tuple(parts.get(name, otherwise[name]) for name in self.names)
        for name, part in zip(self.names, found, strict=True):
            if not 0 <= part < inf:
                raise ConfigError(f"{name} must be from 0 and finite, not {part!r}")
        return Costs(self._size(found), found)

    def check(self, cost: Costs) -> None:
        """Raise `ImpossibleCost` where a part is more than its bucket ever holds."""
        for name, part, bucket in zip(self.names, cost.parts, self._buckets, strict=True):
            if part > bucket.capacity:
                raise ImpossibleCost(
                    f"{name} of {part!r} is more than the {float(bucket.capacity):g} there ever are"
                )

    def _size(self, parts: tuple[float, ...]) -> float:
        seconds = [
            float(part / bucket.rate) for part, bucket in zip(parts, self._buckets, strict=True)
        ]
        if self._slots is not None:
            seconds.append(1 / self._slots.capacity)
        return max(seconds)

    def take(self, now: float, cost: Costs) -> int:
        """Take every part and a slot, or nothing; the answer is the lease of the slot."""
        spending = [
            (bucket, part)
            for bucket, part in zip(self._buckets, cost.parts, strict=True)
            if part > 0
        ]
        if any(bucket.level(now) - part < bucket.floor for bucket, part in spending):
            return 0
        lease = 1 if self._slots is None else self._slots.take(now, 1)
        if lease:
            for bucket, part in spending:
                bucket.take(now, part)
        return lease

    def earliest(self, cost: Costs) -> Any:
        """Return when every part is there, if nothing is taken; `inf`: when a call ends."""
        due = -inf if self._slots is None else self._slots.earliest(1)
        for bucket, part in zip(self._buckets, cost.parts, strict=True):
            if part > 0:
                due = max(due, bucket.earliest(part))
        return due

    def supplied(self, now: float, amount: float) -> Any:
        """Return when costs of this size in all have been there to take, at the latest.

        From nothing owed, the next in a queue waits no longer than its own size, whatever it is
        that it waits for. With slots nobody knows: calls end when they end.
        """
        if self._slots is not None:
            return None
        owed = max(0, *(-bucket.level(now) / bucket.rate for bucket in self._buckets))
        return now + owed + amount

    def refund(self, now: float, cost: Costs) -> None:
        """Put every part back, never above what its bucket holds."""
        for bucket, part in zip(self._buckets, cost.parts, strict=True):
            bucket.refund(now, part)

    def change(self, now: float, before: Costs, after: Costs) -> None:
        """Take what a cost became more, or put back what it became less, of each bucket."""
        for bucket, old, new in zip(self._buckets, before.parts, after.parts, strict=True):
            if old != new:
                bucket.refund(now, old - new)

    def overdraw(self, now: float, cost: float) -> bool:  # noqa: ARG002  # the verb of buckets
        """Answer no: what never fits is refused when it comes."""
        return False

    def release(self, lease: int) -> bool:
        """Give a slot back by its lease; False: it had come back before."""
        return self._slots is not None and self._slots.release(lease)

    def clear(self) -> None:
        """Forget who is running."""
        if self._slots is not None:
            self._slots.clear()

    def level(self, now: float) -> dict[str, Any]:
        """Return what is there of each."""
        levels = {
            name: bucket.level(now) for name, bucket in zip(self.names, self._buckets, strict=True)
        }
        return levels if self._slots is None else {**levels, "slots": self._slots.level(now)}


class PurseQueue(QuotaQueue):
    """A queue in front of a purse, which makes its costs. *Guarded*."""

    ATOMIC: ClassVar[tuple[str, ...]] = ()
    __slots__ = ("_free", "purse")

    def __init__(self, purse: Purse, **more: Any) -> None:
        super().__init__(purse, **more)  # type: ignore[arg-type]  # a budget by its verbs
        self.purse = purse
        self._free = purse.price({}, dict.fromkeys(purse.names, 0))

    def try_acquire(self, now: float, cost: Costs) -> int:  # type: ignore[override]
        """Spend a cost if nobody waits and all of it is there; the answer is the lease.

        What costs nothing at all waits for nobody.
        """
        if not cost:
            return 1
        with self._lock:
            return 0 if self._fair.heap else self.purse.take(now, cost)

    def reconcile(self, now: float, waiter: Waiter, actual: float) -> bool:
        """Correct budgets and clock by what a grant truly cost, a cost of the purse or 0."""
        with self._lock:
            if waiter.fate is not GRANTED:
                return False
            after: Costs = actual if isinstance(actual, Costs) else self._free
            self.purse.change(now, waiter.cost, after)
            self._fair.correct(waiter, after - waiter.cost)
            waiter.cost = after
            return True

    def retry_at(self, now: float, cost: float = 1) -> Any:
        """Return when a newcomer's cost is there, at the latest; None: unknown."""
        with self._lock:
            if not self._fair.heap and isinstance(cost, Costs):
                due = self.purse.earliest(cost)
                return None if due == inf else max(now, due)
            return super().retry_at(now, cost)

    def clear(self) -> None:
        """Drop everybody who waits or runs: they do so in the parent of a fork."""
        with self._lock:
            super().clear()
            self.purse.clear()
