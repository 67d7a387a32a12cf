"""What a ServiceEntry means: who may see it, and where calls to its host go."""

from trafficcore.explain.meaning import Meaning
from trafficcore.explain.words import count, listed
from trafficcore.spec import EndpointSpec, Resolution, ServiceEntry

__all__ = ["entry_meanings", "goes_to"]

#: More endpoints than these are counted and not named.
_NAMED = 5


def entry_meanings(entry: ServiceEntry) -> tuple[Meaning, ...]:
    """Return what one host of a ServiceEntry means."""
    where = _where(entry)
    return (
        Meaning("process", f"processes {where}", f"For processes {where}."),
        Meaning("requests", f"outbound {entry.host}", f"It looks at calls to {entry.host}."),
        Meaning("endpoints", _short(entry), f"A call goes {goes_to(entry)}."),
    )


def _where(entry: ServiceEntry) -> str:
    if "*" in entry.export_to:
        return "of every namespace"
    names = [entry.namespace if name == "." else name for name in entry.export_to]
    return f"in {listed(names, 'or')}"


def _short(entry: ServiceEntry) -> str:
    if entry.idle:
        return f"as named, {entry.idle}"
    said = ", ".join(_written(endpoint) for endpoint in entry.endpoints)
    return f"{entry.resolution.value} {said}".rstrip()


def goes_to(entry: ServiceEntry) -> str:
    """Say where a call goes, as the end of a sentence."""
    if entry.idle:
        return f"to the address it names: the entry has {entry.idle}"
    if not entry.endpoints:
        return "nowhere: no endpoint is listed, and it is refused 503"
    named = listed([_written(one) for one in entry.endpoints[:_NAMED]])
    if len(entry.endpoints) > _NAMED:
        named = f"{named} and {len(entry.endpoints) - _NAMED} more"
    if entry.resolution is Resolution.STATIC:
        one = f"one of {count(len(entry.endpoints), 'endpoint')}"
        return f"to {one}: {named}" if len(entry.endpoints) > 1 else f"to {named}"
    if entry.resolution is Resolution.DNS:
        return f"to one of the addresses of {named}, looked up anew as their records run out"
    return f"to {named}, whose address each new connection looks up"


def _written(endpoint: EndpointSpec) -> str:
    return f"{endpoint.address} ({endpoint.locality})" if endpoint.locality else endpoint.address
