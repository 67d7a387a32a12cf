"""`Room`: how many threads of a server may wait, so that one is always left to answer.

Law    of N threads at most N - 1 wait. Where nobody said N it is the most that were seen running
       at once, waiting ones included, when somebody had to wait. A server with one thread
       (`wsgi.multithread` false) has nobody wait.
State  how many wait, and the most seen.
"""

from typing import Any

from trafficcore.engine import Queued
from trafficcore.engine.guard import after_fork, new_lock
from trafficcore.errors import ConfigError

__all__ = ["Room"]


class Room:
    """Where the threads of one server wait."""

    __slots__ = ("__weakref__", "_lock", "_seen", "_threads", "waiting")

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ConfigError(f"threads must be at least 1, not {threads!r}")
        self._threads = threads
        self._seen = 0
        self._lock = new_lock()
        self.waiting = 0
        after_fork(self)

    def enter(self, environ: dict[str, Any], ticket: Queued) -> bool:
        """Take a place to wait in; False: this thread must not."""
        if not environ.get("wsgi.multithread", True):
            return False
        side = ticket.side
        with self._lock:
            self._seen = max(self._seen, side.in_flight + side.queued)
            if self.waiting >= (self._threads or self._seen) - 1:
                return False
            self.waiting += 1
            return True

    def leave(self) -> None:
        """Give the place up: the wait is over."""
        with self._lock:
            self.waiting -= 1

    def after_fork(self) -> None:
        """In a fork's child: who waits waits in the parent."""
        self.waiting = 0
