"""The floor: a method on a slotted object that takes a lock, reads the clock, compares, stores."""

import threading
import time


class Floor:
    """What a locked limiter cannot do without; every figure here is a multiple of one call."""

    __slots__ = ("_clock", "_last", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = time.monotonic
        self._last = 0.0

    def call(self) -> None:
        with self._lock:
            now = self._clock()
            if now > self._last:
                self._last = now
