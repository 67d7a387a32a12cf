"""What one scalar field may hold: text, whole number, number, boolean, duration.

A field's type reads the source text of its scalar. YAML's own idea of that text (`on` is a
boolean, `010` is 8) never counts, but where Kubernetes would have refused it, a warning says so.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, Protocol

import attrs

from trafficcore.manifest import units
from trafficcore.manifest.nodes import Mapping, Node, Scalar
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.units import NotThis

__all__ = [
    "BOOL",
    "FAULT",
    "INT32",
    "INT64",
    "TEXT",
    "UINT32",
    "Bool",
    "Duration",
    "Int",
    "Number",
    "Text",
    "Type",
    "mismatch",
]


class Fault:
    """The one value that says: something stood here and it was told."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "FAULT"


FAULT: Final = Fault()

_BOOLEANS = {"true": True, "True": True, "TRUE": True}
_BOOLEANS |= {"false": False, "False": False, "FALSE": False}
_NEARLY = {"y": "true", "yes": "true", "on": "true", "n": "false", "no": "false", "off": "false"}
_NUMBER_TO_KUBERNETES = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[0-9][0-9_]*|"
    r"(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
)


class Type(Protocol):
    """What a field may hold, and how it is read."""

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        """Return the value, or FAULT after noting why there is none."""
        ...

    @property
    def name(self) -> str:
        """Its name in the field table."""
        ...

    @property
    def bounds(self) -> str:
        """What it must hold beyond its name, for the field table; may be empty."""
        ...


def mismatch(node: Node, path: str, wanted: str, notes: Notes) -> Fault:
    """Note that something else stands where `wanted` should."""
    if isinstance(node, Scalar):
        if node.is_null:
            notes.error(node, path, f"must be {wanted}, not null")
        else:
            notes.error(node, path, f"must be {wanted}, not {short(node.text)}", node.text)
    else:
        kind = "a mapping" if isinstance(node, Mapping) else "a list"
        notes.error(node, path, f"must be {wanted}, not {kind}")
    return FAULT


def _quoted(node: Scalar, path: str, wanted: str, notes: Notes) -> Fault:
    message = f"must be {wanted}, not the text {short(node.text)}: remove the quotes"
    notes.error(node, path, message, node.text)
    return FAULT


@attrs.frozen(kw_only=True)
class Text:
    """A text. `check` says what it must be instead, or nothing where it is right."""

    least: int = 0
    most: int | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[str], str | None] | None = None
    name: str = "text"

    def read(self, node: Node, path: str, notes: Notes) -> str | Fault:
        """Read one; see `Type`."""
        if not isinstance(node, Scalar) or node.is_null:
            return mismatch(node, path, "a text", notes)
        text = node.text
        wanted = self._wanted(text)
        if wanted:
            return mismatch(node, path, wanted, notes)
        if node.plain:
            kind = _kubernetes_kind(text)
            if kind:
                notes.warn(
                    "TC601", node, path, f"Kubernetes would refuse a {kind} here; quote it", text
                )
        return text

    def _wanted(self, text: str) -> str | None:
        if self.choices and text not in self.choices:
            return "one of " + ", ".join(choice or '""' for choice in self.choices)
        if len(text) < self.least:
            return "a text that is not empty"
        if self.most is not None and len(text) > self.most:
            return f"a text of at most {self.most} characters"
        return self.check(text) if self.check is not None else None

    @property
    def bounds(self) -> str:
        """Return what it must hold, for the field table and for messages."""
        if self.choices:
            return ", ".join(f"`{choice}`" for choice in self.choices if choice)
        return "not empty" if self.least else ""


def _kubernetes_kind(text: str) -> str:
    """Say what Kubernetes makes of a plain text that is none to it (its YAML is 1.1)."""
    if text in _BOOLEANS or (len(text) <= 3 and text.lower() in _NEARLY):
        return "boolean"
    return "number" if _NUMBER_TO_KUBERNETES.match(text) else ""


@attrs.frozen(kw_only=True)
class Bool:
    """`true` or `false`, and no other spelling."""

    name: str = "bool"
    bounds: str = ""

    def read(self, node: Node, path: str, notes: Notes) -> bool | Fault:
        """Read one; see `Type`."""
        if not isinstance(node, Scalar):
            return mismatch(node, path, "true or false", notes)
        value = _BOOLEANS.get(node.text)
        if value is None:
            meant = _NEARLY.get(node.text.lower())
            wanted = f"true or false (write {meant})" if meant else "true or false"
            return mismatch(node, path, wanted, notes)
        return value if node.plain else _quoted(node, path, "true or false", notes)


@attrs.frozen(kw_only=True)
class Int:
    """A whole number; `least` and `most` are the field's own bounds, `low` and `high` the type's.

    64-bit numbers may be texts, as protobuf's JSON writes them.
    """

    least: int | None = None
    most: int | None = None
    low: int = -(2**31)
    high: int = 2**31 - 1
    quoted: bool = False
    name: str = "int32"

    def read(self, node: Node, path: str, notes: Notes) -> int | Fault:
        """Read one; see `Type`."""
        if not isinstance(node, Scalar):
            return mismatch(node, path, self._wanted("a whole number"), notes)
        try:
            value = units.whole(node.text)
        except NotThis as what:
            return mismatch(node, path, self._wanted(str(what)), notes)
        if not node.plain and not self.quoted:
            return _quoted(node, path, self._wanted("a whole number"), notes)
        least = self.low if self.least is None else self.least
        most = self.high if self.most is None else self.most
        if least <= value <= most:
            return value
        wanted = self._wanted("a whole number")
        if self.most is None and value > most:
            wanted = f"a whole number of at most {most}"
        elif self.least is None and value < least:
            wanted = f"a whole number from {least}"
        return mismatch(node, path, wanted, notes)

    def _wanted(self, what: str) -> str:
        bounds = self.bounds
        return f"{what} {bounds}" if bounds else what

    @property
    def bounds(self) -> str:
        """Return what it must hold, for the field table and for messages."""
        least = 0 if self.least is None and self.low == 0 else self.least
        if self.most is not None:
            return f"from {self.low if least is None else least} to {self.most}"
        return "" if least is None else f"from {least}"


@attrs.frozen(kw_only=True)
class Number:
    """A number, whole or not, finite."""

    least: int | None = None
    above: int | None = None
    most: int | None = None
    name: str = "number"

    def read(self, node: Node, path: str, notes: Notes) -> int | float | Fault:
        """Read one; see `Type`."""
        wanted = f"a number {self.bounds}".rstrip()
        if not isinstance(node, Scalar):
            return mismatch(node, path, wanted, notes)
        try:
            value = units.number(node.text)
        except NotThis as what:
            return mismatch(node, path, f"{what} {self.bounds}".rstrip(), notes)
        if not node.plain:
            return _quoted(node, path, wanted, notes)
        if (
            (self.least is not None and value < self.least)
            or (self.above is not None and value <= self.above)
            or (self.most is not None and value > self.most)
        ):
            return mismatch(node, path, wanted, notes)
        return value

    @property
    def bounds(self) -> str:
        """Return what it must hold, for the field table and for messages."""
        most = "" if self.most is None else f" to {self.most}"
        if self.above is not None:
            return f"above {self.above}{most and ' and up' + most}"
        return f"from {self.least}{most}" if self.least is not None else ""


@attrs.frozen(kw_only=True)
class Duration:
    """A time in seconds, written with its unit; `milli` wants whole milliseconds."""

    least: Fraction = Fraction(0)
    above: bool = False
    milli: bool = False
    name: str = "duration"

    def read(self, node: Node, path: str, notes: Notes) -> int | float | Fault:
        """Read one; see `Type`."""
        if not isinstance(node, Scalar):
            return mismatch(node, path, "a duration such as 1s, 500ms or 1m30s", notes)
        try:
            exact = units.duration(node.text)
        except NotThis as what:
            return mismatch(node, path, str(what), notes)
        return self.bounded(exact, node, path, notes)

    def bounded(self, exact: Fraction, node: Node, path: str, notes: Notes) -> int | float | Fault:
        """Hold a time that was read to the field's bounds."""
        text = node.text if isinstance(node, Scalar) else units.span(exact)
        wanted = ""
        if exact < self.least or (self.above and not exact):
            wanted = f"a duration {self.bounds}"
        elif self.milli and (exact * 1000).denominator != 1:
            wanted = "a duration of whole milliseconds"
        if not wanted:
            return units.seconds(exact)
        notes.error(node, path, f"must be {wanted}, not {short(text)}", text)
        return FAULT

    @property
    def bounds(self) -> str:
        """Return what it must hold, for the field table and for messages."""
        if self.above:
            return "above 0s"
        whole = ", whole milliseconds" if self.milli else ""
        return f"from {units.span(self.least)}{whole}" if self.least else ""


TEXT = Text()
BOOL = Bool()
INT32 = Int()
UINT32 = Int(low=0, high=2**32 - 1, name="uint32")
INT64 = Int(low=-(2**63), high=2**63 - 1, quoted=True, name="int64")
