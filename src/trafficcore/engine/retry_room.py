"""`RetryRoom`: the retries of one service or host that are under way, and the calls they are of.

Law     A retry is let in while fewer are under way than the caps allow for the calls in flight; it
        is under way from the decision, through the wait, to the end of its try. A try is in flight
        from its admission to its last byte.
State   two counts and what came of retries, one such set for each upstream; rooms that nobody is
        in are let go of where there are many.
Cost    O(1); a call whose retries nobody asked for is in no room.
Source  Envoy, resource_manager_impl.h: `retries` and its budget; its stats `upstream_rq_retry*`.
"""

from typing import Any, ClassVar, Final

from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.spec import RetryCaps

__all__ = ["RetryRoom", "RetryRooms", "Stay"]

#: Rooms kept, and how many old ones are looked at to make room for a new one.
_MOST: Final = 4096
_LOOKS: Final = 16


@guarded
class Stay:
    """One that is in: a try in flight, or a retry under way. It leaves once."""

    ATOMIC: ClassVar[tuple[str, ...]] = ("leave",)
    __slots__ = ("_lock", "_room", "_what")

    def __init__(self, room: "RetryRoom", what: str) -> None:
        self._room: RetryRoom | None = room
        self._what = what
        self._lock = room.lock

    def leave(self) -> None:
        """Count out; a second time does nothing. *Atomic* as to once."""
        room, self._room = self._room, None
        if room is not None:
            room.leave(self._what)


@guarded
class RetryRoom:
    """Counts of one upstream. `active` are tries in flight, `retries` those under way again."""

    ATOMIC: ClassVar[tuple[str, ...]] = ("enter", "try_retry", "leave")
    #: What came of retries; Envoy's stats have the same names behind `upstream_rq_retry`.
    OUTCOMES: ClassVar[tuple[str, ...]] = (
        "retried",
        "success",
        "limit_exceeded",
        "overflow",
        "unsafe",
        "late",
        "refused",
    )
    __slots__ = (
        "_lock",
        "active",
        "late",
        "limit_exceeded",
        "lock",
        "overflow",
        "refused",
        "retried",
        "retries",
        "success",
        "unsafe",
    )

    def __init__(self) -> None:
        self.lock = self._lock = new_lock()
        self.active = self.retries = 0
        self.retried = self.success = self.limit_exceeded = self.overflow = 0
        self.unsafe = self.late = self.refused = 0

    def enter(self) -> Stay:
        """Count a try in. *Atomic*."""
        self.active += 1
        return Stay(self, "active")

    def try_retry(self, caps: RetryCaps) -> Stay | None:
        """Count a retry in if the caps have room for it. *Atomic*."""
        most = caps.most(self.active)
        retries = self.retries
        if retries >= most:
            return None
        self.retries = retries + 1
        return Stay(self, "retries")

    def leave(self, what: str) -> None:
        """Count one out. *Atomic*."""
        if what == "active":
            self.active -= 1
        else:
            self.retries -= 1

    @property
    def empty(self) -> bool:
        """Whether nobody is in."""
        return not self.active and not self.retries

    def snapshot(self) -> dict[str, int]:
        """Return every count as plain data."""
        return {name: getattr(self, name) for name in ("active", "retries", *self.OUTCOMES)}


class RetryRooms:
    """A room for each upstream, made when it is first asked for."""

    __slots__ = ("__weakref__", "_lock", "_rooms")

    def __init__(self) -> None:
        self._lock = new_lock()
        self._rooms: dict[str, RetryRoom] = {}
        after_fork(self)

    def after_fork(self) -> None:
        """In a fork's child: who is in is in the parent, and will never leave here."""
        self._rooms = {}

    def enter(self, name: str) -> tuple[RetryRoom, Stay]:
        """Count a try of an upstream in, and return its room."""
        with self._lock:  # or a room could be let go of between the look and the entry
            room = self._rooms.get(name)
            if room is None:
                if len(self._rooms) >= _MOST:
                    self._let_go()
                room = self._rooms[name] = RetryRoom()
            return room, room.enter()

    def _let_go(self) -> None:
        """Drop what is empty among the oldest few; those that are not become the youngest."""
        for name in list(self._rooms)[:_LOOKS]:
            room = self._rooms.pop(name)
            if not room.empty:
                self._rooms[name] = room

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return every room as plain data."""
        with self._lock:
            rooms = dict(self._rooms)
        return {name: room.snapshot() for name, room in rooms.items()}
