"""ServiceEntry: its fields, and what must hold between them."""

from collections.abc import Iterator
from ipaddress import ip_network

from trafficcore.manifest.common import HOST, PORT, Kind
from trafficcore.manifest.entry_build import AS_NAMED, BY_NAME, UNIX, build_entry, resolution_of
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.nodes import Mapping, Node, Scalar, Sequence
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.shapes import STRINGS, ListOf, MapOf, tell_repeats
from trafficcore.manifest.types import TEXT, UINT32, Text
from trafficcore.spec import Resolution, is_address

__all__ = ["ENTRY"]

_MOST = 256
_MOST_ENDPOINTS = 4096
_PROTOCOLS = frozenset(
    (
        "GRPC", "GRPC-WEB", "HTTP", "HTTP2", "HTTPS", "MONGO", "MYSQL", "REDIS", "TCP", "TLS",
        "UDP",
    )
)  # fmt: skip
#: Protocols of a port that tell hosts apart: by the Host header, or by the name in TLS.
_NAMED = frozenset(("GRPC", "GRPC-WEB", "HTTP", "HTTP2", "HTTPS", "TLS"))


def _network(text: str) -> str | None:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return "an IP address or a network such as 10.0.0.0/8"
    return None


def _protocol(text: str) -> str | None:
    known = text.upper() in _PROTOCOLS
    return None if known else f"one of {', '.join(sorted(_PROTOCOLS))}"


def _no_wildcard(text: str) -> str | None:
    return "a label's value, without *" if "*" in text else None


_SERVICE_PORT = Object(
    (
        Field("number", PORT, required=True),
        Field("name", Text(least=1, most=_MOST), required=True),
        Field("protocol", Text(check=_protocol, name="protocol")),
        Field("targetPort", PORT),
    )
)


def _tell_endpoint(record: Record, notes: Notes) -> None:
    address = record.get("address", "")
    missing = record.lacks("address") or record.get("address") == ""
    if missing and not record.get("network"):
        notes.error(record.node, record.to("address"), "is required", code="TC005")
    if address.startswith(UNIX):
        if record.has("ports"):
            message = "exclude an address that is a Unix socket"
            notes.error(record.key("ports"), record.to("ports"), message, code="TC007")
        message = "has no effect in process: no client here speaks over a Unix socket"
        notes.warn("TC902", record.at("address"), record.to("address"), message, address)
    elif missing and record.get("network"):
        message = "has no effect in process: an endpoint behind another network's gateway"
        notes.warn("TC902", record.node, record.path, message)


_ENDPOINT = Object(
    (
        Field("address", Text(most=_MOST)),
        Field("ports", MapOf(PORT)),
        Field("labels", STRINGS),
        Field("network", TEXT, effect=Effect.WARNED, part=0, note="addresses are connected to"),
        Field("locality", TEXT, default=""),
        Field("weight", UINT32, default=1),
        Field("serviceAccount", TEXT, effect=Effect.WARNED, part=0),
    ),
    rules=(_tell_endpoint,),
)


# -- what holds between fields -------------------------------------------------------------------


def _tell_hosts(record: Record, notes: Notes) -> None:
    """Note hosts that stand for too much, or for no name that could be looked up."""
    resolution = resolution_of(record)
    needs_names = resolution in BY_NAME and not record.has("endpoints")
    for at, node in _texts(record.at("hosts")):
        path = f"{record.to('hosts')}[{at}]"
        if node.text == "*":
            notes.error(node, path, "must be more than *, which every host is", "*")
        elif node.text.startswith("*") and needs_names and not record.has("workloadSelector"):
            message = f"is no name to look up: resolution {resolution.value} needs endpoints"
            notes.error(node, path, message, node.text)
        elif node.text.startswith("*") and not node.text.startswith("*."):
            message = "has no effect in process: of wildcards those that begin with *. are known"
            notes.warn("TC902", node, path, message, node.text)
    ports = [port.get("protocol", "TCP").upper() for port in record.get("ports", ())]
    several = len(record.get("hosts", ())) > 1
    if several and resolution is not Resolution.NONE and not set(ports) <= _NAMED:
        message = "several hosts cannot be told apart on a port that is neither HTTP nor TLS"
        notes.error(record.at("hosts"), record.to("hosts"), message, code="TC007")


def _tell_addresses(record: Record, notes: Notes) -> None:
    if resolution_of(record) in (Resolution.NONE, Resolution.STATIC):
        return
    for at, node in _texts(record.at("addresses")):
        if "/" in node.text:
            message = "must be an address: networks are for resolution NONE and STATIC"
            notes.error(node, f"{record.to('addresses')}[{at}]", message, node.text)


def _tell_ports(record: Record, notes: Notes) -> None:
    tell_repeats(record, "ports", [port.get("name") for port in record.get("ports", ())], notes)
    tell_repeats(record, "ports", [port.get("number") for port in record.get("ports", ())], notes)
    tell_repeats(record, "exportTo", list(record.get("exportTo", ())), notes)
    known = {port.get("name") for port in record.get("ports", ())}
    for endpoint in record.get("endpoints", ()):
        node = endpoint.at("ports")
        for key, _ in node.entries if endpoint.get("ports") and isinstance(node, Mapping) else ():
            if key.text not in known:
                message = f"{short(key.text)} is no port of the service"
                notes.error(key, endpoint.to("ports"), message, key.text)


def _tell_endpoints(record: Record, notes: Notes) -> None:
    resolution, endpoints = resolution_of(record), record.get("endpoints", ())
    if record.has("endpoints") and record.has("workloadSelector"):
        message = "endpoints and workloadSelector exclude each other"
        notes.error(record.key("endpoints"), record.path, message, code="TC007")
    if resolution is Resolution.NONE and record.has("endpoints"):
        message = "must be absent with resolution NONE: calls go to the address they name"
        notes.error(record.key("endpoints"), record.to("endpoints"), message, code="TC007")
    if resolution is Resolution.DNS_ROUND_ROBIN and len(endpoints) > 1:
        message = f"must hold at most one with DNS_ROUND_ROBIN, not {len(endpoints)}"
        notes.error(record.at("endpoints"), record.to("endpoints"), message, code="TC007")
    for endpoint in endpoints:
        text = endpoint.get("address", "")
        if text and resolution not in AS_NAMED and not _fits(text, resolution):
            wanted = "an IP address or a host name"
            if resolution is Resolution.STATIC:
                wanted = "an IP address, with resolution STATIC"
            message = f"must be {wanted}, not {short(text)}"
            notes.error(endpoint.at("address"), endpoint.to("address"), message, text)


def _fits(address: str, resolution: Resolution) -> bool:
    if address.startswith(UNIX):
        return resolution is Resolution.STATIC
    if is_address(address):
        return True
    is_name = HOST.check is not None and HOST.check(address) is None and "*" not in address
    return resolution in BY_NAME and is_name


def _texts(node: Node) -> Iterator[tuple[int, Scalar]]:
    for at, item in enumerate(node.items if isinstance(node, Sequence) else ()):
        if isinstance(item, Scalar):
            yield at, item


ENTRY = Kind(
    name="ServiceEntry",
    group="networking.istio.io",
    versions=("v1", "v1beta1", "v1alpha3"),
    spec=Object(
        (
            Field("hosts", ListOf(HOST, least=1, most=_MOST), required=True),
            Field(
                "addresses",
                ListOf(Text(check=_network, name="address"), most=_MOST),
                effect=Effect.WARNED,
                part=0,
                quiet=True,
                note="calls are known by their host",
            ),
            Field("ports", ListOf(_SERVICE_PORT, most=_MOST)),
            Field(
                "location",
                Text(choices=("MESH_EXTERNAL", "MESH_INTERNAL")),
                effect=Effect.WARNED,
                part=0,
                quiet=True,
                default="MESH_EXTERNAL",
            ),
            Field(
                "resolution",
                Text(choices=tuple(one.value for one in Resolution)),
                default=Resolution.NONE.value,
            ),
            Field("endpoints", ListOf(_ENDPOINT, most=_MOST_ENDPOINTS)),
            Field(
                "workloadSelector",
                Object((Field("labels", MapOf(Text(check=_no_wildcard))),)),
                effect=Effect.WARNED,
                part=0,
                note="pods and workloads are not looked at; say who they are by endpoints=",
            ),
            Field("exportTo", ListOf(TEXT), default=("*",)),
            Field(
                "subjectAltNames",
                ListOf(TEXT),
                effect=Effect.WARNED,
                part=0,
                note="TLS verifies the name of the URL",
            ),
        ),
        rules=(_tell_hosts, _tell_addresses, _tell_ports, _tell_endpoints),
    ),
    build=build_entry,
    shadows=False,
)
