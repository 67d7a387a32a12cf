"""ASMCircuitBreaker: its fields, and the `BreakRule`s they become."""

from typing import Any

from trafficcore.manifest.common import HEADERS_TO_ADD, Document, Kind, headers, tell_overload
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.matchers import SCOPE_FIELDS, SPEC_FIELDS, build_scope, tell_traffic
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ListOf, at_least_one, exactly_one
from trafficcore.manifest.types import UINT32, Duration, Int, Text
from trafficcore.spec import BreakRule, Response

__all__ = ["BREAKER"]

_ASM_LONGEST_WINDOW = 12
_PERCENT = Object((Field("value", Int(least=0, most=100), default=0),), name="{value}")


def _tell_breaker(record: Record, notes: Notes) -> None:
    window = record.get("window_size", 10)
    if window > _ASM_LONGEST_WINDOW:
        message = f"ASM allows at most {_ASM_LONGEST_WINDOW}s; accepted here"
        text = record.text("window_size")
        notes.warn("TC201", record.at("window_size"), record.to("window_size"), message, text)
    if record.get("break_duration") == 0:
        path = record.to("break_duration")
        notes.warn(
            "TC202", record.at("break_duration"), path, "0s never refuses: the rule is left out"
        )
    elif not _can_trip(record):
        notes.warn("TC203", record.node, record.path, f"can never trip: {_why_not(record)}")


def _tell_unused(record: Record, notes: Notes) -> None:
    """Warn about what stands beside a slow rule and says nothing to it."""
    name = "min_request_amount"
    percents = ("error_percent", "gateway_error_percent")
    by_count = record.has("slow_request_rt") or record.has("max_slow_requests")
    if by_count and record.get(name) and not any(record.has(percent) for percent in percents):
        message = "only counts for percentages, and there is none: a slow rule does not wait for it"
        notes.warn("TC204", record.key(name), record.to(name), message, record.text(name))
    slow, window = record.get("slow_request_rt"), record.get("window_size", 10)
    if slow is not None and window < slow and record.get("max_slow_requests", 0) > 1:
        message = f"is longer than the window of {window:g}s in which slow requests are counted"
        path, text = record.to("slow_request_rt"), record.text("slow_request_rt")
        notes.warn("TC205", record.at("slow_request_rt"), path, message, text)


def _tell_response(record: Record, notes: Notes) -> None:
    tell_overload(record, "header_to_add", notes)


def _can_trip(record: Record) -> bool:
    """Whether any of its rules is whole; one that is faulty was told already."""
    slow = record.has("slow_request_rt") and record.has("max_slow_requests")
    if slow and record.get("max_slow_requests", 1) != 0:
        return True
    for name in ("error_percent", "gateway_error_percent"):
        percent = record.sub(name)
        if record.faulty(name) or (percent and (percent.faulty("value") or percent.get("value"))):
            return True
    return False


def _why_not(record: Record) -> str:
    for one, other in (
        ("max_slow_requests", "slow_request_rt"),
        ("slow_request_rt", "max_slow_requests"),
    ):
        if record.has(one) and not record.has(other):
            return f"{one} needs {other}"
    return "no rule has a threshold above 0"


_CUSTOM_RESPONSE = Object(
    (
        Field("status_code", Int(least=200, most=599), default=503),
        Field("header_to_add", HEADERS_TO_ADD),
        Field("body", Text(least=1)),
    ),
    rules=(at_least_one, _tell_response),
)

_BREAKER_CONFIG = Object(
    (
        Field("window_size", Duration(above=True), default=10),
        Field("break_duration", Duration(), default=30),
        Field("slow_request_rt", Duration()),
        Field("max_slow_requests", UINT32),
        Field("error_percent", _PERCENT),
        Field("gateway_error_percent", _PERCENT),
        Field("min_request_amount", UINT32, default=0),
        Field(
            "average_request_rt",
            Duration(),
            effect=Effect.WARNED,
            part=0,
            note="has no effect: what it should do is documented nowhere",
        ),
        Field("custom_response", _CUSTOM_RESPONSE),
    ),
    rules=(at_least_one, _tell_breaker, _tell_unused),
)

_CONFIG = Object(
    (*SCOPE_FIELDS, Field("breaker_config", _BREAKER_CONFIG, required=True)),
    rules=(exactly_one("match", "target_services"),),
)


def _build_response(record: Record | None) -> Response | None:
    if record is None:
        return None
    return Response(
        status=record.get("status_code", 503),
        headers=headers(record, "header_to_add"),
        body=record.get("body", ""),
    )


def _percent(record: Record, name: str) -> int | None:
    percent = record.sub(name)
    return None if percent is None else percent.get("value", 0)


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:
    rules = []
    for config in spec.get("configs", ()):
        scope = build_scope(spec, config, document, notes)
        record = config.values["breaker_config"]
        if scope is None or record.get("break_duration") == 0:
            continue
        rules.append(
            BreakRule(
                source=document.source(config.node, config.path, config.get("name", "")),
                scope=scope,
                window=record.get("window_size", 10),
                open_for=record.get("break_duration", 30),
                slow_after=record.get("slow_request_rt"),
                max_slow=record.get("max_slow_requests"),
                error_percent=_percent(record, "error_percent"),
                gateway_error_percent=_percent(record, "gateway_error_percent"),
                min_requests=record.get("min_request_amount", 0),
                response=_build_response(record.sub("custom_response")),
            )
        )
    return rules


BREAKER = Kind(
    name="ASMCircuitBreaker",
    group="istio.alibabacloud.com",
    versions=("v1", "v1beta1"),
    spec=Object(
        (*SPEC_FIELDS, Field("configs", ListOf(_CONFIG, least=1), required=True)),
        rules=(tell_traffic,),
    ),
    build=_build,
)
