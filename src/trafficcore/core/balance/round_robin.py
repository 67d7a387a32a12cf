"""Round robin over a table worked out beforehand: weights, zones and health are all in it.

Law    a `Rotation` hands out its table entry by entry, over and over; a `Spread` does so with
       rotations, each at its own place, or with any other pickers (`Nested`).
State  an immutable table and the position in it.   Cost  O(1): two slots and a subscript a level
Exact  A pick is one run from the load of the position to its store (hot-path rule): threads get
       each entry in turn, so after any number of picks counts differ from the table by one turn.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.nolock import NO_LOCK

if TYPE_CHECKING:
    from trafficcore.core.balance.layout import Layout

__all__ = ["Nested", "Picker", "Rotation", "Spread"]


class Picker(Protocol):
    """Chooses endpoints from a snapshot; `layout` says how that was made, and by what shares."""

    layout: "Layout | None"

    def pick(self) -> Endpoint | None:
        """Return who takes the next call; None: nobody can."""


class Rotation:
    """Round robin over endpoints; one may stand in the table several times, for its weight."""

    __slots__ = ("_last", "_lock", "_next", "_table", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ("pick",)

    def __init__(self, table: Sequence[Endpoint | None], at: int = 0, lock: Any = NO_LOCK) -> None:
        self._table = tuple(table) or (None,)
        self._last = len(self._table) - 1
        self._next = at
        self._lock = lock
        self.layout: Layout | None = None

    def pick(self) -> Endpoint | None:
        """Return the endpoint whose turn it is, None from an empty table. *atomic*."""
        at = self._next
        self._next = at + 1 if at < self._last else 0
        return self._table[at]

    @property
    def at(self) -> int:
        """The position of the next pick."""
        return self._next

    @property
    def table(self) -> tuple[Endpoint | None, ...]:
        """One round."""
        return self._table


class Spread:
    """Turns of rotations, each of which goes on at its own place whenever it is its turn."""

    __slots__ = ("_last", "_lock", "_next", "_order", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ("pick",)

    def __init__(self, order: Sequence[Rotation], at: int = 0, lock: Any = NO_LOCK) -> None:
        self._order = tuple(order)
        self._last = len(self._order) - 1
        self._next = at
        self._lock = lock
        self.layout: Layout | None = None

    def pick(self) -> Endpoint | None:
        """Return the next endpoint of the rotation whose turn it is. *atomic*."""
        at = self._next
        turn = self._order[at]
        self._next = at + 1 if at < self._last else 0
        at = turn._next  # noqa: SLF001  # a call into the rotation would cost as much as all this
        turn._next = at + 1 if at < turn._last else 0  # noqa: SLF001
        return turn._table[at]  # noqa: SLF001

    @property
    def at(self) -> int:
        """The position of the next pick."""
        return self._next


class Nested:
    """Turns of pickers of any kind."""

    __slots__ = ("_last", "_lock", "_next", "_order", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ("pick",)

    def __init__(self, order: Sequence[Picker], at: int = 0, lock: Any = NO_LOCK) -> None:
        self._order = tuple(order)
        self._last = len(self._order) - 1
        self._next = at
        self._lock = lock
        self.layout: Layout | None = None

    def pick(self) -> Endpoint | None:
        """Return what the picker whose turn it is picks. *atomic* up to that call."""
        at = self._next
        turn = self._order[at]
        self._next = at + 1 if at < self._last else 0
        return turn.pick()

    @property
    def at(self) -> int:
        """The position of the next pick."""
        return self._next
