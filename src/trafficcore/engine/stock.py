"""`Stock`: what a reload carries over: machines and counters, by what they are.

A rule keeps its state as long as the key that says what it is stays the same, wherever it moved in
its list, file or folder. Equal rules are told apart by their order alone.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from trafficcore.engine.rule import Rule

__all__ = ["Stock"]

T = TypeVar("T")


class Stock:
    """The state in use, and while a new table is built the state it may take over.

    Nothing of the old stock changes while the new table is built: what taking over asks for is
    put off in `later`, and carried out once nothing can fail any more.
    """

    def __init__(self, previous: "Stock | None" = None) -> None:
        self._old: dict[Hashable, list[Any]] = {}
        if previous is not None:
            self._old = {key: list(held) for key, held in previous._held.items()}  # noqa: SLF001
        self._held: dict[Hashable, list[Any]] = {}
        #: What is known by a name as well, with its key.
        self._names: dict[Hashable, tuple[Hashable, Any]] = {}
        self._old_names = {} if previous is None else dict(previous._names)  # noqa: SLF001
        self._later: list[Callable[[], None]] = []
        #: How many rules were taken over.
        self.kept = 0

    def take(
        self, key: Hashable, make: Callable[[], T], renew: Callable[[T], None] | None = None
    ) -> T:
        """Return the state of what `key` describes, old if there is one; `renew` is put off."""
        old = self._old.get(key)
        if old:
            held: T = old.pop(0)
            self.kept += isinstance(held, Rule)
            if renew is not None:
                self._later.append(lambda: renew(held))
        else:
            held = make()
        self._held.setdefault(key, []).append(held)
        return held

    def take_named(
        self, name: Hashable, key: Hashable, make: Callable[[], T], change: Callable[[T], None]
    ) -> T:
        """Do so; where `key` describes nothing old, go on with what `name` has been: `change` it.

        That is put off as well.
        """
        key_then, held = self._old_names.get(name, (key, None))
        known = self._old.get(key_then, [])
        if not self._old.get(key) and held in known:
            known.remove(held)
            self._old.setdefault(key, []).append(held)
            self._later.append(lambda: change(held))
        held = self.take(key, make)
        self._names[name] = key, held
        return held

    def commit(self) -> None:
        """Carry out what was put off, and let go of what nobody took over."""
        self._old.clear()
        for change in self._later:
            change()
        self._later.clear()
