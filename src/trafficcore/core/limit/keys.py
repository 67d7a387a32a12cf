"""Keys: which of them are remembered, in bounded memory.

Law     A key whose bucket is full again says nothing that its absence would not say, so only such
        keys are ever forgotten. For each new key two old ones of its kind are looked at, the
        longest unchecked first, and forgotten if they have been full for a minute; where room is
        needed, if they are full at all. (Forgetting a key that comes back at once costs more than
        it saves.) At most `max_keys` are held, and beside them those that are known: whoever says
        which these are bounds how many there can be.
State   `full_at`, key -> when its bucket is full; the made-up and the known ones in the order of
        their next look; `swept`, the latest time at which a forgotten one was full.
Cost    O(1) a new key. 55 bytes a key, and 8 for its place in the order.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final

from trafficcore.errors import ConfigError

__all__ = ["Keys"]

#: Old keys looked at for each new one: two, so that forgetting outruns learning.
_LOOKS: Final = 2
#: Seconds for which a full bucket is kept while there is room.
_IDLE: Final = 60


class Keys:
    """Who has a bucket of his own. *Guarded*, but for what reads `full_at` and `swept`."""

    __slots__ = ("full_at", "is_known", "known", "made_up", "max_keys", "swept")

    def __init__(self, max_keys: int, known: Callable[[str], bool] | None) -> None:
        try:
            some = max_keys >= 1
        except TypeError:
            some = False
        if not some:
            raise ConfigError(f"max_keys must be at least 1, not {max_keys!r}")
        self.max_keys = max_keys
        self.is_known = known
        self.full_at: dict[str, float] = {}
        self.made_up: deque[str] = deque()
        self.known: deque[str] = deque()
        self.swept: float = -inf

    def __len__(self) -> int:
        return len(self.full_at)

    @property
    def crowded(self) -> bool:
        """Whether there is no room for another key that is not known."""
        return len(self.made_up) >= self.max_keys

    def make_room(self, now: float, known: bool) -> bool:
        """Look at some old keys; return whether there is room for a new one."""
        order = self.known if known else self.made_up
        full_by = now if not known and self.crowded else now - _IDLE
        for _ in range(_LOOKS):
            if order:
                key = order.popleft()
                if not self.forget(key, full_by):
                    order.append(key)
        return known or not self.crowded

    def add(self, key: str, full_at: float, known: bool) -> None:
        """Remember a key that was not there; there is room."""
        self.full_at[key] = full_at
        (self.known if known else self.made_up).append(key)

    def forget(self, key: str, full_by: float) -> bool:
        """Forget `key` if it was full by then. *Atomic*: a hit comes before or after, not between.

        Only the holder of the lock adds or removes keys, so it is there.
        """
        full_at = self.full_at
        t = full_at[key]
        if t > full_by:
            return False
        # The date first: whoever misses the key must find it.
        if t > self.swept:
            self.swept = t
        del full_at[key]
        return True
