"""`KeyedQueues`: a budget, its queues and their virtual time for each key (a user, a tenant).

Law    each key's is a `QuotaQueue` of its own, made when the key first comes. One that is as new
       (full, nothing in flight, nobody there) may be forgotten: when it comes back it finds what
       it would have found. That is done for keys that did nothing for `max_idle_time`, and for
       any where there is no room; with `max_keys` that cannot be forgotten, new keys share one
       queue, `overflow`. Over all keys at most `max_waiting` wait: past that the newest leaves of
       the heaviest flow of the key for which most wait.
State  a record a key; a heap of those for which something will be due; how many wait.
Cost   O(log keys with waiters) more than the queue's own; a new key looks at two old ones, at 16
       where there is no room. What is due is found without a look at the others.
Source Aperture's quota scheduler, which has one scheduler for each value of a label.
"""

from collections import deque
from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Final

from trafficcore.core.fair.of_key import OfKey
from trafficcore.core.fair.quota import QuotaQueue
from trafficcore.core.fair.waiter import Waiter
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["KeyedQueues"]

#: Old keys looked at for each new one: so many that idle ones go faster than new ones come.
_LOOKS: Final = 2
_LOOKS_WHEN_FULL: Final = 16
#: Dead entries of the heap are tolerated up to this many above the live ones.
_SLACK: Final = 64
#: How many keys a snapshot shows: those for which most wait.
_SHOWN: Final = 20


class _Record:
    """One key's queue; `mark` is its valid entry in the heap, `waiting` what was counted."""

    __slots__ = ("key", "mark", "queue", "used_at", "waiting")

    def __init__(self, key: Hashable, queue: QuotaQueue) -> None:
        self.key = key
        self.queue = queue
        self.used_at: float = -inf
        self.mark: Any = None
        self.waiting = 0


class KeyedQueues:
    """Quotas by key; `of(key)` has the verbs of one. Everything is *guarded*.

    `make()` returns a new queue under the same re-entrant `lock`. `max_idle_time` 0: a key is
    forgotten only where there is no room.
    """

    __slots__ = (
        "_heap", "_lock", "_make", "_max_idle_time", "_max_keys", "_max_waiting", "_number",
        "_order", "_overflow", "_records", "overflowed", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        make: Callable[[], QuotaQueue],
        *,
        max_keys: int = 10_000,
        max_idle_time: float = 7200,
        max_waiting: int = 10_000,
        lock: Any = NO_LOCK,
    ) -> None:
        if max_keys < 1:
            raise ConfigError(f"max_keys must be at least 1, not {max_keys!r}")
        self._make = make
        self._max_keys = max_keys
        self._max_idle_time = max_idle_time
        self._max_waiting = max_waiting
        self._lock = lock
        self._records: dict[Hashable, _Record] = {}
        #: Keys in the order in which they are looked at again.
        self._order: deque[Hashable] = deque()
        self._overflow: _Record | None = None
        self._heap: list[tuple[Any, int, _Record]] = []
        self._number = 0
        #: How many wait, over all keys; how often a key found no room for a queue of its own.
        self.waiting = self.overflowed = 0

    def of(self, key: Hashable) -> OfKey:
        """Return the quota of one key, for one request."""
        return OfKey(self, self._lock, key)

    def poll(self, now: float) -> list[Waiter]:
        """Decide what is due for any key; the earliest due first. *Guarded*."""
        with self._lock:
            heap, due = self._heap, []
            while heap and heap[0][0] <= now:
                mark = heappop(heap)
                if mark[2].mark is mark:
                    mark[2].mark = None
                    due.append(mark[2])
            decided: list[Waiter] = []
            for record in due:
                decided += record.queue.poll(now)
                self.note(record)
            return decided

    def next_deadline(self) -> float:
        """Return when `poll` has something to decide for any key. *Guarded*."""
        with self._lock:
            heap = self._heap
            while heap and heap[0][2].mark is not heap[0]:
                heappop(heap)
            return heap[0][0] if heap else inf

    def renew(
        self,
        maker: Callable[[Any], Callable[[], QuotaQueue]],
        *settings: Any,
        max_idle_time: float,
    ) -> None:
        """Change the budgets that are there, and make new ones by `maker(lock)`. *Guarded*."""
        with self._lock:
            self._make = maker(self._lock)
            self._max_idle_time = max_idle_time
            for record in self._all():
                record.queue.change(*settings)
                self.note(record)

    def clear(self) -> None:
        """Drop everybody undecided and untold. *Guarded*."""
        with self._lock:
            for record in self._all():
                record.queue.clear()
                self.note(record)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return counts, and the keys for which most wait, as plain data. *Guarded*."""
        with self._lock:
            busy = sorted((r for r in self._all() if r.waiting), key=lambda r: -r.waiting)
            return {
                "keys": len(self._records),
                "overflowed": self.overflowed,
                "waiting": self.waiting,
                "busiest": {
                    "(overflow)" if record is self._overflow else str(record.key): (
                        record.queue.snapshot(now)
                    )
                    for record in busy[:_SHOWN]
                },
            }

    def find(self, key: Hashable, now: float) -> _Record:
        """Return the record of a key, a new one if need be. Call under the lock."""
        record = self._records.get(key)
        if record is None:
            full = len(self._records) >= self._max_keys
            self._sweep(now, full=full)
            if len(self._records) >= self._max_keys:
                self.overflowed += 1
                if self._overflow is None:
                    self._overflow = _Record(None, self._make())
                return self._overflow
            record = self._records[key] = _Record(key, self._make())
            self._order.append(key)
        record.used_at = now
        return record

    def current(self, record: _Record) -> _Record | None:
        """Return the record that stands for this one's key now; None: as new, and forgotten."""
        return record if record is self._overflow else self._records.get(record.key)

    def note(self, record: _Record) -> None:
        """Count who waits, and keep in mind when something is due next. Call under the lock."""
        queue = record.queue
        waiting = queue.waiting
        self.waiting += waiting - record.waiting
        record.waiting = waiting
        due = queue.next_deadline()
        if record.mark is not None and record.mark[0] == due:
            return
        record.mark = None
        if due < inf:
            self._number = number = self._number + 1
            record.mark = mark = (due, number, record)
            heap = self._heap
            heappush(heap, mark)
            if len(heap) > 2 * self.waiting + _SLACK:
                heap[:] = [found for found in heap if found[2].mark is found]
                heapify(heap)

    def make_room(self, record: _Record, newcomer: Waiter, now: float) -> None:
        """Refuse somebody of the key for which most wait, if too many do. Call under the lock."""
        if self.waiting > self._max_waiting:
            heaviest = max(self._all(), key=lambda found: (found.waiting, found is record))
            heaviest.queue.evict(now, newcomer)
            self.note(heaviest)

    def _all(self) -> list[_Record]:
        return [*self._records.values(), *([self._overflow] if self._overflow else [])]

    def _sweep(self, now: float, *, full: bool) -> None:
        """Forget what is as new among the next few keys."""
        order, idle = self._order, self._max_idle_time
        for _ in range(min(_LOOKS_WHEN_FULL if full else _LOOKS, len(order))):
            key = order.popleft()
            record = self._records[key]
            old = full or (idle and now - record.used_at >= idle)
            if old and record.queue.idle(now):
                del self._records[key]
            else:
                order.append(key)
