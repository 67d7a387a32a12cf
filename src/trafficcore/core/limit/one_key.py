"""OneKey: the bucket of one key, for those who know no keys."""

from math import inf

from trafficcore.core.limit.keyed import KeyedGcra

__all__ = ["OneKey"]


class OneKey:
    """A `Bucket`: what a `KeyedGcra` does for `key`."""

    __slots__ = ("_key", "_machine")

    def __init__(self, machine: KeyedGcra, key: str) -> None:
        self._machine = machine
        self._key = key

    @property
    def capacity(self) -> float:
        """The most tokens that the key can have."""
        return self._machine.capacity

    @property
    def rate(self) -> float:
        """The tokens that it earns in a second."""
        return self._machine.rate

    def try_acquire(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there at `now`."""
        return self._machine.try_acquire(self._key, now, cost)

    def reserve(self, now: float, cost: float = 1, latest: float = inf) -> float:
        """Take `cost` tokens now for use from the time returned on; `inf`: not by `latest`."""
        return self._machine.reserve(self._key, now, cost, latest)

    def charge(self, cost: float, now: float) -> None:
        """Take `cost` tokens whether they are there or not."""
        self._machine.charge(self._key, cost, now)

    def refund(self, cost: float, now: float) -> None:
        """Give `cost` tokens back, never above capacity."""
        self._machine.refund(self._key, cost, now)

    def update(self, now: float, capacity: float, rate: float) -> None:
        """Go on with other settings: all keys do."""
        self._machine.update(now, capacity, rate)

    def tokens_at(self, now: float) -> float:
        """Return how many tokens there are at `now`, from 0."""
        return self._machine.tokens_at(self._key, now)

    def level_at(self, now: float) -> float:
        """Return how many tokens there are at `now`; below 0, how many are owed."""
        return self._machine.level_at(self._key, now)

    def due(self, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens, be it above capacity, have come in."""
        return self._machine.due(self._key, now, cost)

    def earliest(self, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never."""
        return self._machine.earliest(self._key, now, cost)

    def snapshot(self, now: float) -> dict[str, float]:
        """Return the level at `now` and the settings."""
        machine = self._machine
        return {"tokens": self.tokens_at(now), "capacity": machine.capacity, "rate": machine.rate}
