"""Matchers of the manifests, compiled once to predicates over `Facts`.

A matcher on `:path` alone that the path decides (a prefix, or an exact text) is answered when a
route is resolved, so that it costs nothing per request: see `on_path`.
"""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import parse_qsl

from trafficcore.engine.facts import Facts
from trafficcore.errors import ConfigError
from trafficcore.spec import AddressMatch, HeaderMatch, Op, QueryMatch, RequestMatch, pattern

__all__ = ["Predicate", "compile_header", "compile_request", "on_path", "text_test"]

Predicate = Callable[[Facts], bool]
Test = Callable[[str], bool]


def text_test(op: Op, value: str) -> Test:
    """Compile one comparison of a text that is present."""
    match op:
        case Op.EXACT:
            return value.__eq__
        case Op.PREFIX:
            return lambda text: text.startswith(value)
        case Op.SUFFIX:
            return lambda text: text.endswith(value)
        case Op.CONTAINS:
            return lambda text: value in text
        case Op.REGEX:
            whole = pattern(value)
            return lambda text: whole.fullmatch(text) is not None
        case Op.PRESENT:
            return lambda _: True


def compile_header(rule: HeaderMatch) -> Predicate:
    """Compile a header matcher; an absent header satisfies only `PRESENT` false and `invert`."""
    name, invert = rule.name, rule.invert
    if rule.op is Op.PRESENT:
        wanted = (rule.value != "false") is not invert
        return lambda facts: (facts.header(name) is not None) is wanted
    test = text_test(rule.op, rule.value)

    def holds(facts: Facts) -> bool:
        value = facts.header(name)
        return (value is not None and test(value)) is not invert

    return holds


def on_path(rule: HeaderMatch, path: str) -> bool | None:
    """Answer a matcher by the decoded path alone; None: it takes the rest of the request."""
    if rule.name != ":path" or "?" in rule.value:
        return None
    if rule.op is Op.PREFIX:
        return path.startswith(rule.value) is not rule.invert
    if rule.op is Op.EXACT and path != rule.value:
        return rule.invert
    return None


def _compile_query(rule: QueryMatch) -> Predicate:
    name = rule.name
    value = rule.value.lower() if rule.ignore_case else rule.value
    test = text_test(rule.op, value)
    wanted = not (rule.op is Op.PRESENT and rule.value == "false")

    def holds(facts: Facts) -> bool:
        for key, text in parse_qsl(facts.query, keep_blank_values=True):
            if key == name:
                return test(text.lower() if rule.ignore_case else text) is wanted
        return not wanted

    return holds


def _compile_address(rule: AddressMatch) -> Predicate:
    try:
        address = ip_address(rule.address)
    except ValueError as error:
        raise ConfigError(f"not an IP address: {rule.address!r}") from error
    length = rule.v4_prefix_len if address.version == 4 else rule.v6_prefix_len
    whole = address.max_prefixlen
    network = ip_network(f"{address}/{whole if length is None else length}", strict=False)

    def holds(facts: Facts) -> bool:
        try:
            peer = ip_address(facts.address)
        except ValueError:  # a UNIX socket's peer has no address
            return False
        # what a socket for both families calls an IPv4 peer is one all the same
        mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
        return peer in network or (mapped is not None and mapped in network)

    return holds


def compile_request(match: RequestMatch) -> Predicate:
    """Compile all parts of a request matcher into one predicate; no parts always match."""
    tests = [compile_header(rule) for rule in match.headers]
    tests += [_compile_query(rule) for rule in match.queries]
    if match.address is not None:
        tests.append(_compile_address(match.address))
    return lambda facts: all(test(facts) for test in tests)
