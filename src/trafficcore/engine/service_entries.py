"""ServiceEntries at work: which of them say who answers for a host, and what they say together.

Law    what `endpoints=` says of a host goes before any entry. Of the entries that this process may
       see (`exportTo`) those of its own namespace decide, else those of the first namespace that
       has any; the first of them decides how addresses are found, and those that agree with it
       add their endpoints. A host whose entries name no endpoints has no cluster: calls to it go
       to the address they name.
Source Istio: visibility of services, preference for the own namespace, merging of entries of a host
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from trafficcore.engine.feed import Feed
from trafficcore.engine.identity import Identity, strip_port
from trafficcore.engine.rule import Rule
from trafficcore.engine.stock import Stock
from trafficcore.spec import EndpointSpec, Resolution, ServiceEntry

if TYPE_CHECKING:
    from trafficcore.engine.compile import Build

__all__ = ["EntrySet", "compile_entries"]

AS_NAMED: Final = "calls go to the address they name"


@attrs.frozen
class EntrySet:
    """What entries say: endpoints and deciding rules by `host` or `host:port`.

    `rules` are those of all entries, in their order; `why` says of hosts why there is nothing.
    """

    given: dict[str, tuple[EndpointSpec, ...] | Feed] = attrs.field(factory=dict)
    deciding: dict[str, tuple[Rule, ...]] = attrs.field(factory=dict)
    rules: list[Rule] = attrs.field(factory=list)
    why: dict[str, str] = attrs.field(factory=dict)


def compile_entries(
    entries: Sequence[ServiceEntry], build: "Build", stock: Stock, taken: Iterable[str]
) -> EntrySet:
    """Return what the entries say; `taken` are services whose endpoints are given already."""
    found, identity = EntrySet(), build.identity
    own = {name for key in taken for name in identity.spellings(strip_port(key))}
    by_host: dict[str, list[ServiceEntry]] = {}
    for entry in entries:
        by_host.setdefault(entry.host, []).append(entry)
    rules: dict[int, Rule] = {}
    for host, group in by_host.items():
        using, reasons = _choose(group, identity, taken=host in own)
        names = bool(using) and using[0].resolution is Resolution.DNS
        if names and build.finding.discover is None:
            reasons |= {id(one): "names are looked up by engines that were loaded" for one in using}
            using = []
        for entry in group:
            rules[id(entry)] = _rule(entry, reasons.get(id(entry), ""), stock)
        if not using:
            idle = next((one for one in group if one.idle), None)
            found.why[host] = "" if idle is None else f"{idle.source} has {idle.idle}: {AS_NAMED}"
            continue
        key = _key(host, using)
        found.deciding[key] = tuple(rules[id(entry)] for entry in using)
        specs = _together(using)
        found.given[key] = _feed(key, specs, build, stock) if names else specs
    found.rules.extend(rules[id(entry)] for entry in entries)
    return found


def _feed(key: str, specs: tuple[EndpointSpec, ...], build: "Build", stock: Stock) -> Feed:
    """Return what looks the names up; as long as they stay, so do their addresses."""
    discover: Any = build.finding.discover
    return stock.take(("feed", key, specs), lambda: Feed(strip_port(key), discover(specs)))


def _choose(
    group: list[ServiceEntry], identity: Identity, *, taken: bool
) -> tuple[list[ServiceEntry], dict[int, str]]:
    """Return the entries of one host that say who answers, and why the others do not."""
    reasons: dict[int, str] = {}
    seen: list[ServiceEntry] = []
    for entry in group:
        if _sees(entry, identity):
            seen.append(entry)
        else:
            names = ", ".join(entry.export_to)
            reasons[id(entry)] = f"exported to {names}; this process is in {identity.namespace}"
    if taken:
        reasons |= {id(entry): "endpoints= says who they are" for entry in seen}
        return [], reasons
    using: list[ServiceEntry] = []
    ours = [one for one in seen if one.namespace == identity.namespace]
    for entry in seen:
        first = (ours or seen)[0]
        if entry.namespace != first.namespace:
            reasons[id(entry)] = f"{first.source} decides"
        elif entry.idle:
            reasons[id(entry)] = f"it has {entry.idle}: {AS_NAMED}"
        elif first.idle or entry.resolution is not first.resolution:
            reasons[id(entry)] = f"{first.source} decides, by resolution {first.resolution.value}"
        else:
            using.append(entry)
    return using, reasons


def _sees(entry: ServiceEntry, identity: Identity) -> bool:
    """Whether an entry is exported to the process."""
    own = identity.namespace
    return any(
        name in ("*", own) or (name == "." and entry.namespace == own) for name in entry.export_to
    )


def _together(using: list[ServiceEntry]) -> tuple[EndpointSpec, ...]:
    """Return the endpoints of all; of one that is there twice the first stands."""
    found: dict[str, EndpointSpec] = {}
    for entry in using:
        for endpoint in entry.endpoints:
            found.setdefault(endpoint.address, endpoint)
    return tuple(found.values())


def _key(host: str, using: list[ServiceEntry]) -> str:
    """Name the one port of a service, for the settings of a rule that are for that port."""
    ports = {port for entry in using for port in entry.ports}
    return f"{host}:{ports.pop()}" if len(ports) == 1 else host


def _rule(entry: ServiceEntry, why_not: str, stock: Stock) -> Rule:
    about = f"outbound {entry.host}"

    def renew(rule: Rule) -> None:
        rule.source, rule.about, rule.why_not = entry.source, about, why_not

    key = ("rule", "entry", entry.host, entry.namespace, entry.source.name)
    return stock.take(key, lambda: Rule(entry.source, about, why_not), renew)
