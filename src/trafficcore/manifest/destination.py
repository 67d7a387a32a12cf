"""DestinationRule: its fields, and the `Destination` it becomes.

What a client in process cannot do (TLS, tunnels, pools of a connection) is checked and named.
"""

from collections import Counter
from typing import Any

from trafficcore.manifest.common import HOST, PORT, Document, Kind
from trafficcore.manifest.destination_hash import build_hash
from trafficcore.manifest.destination_lb import LOAD_BALANCER, build_simple, build_warmup
from trafficcore.manifest.destination_locality import build_locality, tell_failover
from trafficcore.manifest.destination_pool import CONNECTION_POOL, RETRY_BUDGET, build_max_requests
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.shapes import STRINGS, ListOf, MapOf, Ref, at_least_one, at_most_one
from trafficcore.manifest.types import BOOL, INT32, TEXT, UINT32, Duration, Int, Text
from trafficcore.manifest.units import duration
from trafficcore.spec import Destination, OutlierDetection, TrafficPolicy, full_name

__all__ = ["DESTINATION"]

_MOST_PORTS = 4096
_MILLI = Duration(least=duration("1ms"), milli=True)


# -- outlierDetection ----------------------------------------------------------------------------


def _tell_outlier(record: Record, notes: Notes) -> None:
    old, new = "consecutiveErrors", "consecutive5xxErrors"
    if record.has(old):
        if record.has(new):
            code, message = "TC509", f"has no effect beside {new}"
        else:
            code = "TC602"
            message = f"is deprecated, and Istio no longer acts on it; here it acts as {new}"
        notes.warn(code, record.key(old), record.to(old), message, record.text(old))
    most = "maxEjectionPercent"
    if record.get(most) == 0:
        notes.warn(
            "TC307", record.at(most), record.to(most), "0 means the default, 10, as in Istio", "0"
        )
    local = "consecutiveLocalOriginFailures"
    if record.get(local) and not record.get("splitExternalLocalOriginErrors"):
        message = "above 0 needs splitExternalLocalOriginErrors: true"
        notes.error(record.at(local), record.to(local), message, record.text(local), code="TC007")


_PERCENT = Int(least=0, most=100)
_OUTLIER_DETECTION = Object(
    (
        Field("consecutive5xxErrors", UINT32, default=5),
        Field("consecutiveErrors", INT32, instead="consecutive5xxErrors"),
        Field("consecutiveGatewayErrors", UINT32, default=0),
        Field("splitExternalLocalOriginErrors", BOOL, default=False),
        Field("consecutiveLocalOriginFailures", UINT32, default=5),
        Field("interval", _MILLI, default=10),
        Field("baseEjectionTime", _MILLI, default=30),
        Field("maxEjectionPercent", _PERCENT, default=10),
        Field("minHealthPercent", _PERCENT, default=0),
        Field(
            "outlierDetectionHttpErrorCodes",
            ListOf(Int(least=100, most=599)),
            effect=Effect.WARNED,
            part=2,
            note="every 5xx counts as an error",
        ),
    ),
    rules=(_tell_outlier,),
)


def _build_outlier(record: Record | None) -> OutlierDetection | None:
    if record is None:
        return None
    failures = record.get("consecutive5xxErrors", record.get("consecutiveErrors", 5))
    split = record.get("splitExternalLocalOriginErrors", False)
    # Istio sets the threshold only above 0, and Envoy's own default stands elsewhere.
    local = (record.get("consecutiveLocalOriginFailures") or 5) if split else 0
    return OutlierDetection(
        consecutive_5xx=max(0, failures),
        consecutive_gateway_errors=record.get("consecutiveGatewayErrors", 0),
        consecutive_local_origin_failures=local,
        split_local_origin=split,
        interval=record.get("interval", 10),
        base_ejection_time=record.get("baseEjectionTime", 30),
        max_ejection_percent=record.get("maxEjectionPercent") or 10,
        min_health_percent=record.get("minHealthPercent", 0),
    )


# -- trafficPolicy -------------------------------------------------------------------------------

_TLS = Field(
    "tls",
    Object(
        (
            Field("mode", Text(choices=("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"))),
            *(
                Field(name, TEXT)
                for name in (
                    "clientCertificate",
                    "privateKey",
                    "caCertificates",
                    "caCrl",
                    "credentialName",
                    "sni",
                )
            ),
            Field("subjectAltNames", ListOf(TEXT)),
            Field("insecureSkipVerify", BOOL),
        )
    ),
    effect=Effect.WARNED,
    part=0,
)
_TUNNEL = Object(
    (
        Field("protocol", Text(choices=("CONNECT", "POST", ""))),
        Field("targetHost", Text(least=1), required=True),
        Field("targetPort", PORT, required=True),
    )
)
_SHARED = (
    Field("loadBalancer", LOAD_BALANCER),
    Field("connectionPool", CONNECTION_POOL),
    Field("outlierDetection", _OUTLIER_DETECTION),
    _TLS,
)


def _port_has_more(record: Record, notes: Notes) -> None:
    if not any(record.has(field.name) for field in _SHARED):
        notes.error(record.node, record.path, "must have a field besides port", code="TC005")


_PORT_SETTING = Object(
    (
        Field("port", Object((Field("number", PORT, required=True),)), required=True),
        *_SHARED,
    ),
    rules=(_port_has_more, tell_failover),
)


def _tell_ports(record: Record, notes: Notes) -> None:
    seen: set[int] = set()
    for setting in record.get("portLevelSettings", ()):
        number = setting.sub("port")
        number = number and number.get("number")
        if number in seen:
            message = f"port {number} was set before: the first setting stands"
            notes.warn("TC309", setting.node, setting.path, message)
        seen.add(number)


_TRAFFIC_POLICY = Object(
    (
        *_SHARED,
        Field("portLevelSettings", ListOf(_PORT_SETTING, most=_MOST_PORTS)),
        Field("tunnel", _TUNNEL, effect=Effect.WARNED, part=0),
        Field(
            "proxyProtocol",
            Object((Field("version", Text(choices=("V1", "V2"))),)),
            effect=Effect.WARNED,
            part=0,
        ),
        Field("retryBudget", RETRY_BUDGET, effect=Effect.WARNED, part=5),
    ),
    rules=(at_least_one, at_most_one("tunnel", "proxyProtocol"), tell_failover, _tell_ports),
)


def _build_traffic_policy(record: Record | None) -> TrafficPolicy:
    if record is None:
        return TrafficPolicy()
    balancer = record.sub("loadBalancer")
    return TrafficPolicy(
        outlier=_build_outlier(record.sub("outlierDetection")),
        locality=build_locality(balancer),
        simple=build_simple(balancer),
        hashing=build_hash(balancer),
        warmup=build_warmup(balancer),
        max_requests=build_max_requests(record.sub("connectionPool")),
    )


# -- spec ----------------------------------------------------------------------------------------


def _no_wildcard(text: str) -> str | None:
    return "a label's value, without *" if "*" in text else None


def _label_key(text: str) -> str | None:
    if not text:
        return "a label's name, not empty"
    return "a label's name, without *" if "*" in text else None


def _tell_subsets(record: Record, notes: Notes) -> None:
    _tell_repeats(
        record, "subsets", [item.get("name") for item in record.get("subsets", ())], notes
    )
    _tell_repeats(record, "exportTo", list(record.get("exportTo", ())), notes)


def _tell_repeats(record: Record, field: str, names: list[Any], notes: Notes) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name is not None:
            notes.error(
                record.at(field),
                record.to(field),
                f"{short(name)} is there twice",
                name,
                code="TC006",
            )


_SUBSET = Object(
    (
        Field("name", Text(least=1), required=True),
        Field("labels", STRINGS),
        Field("trafficPolicy", Ref(lambda: _TRAFFIC_POLICY, name="as spec.trafficPolicy")),
    )
)


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:  # noqa: ARG001
    policy = spec.sub("trafficPolicy")
    selector = spec.sub("workloadSelector")
    ports: dict[int, TrafficPolicy] = {}
    for setting in policy.get("portLevelSettings", ()) if policy else ():
        number = setting.values["port"].values["number"]
        ports.setdefault(number, _build_traffic_policy(setting))
    return [
        Destination(
            source=document.source(spec.node, spec.path),
            host=full_name(spec.values["host"].removesuffix("."), document.namespace),
            namespace=document.namespace,
            labels=selector.get("matchLabels", ()) if selector else (),
            policy=_build_traffic_policy(policy),
            ports=tuple(ports.items()),
        )
    ]


DESTINATION = Kind(
    name="DestinationRule",
    group="networking.istio.io",
    versions=("v1", "v1beta1", "v1alpha3"),
    spec=Object(
        (
            Field("host", HOST, required=True),
            Field("trafficPolicy", _TRAFFIC_POLICY),
            Field(
                "subsets",
                ListOf(_SUBSET),
                effect=Effect.WARNED,
                default=(),
                part=3,
                note="nothing routes to subsets",
            ),
            Field(
                "exportTo",
                ListOf(TEXT),
                effect=Effect.WARNED,
                default=("*",),
                part=0,
            ),
            Field(
                "workloadSelector",
                Object(
                    (
                        Field(
                            "matchLabels",
                            MapOf(Text(most=63, check=_no_wildcard), check=_label_key),
                        ),
                    )
                ),
            ),
        ),
        rules=(_tell_subsets,),
    ),
    build=_build,
)
