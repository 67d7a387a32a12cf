"""LoadRampingPolicy: its fields, and the `RampRule` it becomes. Thresholds are milliseconds."""

from typing import Any

from trafficcore.manifest.common import Document, Kind
from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.scheduler import STATUS, later
from trafficcore.manifest.selecting import REQUESTS, TOP, build_head, build_selectors
from trafficcore.manifest.shapes import ANYTHING, ListOf
from trafficcore.manifest.types import BOOL, TEXT, Duration, Number
from trafficcore.spec import RampDriver, RampRule

__all__ = ["LOAD_RAMPING"]


def _tell_order(record: Record, notes: Notes) -> None:
    forward = record.get("forward")
    for name in ("backward", "reset"):
        other = record.get(name)
        if forward and other and forward.get("threshold", 0) > other.get("threshold", 0):
            message = f"goes on below a latency at which {name} holds: {name} goes before"
            path, text = forward.to("threshold"), forward.text("threshold")
            notes.warn("TC408", forward.at("threshold"), path, message, text)
            return


def _tell_end(record: Record, notes: Notes) -> None:
    steps = record.get("steps", ())
    name = "target_accept_percentage"
    if steps and steps[-1].get(name, 100) < 100:
        last = steps[-1]
        message = "is the last step: the rest is refused for good"
        notes.warn("TC407", last.at(name), last.to(name), message, last.text(name))


_THRESHOLD = Object((Field("threshold", Number(least=0), required=True),))
_CRITERIA = Object(
    tuple(Field(name, _THRESHOLD) for name in ("forward", "backward", "reset")),
    rules=(_tell_order,),
)
_HOLDS = "a ramp that it should move holds"
_UNREAD = ("percentile_latency_drivers", "promql_drivers")
_DRIVERS = Object(
    (
        Field(
            "average_latency_drivers",
            ListOf(Object((*REQUESTS, Field("criteria", _CRITERIA, required=True)))),
        ),
        *(later(name, ListOf(ANYTHING), _HOLDS) for name in _UNREAD),
    )
)
_SAMPLER = Object(
    (
        *REQUESTS,
        Field("session_label_key", TEXT, default=""),
        Field("denied_response_status_code", STATUS, default=403),
    )
)
_STEP = Object(
    (
        Field("duration", Duration(), required=True),
        Field("target_accept_percentage", Number(least=0, most=100), required=True),
    )
)
_LOAD_RAMP = Object(
    (
        Field("sampler", _SAMPLER),
        Field("steps", ListOf(_STEP, least=1), required=True),
    ),
    rules=(_tell_end,),
)


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:  # noqa: ARG001
    ramp = spec.values["load_ramp"]
    sampler = ramp.sub("sampler") or Record(ramp.node, ramp.path)
    return [
        RampRule(
            **build_head(spec, sampler, document, at=ramp),
            steps=tuple(
                (step.values["target_accept_percentage"], step.values["duration"])
                for step in ramp.values["steps"]
            ),
            drivers=tuple(_drivers(spec.sub("drivers"), document)),
            started=spec.values["start"],
            reset=spec.get("reset", False),
            session=sampler.get("session_label_key", ""),
            denied_status=sampler.get("denied_response_status_code", 403),
        )
    ]


def _drivers(drivers: Record | None, document: Document) -> list[RampDriver]:
    """Return the drivers; one that is not read never says that the ramp may go on."""
    if drivers is None:
        return []
    found = [
        RampDriver(selectors=build_selectors(driver, document), **_thresholds(driver))
        for driver in drivers.get("average_latency_drivers", ())
    ]
    if any(drivers.get(name) for name in _UNREAD):
        found.append(RampDriver(selectors=(), forward=0))
    return found


def _thresholds(driver: Record) -> dict[str, float]:
    criteria = driver.values["criteria"]
    return {name: one.values["threshold"] / 1000 for name, one in criteria.values.items()}


LOAD_RAMPING = Kind(
    name="LoadRampingPolicy",
    group="istio.alibabacloud.com",
    versions=("v1",),
    spec=Object(
        (
            Field("drivers", _DRIVERS),
            Field("start", BOOL, required=True),
            Field("reset", BOOL, default=False),
            Field("load_ramp", _LOAD_RAMP, required=True),
            *TOP,
        )
    ),
    build=_build,
)
