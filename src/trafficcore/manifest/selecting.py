"""What the suite's policies share: whose requests they are for, and who is told."""

from typing import Any

from trafficcore.manifest.common import WORKLOAD_SELECTOR, Document, apply_to_traffic, traffic
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.labels import LABEL_MATCHER, build_label_matcher
from trafficcore.manifest.scheduler import later
from trafficcore.manifest.shapes import ANYTHING, STRINGS, ListOf
from trafficcore.manifest.types import TEXT, Duration, Int, Text
from trafficcore.spec import QuotaSelector, RequestParts, full_name

__all__ = [
    "REQUESTS",
    "SELECTING",
    "TOP",
    "build_head",
    "build_selectors",
    "without_effect",
]

_ANY = "any"


def without_effect(name: str, kind: Any, default: Any, note: str) -> Field:
    """Make a field that does nothing here, which nobody misses."""
    return Field(name, kind, effect=Effect.WARNED, default=default, part=0, quiet=True, note=note)


_SELECTOR = Object(
    (
        Field("service", TEXT),
        Field("control_point", TEXT, default="ingress"),
        without_effect("agent_group", TEXT, "default", "this process is its own agent"),
        Field("label_matcher", LABEL_MATCHER),
        Field("port", Object((Field("number", Int(least=0, most=65535)),))),
    )
)
_NAMED = "a service is found by its name, namespace and port"
_TARGET = Object(
    (
        without_effect("group", TEXT, "", _NAMED),
        without_effect("kind", TEXT, "Service", _NAMED),
        Field("name", Text(least=1), required=True),
        Field("namespace", TEXT),
        Field("port", Int(least=1, most=65535)),
        without_effect("section_name", TEXT, "", _NAMED),
    )
)
_MATCH_REQUEST = Object(
    (
        *(Field(name, TEXT) for name in ("method", "path", "host", "scheme")),
        Field("headers", STRINGS),
        Field("target_service", _TARGET),
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
#: The fields that say which requests are meant.
REQUESTS = (
    Field("selectors", ListOf(_SELECTOR)),
    Field("match_requests", ListOf(_MATCH_REQUEST)),
)
#: The fields that stand beside what a policy limits by.
SELECTING = (
    *REQUESTS,
    without_effect("alerter", _ALERTER, None, "what happens is told by the log"),
)
#: The fields that stand beside it in `spec`.
TOP = (
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


def build_head(
    spec: Record, body: Record, document: Document, at: Record | None = None
) -> dict[str, Any]:
    """Return what every rule of the suite says of itself; it stands at `at`, else at `body`."""
    place = at or body
    selector = spec.sub("workload_selector")
    wanted = spec.get("apply_to_traffic", "")
    direction, gateway = traffic(wanted, is_gateway=False) if wanted else (None, None)
    return {
        "source": document.source(place.node, place.path),
        "namespace": document.namespace,
        "labels": selector.get("labels", ()) if selector else (),
        "direction": direction,
        "gateway": gateway,
        "selectors": build_selectors(body, document),
    }


def build_selectors(body: Record, document: Document) -> tuple[QuotaSelector, ...]:
    """Return the ways to select a request, any of which is enough; one for all if there are none.

    `match_requests` are further entries beside `selectors`.
    """
    found = [_selector(record, document) for record in body.get("selectors", ())]
    found += [_request(record, document) for record in body.get("match_requests", ())]
    return tuple(found) or (QuotaSelector(),)


def _selector(record: Record, document: Document) -> QuotaSelector:
    service = record.get("service", "")
    service = "" if service.lower() == _ANY else full_name(service, document.namespace)
    port = record.sub("port")
    return QuotaSelector(
        service=service,
        control_point=record.get("control_point") or "ingress",
        matcher=build_label_matcher(record.sub("label_matcher")),
        port=port.get("number", 0) if port else 0,
    )


def _request(record: Record, document: Document) -> QuotaSelector:
    target = record.sub("target_service")
    service, port = "", 0
    if target is not None:
        namespace = target.get("namespace") or document.namespace
        service, port = full_name(target.get("name", ""), namespace), target.get("port", 0)
    parts = {name: record.get(name) or "" for name in ("method", "path", "host", "scheme")}
    return QuotaSelector(
        service=service,
        port=port,
        request=RequestParts(**parts, headers=record.get("headers", ())),
    )
