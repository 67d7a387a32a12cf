"""Which requests a rule is for, as ASM's first two kinds say it: virtual hosts, services, matchers.

`SCOPE_FIELDS` and `SPEC_FIELDS` are the parts of ASMLocalRateLimiter and ASMCircuitBreaker that
are the same.
"""

from ipaddress import ip_address

from trafficcore.manifest.common import (
    LATER,
    PORT,
    REGEX,
    WAYPOINT,
    WORKLOAD_SELECTOR,
    Document,
    apply_to_traffic,
    traffic,
)
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ANYTHING, ListOf, exactly_one
from trafficcore.manifest.types import BOOL, TEXT, Int, Text
from trafficcore.spec import (
    AddressMatch,
    HeaderMatch,
    Op,
    QueryMatch,
    RequestMatch,
    Scope,
    Service,
    VirtualHost,
    full_name,
)

__all__ = [
    "REQUEST_MATCH",
    "SCOPE_FIELDS",
    "SPEC_FIELDS",
    "build_request_match",
    "build_scope",
    "tell_traffic",
]

# -- headers, queries, addresses -----------------------------------------------------------------

_TEXTS = {
    "exact_match": Op.EXACT,
    "prefix_match": Op.PREFIX,
    "suffix_match": Op.SUFFIX,
    "contains_match": Op.CONTAINS,
    "regex_match": Op.REGEX,
}


def _header_tests(record: Record) -> list[str]:
    """Return the tests that are on; an empty text and a plain false are off, as in the Go type."""
    tests = [name for name in _TEXTS if record.get(name)]
    tests += [name for name in ("is_exact_match_empty", "present_match") if record.get(name)]
    if not tests and record.get("present_match") is False:
        tests.append("present_match")
    return tests


def _one_header_test(record: Record, notes: Notes) -> None:
    tests = _header_tests(record)
    if len(tests) > 1:
        said = " and ".join(tests)
        notes.error(record.key(tests[1]), record.path, f"{said} exclude each other", code="TC007")
    elif not tests and record.has("name"):
        notes.warn(
            "TC508", record.node, record.path, "tests no value, only that the header is there"
        )


_HEADER = Object(
    (
        Field("name", Text(least=1), required=True),
        Field("exact_match", TEXT),
        Field("prefix_match", TEXT),
        Field("suffix_match", TEXT),
        Field("regex_match", REGEX),
        Field("present_match", BOOL),
        Field("is_exact_match_empty", BOOL),
        Field("invert_match", BOOL),
    ),
    rules=(_one_header_test,),
)


def _ignore_case(record: Record, notes: Notes) -> None:
    if record.get("ignore_case") and (record.has("regex_match") or record.has("present_match")):
        message = "has no effect beside regex_match and present_match"
        notes.warn("TC509", record.key("ignore_case"), record.to("ignore_case"), message)


_QUERY = Object(
    (
        Field("name", Text(least=1), required=True),
        Field("exact_match", TEXT),
        Field("prefix_match", TEXT),
        Field("suffix_match", TEXT),
        Field("contains_match", TEXT),
        Field("regex_match", REGEX),
        Field("present_match", BOOL),
        Field("ignore_case", BOOL),
    ),
    rules=(exactly_one(*_TEXTS, "present_match"), _ignore_case),
)


def _address(text: str) -> str | None:
    try:
        ip_address(text)
    except ValueError:
        hint = " (the mask goes into v4_prefix_mask_len or v6_prefix_mask_len)" * ("/" in text)
        return f"an IP address{hint}"
    return None


REQUEST_MATCH = Object(
    (
        Field("header_match", ListOf(_HEADER)),
        Field("query_match", ListOf(_QUERY)),
        Field(
            "remote_address",
            Object(
                (
                    Field("address", Text(check=_address, name="address"), required=True),
                    Field("v4_prefix_mask_len", Int(least=0, most=32, name="uint32")),
                    Field("v6_prefix_mask_len", Int(least=0, most=128, name="uint32")),
                )
            ),
        ),
    )
)


def _build_header(record: Record) -> HeaderMatch:
    name = record.values["name"].lower()
    invert = record.get("invert_match", False)
    test = (_header_tests(record) or ["present_match"])[0]
    if test == "present_match":
        absent = record.get("present_match") is False
        return HeaderMatch(name, Op.PRESENT, "false" if absent else "", invert)
    if test == "is_exact_match_empty":
        return HeaderMatch(name, Op.EXACT, "", invert)
    return HeaderMatch(name, _TEXTS[test], record.values[test], invert)


def _build_query(record: Record) -> QueryMatch:
    name = record.values["name"]
    for test, op in _TEXTS.items():
        if record.has(test):
            ignore_case = record.get("ignore_case", False) and op is not Op.REGEX
            return QueryMatch(name, op, record.values[test], ignore_case)
    return QueryMatch(name, Op.PRESENT, "" if record.values["present_match"] else "false")


def build_request_match(record: Record | None) -> RequestMatch:
    """Make a matcher of `request_match`; none at all matches every request."""
    if record is None:
        return RequestMatch()
    remote = record.sub("remote_address")
    address = None
    if remote is not None:
        lengths = (remote.get(f"{version}_prefix_mask_len") for version in ("v4", "v6"))
        address = AddressMatch(remote.values["address"], *lengths)
    return RequestMatch(
        headers=tuple(_build_header(item) for item in record.get("header_match", ())),
        queries=tuple(_build_query(item) for item in record.get("query_match", ())),
        address=address,
    )


# -- virtual hosts and services ------------------------------------------------------------------

_VHOST = Object(
    (
        Field("name", TEXT),
        Field("port", Int(least=0, most=65535)),
        Field(
            "route",
            Object(
                (
                    Field("name_match", TEXT),
                    Field("header_match", ListOf(_HEADER)),
                )
            ),
        ),
    )
)
_TARGET_SERVICE = Object(
    (
        Field("group", TEXT, effect=Effect.WARNED, default="", part=3),
        Field("kind", Text(choices=("Service", "ServiceEntry", "VirtualService"))),
        Field("name", Text(least=1), required=True),
        Field("namespace", TEXT),
        Field("port", PORT),
        Field("section_name", TEXT, effect=Effect.WARNED, part=3),
    )
)

#: Of one entry of `spec.configs`.
SCOPE_FIELDS = (
    Field("name", TEXT),
    Field("match", Object((Field("vhost", _VHOST),))),
    Field("target_services", ListOf(_TARGET_SERVICE)),
)
#: Of `spec`.
SPEC_FIELDS = (
    Field("workloadSelector", WORKLOAD_SELECTOR),
    Field("isGateway", BOOL),
    apply_to_traffic("applyToTraffic", WAYPOINT),
    Field("targetRefs", ListOf(ANYTHING), effect=Effect.WARNED, default=(), part=3),
)


def tell_traffic(record: Record, notes: Notes) -> None:
    """Warn about what `applyToTraffic` and `isGateway` say against each other."""
    text = record.get("applyToTraffic", "")
    place, path = record.at("applyToTraffic"), record.to("applyToTraffic")
    if text == WAYPOINT:
        notes.warn("TC906", place, path, f"{LATER} as {WAYPOINT}: its rules are left out", text)
    elif text and record.has("isGateway") and record.get("isGateway") != (text == "gateway"):
        notes.warn("TC507", place, path, f"{text} goes before what isGateway says", text)


def _services(record: Record, document: Document, notes: Notes) -> tuple[Service, ...]:
    found = []
    for item in record.get("target_services", ()):
        kind = item.get("kind", "Service")
        if kind == "Service":
            namespace = item.get("namespace") or document.namespace
            found.append(Service(full_name(item.values["name"], namespace), item.get("port", 0)))
        else:
            message = f"{LATER} with kind {kind}: this target is left out"
            notes.warn("TC906", item.at("kind"), item.path, message, kind)
    return tuple(found)


def build_scope(spec: Record, config: Record, document: Document, notes: Notes) -> Scope | None:
    """Return who applies a rule and to what, or None where it cannot act here.

    A rule whose every target is left out is left out: without targets it would be about all.
    """
    services = _services(config, document, notes)
    wanted = spec.get("applyToTraffic", "")
    if wanted == WAYPOINT or (config.get("target_services") and not services):
        return None
    direction, gateway = traffic(wanted, spec.get("isGateway", False))
    selector = spec.sub("workloadSelector")
    return Scope(
        direction=direction,
        namespace=document.namespace,
        labels=selector.get("labels", ()) if selector else (),
        gateway=gateway,
        vhost=_virtual_host(config.sub("match", "vhost"), document),
        services=services,
    )


def _virtual_host(record: Record | None, document: Document) -> VirtualHost | None:
    if record is None:
        return None
    route = record.sub("route")
    return VirtualHost(
        name=full_name(record.get("name") or "*", document.namespace),
        port=record.get("port", 0),
        route=route.get("name_match", "") if route else "",
        headers=tuple(_build_header(item) for item in route.get("header_match", ()))
        if route
        else (),
    )
