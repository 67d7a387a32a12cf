"""DestinationRule: its fields, and the `Destination` it becomes.

What a client in process cannot do (TLS, tunnels, pools of a connection) is checked and named.
"""

from typing import Any

from trafficcore.manifest.common import HOST, PORT, Document, Kind
from trafficcore.manifest.destination_hash import build_hash
from trafficcore.manifest.destination_lb import LOAD_BALANCER, build_simple, build_warmup
from trafficcore.manifest.destination_locality import (
    build_locality,
    build_zone_aware,
    tell_failover,
)
from trafficcore.manifest.destination_outlier import OUTLIER_DETECTION, build_outlier
from trafficcore.manifest.destination_pool import (
    CONNECTION_POOL,
    RETRY_BUDGET,
    build_connect_timeout,
    build_max_requests,
    build_retry_caps,
    tell_retries,
)
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import (
    STRINGS,
    ListOf,
    MapOf,
    Ref,
    at_least_one,
    at_most_one,
    tell_repeats,
)
from trafficcore.manifest.types import BOOL, TEXT, Text
from trafficcore.spec import Destination, Subset, TrafficPolicy, full_name

__all__ = ["DESTINATION"]

_MOST_PORTS = 4096


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
    Field("outlierDetection", OUTLIER_DETECTION),
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
        Field("retryBudget", RETRY_BUDGET),
    ),
    rules=(
        at_least_one,
        at_most_one("tunnel", "proxyProtocol"),
        tell_failover,
        tell_retries,
        _tell_ports,
    ),
)

#: What a subset's leaves out, the destination's has: what is beside what is looked at later.
_SUBSET_POLICY = Object(
    _TRAFFIC_POLICY.fields,
    rules=(at_least_one, at_most_one("tunnel", "proxyProtocol"), _tell_ports),
)


def _build_traffic_policy(*records: Record | None) -> TrafficPolicy:
    """Make a policy of whole objects, each as the first record has it that has it at all."""

    def part(name: str) -> Record | None:
        return next((it.sub(name) for it in records if it is not None and it.has(name)), None)

    balancer = part("loadBalancer")
    return TrafficPolicy(
        outlier=build_outlier(part("outlierDetection")),
        locality=build_locality(balancer),
        zone_aware=build_zone_aware(balancer),
        simple=build_simple(balancer),
        hashing=build_hash(balancer),
        warmup=build_warmup(balancer),
        max_requests=build_max_requests(part("connectionPool")),
        retry_caps=build_retry_caps(part("connectionPool"), part("retryBudget")),
        connect_timeout=build_connect_timeout(part("connectionPool")),
    )


# -- spec ----------------------------------------------------------------------------------------


def _no_wildcard(text: str) -> str | None:
    return "a label's value, without *" if "*" in text else None


def _label_key(text: str) -> str | None:
    if not text:
        return "a label's name, not empty"
    return "a label's name, without *" if "*" in text else None


def _tell_subsets(record: Record, notes: Notes) -> None:
    subsets = record.get("subsets", ())
    tell_repeats(record, "subsets", [item.get("name") for item in subsets], notes)
    above = record.sub("trafficPolicy")
    for subset in subsets:
        own = subset.sub("trafficPolicy")
        if own is not None and (above is None or not above.has("outlierDetection")):
            tell_failover(own, notes)
    tell_repeats(record, "exportTo", list(record.get("exportTo", ())), notes)


_SUBSET = Object(
    (
        Field("name", Text(least=1), required=True),
        Field("labels", STRINGS),
        Field("trafficPolicy", Ref(lambda: _SUBSET_POLICY, name="as spec.trafficPolicy")),
    )
)


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:  # noqa: ARG001
    policy = spec.sub("trafficPolicy")
    selector = spec.sub("workloadSelector")
    ports = _ports(policy)
    return [
        Destination(
            source=document.source(spec.node, spec.path),
            host=full_name(spec.values["host"].removesuffix("."), document.namespace),
            namespace=document.namespace,
            labels=selector.get("matchLabels", ()) if selector else (),
            policy=_build_traffic_policy(policy),
            ports=tuple((port, _build_traffic_policy(it)) for port, it in ports.items()),
            subsets=tuple(_build_subset(it, policy, ports) for it in spec.get("subsets", ())),
        )
    ]


def _ports(policy: Record | None) -> dict[int, Record]:
    """Return the settings of ports; the first of a port stands."""
    ports: dict[int, Record] = {}
    for setting in policy.get("portLevelSettings", ()) if policy else ():
        ports.setdefault(setting.values["port"].values["number"], setting)
    return ports


def _build_subset(record: Record, above: Record | None, ports: dict[int, Record]) -> Subset:
    """Make a subset: whole objects of its own before those above; a port of its own alone."""
    own = record.sub("trafficPolicy")
    own_ports = _ports(own)
    return Subset(
        name=record.values["name"],
        labels=tuple(record.get("labels", ())),
        policy=_build_traffic_policy(own, above),
        ports=tuple(
            (
                port,
                _build_traffic_policy(own_ports[port])
                if port in own_ports
                else _build_traffic_policy(own, ports[port]),
            )
            for port in dict.fromkeys((*ports, *own_ports))
        ),
    )


DESTINATION = Kind(
    name="DestinationRule",
    group="networking.istio.io",
    versions=("v1", "v1beta1", "v1alpha3"),
    spec=Object(
        (
            Field("host", HOST, required=True),
            Field("trafficPolicy", _TRAFFIC_POLICY),
            Field("subsets", ListOf(_SUBSET), default=()),
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
