"""What scalars and small objects of a scenario may hold, beyond what manifests have."""

from fractions import Fraction
from typing import Any

from trafficcore.errors import ConfigError
from trafficcore.manifest.fields import Field, Object
from trafficcore.manifest.nodes import Node, Scalar, Sequence
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ListOf, exactly_one
from trafficcore.manifest.types import FAULT, TEXT, Duration, Fault, Number, Text, mismatch
from trafficcore.sim.expect import parse
from trafficcore.sim.spec import Distribution

__all__ = ["POSITIVE", "TIME", "Draw", "Numbers", "Sentence", "Share"]

TIME = Duration()
POSITIVE = Duration(above=True)
_SHORTEST = Duration(least=Fraction(1, 10**9))


class _Pair:
    """Two times in a list, the second not before the first."""

    name = "[duration, duration]"
    bounds = "the second not below the first"
    forms = (ListOf(TIME, least=2, most=2),)

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        """Read one; see `Type`."""
        if not isinstance(node, Sequence) or len(node.items) != 2:
            return mismatch(node, path, "two durations, as in [10ms, 30ms]", notes)
        first, last = (
            TIME.read(item, f"{path}[{at}]", notes) for at, item in enumerate(node.items)
        )
        if isinstance(first, Fault) or isinstance(last, Fault):
            return FAULT
        if first > last:
            notes.error(node, path, "must have its second duration not below the first")
            return FAULT
        return first, last


class Draw:
    """A time, or how times are spread: `20ms`, `{exponential: 20ms}`, `{uniform: [1ms, 9ms]}`."""

    name = "duration or distribution"
    bounds = "`uniform` [a, b], `exponential` mean, `lognormal` {p50, p99}, or a duration"
    _shape = Object(
        (
            Field("constant", TIME),
            Field("uniform", _Pair()),
            Field("exponential", _SHORTEST),
            Field(
                "lognormal",
                Object(
                    (
                        Field("p50", _SHORTEST, required=True),
                        Field("p99", _SHORTEST, required=True),
                    )
                ),
            ),
        ),
        rules=(exactly_one("constant", "uniform", "exponential", "lognormal"),),
    )
    forms = (TIME, _shape)

    def read(self, node: Node, path: str, notes: Notes) -> Distribution | Fault:
        """Read one; see `Type`."""
        if isinstance(node, Scalar):
            value = TIME.read(node, path, notes)
            return FAULT if isinstance(value, Fault) else Distribution("constant", value)
        before = notes.errors
        record = self._shape.read(node, path, notes)
        if isinstance(record, Fault) or notes.errors > before:
            return FAULT
        kind, value = next(iter(record.values.items()))
        if kind == "uniform":
            return Distribution(kind, *value)
        if kind != "lognormal":
            return Distribution(kind, value)
        p50, p99 = value.values["p50"], value.values["p99"]
        if p99 < p50:
            notes.error(value.node, value.path, "must have a p99 that is not below its p50")
            return FAULT
        return Distribution(kind, p50, p99)


class Share:
    """A part of a whole: `0.1`, `10%` or `10 %`."""

    name = "share"
    bounds = "0 to 1, or a percentage"
    _part = Number(least=0, most=1)
    _percent = Number(least=0, most=100)
    forms = (_part, Text(name="percentage"))

    def read(self, node: Node, path: str, notes: Notes) -> float | Fault:
        """Read one; see `Type`."""
        if isinstance(node, Scalar) and node.text.endswith("%"):
            text = node.text[:-1].rstrip()
            value = self._percent.read(
                Scalar(text, True, node.line, node.column),
                path,
                notes,
            )
            return FAULT if isinstance(value, Fault) else value / 100
        return self._part.read(node, path, notes)


class Sentence:
    """An expectation, in the language of `trafficcore.sim.expect`."""

    name = "expectation"
    bounds = ""
    forms = (TEXT,)

    def read(self, node: Node, path: str, notes: Notes) -> str | Fault:
        """Read one; see `Type`."""
        text = TEXT.read(node, path, notes)
        if isinstance(text, Fault):
            return text
        try:
            parse(text)
        except ConfigError as error:
            notes.error(node, path, str(error), text)
            return FAULT
        return text


class Numbers:
    """Names or numbers of servers: one, or a list."""

    name = "list of text"
    bounds = "numbers from 1, or addresses"
    forms = (TEXT, ListOf(TEXT))

    def read(self, node: Node, path: str, notes: Notes) -> tuple[str, ...] | Fault:
        """Read one; see `Type`."""
        items = node.items if isinstance(node, Sequence) else [node]
        found = []
        for at, item in enumerate(items):
            if not isinstance(item, Scalar) or item.is_null:
                return mismatch(item, f"{path}[{at}]", "a number from 1 or an address", notes)
            found.append(item.text)
        return tuple(found)
