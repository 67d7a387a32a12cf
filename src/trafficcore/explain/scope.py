"""Who a rule is for and which requests it looks at, in words."""

from collections.abc import Iterable

from trafficcore.engine import Identity
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.words import listed
from trafficcore.spec import (
    AddressMatch,
    Direction,
    Expression,
    HeaderMatch,
    LabelMatcher,
    Op,
    QueryMatch,
    QuotaSelector,
    RequestMatch,
    Requirement,
    RequirementOp,
    Scope,
)

__all__ = [
    "address_words",
    "header_words",
    "label_words",
    "match_words",
    "place_words",
    "process",
    "query_words",
    "requests",
    "scope_meanings",
    "selector_words",
]

_NOBODY = Identity()
#: How a comparison reads, and how its opposite does.
_VERBS = {
    Op.EXACT: ("is", "is not"),
    Op.PREFIX: ("begins with", "does not begin with"),
    Op.SUFFIX: ("ends with", "does not end with"),
    Op.CONTAINS: ("contains", "does not contain"),
    Op.REGEX: ("matches", "does not match"),
}
_PSEUDO = {":path": "path", ":method": "method", ":authority": "Host", ":scheme": "scheme"}


def process(
    namespace: str, labels: Iterable[tuple[str, str]], gateway: bool | None = None
) -> Meaning:
    """Say which processes a rule is for; `gateway` None: gateways and workloads alike."""
    who = {True: "gateways", False: "workloads", None: "processes"}[gateway]
    where = "of every namespace" if namespace == _NOBODY.root_namespace else f"in {namespace}"
    marks = ", ".join(f"{key}={value}" for key, value in sorted(labels))
    value = f"{who} {where}" + (f" with {marks}" if marks else "")
    return Meaning("process", value, f"For {value}.")


def scope_meanings(scope: Scope) -> tuple[Meaning, Meaning]:
    """Say who applies a limit or a breaker, and to what."""
    value = _NOBODY.about(scope)
    if scope.vhost is not None:
        conditions = [header_words(rule) for rule in scope.vhost.headers]
        if scope.vhost.route:
            conditions.insert(0, f"route is {scope.vhost.route}")
        value += f" where {listed(conditions)}" if conditions else ""
    return process(scope.namespace, scope.labels, scope.gateway), requests([value])


def requests(values: Iterable[str]) -> Meaning:
    """Say which requests a rule looks at; each value is a direction, and whom they are for."""
    found = sorted(values)
    parts = []
    for value in found:
        side, _, rest = value.partition(" ")
        every, _, more = rest.partition(" ")
        rest = f"any service {more}".rstrip() if every in ("", "*") else rest
        parts.append(f"{side} requests to {rest}")
    return Meaning("requests", "; or ".join(found), f"It looks at {'; or '.join(parts)}.")


def header_words(rule: HeaderMatch, *, met: bool = True) -> str:
    """Say what a header must be; `met` False: what it is where the rule does not hold."""
    name = _PSEUDO.get(rule.name, f"header {rule.name}")
    return _compared(name, rule.op, rule.value, met is not rule.invert)


def query_words(rule: QueryMatch, *, met: bool = True) -> str:
    """Say what a query parameter must be."""
    text = _compared(f"query parameter {rule.name}", rule.op, rule.value, met)
    return f"{text} (in any case)" if rule.ignore_case else text


def address_words(rule: AddressMatch, *, met: bool = True) -> str:
    """Say where the peer must be."""
    length = rule.v6_prefix_len if ":" in rule.address else rule.v4_prefix_len
    network = rule.address if length is None else f"{rule.address}/{length}"
    return f"the peer is {'' if met else 'not '}{'' if length is None else 'in '}{network}"


def _compared(name: str, op: Op, value: str, holds: bool) -> str:
    if op is Op.PRESENT:
        return f"{name} is {'present' if (value != 'false') is holds else 'absent'}"
    return f"{name} {_VERBS[op][not holds]} {value or 'empty'}"


def match_words(match: RequestMatch) -> str:
    """Say what a request must be for an override."""
    parts = [header_words(rule) for rule in match.headers]
    parts += [query_words(rule) for rule in match.queries]
    if match.address is not None:
        parts.append(address_words(match.address))
    return listed(parts) or "any request"


def label_words(matcher: LabelMatcher) -> str:
    """Say what the labels of a request must be."""
    parts = [f"{key} is {value}" for key, value in sorted(matcher.labels)]
    parts += [_requirement(requirement) for requirement in matcher.requirements]
    if matcher.expression is not None:
        parts.append(_expression(matcher.expression))
    return listed(parts) or "any request"


def selector_words(selector: QuotaSelector) -> str:
    """Say what a selector asks of a request to its service."""
    parts = selector.request
    found = [] if selector.matcher == LabelMatcher() else [label_words(selector.matcher)]
    for name, value in (("method", parts.method), ("scheme", parts.scheme), ("Host", parts.host)):
        found += [f"{name} is {value}"] if value else []
    if parts.path:
        begins = parts.path.endswith("*")
        verb = "begins with" if begins else "is"
        found.append(f"path {verb} {parts.path[:-1] if begins else parts.path}")
    found += [f"header {name} is {value or 'empty'}" for name, value in parts.headers]
    return listed(found) or "any request"


def place_words(selector: QuotaSelector, direction: Direction | None) -> str:
    """Say where a selector looks at requests, and at which; a policy's direction overrules it."""
    points = {"ingress": "inbound", "egress": "outbound"}
    side = points.get(selector.control_point, f"{selector.control_point}'s")
    if direction is not None:
        side = direction.value
    words = selector_words(selector)
    where = "" if words == "any request" else f" where {words}"
    port = f":{selector.port}" if selector.port else ""
    return f"{side} {selector.service or '*'}{port}{where}"


def _requirement(requirement: Requirement) -> str:
    key, values = requirement.key, listed(requirement.values, "or") or "nothing"
    return {
        RequirementOp.IN: f"{key} is {values}",
        RequirementOp.NOT_IN: f"{key} is not {values}",
        RequirementOp.EXISTS: f"{key} is present",
        RequirementOp.DOES_NOT_EXIST: f"{key} is absent",
    }[requirement.op]


def _expression(expression: Expression) -> str:
    inner = [_expression(part) for part in expression.of]
    match expression.kind:
        case "all":
            return f"({listed(inner)})" if inner else "any request"
        case "any":
            return f"({listed(inner, 'or')})" if inner else "no request"
        case "not":
            return f"not ({listed(inner)})"
        case "label_exists":
            return f"{expression.label} is present"
        case "label_equals":
            return f"{expression.label} is {expression.value or 'empty'}"
        case _:
            return f"{expression.label} holds a match of {expression.value}"
