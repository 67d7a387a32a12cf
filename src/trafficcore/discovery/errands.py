"""`Errands`: what waits for others is done on threads that end with their work.

Law    an errand runs once, on one of at most `most` daemon threads; a thread that finds nothing
       more to do ends. What an errand raises is its own affair: it must not.
State  errands that nobody has begun, and how many threads there are.
Cost   a thread's start where none is at work; a fork's child begins with none.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from trafficcore.engine.guard import after_fork, new_lock

__all__ = ["ERRANDS", "Errands"]


class Errands:
    """Runs callables elsewhere, soon."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = new_lock()
        self._left: deque[Callable[[], None]] = deque()
        self.threads = 0
        after_fork(self)

    def run(self, errand: Callable[[], None]) -> None:
        """Have a callable run; raises `RuntimeError` where no thread can be started any more."""
        with self._lock:
            self._left.append(errand)
            if self.threads >= self._most:
                return
            self.threads += 1
        thread = threading.Thread(target=self._work, name="trafficcore-errand", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self.threads -= 1
                if not self.threads and errand in self._left:
                    self._left.remove(errand)
                    raise

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._left:
                    self.threads -= 1
                    return
                errand = self._left.popleft()
            errand()

    def after_fork(self) -> None:
        """In a fork's child there are no threads, and what they had to do is the parent's."""
        self._left.clear()
        self.threads = 0


#: One for the process: as many look-ups at once as a resolver takes without complaint.
ERRANDS: Final = Errands(8)
