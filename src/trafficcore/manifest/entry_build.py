"""From the fields of a ServiceEntry to the `ServiceEntry` that each of its hosts becomes.

Law    a call keeps its own port where the endpoints listen on the ports of the service. Where they
       listen on another, by `endpoints[].ports` or `targetPort`, every call to the service goes
       there; of a service with several ports that cannot be, and calls go to the address they name.
"""

from typing import Any, Final

from trafficcore.manifest.common import Document
from trafficcore.manifest.fields import Record
from trafficcore.manifest.problems import Notes
from trafficcore.spec import EndpointSpec, Resolution, ServiceEntry, full_name

__all__ = ["AS_NAMED", "BY_NAME", "UNIX", "build_entry", "resolution_of"]

UNIX: Final = "unix://"
#: Resolutions whose endpoints are names to look up, and those that have none.
BY_NAME: Final = (Resolution.DNS, Resolution.DNS_ROUND_ROBIN)
AS_NAMED: Final = (Resolution.NONE, Resolution.DYNAMIC_DNS)


def resolution_of(record: Record) -> Resolution:
    """Return how calls to the service find their address."""
    return Resolution(record.get("resolution", Resolution.NONE.value))


def build_entry(spec: Record, document: Document, notes: Notes) -> list[Any]:
    """Return a `ServiceEntry` for each host."""
    hosts = [full_name(host.removesuffix("."), document.namespace) for host in spec.values["hosts"]]
    resolution = resolution_of(spec)
    idle = _idle(spec, notes)
    return [
        ServiceEntry(
            source=document.source(spec.node, spec.path, host if len(hosts) > 1 else ""),
            host=host,
            namespace=document.namespace,
            resolution=resolution,
            ports=tuple(port.values["number"] for port in spec.get("ports", ())),
            endpoints=() if idle else _endpoints(spec, host, resolution),
            export_to=spec.get("exportTo") or ("*",),
            idle=idle,
        )
        for host in dict.fromkeys(hosts)
    ]


def _idle(spec: Record, notes: Notes) -> str:
    """Return why the endpoints cannot be used here, "" where they can."""
    resolution = resolution_of(spec)
    if resolution in AS_NAMED:
        return f"resolution {resolution.value}"
    if spec.has("workloadSelector"):
        return "a workloadSelector"
    ports = spec.get("ports", ())
    moved = [one for one in spec.get("endpoints", ()) if _moved(one, ports)]
    if len(ports) > 1 and (moved or (not spec.has("endpoints") and _moved(None, ports))):
        at = moved[0] if moved and moved[0].has("ports") else spec
        message = (
            "has no effect in process where there are several and endpoints listen on others:"
            " calls go to the address they name"
        )
        notes.warn("TC902", at.key("ports"), at.to("ports"), message)
        return "several ports, and endpoints that listen on others"
    if resolution is Resolution.STATIC and not _usable(spec):
        message = "STATIC without endpoints: every call is refused, 503"
        notes.warn("TC314", spec.at("resolution"), spec.to("resolution"), message, "STATIC")
    return ""


def _usable(spec: Record) -> list[Record]:
    """Return the endpoints that a client can connect to."""
    found = [(one, one.get("address", "")) for one in spec.get("endpoints", ())]
    return [one for one, address in found if address and not address.startswith(UNIX)]


def _target(endpoint: Record | None, port: Record) -> int:
    """Return where an endpoint listens for a port of the service."""
    own = dict(endpoint.get("ports", ())) if endpoint is not None else {}
    target: int = own.get(port.values["name"]) or port.get("targetPort") or port.values["number"]
    return target


def _moved(endpoint: Record | None, ports: tuple[Record, ...]) -> bool:
    return any(_target(endpoint, port) != port.values["number"] for port in ports)


def _endpoints(spec: Record, host: str, resolution: Resolution) -> tuple[EndpointSpec, ...]:
    ports = spec.get("ports", ())
    if resolution in BY_NAME and not spec.has("endpoints"):
        return (EndpointSpec(_at(host, None, ports)),)
    found: dict[str, EndpointSpec] = {}
    for one in _usable(spec):
        address = _at(one.values["address"], one, ports)
        weight = one.get("weight") or 1
        found.setdefault(
            address, EndpointSpec(address, one.get("locality", ""), weight, one.get("labels", ()))
        )
    return tuple(found.values())


def _at(host: str, endpoint: Record | None, ports: tuple[Record, ...]) -> str:
    """Write an address, with its port where that is not the one that calls are for."""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{_target(endpoint, ports[0])}" if _moved(endpoint, ports) else host
