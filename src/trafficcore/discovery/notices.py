"""`Notices`: whom a source tells that there is something to look at."""

from collections.abc import Callable

__all__ = ["Notices"]


class Notices:
    """Callables that are called when something has changed; each keeps nothing alive."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: tuple[Callable[[], None], ...] = ()

    def add(self, notice: Callable[[], None]) -> None:
        """Take one more on."""
        self._known = (*self._known, notice)

    def tell(self) -> None:
        """Call them all."""
        for notice in self._known:
            notice()
