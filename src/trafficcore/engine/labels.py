"""Label matchers, compiled: from a `LabelMatcher` to a predicate over the labels of a request.

Law    all parts are ANDed, and no part at all matches everything. Whole values are compared, but
       `label_matches` searches: its pattern is in Python's syntax and anchored only as it says.
       A missing label is in no set, equals nothing and matches nothing; NOT_IN and
       DOES_NOT_EXIST hold for it. An empty `all` is true, an empty `any` false.
Source Aperture's label matcher, field by field.
"""

from collections.abc import Callable, Iterator, Mapping

from trafficcore.errors import ConfigError
from trafficcore.spec import Expression, LabelMatcher, Requirement, RequirementOp, pattern

__all__ = ["Labels", "Predicate", "compile_matcher", "required_labels"]

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]


def compile_matcher(matcher: LabelMatcher) -> Predicate:
    """Return the predicate; raises `ConfigError` for a pattern or a kind that cannot be."""
    parts = [_equals(label, value) for label, value in matcher.labels]
    parts += [_requirement(requirement) for requirement in matcher.requirements]
    if matcher.expression is not None:
        parts.append(_expression(matcher.expression))
    return _all(parts)


def required_labels(matcher: LabelMatcher) -> frozenset[str]:
    """Return the labels that a matcher looks at: no other can change its answer."""
    keys = {label for label, _ in matcher.labels}
    keys |= {requirement.key for requirement in matcher.requirements}
    if matcher.expression is not None:
        keys |= set(_labels_of(matcher.expression))
    return frozenset(keys)


def _labels_of(expression: Expression) -> Iterator[str]:
    if expression.kind.startswith("label_"):
        yield expression.label
    for part in expression.of:
        yield from _labels_of(part)


def _always(_labels: Labels) -> bool:
    return True


def _all(parts: list[Predicate]) -> Predicate:
    if not parts:
        return _always
    if len(parts) == 1:
        return parts[0]
    return lambda labels: all(part(labels) for part in parts)


def _equals(label: str, value: str) -> Predicate:
    return lambda labels: labels.get(label) == value


def _exists(label: str) -> Predicate:
    return lambda labels: label in labels


def _not(part: Predicate) -> Predicate:
    return lambda labels: not part(labels)


def _in(label: str, values: tuple[str, ...]) -> Predicate:
    known = frozenset(values)
    return lambda labels: labels.get(label) in known


def _matches(label: str, regex: str) -> Predicate:
    search = pattern(regex).search

    def matches(labels: Labels) -> bool:
        value = labels.get(label)
        return value is not None and search(value) is not None

    return matches


def _requirement(requirement: Requirement) -> Predicate:
    key, op = requirement.key, requirement.op
    if op is RequirementOp.EXISTS:
        return _exists(key)
    if op is RequirementOp.DOES_NOT_EXIST:
        return _not(_exists(key))
    found = _in(key, requirement.values)
    return found if op is RequirementOp.IN else _not(found)


def _expression(expression: Expression) -> Predicate:
    kind, of = expression.kind, [_expression(part) for part in expression.of]
    if kind == "all":
        return _all(of)
    if kind == "any":
        return lambda labels: any(part(labels) for part in of)
    if kind == "not":
        if len(of) != 1:
            raise ConfigError(f"`not` must hold one expression, not {len(of)!r}")
        return _not(of[0])
    if kind == "label_exists":
        return _exists(expression.label)
    if kind == "label_equals":
        return _equals(expression.label, expression.value)
    if kind == "label_matches":
        return _matches(expression.label, expression.value)
    raise ConfigError(f"an expression is all, any, not or label_…, not {kind!r}")
