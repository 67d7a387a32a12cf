"""Fields that hold more than one value: lists, maps, tables that contain themselves.

`at_most_one` and its kin are the rules between fields that many tables share.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from trafficcore.manifest.fields import Field, Object, Record, Row, Rule, join, tell_keys
from trafficcore.manifest.nodes import Mapping, Node, Scalar, Sequence
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.types import FAULT, TEXT, Fault, Type, mismatch

__all__ = [
    "ANYTHING",
    "STRINGS",
    "Anything",
    "ListOf",
    "MapOf",
    "Ref",
    "at_least_one",
    "at_most_one",
    "exactly_one",
    "tell_repeats",
]


@attrs.frozen(kw_only=True)
class Anything:
    """What nobody here looks into."""

    name: str = "any"
    bounds: str = ""

    def read(self, node: Node, path: str, notes: Notes) -> Node:  # noqa: ARG002
        """Return the node itself."""
        return node


@attrs.frozen
class ListOf:
    """A list of one type. The value is a tuple; faulty items are not in it."""

    item: Type
    least: int = attrs.field(default=0, kw_only=True)
    most: int | None = attrs.field(default=None, kw_only=True)

    def read(self, node: Node, path: str, notes: Notes) -> tuple[Any, ...] | Fault:
        """Read every item, whatever is wrong with some."""
        if not isinstance(node, Sequence):
            return mismatch(node, path, "a list", notes)
        if len(node.items) < self.least:
            notes.error(node, path, f"must hold at least {self.least} item", code="TC005")
        if self.most is not None and len(node.items) > self.most:
            notes.error(node, path, f"must hold at most {self.most} items, not {len(node.items)}")
            return FAULT
        read = self.item.read
        values = [read(item, f"{path}[{at}]", notes) for at, item in enumerate(node.items)]
        return tuple(value for value in values if value is not FAULT)

    @property
    def name(self) -> str:
        """Return its name in the field table."""
        return f"list of {self.item.name}"

    @property
    def bounds(self) -> str:
        """Return what it must hold, for the field table."""
        if self.most is not None:
            return f"at most {self.most} items"
        return f"at least {self.least} item" if self.least else self.item.bounds

    def rows(self, path: str, outer: Field | None = None) -> Iterator[Row]:
        """Walk the table of the items."""
        inner = getattr(self.item, "rows", None)
        if inner is not None:
            yield from inner(f"{path}[]", outer)


@attrs.frozen
class MapOf:
    """A map from text to one type. The value is a tuple of pairs, in the order written.

    A null is a fault: dropping a label from a selector would widen what it selects. `check` says
    what a key must be instead, or nothing where it is right.
    """

    value: Type
    least: int = attrs.field(default=0, kw_only=True)
    check: Callable[[str], str | None] | None = attrs.field(default=None, kw_only=True)

    def read(self, node: Node, path: str, notes: Notes) -> tuple[tuple[str, Any], ...] | Fault:
        """Read every pair, whatever is wrong with some."""
        if not isinstance(node, Mapping):
            return mismatch(node, path, "a mapping", notes)
        tell_keys(node, path, notes)
        if len(node.entries) < self.least:
            notes.error(node, path, "must not be empty", code="TC005")
        pairs = []
        for key, value_node in node.entries:
            wanted = self.check(key.text) if self.check is not None else None
            if wanted:
                mismatch(key, path, wanted, notes)
            value = self.value.read(value_node, join(path, key.text), notes)
            if value is not FAULT and not wanted:
                pairs.append((key.text, value))
        return tuple(pairs)

    @property
    def name(self) -> str:
        """Return its name in the field table."""
        return f"map of {self.value.name}"

    @property
    def bounds(self) -> str:
        """Return what it must hold, for the field table."""
        return "not empty" if self.least else self.value.bounds


@attrs.frozen
class Ref:
    """A table that is still being written, such as an expression inside an expression."""

    to: Callable[[], Object]
    name: str = attrs.field(kw_only=True)
    bounds: str = attrs.field(default="", kw_only=True)

    def read(self, node: Node, path: str, notes: Notes) -> Record | Fault:
        """Read by the table that was meant."""
        return self.to().read(node, path, notes)


ANYTHING = Anything()
STRINGS = MapOf(TEXT)


def _given(record: Record, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if record.has(name)]


def at_least_one(record: Record, notes: Notes) -> None:
    """Hold an object to having a field at all."""
    node = record.node
    if isinstance(node, Mapping) and not any(
        not (isinstance(value, Scalar) and value.is_null) for _, value in node.entries
    ):
        notes.error(node, record.path, "must have at least one field", code="TC005")


def at_most_one(*names: str) -> Rule:
    """Make the rule that these fields exclude each other."""

    def rule(record: Record, notes: Notes) -> None:
        given = _given(record, names)
        if len(given) > 1:
            said = " and ".join(given)
            notes.error(
                record.key(given[1]), record.path, f"{said} exclude each other", code="TC007"
            )

    return rule


def exactly_one(*names: str) -> Rule:
    """Make the rule that one of these fields, and only one, must be there."""
    most = at_most_one(*names)

    def rule(record: Record, notes: Notes) -> None:
        if all(record.lacks(name) for name in names):
            notes.error(
                record.node, record.path, f"must have one of {', '.join(names)}", code="TC005"
            )
        most(record, notes)

    return rule


def tell_repeats(record: Record, field: str, names: Iterable[Any], notes: Notes) -> None:
    """Note each name that stands in a list more than once; None is none."""
    for name, count in Counter(names).items():
        if count > 1 and name is not None:
            text = str(name)
            message = f"{short(text)} is there twice"
            notes.error(record.at(field), record.to(field), message, text, code="TC006")
