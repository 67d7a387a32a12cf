"""The `scheduler` of the suite's scheduling policies: workloads, their shares, the refusal."""

from collections import Counter
from http import HTTPStatus
from typing import Any

from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.labels import LABEL_MATCHER, build_label_matcher
from trafficcore.manifest.nodes import Node, Scalar
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.shapes import ListOf
from trafficcore.manifest.types import TEXT, Duration, Fault, Int, Number, Text, mismatch
from trafficcore.spec import Workload, WorkloadParameters

__all__ = ["SCHEDULER", "STATUS", "build_parameters", "build_scheduler", "build_workloads", "later"]

_FIRST_FINAL = 200
_STATUS_NAMES = {
    "".join(word.capitalize() for word in status.name.split("_")): status.value
    for status in HTTPStatus
    if status >= _FIRST_FINAL
} | {"OK": 200}


class _Status:
    """A final HTTP status as a number, as its text, or by its name (`TooManyRequests`)."""

    name = "status"
    bounds = "200 to 599, or a name such as TooManyRequests"
    _number = Int(least=200, most=599, quoted=True)
    forms = (_number, Text(choices=tuple(_STATUS_NAMES)))

    def read(self, node: Node, path: str, notes: Notes) -> int | Fault:
        if isinstance(node, Scalar) and not node.text[:1].isdigit():
            value = _STATUS_NAMES.get(node.text)
            if value is not None:
                return value
            wanted = "a status from 200 to 599, or a name such as ServiceUnavailable"
            return mismatch(node, path, wanted, notes)
        return self._number.read(node, path, notes)


STATUS = _Status()


def later(name: str, kind: Any = TEXT, note: str = "", **more: Any) -> Field:
    """Make a field that a later part brings to life."""
    return Field(name, kind, effect=Effect.WARNED, part=4, note=note, **more)


_PARAMETERS = Object(
    (
        Field("priority", Number(above=0), default=1),
        Field("tokens", Number(least=0), default=1),
        Field("queue_timeout", Duration()),
    )
)
_WORKLOAD = Object(
    (
        Field("name", Text(least=1)),
        Field("label_matcher", LABEL_MATCHER),
        Field("parameters", _PARAMETERS),
    )
)


def _names(workloads: tuple[Record, ...]) -> list[str]:
    """Name each workload; one without a name goes by its place, as in Aperture."""
    return [item.get("name", str(at)) for at, item in enumerate(workloads)]


def _tell_workloads(record: Record, notes: Notes) -> None:
    workloads = record.get("workloads", ())
    names = _names(workloads)
    twice = {name for name, count in Counter(names).items() if count > 1}
    seen: set[str] = set()
    for name, item in zip(names, workloads, strict=True):
        if name in twice and name in seen:
            message = f"the workload {short(name)} is there twice"
            notes.error(item.at("name"), item.to("name"), message, name, code="TC006")
        seen.add(name)
    for item in workloads[:-1]:
        matcher = item.sub("label_matcher")
        if not item.has("label_matcher") or (matcher is not None and not matcher.values):
            message = "matches every request: later workloads are never reached"
            notes.warn("TC402", item.node, item.path, message)


SCHEDULER = Object(
    (
        Field("workloads", ListOf(_WORKLOAD)),
        Field("default_workload_parameters", _PARAMETERS),
        *(
            Field(f"{name}_label_key", TEXT, default="")
            for name in ("priority", "tokens", "fairness", "workload")
        ),
        Field("decision_deadline_margin", Duration(), default=0.01),
        Field("denied_response_status_code", STATUS, default=503),
    ),
    rules=(_tell_workloads,),
)


def build_scheduler(scheduler: Record | None) -> dict[str, Any]:
    """Return what a scheduler says of workloads and refusals; None says nothing."""
    if scheduler is None:
        return {}
    return {
        "workloads": build_workloads(scheduler),
        "default": build_parameters(scheduler.sub("default_workload_parameters")),
        "deadline_margin": scheduler.get("decision_deadline_margin", 0.01),
        "denied_status": scheduler.get("denied_response_status_code", 503),
    }


def build_parameters(record: Record | None) -> WorkloadParameters:
    """Make the parameters of a workload; what is absent means its default."""
    if record is None:
        return WorkloadParameters()
    return WorkloadParameters(
        priority=record.get("priority", 1),
        tokens=record.get("tokens", 1),
        queue_timeout=record.get("queue_timeout"),
    )


def build_workloads(scheduler: Record) -> tuple[Workload, ...]:
    """Make the workloads, in the order they are tried."""
    workloads = scheduler.get("workloads", ())
    return tuple(
        Workload(
            name=name,
            matcher=build_label_matcher(item.sub("label_matcher")),
            parameters=build_parameters(item.sub("parameters")),
        )
        for name, item in zip(_names(workloads), workloads, strict=True)
    )
