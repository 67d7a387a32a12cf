"""Records of a scenario file to the scenario's own data; every default is said once, in `spec`."""

from collections.abc import Iterator
from math import inf
from urllib.parse import SplitResult, unquote, urlsplit

from trafficcore.manifest.fields import Record
from trafficcore.manifest.problems import Notes, short
from trafficcore.sim.spec import (
    Distribution,
    Failure,
    Load,
    Process,
    Segment,
    Server,
    Service,
)
from trafficcore.spec import Direction

__all__ = ["build_load", "build_process", "build_services", "default_service"]

_WORK = ("latency", "capacity", "queue", "errors", "error_status")
_MILLISECOND = Distribution("constant", 0.001)


def build_process(record: Record | None) -> Process:
    """Say who the process is."""
    if record is None:
        return Process()
    values = dict(record.values)
    return Process(**values)


def default_service(name: str) -> Service:
    """Return what stands behind a host that no service is written for."""
    return Service(name=name, servers=(Server(address="10.0.0.1:80", latency=_MILLISECOND),))


def build_services(spec: Record, notes: Notes) -> tuple[Service, ...]:
    """Make the services; two of one name, or two servers of one address, are a fault."""
    services = []
    seen: set[str] = set()
    for at, record in enumerate(spec.get("services", ())):
        name = record.values["name"]
        if name in seen:
            message = f"the service {short(name)} is there twice"
            notes.error(record.at("name"), record.to("name"), message, name)
        seen.add(name)
        servers = tuple(_servers(record, at, notes))
        failures = tuple(_failure(item, servers, notes) for item in record.get("failures", ()))
        services.append(Service(name=name, servers=servers, failures=failures))
    return tuple(services)


def _servers(service: Record, at: int, notes: Notes) -> Iterator[Server]:
    own = {name: service.values[name] for name in _WORK if name in service.values}
    own.setdefault("latency", _MILLISECOND)
    records = service.get("endpoints") or (Record(service.node, service.path),)
    number = 0
    seen: set[str] = set()
    for record in records:
        work = own | {name: record.values[name] for name in _WORK if name in record.values}
        for _ in range(record.get("count", 1)):
            number += 1
            given = record.get("address")
            address = given or f"10.{at}.{(number - 1) // 250}.{(number - 1) % 250 + 1}:80"
            if address in seen:
                message = f"the address {short(address)} is there twice"
                notes.error(record.at("address"), record.to("address"), message, address)
            seen.add(address)
            yield Server(
                address=address,
                locality=record.get("locality", ""),
                weight=record.get("weight", 1),
                labels=tuple(record.get("labels", ())),
                **work,
            )


def _failure(record: Record, servers: tuple[Server, ...], notes: Notes) -> Failure:
    known = {str(number) for number in range(1, len(servers) + 1)}
    known |= {server.address for server in servers}
    for name in record.get("endpoints", ()):
        if name not in known:
            message = f"{short(name)} is no endpoint: there are 1 to {len(servers)}"
            notes.error(record.at("endpoints"), record.to("endpoints"), message, name)
    zone = record.get("zone", "")
    if zone and not any(
        server.locality == zone or server.locality.startswith(f"{zone}/") for server in servers
    ):
        message = f"no endpoint is in {short(zone)}"
        notes.error(record.at("zone"), record.to("zone"), message, zone)
    latency = record.get("latency")
    slow_only = latency is not None and not record.has("status")
    return Failure(
        servers=record.get("endpoints", ()),
        zone=zone,
        start=record.get("from", 0),
        end=record.get("until", inf),
        status=record.get("status", 0 if slow_only else 503),
        share=record.get("share", 1),
        refused=record.get("refused", False),
        hangs=record.get("hangs", False),
        latency=latency,
    )


def build_load(record: Record, notes: Notes) -> Load:
    """Make one load."""
    url = _split(record.values["url"])
    if not url.hostname or url.scheme not in ("http", "https", "ws", "wss"):
        wanted = "must be a URL such as http://host/path"
        message = f"{wanted}, not {short(record.values['url'])}"
        notes.error(record.at("url"), record.to("url"), message, record.values["url"])
    host = url.netloc.rpartition("@")[2]
    bursts = record.sub("bursts")
    plain = {
        name: record.values[name]
        for name in (
            "address", "start", "calls", "timeout", "refused_after", "clients", "think",
            "stagger", "warmup_calls", "backoff", "duration",
        )
        if name in record.values
    }  # fmt: skip
    return Load(
        name=record.values["name"],
        host=host,
        path=unquote(url.path) or "/",
        query=url.query,
        method=record.get("method", "GET").upper(),
        scheme=url.scheme,
        direction=Direction(record.get("direction", "inbound")),
        control_point=record.get("control_point", ""),
        headers=tuple((key.lower(), value) for key, value in record.get("headers", ())),
        labels=record.get("labels", ()),
        service=record.get("service", url.hostname or ""),
        segments=tuple(_segments(record)),
        bursts=(bursts.values["size"], float(bursts.values["every"])) if bursts else None,
        poisson=record.get("arrivals") == "poisson",
        **plain,
    )


def _split(text: str) -> SplitResult:
    """Split a URL; one whose host or port cannot be is as good as none."""
    nothing = SplitResult("", "", "", "", "")
    try:
        url = urlsplit(text)
        fine = url.port != 0 and not any(map(str.isspace, url.netloc))
    except ValueError:
        return nothing
    return url if fine else nothing


def _segments(record: Record) -> Iterator[Segment]:
    """Say the rate over time; the last rate of a ramp stays, the last of the steps ends there."""
    if record.has("rate"):
        yield Segment(0, inf, record.values["rate"], record.values["rate"])
    ramp = record.sub("ramp")
    if ramp is not None:
        over, last = ramp.values["over"], ramp.values["to"]
        yield Segment(0, over, ramp.values["from"], last)
        yield Segment(over, inf, last, last)
    at = 0.0
    for step in record.get("steps", ()):
        end = at + step.values["for"]
        yield Segment(at, end, step.values["rate"], step.values["rate"])
        at = end
