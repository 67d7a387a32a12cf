"""Matchers tried in their order: which earlier one takes everything that a later one takes.

Law    The first that matches wins, so a matcher that an earlier one follows from is never reached.
State  Each matcher under one of its conditions, the rarest so far: it must follow from a later one.
Cost   The length of its values for each matcher, not the number of those before it.
"""

from collections.abc import Iterable

import attrs

from trafficcore.judge.conditions import Condition, follows, wider

__all__ = ["Takers"]


@attrs.frozen
class _Earlier:
    order: int
    conditions: frozenset[Condition]
    name: str


class Takers:
    """The matchers so far, each with a name for messages."""

    def __init__(self) -> None:
        self._count = 0
        self._all: _Earlier | None = None
        self._under: dict[Condition, list[_Earlier]] = {}

    def add(self, conditions: frozenset[Condition], name: str) -> None:
        """Take in the next matcher; one without conditions takes every request."""
        self._count += 1
        entry = _Earlier(self._count, conditions, name)
        if conditions:
            keys = sorted(map(_key, conditions), key=str)
            rarest = min(keys, key=lambda key: len(self._under.get(key, ())))
            self._under.setdefault(rarest, []).append(entry)
        elif self._all is None:
            self._all = entry

    def taker(self, conditions: frozenset[Condition]) -> str:
        """Return the name of the first that takes all of a later matcher's requests, or ""."""
        found = [] if self._all is None else [self._all]
        listed = {it for condition in conditions for it in wider(condition)}
        for key in listed & self._under.keys():
            found += _first(self._under[key], listed, conditions)
        return min(found, key=lambda entry: entry.order).name if found else ""


def _key(condition: Condition) -> Condition:
    """Return a condition as those that it follows from list it; sets are not listed."""
    part, name, how, _ = condition
    return (part, name, "any", "") if how in ("in", "not in") else condition


def _first(
    entries: Iterable[_Earlier], listed: set[Condition], given: frozenset[Condition]
) -> list[_Earlier]:
    for entry in entries:
        if all(follows(condition, listed, given) for condition in entry.conditions):
            return [entry]
    return []
