"""Label matchers compiled to predicates over labels.

Law    `match_labels`, `match_list` and `expression` are ANDed; an empty matcher always matches.
       In and NotIn compare whole values; NotIn holds for a missing label. `label_matches` searches
       anywhere in the value, and is false for a missing label. Empty `all` is true, `any` false.
Source Aperture's multi-matcher, as `QuotaSchedulingPolicy` takes it over.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from trafficcore.errors import ConfigError
from trafficcore.spec import Expression, LabelMatcher, Requirement, RequirementOp

__all__ = ["LabelTest", "compile_matcher", "required_labels"]

LabelTest = Callable[[Mapping[str, str]], bool]


def compile_matcher(matcher: LabelMatcher) -> LabelTest:
    """Return whether labels fit a matcher, as a predicate."""
    wanted = matcher.labels
    tests = [_requirement(requirement) for requirement in matcher.requirements]
    if matcher.expression is not None:
        tests.append(_expression(matcher.expression))

    def fits(labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in wanted) and all(
            test(labels) for test in tests
        )

    return fits


def required_labels(matcher: LabelMatcher) -> frozenset[str]:
    """Return the keys of all labels that a matcher looks at."""
    keys = {key for key, _ in matcher.labels}
    keys |= {requirement.key for requirement in matcher.requirements}
    if matcher.expression is not None:
        keys.update(_labels(matcher.expression))
    return frozenset(keys)


def _requirement(requirement: Requirement) -> LabelTest:
    key, values = requirement.key, frozenset(requirement.values)
    match requirement.op:
        case RequirementOp.IN:
            return lambda labels: labels.get(key) in values
        case RequirementOp.NOT_IN:
            return lambda labels: labels.get(key) not in values
        case RequirementOp.EXISTS:
            return lambda labels: key in labels
        case RequirementOp.DOES_NOT_EXIST:
            return lambda labels: key not in labels


def _expression(node: Expression) -> LabelTest:
    label, value = node.label, node.value
    tests = [_expression(part) for part in node.of]
    match node.kind:
        case "all":
            return lambda labels: all(test(labels) for test in tests)
        case "any":
            return lambda labels: any(test(labels) for test in tests)
        case "not":
            (test,) = tests
            return lambda labels: not test(labels)
        case "label_exists":
            return lambda labels: label in labels
        case "label_equals":
            return lambda labels: labels.get(label) == value
        case "label_matches":
            try:
                pattern = re.compile(value)
            except re.error as error:
                raise ConfigError(f"not a regular expression: {value!r} ({error})") from error
            return lambda labels: label in labels and pattern.search(labels[label]) is not None
    raise ConfigError(f"expression kind {node.kind!r} is unknown")


def _labels(node: Expression) -> Iterator[str]:
    if node.label:
        yield node.label
    for part in node.of:
        yield from _labels(part)
