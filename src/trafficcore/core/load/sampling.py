"""`Sampler`: so many per cent of the requests, the same sessions each time.

Law    a session is in while fnv1a(its name) / (2 ** 32 - 1) <= percent / 100: who was in stays in
       as the percentage grows. Without a session, request n is in while n phi mod 1 lies below
       the share, phi the golden ratio: of any n requests in a row, and of every k-th of them, the
       share is in to within a few, whatever pattern they come in.
State  where n phi mod 1 stands.
Cost   O(length of the session's name)
Source Aperture's sampler, which draws at random where there is no session; Fowler, Noll and Vo.
"""

from typing import Any, Final

from trafficcore.core.nolock import NO_LOCK

__all__ = ["Sampler", "fnv1a"]

_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 2**32 - 1
#: The golden ratio's part below 1, as that of 2 ** 64: whole numbers never drift.
_STEP: Final = 0x9E3779B97F4A7C15
_TURN: Final = 2**64


def fnv1a(data: bytes) -> int:
    """Return the 32 bit FNV-1a hash."""
    found = _OFFSET
    for byte in data:
        found = (found ^ byte) * _PRIME & _MASK
    return found


class Sampler:
    """*Guarded*."""

    __slots__ = ("_at", "_lock")

    def __init__(self, lock: Any = NO_LOCK) -> None:
        self._at = 0
        self._lock = lock

    def takes(self, percent: float, session: str | None = None) -> bool:
        """Whether a request is among the `percent` of all."""
        if not percent > 0:
            return False
        if session is not None:
            place = fnv1a(session.encode("utf-8", "surrogatepass"))
            return bool(place * 100 <= percent * _MASK)
        with self._lock:
            at = self._at
            self._at = (at + _STEP) % _TURN
        return bool(at * 100 < percent * _TURN)
