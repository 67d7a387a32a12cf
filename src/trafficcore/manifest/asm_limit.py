"""ASMLocalRateLimiter: its fields, and the `RateLimitRule`s they become."""

from fractions import Fraction
from typing import Any

from trafficcore.manifest.common import HEADERS_TO_ADD, Document, Kind, headers, tell_overload
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.matchers import (
    REQUEST_MATCH,
    SCOPE_FIELDS,
    SPEC_FIELDS,
    build_request_match,
    build_scope,
    tell_traffic,
)
from trafficcore.manifest.nodes import Mapping, Node
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ANYTHING, ListOf, at_most_one
from trafficcore.manifest.types import BOOL, FAULT, Duration, Fault, Int, Text
from trafficcore.spec import Limit, LimitOverride, RateLimitRule

__all__ = ["LIMITER"]

_LOWEST_STATUS = 400
#: Numbers that people count minutes, hours and days in; as a quota beside a short interval they
#: are most likely the interval (the well-known article has its two numbers swapped).
_SECONDS_OF = frozenset((60, 3600, 86400))


class _FillInterval:
    """A time as the message `{seconds, nanos}`, or as text."""

    name = "duration, or {seconds, nanos}"
    _message = Object(
        (
            Field("seconds", Int(least=0, high=2**63 - 1, quoted=True)),
            Field("nanos", Int(least=0, most=999_999_999)),
        )
    )
    _time = Duration(least=Fraction(50, 1000))
    forms = (_time, _message)
    bounds = _time.bounds

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        if not isinstance(node, Mapping):
            return self._time.read(node, path, notes)
        before = notes.errors
        record = self._message.read(node, path, notes)
        if notes.errors > before or isinstance(record, Fault):
            return FAULT
        exact = record.get("seconds", 0) + Fraction(record.get("nanos", 0), 10**9)
        return self._time.bounded(exact, node, path, notes)


def _tell_limit(record: Record, notes: Notes) -> None:
    quota, status = record.get("quota"), record.get("status")
    if quota == 0:
        notes.warn("TC102", record.at("quota"), record.to("quota"), "0 refuses every request", "0")
    if status is not None and status < _LOWEST_STATUS:
        message = f"below {_LOWEST_STATUS} a refusal is sent as 429"
        notes.warn("TC103", record.at("status"), record.to("status"), message, str(status))
    interval = record.get("fill_interval")
    if quota in _SECONDS_OF and interval in range(2, min(quota, 31)):
        message = (
            f"{quota} each {interval}s is {quota / interval:g} a second; "
            f"if {interval} each {quota}s is meant, swap the two numbers"
        )
        notes.warn("TC101", record.at("quota"), record.to("quota"), message, str(quota))


def _tell_headers(record: Record, notes: Notes) -> None:
    for name in ("response_headers_to_add", "response_header_to_add"):
        tell_overload(record, name, notes)


def _tell_old_name(record: Record, notes: Notes) -> None:
    name = "response_header_to_add"
    if record.has(name):
        message = "is deprecated: write response_headers_to_add"
        notes.warn("TC602", record.key(name), record.to(name), message)


_LIMIT = Object(
    (
        Field("fill_interval", _FillInterval(), required=True),
        Field("quota", Int(least=0), required=True),
        Field("status", Int(least=0, most=599), default=429),
        Field("per_downstream_connection", BOOL, default=False),
        Field("custom_response_body", Text(least=1), default="local_rate_limited"),
        Field("response_headers_to_add", HEADERS_TO_ADD),
        Field("response_header_to_add", HEADERS_TO_ADD, instead="response_headers_to_add"),
    ),
    rules=(_tell_limit, _tell_headers, _tell_old_name),
)

_DISTINCT = Field(
    "distinct", ANYTHING, effect=Effect.WARNED, part=3, note="one bucket serves all values"
)


def _tell_override(record: Record, notes: Notes) -> None:
    match = record.sub("request_match")
    if not record.has("request_match") or (match is not None and not match.values):
        notes.warn(
            "TC104", record.node, record.path, "matches every request: later ones are never reached"
        )


def _tell_empty(record: Record, notes: Notes) -> None:
    if record.get("configs") == () or record.lacks("configs"):
        notes.warn("TC106", record.node, record.path, "has no configs: the policy does nothing")


_CONFIG = Object(
    (
        *SCOPE_FIELDS,
        Field("limit", _LIMIT, required=True),
        Field(
            "limit_overrides",
            ListOf(
                Object(
                    (
                        Field("request_match", REQUEST_MATCH),
                        Field("limit", _LIMIT, required=True),
                        _DISTINCT,
                    ),
                    rules=(_tell_override,),
                )
            ),
        ),
        _DISTINCT,
    ),
    rules=(at_most_one("match", "target_services"),),
)


def _build_limit(record: Record) -> Limit:
    status = record.get("status", 429)
    return Limit(
        quota=record.values["quota"],
        fill_interval=record.values["fill_interval"],
        status=status if status >= _LOWEST_STATUS else 429,
        body=record.get("custom_response_body", "local_rate_limited"),
        headers=headers(record, "response_header_to_add", "response_headers_to_add"),
        per_connection=record.get("per_downstream_connection", False),
    )


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:
    rules = []
    for config in spec.get("configs", ()):
        scope = build_scope(spec, config, document, notes)
        if scope is None:
            continue
        overrides = tuple(
            LimitOverride(
                build_request_match(override.sub("request_match")),
                _build_limit(override.values["limit"]),
            )
            for override in config.get("limit_overrides", ())
        )
        source = document.source(config.node, config.path, config.get("name", ""))
        limit = _build_limit(config.values["limit"])
        rules.append(RateLimitRule(source=source, scope=scope, limit=limit, overrides=overrides))
    return rules


LIMITER = Kind(
    name="ASMLocalRateLimiter",
    group="istio.alibabacloud.com",
    versions=("v1", "v1beta1"),
    spec=Object(
        (*SPEC_FIELDS, Field("configs", ListOf(_CONFIG))), rules=(tell_traffic, _tell_empty)
    ),
    build=_build,
    spec_required=False,
    shares=True,
)
