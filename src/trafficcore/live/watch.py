"""`Watch`: sees that a line goes on where the event loop of its first has stopped.

Law    the first was due and has not asked: if its loop does not run it is passed over, else it is
       looked at again. Only a line whose people wait in more than one loop, or in a loop and in
       threads, is watched: of one loop's own people nobody could go on anyway.
State  a driver, whose thread sleeps until the first is due.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import TYPE_CHECKING, Any, Final

from trafficcore.live.drivers import Driver

if TYPE_CHECKING:
    from trafficcore.live.waiting import Line

__all__ = ["Watch"]

#: Seconds that somebody who is due has for asking.
_GRACE: Final = 0.1


class Watch:
    """For one line, under its lock; it has the verbs that a driver drives."""

    __slots__ = ("_driver", "_line", "_lock")

    def __init__(
        self, line: "Line", clock: Callable[[], float], lock: AbstractContextManager[Any]
    ) -> None:
        self._line = line
        self._lock = lock
        self._driver = Driver(self, clock)

    def kick(self) -> None:
        """Look again at who is first, and when it is due."""
        self._driver.kick()

    def next_deadline(self) -> float:
        """Return when to see whether the loop of the first still runs."""
        with self._lock:
            first = self._line.watched()
            return inf if first is None else first.due + _GRACE

    def poll(self, now: float) -> list[tuple[Any, Any]]:
        """Pass the first over if it was due and its loop does not run; nobody is parked here."""
        with self._lock:
            first = self._line.watched()
            if first is None or now < first.due + _GRACE:
                return []
            stopped = not first.loop.is_running()
            first.due = now  # a busy one is looked at again
        if stopped:
            self._line.skip(first)
        return []

    def cancel(self, ticket: Any, now: float) -> bool:  # noqa: ARG002  # a driver's verb
        """Answer no: nobody is parked here."""
        return False
