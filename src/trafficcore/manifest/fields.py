"""The language of the field tables: which fields an object of a manifest has, and what they do.

A kind of manifest is one `Object`: a table of `Field`s and a few rules between them. Reading one
gives a `Record` of values and notes every fault on the way. The same tables answer "did you
mean", fill the docs' field table and can be turned into a JSON Schema.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

import attrs

from trafficcore.manifest.nodes import Mapping, Node, Scalar
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.types import FAULT, Fault, Type, mismatch

__all__ = ["Effect", "Field", "Object", "Record", "Rule", "join", "nearest"]

_WORD = re.compile(r"[-_0-9A-Za-z]+\Z")
_LONGEST_WORD = 60
_SUGGESTIONS_A_FILE = 200  # difflib is slow, and a file of garbage has a great many keys


class Effect(Enum):
    """What a field does here: acts, loads with a warning, is not accepted, or is not our business.

    What is IGNORED (a status, an annotation) is ignored by the mesh's data plane as well.
    """

    HONOURED = "honoured"
    WARNED = "warned"
    REFUSED = "refused"
    IGNORED = "ignored"


@attrs.frozen
class Field:
    """One field. `note` completes "this field …" where it is warned about, and the docs say it.

    `default` is what an absent field means; writing it out needs no warning. `part` is the part
    of the work that brings a warned field to life (0: none will). `quiet`: a notice is enough.
    `instead` is what to write in the place of an old name; its rule tells those who still do.
    """

    name: str
    type: Type
    required: bool = attrs.field(default=False, kw_only=True)
    effect: Effect = attrs.field(default=Effect.HONOURED, kw_only=True)
    default: Any = attrs.field(default=None, kw_only=True)
    part: int = attrs.field(default=1, kw_only=True)
    note: str = attrs.field(default="", kw_only=True)
    quiet: bool = attrs.field(default=False, kw_only=True)
    instead: str = attrs.field(default="", kw_only=True)

    @property
    def code(self) -> str:
        """The code of that warning."""
        if self.quiet:
            return "TC903"
        return "TC901" if self.part or self.note.startswith("has no effect") else "TC902"

    @property
    def remark(self) -> str:
        """What the warning says; it begins with the words the grouped notice is built on."""
        if self.note.startswith("has no effect"):
            return self.note
        what = "has no effect in process" if not self.part else "has no effect in this version"
        return f"{what}: {self.note}" if self.note else what


class Record:
    """The fields of one object that were there and right, with the places of all that were there.

    A field that was absent, null or faulty has no value; `has` tells the last from the others, so
    that no rule speaks of a field that was told already.
    """

    __slots__ = ("_fields", "meant", "node", "path", "values")

    def __init__(self, node: Node, path: str) -> None:
        self.node = node
        self.path = path
        self.values: dict[str, Any] = {}
        #: Fields that a misspelt one most likely stands for: told there, and not as missing.
        self.meant: set[str] = set()
        self._fields: dict[str, tuple[Node, Node]] = {}

    def put(self, name: str, key: Node, value_node: Node, value: Any) -> None:
        """Enter a field that is there; its value may be FAULT."""
        self._fields[name] = (key, value_node)
        if value is not FAULT:
            self.values[name] = value

    def has(self, name: str) -> bool:
        """Whether the field is there, right or wrong."""
        return name in self._fields

    def lacks(self, name: str) -> bool:
        """Whether the field is missing, even under a name that was meant for it."""
        return name not in self._fields and name not in self.meant

    def faulty(self, name: str) -> bool:
        """Whether the field is there and was told to be wrong."""
        return name in self._fields and name not in self.values

    def get(self, name: str, default: Any = None) -> Any:
        """Return the field's value, or the default where there is none."""
        return self.values.get(name, default)

    def sub(self, *names: str) -> "Record | None":
        """Return the object that these names lead to, or None where one of them is absent."""
        record: Record | None = self
        for name in names:
            record = record and record.values.get(name)
        return record

    def at(self, name: str) -> Node:
        """Return the place of the field's value, or of the object where it is absent."""
        return self._fields[name][1] if name in self._fields else self.node

    def key(self, name: str) -> Node:
        """Return the place of the field's key, or of the object where it is absent."""
        return self._fields[name][0] if name in self._fields else self.node

    def to(self, name: str) -> str:
        """Return the path of a field."""
        return join(self.path, name)

    def text(self, name: str) -> str:
        """Return the source text of a scalar field."""
        node = self.at(name)
        return node.text if isinstance(node, Scalar) else ""


Rule = Callable[[Record, Notes], None]


@attrs.frozen
class Object:
    """A mapping with known fields. Its rules run after its fields, over what is there."""

    fields: tuple[Field, ...] = attrs.field()
    rules: tuple[Rule, ...] = attrs.field(default=(), kw_only=True)
    name: str = attrs.field(default="object", kw_only=True)
    bounds: str = attrs.field(default="", kw_only=True)
    by_name: dict[str, Field] = attrs.field(init=False, repr=False, eq=False)
    required: tuple[Field, ...] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "by_name", {field.name: field for field in self.fields})
        required = tuple(field for field in self.fields if field.required)
        object.__setattr__(self, "required", required)

    def read(self, node: Node, path: str, notes: Notes) -> Record | Fault:
        """Read all fields of a mapping, whatever is wrong with some of them."""
        if not isinstance(node, Mapping):
            return mismatch(node, path, "a mapping", notes)
        record = Record(node, path)
        tell_keys(node, path, notes)
        for key, value in node.entries:
            field = self.by_name.get(key.text)
            if field is None:
                self._unknown(key, record, notes)
            elif not (isinstance(value, Scalar) and value.is_null):
                self._field(field, key, value, record, notes)
        for field in self.required:
            if record.lacks(field.name):
                notes.error(node, record.to(field.name), "is required", code="TC005")
        for rule in self.rules:
            rule(record, notes)
        return record

    def _field(self, field: Field, key: Scalar, value: Node, record: Record, notes: Notes) -> None:
        path = join(record.path, field.name)
        if field.effect is Effect.HONOURED:
            record.put(field.name, key, value, field.type.read(value, path, notes))
            return
        notes.muted += 1
        read = field.type.read(value, path, notes)
        notes.muted -= 1
        record.put(field.name, key, value, read)
        if read is FAULT:
            return
        if field.effect is Effect.WARNED and (field.default is None or read != field.default):
            tell = notes.notice if field.quiet else notes.warn
            tell(field.code, key, path, field.remark)
        elif field.effect is Effect.REFUSED:
            notes.error(key, path, field.note or "is not accepted")

    def _unknown(self, key: Scalar, record: Record, notes: Notes) -> None:
        known = nearest(key.text, self.by_name) if notes.errors < _SUGGESTIONS_A_FILE else ""
        message = f"the field {short(key.text)} is unknown"
        message += f"; did you mean {known!r}?" if known else ""
        record.meant.add(known)
        notes.error(key, record.to(key.text), message, key.text, code="TC003")

    def rows(self, path: str, outer: Field | None = None) -> "Iterator[Row]":
        """Walk the whole table below this object.

        Each row has the general path, the field, and the outermost field above it that does
        nothing: what is inside does nothing either.
        """
        for field in self.fields:
            yield join(path, field.name), field, outer
            inner = getattr(field.type, "rows", None)
            if inner is not None:
                idle = field if field.effect is not Effect.HONOURED else None
                yield from inner(f"{path}.{field.name}", outer or idle)


Row = tuple[str, Field, Field | None]


def tell_keys(node: Mapping, path: str, notes: Notes) -> None:
    """Note what is wrong with the keys of a mapping that is read."""
    for key, message, code in node.faults:
        notes.error(key, join(path, key.text), message, key.text, code=code)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the known name that a person most likely meant, or nothing."""
    names = list(known)
    plain = name.replace("_", "").replace("-", "").lower()
    for other in names:
        if other.replace("_", "").lower() == plain:
            return other
    close = difflib.get_close_matches(name[:_LONGEST_WORD], names, n=1, cutoff=cutoff)
    return close[0] if close else ""


def join(path: str, name: str) -> str:
    """Lengthen a path by a key; one that is no plain word stands in brackets."""
    if len(name) <= _LONGEST_WORD and _WORD.match(name):
        return f"{path}.{name}" if path else name
    return f"{path}[{short(name)}]"
