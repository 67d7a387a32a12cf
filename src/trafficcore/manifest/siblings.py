"""RateLimitingPolicy and the two policies of calls in flight: the same budgets, other gates.

A limiter makes nobody wait and answers 429; a scheduler has the queues of a quota. What a policy
of calls in flight gives comes back when the call ends.
"""

from typing import Any

from trafficcore.manifest.budgets import (
    CONCURRENCY,
    RATE,
    REQUEST_PARAMETERS,
    build_bucket,
    build_keys,
    tell_nothing,
)
from trafficcore.manifest.common import Document, Kind
from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.scheduler import SCHEDULER, build_scheduler
from trafficcore.manifest.selecting import SELECTING, TOP, build_head
from trafficcore.manifest.types import Int, Number
from trafficcore.spec import QuotaRule

__all__ = ["CONCURRENCY_LIMITING", "CONCURRENCY_SCHEDULING", "RATE_LIMITING"]

_MOST_AT_ONCE = Int(least=0, high=2**63 - 1, quoted=True, name="int64")


def _kind(name: str, field: str, body: Object, build: Any) -> Kind:
    return Kind(
        name=name,
        group="istio.alibabacloud.com",
        versions=("v1",),
        spec=Object((Field(field, body, required=True), *TOP)),
        build=build,
    )


def _limiter(record: Record) -> dict[str, Any]:
    """Return what a limiter says of requests and refusals."""
    said = record.get("request_parameters")
    status = said.get("denied_response_status_code", 429) if said else 429
    return {
        "queue": False,
        "denied_status": status,
        "keys": build_keys(record.values["parameters"], said),
    }


def _slots(record: Record, parameters: Record) -> dict[str, Any]:
    return {
        "capacity": record.values["max_concurrency"],
        "max_inflight_duration": parameters.values["max_inflight_duration"],
        "max_idle_time": parameters.get("max_idle_time", 7200),
    }


def _rate_limiting(spec: Record, document: Document, notes: Notes) -> list[Any]:  # noqa: ARG001
    body = spec.values["rate_limiter"]
    return [
        QuotaRule(
            **build_head(spec, body, document),
            capacity=body.values["bucket_capacity"],
            fill_amount=body.values["fill_amount"],
            **build_bucket(body.values["parameters"]),
            **_limiter(body),
        )
    ]


RATE_LIMITING = _kind(
    "RateLimitingPolicy",
    "rate_limiter",
    Object(
        (
            Field("bucket_capacity", Number(least=0), required=True),
            Field("fill_amount", Number(least=0), required=True),
            Field("parameters", RATE, required=True),
            Field("request_parameters", REQUEST_PARAMETERS),
            *SELECTING,
        ),
        rules=(tell_nothing("bucket_capacity", "fill_amount"),),
    ),
    _rate_limiting,
)


def _calls_at_once(*own: Field) -> Object:
    """Return the shape of a policy over calls in flight, with what it has of its own."""
    most = Field("max_concurrency", _MOST_AT_ONCE, required=True)
    return Object((most, *own, *SELECTING), rules=(tell_nothing("max_concurrency"),))


def _concurrency_limiting(
    spec: Record,
    document: Document,
    notes: Notes,  # noqa: ARG001
) -> list[Any]:
    body = spec.values["concurrency_limiter"]
    head = build_head(spec, body, document)
    return [QuotaRule(**head, **_slots(body, body.values["parameters"]), **_limiter(body))]


CONCURRENCY_LIMITING = _kind(
    "ConcurrencyLimitingPolicy",
    "concurrency_limiter",
    _calls_at_once(
        Field("parameters", CONCURRENCY, required=True),
        Field("request_parameters", REQUEST_PARAMETERS),
    ),
    _concurrency_limiting,
)


def _concurrency_scheduling(
    spec: Record,
    document: Document,
    notes: Notes,  # noqa: ARG001
) -> list[Any]:
    body = spec.values["concurrency_scheduler"]
    parameters, scheduler = body.values["concurrency_limiter"], body.get("scheduler")
    return [
        QuotaRule(
            **build_head(spec, body, document),
            **_slots(body, parameters),
            **build_scheduler(scheduler),
            keys=build_keys(parameters, scheduler),
        )
    ]


CONCURRENCY_SCHEDULING = _kind(
    "ConcurrencySchedulingPolicy",
    "concurrency_scheduler",
    _calls_at_once(
        Field("concurrency_limiter", CONCURRENCY, required=True),
        Field("scheduler", SCHEDULER),
    ),
    _concurrency_scheduling,
)
