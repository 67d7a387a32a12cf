"""The tables of all kinds as one list, for the docs and for whoever writes a schema."""

from typing import Any

import attrs

from trafficcore.manifest.documents import ACTING, KINDS
from trafficcore.manifest.fields import Effect, Field, Object

__all__ = ["FieldRow", "field_table", "table_of"]


@attrs.frozen(kw_only=True)
class FieldRow:
    """One field of one kind: what it may hold, and what it does here.

    `effect` is `honoured`, `warned` or `refused`. `note` says what a warned field does not do;
    `default` is what an absent one means, "" where nothing.
    """

    kind: str
    path: str
    type: str
    bounds: str
    required: bool
    default: str
    effect: str
    note: str


def field_table() -> list[FieldRow]:
    """Return every field of every kind's `spec`, in the order of the tables.

    Behind them are the fields that act of kinds that are read in part.
    """
    tables = {**{kind.name: kind.spec for kind in KINDS.values()}, **ACTING}
    return [row for kind, spec in tables.items() for row in table_of(kind, spec)]


def table_of(kind: str, spec: Object) -> list[FieldRow]:
    """Return every field of one kind's `spec`."""
    return [_row(kind, path, field, outer) for path, field, outer in spec.rows("spec")]


def _row(kind: str, path: str, field: Field, outer: Field | None) -> FieldRow:
    telling = field if field.effect is not Effect.HONOURED else outer or field
    note = telling.remark if telling.effect is Effect.WARNED else telling.note
    return FieldRow(
        kind=kind,
        path=path,
        type=field.type.name,
        bounds=field.type.bounds,
        required=field.required,
        default=_written(field.default),
        effect=telling.effect.value,
        note=note,
    )


def _written(default: Any) -> str:
    if default is None or default in ("", ()):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return ", ".join(default) if isinstance(default, tuple) else str(default)
