"""`OfKey`: one key's quota, among all of `KeyedQueues`, as one request uses it."""

from collections.abc import Hashable
from math import inf
from typing import TYPE_CHECKING, Any

from trafficcore.core.fair.waiter import Waiter
from trafficcore.outcome import Reason

if TYPE_CHECKING:
    from trafficcore.core.fair.keyed import KeyedQueues

__all__ = ["OfKey"]


class OfKey:
    """The quota of one key as one request uses it, with the verbs of a `QuotaQueue`. *Guarded*.

    What a request has taken goes back to where it came from. A key that was forgotten meanwhile is
    full, and gets nothing.
    """

    __slots__ = ("_key", "_lock", "_owner", "_record")

    def __init__(self, owner: "KeyedQueues", lock: Any, key: Hashable) -> None:
        self._owner = owner
        self._lock = lock
        self._key = key
        self._record: Any = None

    @property
    def waiting(self) -> int:
        """How many wait for this key."""
        return 0 if self._record is None else int(self._record.queue.waiting)

    def try_acquire(self, now: float, cost: float = 1) -> int:
        """Spend `cost` of the key's if nobody waits and it is there; the answer is the lease."""
        with self._lock:
            record = self._record = self._owner.find(self._key, now)
            return int(record.queue.try_acquire(now, cost))

    def enqueue(  # as a queue has it
        self,
        now: float,
        flow: Hashable,
        weight: float = 1,
        cost: float = 1,
        deadline: float = inf,
        item: Any = None,
        key: Hashable = None,
    ) -> Waiter:
        """Take a place in the key's queue."""
        with self._lock:
            owner = self._owner
            record = self._record = owner.find(self._key, now)
            waiter = record.queue.enqueue(now, flow, weight, cost, deadline, item, key)
            owner.note(record)
            if waiter.reason is not Reason.QUEUE_FULL:
                owner.make_room(record, waiter, now)
            return waiter

    def cancel(self, waiter: Waiter, now: float) -> bool:
        """Give a place up at no charge; False: its fate was decided before."""
        with self._lock:
            done: bool = self._record.queue.cancel(waiter, now)
            self._owner.note(self._record)
            return done

    def give_back(self, waiter: Waiter, now: float) -> bool:
        """Undo the grant of one who waited; False: there is none to undo."""
        with self._lock:
            record = self._owner.current(self._record)
            if record is not None and record is not self._record:
                record.queue.refund(now, waiter.cost)  # made anew: the old busy period is over
                self._owner.note(record)
            done: bool = self._record.queue.give_back(waiter, now)
            self._owner.note(self._record)
            return done

    def reconcile(self, now: float, waiter: Waiter, actual: float) -> bool:
        """Correct the key's budget and clock by what a grant truly cost; False: there is none.

        A key that was forgotten meanwhile is full: what it took more is taken of the new one.
        """
        with self._lock:
            record = self._owner.current(self._record)
            if record is not None and record is not self._record:
                record.queue.refund(now, waiter.cost - actual)
                self._owner.note(record)
            done: bool = self._record.queue.reconcile(now, waiter, actual)
            self._owner.note(self._record)
            return done

    def refund(self, now: float, cost: float = 1) -> None:
        """Put tokens back."""
        with self._lock:
            record = self._owner.current(self._record)
            if record is not None:
                record.queue.refund(now, cost)
                self._owner.note(record)

    def release(self, lease: int) -> bool:
        """Give slots back by their lease; False: they had come back before."""
        with self._lock:
            done: bool = self._record.queue.release(lease)
            self._owner.note(self._record)
            return done

    def retry_at(self, now: float, cost: float = 1) -> Any:
        """Return when a newcomer's cost is there after all of this key that wait now."""
        with self._lock:
            return self._record.queue.retry_at(now, cost)

    def ready_at(self, now: float, waiter: Waiter) -> Any:
        """Return when `waiter` goes, as things stand; None: unknown."""
        with self._lock:
            return self._record.queue.ready_at(now, waiter)

    def ahead(self, waiter: Waiter) -> tuple[int, Any]:
        """Return how many of this key go before `waiter` and their cost."""
        with self._lock:
            ahead: tuple[int, Any] = self._record.queue.ahead(waiter)
            return ahead
