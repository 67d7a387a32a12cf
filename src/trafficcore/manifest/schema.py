"""JSON Schemas from the loader's own tables, for editors and for what checks files in a pipeline.

Law    What loads is valid; what is not valid does not load. A schema does not know the rules
       between fields, the bounds of a time, or a pattern: there it says less than `check`.
       What loads with a warning is valid as well: a number or `true` where a text belongs, since
       an editor that underlines what works is switched off.
Format draft 2020-12, by keywords that mean the same in draft 7: editors know no other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

import attrs

from trafficcore.manifest import units
from trafficcore.manifest.documents import KINDS, top
from trafficcore.manifest.fields import Effect, Field, Object
from trafficcore.manifest.shapes import Anything, ListOf, MapOf, Ref, at_least_one
from trafficcore.manifest.types import Bool, Duration, Int, Number, Text

__all__ = ["Described", "file_names", "kinds", "schema"]

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_PATHS: Final = "#/$defs/"
#: As `units` reads them; what is more than one grammar's business is left to the loader.
_DURATION: Final = r"^\+?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$"
_DIGITS: Final = r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"
#: What stands for a text without quotes: Kubernetes would refuse it, the loader warns.
_TEXTS: Final = ("string", "number", "boolean")


@attrs.frozen
class Described:
    """A kind of document that has a schema: who it is, and its table from `apiVersion` on."""

    name: str
    group: str
    versions: tuple[str, ...]
    table: Object

    def schema(self, *versions: str) -> Schema:
        """Return its schema, for these versions or for all."""
        names = [f"{self.group}/{version}" for version in versions or self.versions]
        return schema(self.table, self.name, {"apiVersion": names, "kind": [self.name]})


def kinds() -> dict[str, Described]:
    """Return the kinds of manifests by name."""
    return {
        kind.name: Described(kind.name, kind.group, kind.versions, top(kind))
        for kind in KINDS.values()
    }


def file_names(kind: Described) -> Iterator[tuple[str, Schema]]:
    """Yield a schema for each version of a kind, with the name that kubeconform looks for."""
    for version in kind.versions:
        yield f"{kind.group}/{kind.name.lower()}_{version}.json", kind.schema(version)


def schema(table: Object, title: str, fixed: Mapping[str, Iterable[str]] | None = None) -> Schema:
    """Return the schema of any table; `fixed` are texts that must be there, and their values."""
    writer = _Writer(table)
    body = writer.table(table)
    fixed = {} if fixed is None else fixed
    for name, values in fixed.items():
        body["properties"][name] = {"enum": list(values)}
    body["required"] = [*fixed, *(name for name in body.pop("required", ()) if name not in fixed)]
    found = {"$schema": _DRAFT, "title": title, **body}
    if writer.defs:
        found["$defs"] = writer.defs
    return found


class _Writer:
    """Writes one schema; tables that contain themselves go into `defs`, once."""

    def __init__(self, table: Object) -> None:
        self.defs: dict[str, Schema] = {}
        self._names: dict[int, str] = {}
        self._seek(table, set())

    def _seek(self, kind: Any, seen: set[int]) -> None:
        """Name every table that a `Ref` leads to."""
        if id(kind) in seen:
            return
        seen.add(id(kind))
        if isinstance(kind, Ref):
            name = kind.name.rpartition(".")[2]
            self._names[id(kind.to())] = name
            self._seek(kind.to(), seen)
        for inner in _inside(kind):
            self._seek(inner, seen)

    def table(self, table: Object) -> Schema:
        """Return the schema of a mapping with known fields."""
        found: Schema = {
            "type": "object",
            "properties": {field.name: self._field(field) for field in table.fields},
            "additionalProperties": False,
        }
        if table.required:
            found["required"] = [field.name for field in table.required]
        if at_least_one in table.rules:
            found["minProperties"] = 1
        return found

    def _field(self, field: Field) -> Schema:
        found = self.of(field.type)
        if not field.required:  # a null is as good as an absent field
            found = _or_null(found)
        said = _description(field)
        if said:
            found["description"] = said
        if field.instead:
            found["deprecated"] = True
        if field.default is not None:
            found["default"] = _default(field)
        return found

    def of(self, kind: Any) -> Schema:
        """Return the schema of what one type reads."""
        if isinstance(kind, Ref):
            kind = kind.to()
        name = self._names.get(id(kind))
        if name is not None:
            if name not in self.defs:
                self.defs[name] = {}  # before its inside, which leads back to it
                self.defs[name] |= {"title": name, **self.table(kind)}
            return {"$ref": f"{_PATHS}{name}"}
        if isinstance(kind, Object):
            return self.table(kind)
        if isinstance(kind, ListOf):
            bounds = {"minItems": kind.least or None, "maxItems": kind.most}
            return {"type": "array", "items": self.of(kind.item), **_given(bounds)}
        if isinstance(kind, MapOf):
            least = _given({"minProperties": kind.least or None})
            return {"type": "object", "additionalProperties": self.of(kind.value), **least}
        forms = getattr(kind, "forms", ())
        if not forms:
            return _scalar(kind)
        found = [self.of(form) for form in forms]
        return found[0] if len(found) == 1 else {"anyOf": found}


def _inside(kind: Any) -> Iterable[Any]:
    if isinstance(kind, Object):
        return [field.type for field in kind.fields]
    if isinstance(kind, ListOf):
        return [kind.item]
    return [kind.value] if isinstance(kind, MapOf) else getattr(kind, "forms", ())


def _given(keywords: Mapping[str, Any]) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}


def _scalar(kind: Any) -> Schema:
    for known, write in _SCALARS.items():
        if isinstance(kind, known):
            return write(kind)
    raise TypeError(f"{type(kind).__name__} must say in `forms` what it reads")


def _text(kind: Text) -> Schema:
    if kind.choices:
        return {"enum": list(kind.choices)}
    lengths = {"minLength": kind.least or None, "maxLength": kind.most}
    return {"type": list(_TEXTS), **_given(lengths)}


def _whole(kind: Int) -> Schema:
    least = kind.low if kind.least is None else kind.least
    most = kind.high if kind.most is None else kind.most
    found = {"type": "integer", "minimum": least, "maximum": most}
    return {"anyOf": [found, {"type": "string", "pattern": _DIGITS}]} if kind.quoted else found


def _number(kind: Number) -> Schema:
    bounds = {"minimum": kind.least, "exclusiveMinimum": kind.above, "maximum": kind.most}
    return {"type": "number", **_given(bounds)}


_SCALARS: Final[dict[type, Callable[[Any], Schema]]] = {
    Text: _text,
    Bool: lambda _: {"type": "boolean"},
    Int: _whole,
    Number: _number,
    Duration: lambda _: {"type": "string", "pattern": _DURATION},
    Anything: lambda _: {},
}


def _or_null(found: Schema) -> Schema:
    """Let a null stand in the place of what a schema allows."""
    if "enum" in found:
        return {**found, "enum": [*found["enum"], None]}
    if "anyOf" in found:
        return {**found, "anyOf": [*found["anyOf"], {"type": "null"}]}
    if "$ref" in found:
        return {"anyOf": [found, {"type": "null"}]}
    if "type" not in found:
        return found
    types = found["type"] if isinstance(found["type"], list) else [found["type"]]
    return {**found, "type": [*types, "null"]}


def _description(field: Field) -> str:
    """Say what a field may hold beyond what the schema can, and what it does here."""
    kind = field.type
    parts = []
    if not isinstance(kind, Object):
        parts.append(f"{kind.name}, {kind.bounds}" if kind.bounds else kind.name)
    if field.instead:
        parts.append(f"deprecated: write {field.instead}")
    if field.effect is Effect.WARNED:
        parts.append(f"warned: {field.remark}")
    elif field.effect is not Effect.HONOURED:
        parts.append(f"{field.effect.value}: {field.note}" if field.note else field.effect.value)
    return "; ".join(parts)


def _default(field: Field) -> Any:
    """Return what an absent field means, as it would be written."""
    value = field.default
    if isinstance(value, tuple):
        return list(value)
    if isinstance(field.type, Duration) and not isinstance(value, str):
        return units.span(Fraction(str(value)))
    return value
