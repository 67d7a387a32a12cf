"""Label matchers of the scheduling suite: `match_labels`, `match_list` and `expression`, ANDed."""

from trafficcore.manifest.common import REGEX
from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import STRINGS, ListOf, Ref, exactly_one
from trafficcore.manifest.types import TEXT, Text
from trafficcore.spec import Expression, LabelMatcher, Requirement, RequirementOp

__all__ = ["LABEL_MATCHER", "build_label_matcher"]

_KEY = Text(least=1)


def _tell_values(record: Record, notes: Notes) -> None:
    operator = record.get("operator")
    if operator in ("In", "NotIn") and not record.has("values"):
        answer = "never" if operator == "In" else "always"
        notes.warn("TC405", record.node, record.path, f"{operator} without values {answer} holds")


_REQUIREMENT = Object(
    (
        Field("key", _KEY, required=True),
        Field("operator", Text(choices=tuple(op.value for op in RequirementOp)), required=True),
        Field("values", ListOf(TEXT)),
    ),
    rules=(_tell_values,),
)


def _expression() -> Object:
    return _EXPRESSION


_INNER = Ref(_expression, name="expression")
_OF = Object((Field("of", ListOf(_INNER)),))
_EXPRESSION = Object(
    (
        Field("all", _OF),
        Field("any", _OF),
        Field("not", _INNER),
        Field("label_exists", _KEY),
        Field("label_equals", Object((Field("label", _KEY, required=True), Field("value", TEXT)))),
        Field(
            "label_matches",
            Object((Field("label", _KEY, required=True), Field("regex", REGEX, required=True))),
        ),
    ),
    rules=(exactly_one("all", "any", "not", "label_exists", "label_equals", "label_matches"),),
    name="expression",
)


def _tell_old_name(record: Record, notes: Notes) -> None:
    old, new = "match_expressions", "match_list"
    if record.has(old) and record.has(new):
        notes.warn("TC509", record.key(old), record.to(old), f"has no effect beside {new}")


LABEL_MATCHER = Object(
    (
        Field("match_labels", STRINGS),
        Field("match_list", ListOf(_REQUIREMENT)),
        Field("match_expressions", ListOf(_REQUIREMENT), instead="match_list"),
        Field("expression", _EXPRESSION),
    ),
    rules=(_tell_old_name,),
)


def _build_expression(record: Record) -> Expression:
    kind, value = next(iter(record.values.items()))
    if kind == "label_exists":
        return Expression(kind=kind, label=value)
    if kind == "not":
        return Expression(kind=kind, of=(_build_expression(value),))
    if kind in ("all", "any"):
        return Expression(
            kind=kind, of=tuple(_build_expression(inner) for inner in value.get("of", ()))
        )
    text = value.get("value", "") if kind == "label_equals" else value.values["regex"]
    return Expression(kind=kind, label=value.values["label"], value=text)


def build_label_matcher(record: Record | None) -> LabelMatcher:
    """Make the matcher; none at all matches every request."""
    if record is None:
        return LabelMatcher()
    requirements = record.get("match_list")
    if requirements is None:
        requirements = record.get("match_expressions", ())
    expression = record.sub("expression")
    return LabelMatcher(
        labels=record.get("match_labels", ()),
        requirements=tuple(
            Requirement(
                item.values["key"], RequirementOp(item.values["operator"]), item.get("values", ())
            )
            for item in requirements
        ),
        expression=None if expression is None else _build_expression(expression),
    )
