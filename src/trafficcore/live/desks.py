"""Desks: one for each key that somebody waits for or has reserved of, and for no other.

Law     A desk is kept while it has waiters or reservations to come; two old ones are looked at for
        each new one. `lines` has the keys that somebody waits for: nobody goes past those.
State   The desks, in the order of their next look; the lines.
Cost    O(1), under the handle's lock.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from trafficcore.core.limit import KeyedGcra, OneKey
from trafficcore.live.desk import Desk
from trafficcore.live.reservation import Reservation
from trafficcore.live.waiting import Line, Source

__all__ = ["Desks"]

_LOOKS: Final = 2


class Desks:
    """The slow verbs of a `KeyedRateLimiter`."""

    __slots__ = ("_clock", "_desks", "_lock", "_machine", "_order", "_ring", "_shared", "lines")

    def __init__(
        self,
        machine: KeyedGcra,
        clock: Callable[[], float],
        lock: AbstractContextManager[Any],
        ring: Callable[[], Any],
        *,
        shared: bool,
    ) -> None:
        self._machine = machine
        self._clock = clock
        self._lock = lock
        self._ring = ring
        self._shared = shared
        self._desks: dict[str, Desk] = {}
        self._order: deque[str] = deque()
        self.lines: dict[str, Line] = {}

    def __len__(self) -> int:
        return len(self._desks)

    @property
    def count(self) -> int:
        """How many wait, for whatever key."""
        return sum(line.waiting for line in self.lines.values())

    def get(self, key: str) -> Desk:
        """Return the desk of a key, or one that nobody else has."""
        with self._lock:
            return self.find(key) or self._new(key)

    def find(self, key: str) -> Desk | None:
        """Return the desk of a key, if there is one."""
        return self._desks.get(key)

    def reserve(self, key: str, cost: float, timeout: float | None) -> Reservation | None:
        """Reserve at the desk of a key; keep it while there is something to come.

        What was reserved of the bucket that new keys share is settled: nothing comes back of it,
        and however many keys there are, no desk is kept for it.
        """
        with self._lock:
            desk = self.get(key)
            made = desk.reserve(cost, timeout)
            if made is None:
                return None
            if made.ticket is None and not self._machine.owns(key):
                made.open = False
            elif not desk.idle:
                self._keep(key, desk)
            made.desk = _AtKey(self, key)
            return made

    def cancel(self, key: str, reservation: Reservation) -> float:
        """Give a reservation back at the desk that its key has by now."""
        with self._lock:
            desk = self.get(key)
            back = desk.take_back(reservation)
        desk.nudge()
        return back

    def restate(self, key: str, reservation: Reservation, actual: float) -> None:
        """Correct a reservation at the desk that its key has by now."""
        with self._lock:
            desk = self.get(key)
            desk.put_right(reservation, actual)
        desk.nudge()

    @contextmanager
    def waiting(self, key: str) -> Iterator[tuple[Line, Source]]:
        """Have a line for a key, for as long as somebody stands in it."""
        with self._lock:
            desk = self.get(key)
            self._keep(key, desk)
            line = self.lines.setdefault(key, desk.line)
            line.users += 1
        try:
            yield line, OneKey(self._machine, key)
        finally:
            with self._lock:
                line.users -= 1
                if not line.users and self.lines.get(key) is line:
                    del self.lines[key]

    def follow(self) -> None:
        """Have every desk go on with the machine's new settings. *Guarded*."""
        for desk in self._desks.values():
            desk.follow()

    def nudge(self) -> None:
        """Have the first in every line ask again."""
        with self._lock:
            lines = list(self.lines.values())
        for line in lines:
            line.nudge()
        self._ring()

    def clear(self) -> None:
        """Forget who waits, and keep what is reserved."""
        for line in self.lines.values():
            line.clear()
            line.users = 0
        self.lines.clear()

    def _new(self, key: str) -> Desk:
        bucket = OneKey(self._machine, key)
        return Desk(bucket, self._clock, self._lock, self._ring, shared=self._shared)

    def _keep(self, key: str, desk: Desk) -> None:
        if key in self._desks:
            return
        for _ in range(min(_LOOKS, len(self._order))):
            old = self._order.popleft()
            if old not in self.lines and self._desks[old].idle:
                del self._desks[old]
            else:
                self._order.append(old)
        self._desks[key] = desk
        self._order.append(key)


class _AtKey:
    """The desk of a key as a reservation knows it: it may be another when it comes back."""

    __slots__ = ("_desks", "_key")

    def __init__(self, desks: Desks, key: str) -> None:
        self._desks = desks
        self._key = key

    def cancel(self, reservation: Reservation) -> float:
        return self._desks.cancel(self._key, reservation)

    def restate(self, reservation: Reservation, actual: float) -> None:
        self._desks.restate(self._key, reservation, actual)
