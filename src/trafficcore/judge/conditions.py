"""Matchers of all kinds as sets of conditions, so that one can be held against another.

Law    A matcher is the conditions that a request must all meet. One takes everything another takes
       if each of its conditions follows from a condition of the other: a prefix from a longer
       prefix or a whole value, a set from one of its values. What is not understood follows only
       from itself, so a doubt is never told as a fault.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any

from trafficcore.spec import (
    AddressMatch,
    Expression,
    HeaderMatch,
    LabelMatcher,
    Op,
    QueryMatch,
    RequestMatch,
    RequirementOp,
    pattern,
)

__all__ = ["Condition", "contradict", "follows", "of_labels", "of_request", "plain", "wider"]

#: One test: the part of a request, which of these, how it is compared, and with what.
Condition = tuple[str, str, str, Any]

#: Longer values are compared whole: nobody writes prefixes of them.
_LONGEST = 256
_EITHER_CASE = ("uri", "query")
_HAVE_VALUES = frozenset(("exact", "prefix", "suffix", "contains", "regex", "search", "in"))
_EVERY = frozenset((":path", ":method", ":authority", ":scheme"))
_HEADER_LABEL = "http.request.header."


def plain(conditions: Iterable[Condition]) -> frozenset[Condition]:
    """Drop what every request meets: there is a path, and it begins with a slash."""
    return frozenset(it for it in conditions if not _always(it))


def _always(condition: Condition) -> bool:
    part, name, how, value = condition
    if part == "header" and name in _EVERY and how == "present":
        return True
    path = part.startswith("uri") or (part, name) == ("header", ":path")
    return path and how == "prefix" and value in ("", "/")


# -- what follows from what ----------------------------------------------------------------------


def wider(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions that follow from one, itself first, as far as they can be listed.

    The last says only that something is asked of this part, for those that cannot.
    """
    part, name, how, value = condition
    yield condition
    if how in ("exact", "prefix") and len(value) <= _LONGEST:
        for length in range(len(value) + 1):
            yield part, name, "prefix", value[:length]
    if how in ("exact", "suffix") and len(value) <= _LONGEST:
        for begin in range(len(value) + 1):
            yield part, name, "suffix", value[begin:]
    if how == "network":
        network = ip_network(value)
        for length in range(network.prefixlen):
            yield part, name, how, str(network.supernet(new_prefix=length))
    if part in _EITHER_CASE and how in ("exact", "prefix", "suffix"):
        yield from wider((f"{part}, any case", name, how, value.lower()))
    if how in _HAVE_VALUES:
        yield part, name, "present", ""
    yield part, name, "any", ""


def follows(condition: Condition, listed: set[Condition], given: Iterable[Condition]) -> bool:
    """Whether a condition follows from those given; `listed` is all that is wider than they."""
    if condition in listed:
        return True
    part, name, how, value = condition
    if how not in ("in", "not in"):
        return False
    return any(
        _in_set(other[2], other[3], how, frozenset(value))
        for other in given
        if other[:2] == (part, name)
    )


def _in_set(how: str, value: Any, wanted: str, values: frozenset[str]) -> bool:
    if how in ("exact", "in"):
        own = _values(how, value)
        return own <= values if wanted == "in" else not own & values
    if wanted == "not in":
        return how == "absent" or (how == "not in" and values <= frozenset(value))
    return False


def _values(how: str, value: Any) -> frozenset[str]:
    return frozenset((value,) if how == "exact" else value)


def contradict(one: Condition, other: Condition) -> bool:
    """Whether no request can meet both; in doubt it can."""
    if one[:2] != other[:2]:
        return False
    for condition, against in ((one, other), (other, one)):
        if condition[2] in ("exact", "in"):
            values = _values(condition[2], condition[3])
            return not any(_holds(against, value) for value in values)
    return {one[2], other[2]} in ({"absent", "present"}, {"absent", "search"})


def _holds(condition: Condition, text: str) -> bool:
    _, _, how, value = condition
    if how == "exact":
        return bool(text == value)
    if how == "in":
        return text in value
    if how == "not in":
        return text not in value
    if how == "search":
        return pattern(value).search(text) is not None
    return how != "absent"


# -- from the specs ------------------------------------------------------------------------------


def of_request(match: RequestMatch) -> frozenset[Condition]:
    """Return what a `request_match` asks for."""
    found = [_header(it) for it in match.headers] + [_query(it) for it in match.queries]
    if match.address is not None:
        found.append(("address", "", "network", _network(match.address)))
    return plain(found)


def _header(match: HeaderMatch) -> Condition:
    if match.op is Op.PRESENT:
        absent = (match.value == "false") is not match.invert
        return "header", match.name, "absent" if absent else "present", ""
    if match.invert:
        return "header", match.name, "is not", (match.op.value, match.value)
    return "header", match.name, match.op.value, match.value


def _query(match: QueryMatch) -> Condition:
    if match.op is Op.PRESENT:
        return "query", match.name, "absent" if match.value == "false" else "present", ""
    if match.ignore_case:
        return "query, any case", match.name, match.op.value, match.value.lower()
    return "query", match.name, match.op.value, match.value


def _network(match: AddressMatch) -> str:
    length = match.v6_prefix_len if ":" in match.address else match.v4_prefix_len
    tail = "" if length is None else f"/{length}"
    return str(ip_network(f"{match.address}{tail}", strict=False))


def of_labels(matcher: LabelMatcher) -> frozenset[Condition]:
    """Return what a label matcher asks for."""
    found: list[Condition] = [(*_label(name), "exact", value) for name, value in matcher.labels]
    for it in matcher.requirements:
        how = _REQUIREMENTS[it.op]
        value: Any = tuple(sorted(it.values)) if how in ("in", "not in") else ""
        found.append((*_label(it.key), how, value))
    if matcher.expression is not None:
        found += _expression(matcher.expression)
    return frozenset(found)


_REQUIREMENTS = {
    RequirementOp.IN: "in",
    RequirementOp.NOT_IN: "not in",
    RequirementOp.EXISTS: "present",
    RequirementOp.DOES_NOT_EXIST: "absent",
}


def _label(name: str) -> tuple[str, str]:
    if name.startswith(_HEADER_LABEL):  # either spelling of a dash is the same label
        name = name.lower().replace("-", "_")
    return "label", name


def _expression(expression: Expression) -> list[Condition]:
    kind, of = expression.kind, expression.of
    if kind == "all":
        return [condition for part in of for condition in _expression(part)]
    if kind in _TESTS:
        how = _TESTS[kind]
        return [(*_label(expression.label), how, "" if how == "present" else expression.value)]
    if kind == "not" and of[0].kind == "label_exists":
        return [(*_label(of[0].label), "absent", "")]
    if kind == "not" and of[0].kind == "label_equals":
        return [(*_label(of[0].label), "not in", (of[0].value,))]
    return [("expression", "", "is", expression)]


_TESTS = {"label_exists": "present", "label_equals": "exact", "label_matches": "search"}
