"""The lock between processes: `flock`, taken with bounded patience.

Law     One holder at a time among all open file descriptions of a file. The kernel lets go of it
        when the holder is killed. A holder that is stopped keeps it, so nobody waits for ever: who
        does not get it within his patience is told so.
Cost    Two system calls a turn, 3.7 floors; ranges of `lockf` and of OFD locks cost 5.8 and 6.0.
Why     docs/decisions/0013: what belongs to a process vanishes when any descriptor of the file is
        closed in it, and does not keep two threads apart; `flock` belongs to an open file.
"""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from trafficcore.errors import StoreError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows; trafficcore itself works there
    fcntl = None

__all__ = ["LET_GO", "TAKE", "flock", "need_flock", "seize", "wait_for"]

#: The system's `flock(fd, how)`; `how` is one of the two that follow.
flock: Callable[[int, int], Any] = getattr(fcntl, "flock", lambda *_: None)
#: Take the lock or raise `BlockingIOError`, at once.
TAKE: Final[int] = getattr(fcntl, "LOCK_EX", 0) | getattr(fcntl, "LOCK_NB", 0)
#: Let go of the lock; does nothing where it is not held.
LET_GO: Final[int] = getattr(fcntl, "LOCK_UN", 0)
#: A turn takes microseconds: so often the processor is given up before anybody sleeps.
_YIELDS: Final = 20
#: Seconds between later looks.
_PAUSE: Final = 0.0002


def need_flock() -> None:
    """Raise `StoreError` where the system has no `flock`."""
    if fcntl is None:
        raise StoreError(f"limits cannot be shared on {os.name}: it has no fcntl.flock")


def wait_for(
    fd: int, patience: float, clock: Callable[[], float], sleep: Callable[[float], Any]
) -> bool:
    """Ask again and again for at most `patience` seconds; return whether the lock was had."""
    deadline = clock() + patience
    looks = 0
    while clock() < deadline:
        sleep(0 if looks < _YIELDS else _PAUSE)
        looks += 1
        try:
            flock(fd, TAKE)
        except BlockingIOError:
            continue
        return True
    return False


def seize(
    fd: int, patience: float, clock: Callable[[], float], sleep: Callable[[float], Any]
) -> bool:
    """Take the lock, waiting for at most `patience` seconds; return whether it was had."""
    try:
        flock(fd, TAKE)
    except BlockingIOError:
        return wait_for(fd, patience, clock, sleep)
    return True
