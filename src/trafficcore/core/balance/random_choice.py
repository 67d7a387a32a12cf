"""Random choice: every pick is a draw of its own, so that callers never fall into step.

Law    each host with a chance in proportion to its weight.
State  an immutable table.   Cost  O(1): a draw and a subscript
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trafficcore.core.balance.cycle import cycle, slots_of
from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.nolock import NO_LOCK

if TYPE_CHECKING:
    from trafficcore.core.balance.layout import Layout

__all__ = ["RandomChoice"]


class RandomChoice:
    """Draws from the hosts; `random` gives floats from 0 to below 1."""

    __slots__ = ("_lock", "_random", "_size", "_table", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, hosts: Sequence[Endpoint], random: Callable[[], float], lock: Any = NO_LOCK
    ) -> None:
        table = cycle(slots_of([host.weight for host in hosts])) if hosts else ()
        self._table: tuple[Endpoint | None, ...] = tuple([hosts[i] for i in table]) or (None,)
        self._size = len(self._table)
        self._random = random
        self._lock = lock
        self.layout: Layout | None = None

    def pick(self) -> Endpoint | None:
        """Return any host. Changes nothing, so needs no lock."""
        return self._table[int(self._random() * self._size)]
