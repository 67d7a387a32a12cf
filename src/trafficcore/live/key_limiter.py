"""KeyLimiter: one key of a keyed limiter, with the verbs of a limiter without keys."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from trafficcore.live.followers import Followers
from trafficcore.live.reservation import Reservation
from trafficcore.live.verbs import Verbs

if TYPE_CHECKING:
    from trafficcore.live.keyed_limiter import KeyedRateLimiter

__all__ = ["KeyLimiter"]


class KeyLimiter(Verbs[float]):
    """What `limiter.of(key)` returns; holds nothing itself."""

    __slots__ = ("_clock", "_key", "_limiter", "name")

    def __init__(self, limiter: "KeyedRateLimiter", key: str, clock: Callable[[], float]) -> None:
        self.name = limiter.name
        self._limiter = limiter
        self._key = key
        self._clock = clock

    @property
    def followers(self) -> Followers:
        """Lines that are to be nudged when tokens come back."""
        return self._limiter.followers

    def try_acquire(self, cost: float = 1) -> bool:
        """Take `cost` of the key's tokens if they are there; answer at once."""
        return self._limiter.try_acquire(self._key, cost)

    def acquire(self, cost: float = 1, timeout: float | None = None) -> None:
        """Take `cost` of the key's tokens, waiting for them in this thread."""
        self._limiter.acquire(self._key, cost, timeout)

    async def acquire_async(self, cost: float = 1, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the same verb as `acquire`
        """Do what `acquire` does in a task; a cancelled one has taken nothing."""
        await self._limiter.acquire_async(self._key, cost, timeout)

    def reserve(self, cost: float = 1, *, timeout: float | None = None) -> Reservation:
        """Take `cost` of the key's tokens now, for use from the reservation's `at` on."""
        return self._limiter.reserve(self._key, cost, timeout=timeout)

    def earliest(self, cost: float = 1) -> float:
        """Return the time from which `cost` can be granted to the key."""
        return self._limiter.earliest(self._key, cost)

    def refund(self, cost: float = 1) -> None:
        """Give `cost` tokens back to the key, never above the capacity."""
        self._limiter.refund(self._key, cost)

    def correct(self, estimated: float, actual: float) -> None:
        """Settle a call: more than was estimated is a debt, less comes back."""
        self._limiter.correct(self._key, estimated, actual)

    def tokens(self) -> float:
        """Return how many tokens the key has now."""
        return self._limiter.tokens(self._key)
