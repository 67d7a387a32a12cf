"""QuotaSchedulingPolicy: its fields, and the `QuotaRule` it becomes."""

from typing import Any

from trafficcore.manifest.common import WORKLOAD_SELECTOR, Document, Kind, apply_to_traffic, traffic
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.labels import LABEL_MATCHER, build_label_matcher
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.scheduler import SCHEDULER, build_parameters, build_workloads, later
from trafficcore.manifest.shapes import ANYTHING, STRINGS, ListOf
from trafficcore.manifest.types import BOOL, TEXT, Duration, Int, Number, Text
from trafficcore.spec import QuotaRule, QuotaSelector, full_name

__all__ = ["QUOTA"]

_ANY = "any"

# -- rate_limiter --------------------------------------------------------------------------------

_ONE_BUCKET = "one bucket serves all values of the label"


def _tell_old_label_key(record: Record, notes: Notes) -> None:
    if record.has("label_key"):
        message = "is deprecated: write limit_by_label_key"
        notes.warn("TC602", record.key("label_key"), record.to("label_key"), message)


_RATE_LIMITER = Object(
    (
        Field("interval", Duration(above=True), required=True),
        Field("continuous_fill", BOOL, default=True),
        Field("delay_initial_fill", BOOL, default=False),
        later("limit_by_label_key", note=_ONE_BUCKET, default=""),
        later("label_key", note=_ONE_BUCKET, default="", instead="limit_by_label_key"),
        later("max_idle_time", Duration(), default=7200),
        Field(
            "lazy_sync",
            Object((Field("enabled", BOOL), Field("num_sync", Int(least=1)))),
            effect=Effect.WARNED,
            part=0,
            quiet=True,
            note="there is nobody to agree with",
        ),
    ),
    rules=(_tell_old_label_key,),
)

# -- selectors -----------------------------------------------------------------------------------

_SELECTOR = Object(
    (
        Field("service", TEXT),
        Field("control_point", TEXT, default="ingress"),
        Field(
            "agent_group",
            TEXT,
            effect=Effect.WARNED,
            default="default",
            part=0,
            quiet=True,
            note="this process is its own agent",
        ),
        Field("label_matcher", LABEL_MATCHER),
        later("port", Object((Field("number", Int(least=0, most=65535)),))),
    )
)
_MATCH_REQUEST = Object(
    (
        *(Field(name, TEXT) for name in ("method", "path", "host", "scheme")),
        Field("headers", STRINGS),
        Field(
            "target_service",
            Object(
                (
                    Field("group", TEXT),
                    Field("kind", TEXT),
                    Field("name", Text(least=1), required=True),
                    Field("namespace", TEXT),
                    Field("port", Int(least=1, most=65535)),
                    Field("section_name", TEXT),
                )
            ),
        ),
    )
)
_ALERTER = Object(
    (
        Field("alert_name", TEXT),
        Field("severity", Text(choices=("info", "warn", "crit"))),
        Field("resolve_timeout", Duration()),
        Field("labels", STRINGS),
    )
)

# -- spec ----------------------------------------------------------------------------------------


def _tell_quota(record: Record, notes: Notes) -> None:
    for name in ("bucket_capacity", "fill_amount"):
        if record.get(name) == 0:
            notes.warn("TC401", record.at(name), record.to(name), "0 lets no request through", "0")


_QUOTA_SCHEDULER = Object(
    (
        Field("bucket_capacity", Number(least=0), required=True),
        Field("fill_amount", Number(least=0), required=True),
        Field("rate_limiter", _RATE_LIMITER, required=True),
        Field("scheduler", SCHEDULER),
        Field("selectors", ListOf(_SELECTOR)),
        later("match_requests", ListOf(_MATCH_REQUEST), "the policy is left out", default=()),
        Field(
            "alerter",
            _ALERTER,
            effect=Effect.WARNED,
            part=0,
            quiet=True,
            note="what happens is told by the log",
        ),
    ),
    rules=(_tell_quota,),
)


def _build_selector(record: Record, document: Document) -> QuotaSelector:
    service = record.get("service", "")
    service = "" if service.lower() == _ANY else full_name(service, document.namespace)
    return QuotaSelector(
        service=service,
        control_point=record.get("control_point") or "ingress",
        matcher=build_label_matcher(record.sub("label_matcher")),
    )


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:  # noqa: ARG001
    quota = spec.values["quota_scheduler"]
    if quota.get("match_requests"):  # without them the policy would be about every request
        return []
    limiter = quota.values["rate_limiter"]
    scheduler = quota.get("scheduler") or Record(quota.node, quota.path)
    selector = spec.sub("workload_selector")
    selectors = quota.get("selectors") or (Record(quota.node, quota.path),)
    wanted = spec.get("apply_to_traffic", "")
    direction, gateway = traffic(wanted, is_gateway=False) if wanted else (None, None)
    return [
        QuotaRule(
            source=document.source(quota.node, quota.path),
            namespace=document.namespace,
            capacity=quota.values["bucket_capacity"],
            fill_amount=quota.values["fill_amount"],
            interval=limiter.values["interval"],
            continuous_fill=limiter.get("continuous_fill", True),
            delay_initial_fill=limiter.get("delay_initial_fill", False),
            labels=selector.get("labels", ()) if selector else (),
            direction=direction,
            gateway=gateway,
            selectors=tuple(_build_selector(item, document) for item in selectors),
            workloads=build_workloads(scheduler),
            default=build_parameters(scheduler.sub("default_workload_parameters")),
            denied_status=scheduler.get("denied_response_status_code", 503),
        )
    ]


QUOTA = Kind(
    name="QuotaSchedulingPolicy",
    group="istio.alibabacloud.com",
    versions=("v1",),
    spec=Object(
        (
            Field("quota_scheduler", _QUOTA_SCHEDULER, required=True),
            Field("workload_selector", WORKLOAD_SELECTOR),
            apply_to_traffic("apply_to_traffic"),
            Field(
                "resources",
                Object(
                    (
                        Field(
                            "flow_control",
                            Object((later("classifiers", ListOf(ANYTHING), default=()),)),
                        ),
                    )
                ),
            ),
        )
    ),
    build=_build,
)
