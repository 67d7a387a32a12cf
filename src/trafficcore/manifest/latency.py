"""AverageLatencySchedulingPolicy: its fields, and the `QuotaRule` with `Shedding` it becomes."""

from typing import Any

from trafficcore.manifest.budgets import NO_LIMIT, build_keys
from trafficcore.manifest.common import Document, Kind
from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.scheduler import SCHEDULER, build_scheduler
from trafficcore.manifest.selecting import (
    REQUESTS,
    TOP,
    build_head,
    build_selectors,
    without_effect,
)
from trafficcore.manifest.shapes import ANYTHING
from trafficcore.manifest.types import BOOL, TEXT, Duration, Number
from trafficcore.spec import QuotaRule, Shedding

__all__ = ["AVERAGE_LATENCY_SCHEDULING"]


def _tell_gradient(record: Record, notes: Notes) -> None:
    least, most = record.get("min_gradient", 0.1), record.get("max_gradient", 1)
    if least > most:
        name = "min_gradient" if record.has("min_gradient") else "max_gradient"
        message = f"min_gradient must be at most max_gradient, not {least:g} above {most:g}"
        notes.error(record.at(name), record.to(name), message, record.text(name))


_GRADIENT = Object(
    (
        Field("slope", Number(), default=-1),
        Field("min_gradient", Number(least=0), default=0.1),
        Field("max_gradient", Number(least=0), default=1),
    ),
    rules=(_tell_gradient,),
)
_LOAD_SCHEDULER = Object(
    (
        *REQUESTS,
        Field("scheduler", SCHEDULER),
        Field("workload_latency_based_tokens", BOOL, default=False),
    )
)
_AIMD = Object(
    (
        Field("gradient", _GRADIENT),
        Field("load_multiplier_linear_increment", Number(least=0), default=0.025),
        Field("max_load_multiplier", Number(above=0), default=2),
        Field("load_scheduler", _LOAD_SCHEDULER, required=True),
    )
)
_BUCKETS = "a mean needs no buckets"
_METER = Object(
    (
        *REQUESTS,
        without_effect("attribute_key", TEXT, "", "what is measured is how long calls take"),
        *(
            without_effect(f"{name}_buckets{more}", ANYTHING, None, _BUCKETS)
            for name, more in (
                ("static", ""),
                ("linear", ""),
                ("exponential", ""),
                ("exponential", "_range"),
            )
        ),
    )
)
_LONG = ("long_term_query_interval", "long_term_query_periodic_interval")


def _tell_intervals(record: Record, notes: Notes) -> None:
    whole, each = record.get(_LONG[0], 1800), record.get(_LONG[1], 30)
    if each > whole:
        name = _LONG[1] if record.has(_LONG[1]) else _LONG[0]
        message = f"{_LONG[1]} must be at most {_LONG[0]}, not {each:g} s of {whole:g} s"
        notes.error(record.at(name), record.to(name), message, record.text(name))


def _tell_old_meter(record: Record, notes: Notes) -> None:
    if record.has("flux_meter"):
        message = "is deprecated: write meter"
        notes.warn("TC602", record.key("flux_meter"), record.to("flux_meter"), message)


_BASELINER = Object(
    (
        Field("latency_tolerance_multiplier", Number(above=0), default=1.25),
        Field(_LONG[0], Duration(above=True), default=1800),
        Field(_LONG[1], Duration(above=True), default=30),
        Field("meter", _METER),
        Field("flux_meter", _METER, instead="meter"),
    ),
    rules=(_tell_intervals, _tell_old_meter),
)


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:  # noqa: ARG001
    aimd = spec.values["load_scheduling_core"].values["aimd_load_scheduler"]
    body = aimd.values["load_scheduler"]
    scheduler = body.get("scheduler")
    return [
        QuotaRule(
            **build_head(spec, body, document),
            capacity=0,
            shedding=_shedding(aimd, spec.sub("latency_baseliner"), document),
            **build_scheduler(scheduler),
            keys=build_keys(NO_LIMIT, scheduler),
        )
    ]


def _shedding(aimd: Record, baseliner: Record | None, document: Document) -> Shedding:
    """Make what sheds load; what is absent means its default."""
    gradient, body = aimd.sub("gradient"), aimd.values["load_scheduler"]
    said: dict[str, Any] = {} if gradient is None else dict(gradient.values)
    for name, own in (
        ("load_multiplier_linear_increment", "increment"),
        ("max_load_multiplier", "max_multiplier"),
    ):
        if name in aimd.values:
            said[own] = aimd.values[name]
    if baseliner is not None:
        for name, own in (
            ("latency_tolerance_multiplier", "tolerance"),
            (_LONG[0], "long_window"),
            (_LONG[1], "long_step"),
        ):
            if name in baseliner.values:
                said[own] = baseliner.values[name]
        meter = baseliner.sub("meter") or baseliner.sub("flux_meter")
        if meter is not None:
            said["meters"] = build_selectors(meter, document)
    return Shedding(**said, cost_by_latency=body.get("workload_latency_based_tokens", False))


AVERAGE_LATENCY_SCHEDULING = Kind(
    name="AverageLatencySchedulingPolicy",
    group="istio.alibabacloud.com",
    versions=("v1",),
    spec=Object(
        (
            Field(
                "load_scheduling_core",
                Object((Field("aimd_load_scheduler", _AIMD, required=True),)),
                required=True,
            ),
            Field("latency_baseliner", _BASELINER),
            *TOP,
        )
    ),
    build=_build,
)
