"""What documents beside the policies declare: hosts with their ports, routes with their matches.

Read as far as it can be: a Service, a VirtualService or a Knative Ingress with something odd in it
declares less, and is never a fault; the mesh has its own checks for them. What acts (the timeout
and retries of a route, a ServiceEntry by its own table) is held to its fields.
"""

from collections.abc import Iterator

import attrs

from trafficcore.manifest.nodes import Mapping, Node, Scalar, Sequence
from trafficcore.manifest.peek import child, entries_of, items_of, text_of, texts_of, written
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.retries import read_route
from trafficcore.spec import (
    DeclaredHosts,
    DeclaredRoute,
    Retries,
    RouteTarget,
    RouteTest,
    Source,
    full_name,
    is_address,
)

__all__ = ["DECLARING", "Condition", "Declared", "Host", "Route", "VirtualService", "declare"]

#: Kinds that declare something, with the group of those whose name alone does not say it.
DECLARING = {
    "Service": "",
    "ServiceEntry": "networking.istio.io",
    "VirtualService": "networking.istio.io",
    "Ingress": "networking.internal.knative.dev",
}


@attrs.frozen(kw_only=True)
class Host:
    """A host that something declares; no ports: any, `endpoints` None: nobody knows how many."""

    kind: str
    name: str
    ports: frozenset[int] = frozenset()
    endpoints: int | None = None


#: One test of a request: its part, which of these, how, and with what.
Condition = tuple[str, str, str, str]


@attrs.frozen(kw_only=True)
class Route:
    """One entry of `spec.http`; no `matches` takes every request, and so does an empty one."""

    name: str
    path: str
    matches: tuple[tuple[str, frozenset[Condition]], ...]
    to: tuple[RouteTarget, ...] = ()
    retries: Retries | None = None

    @property
    def names(self) -> frozenset[str]:
        """What its routes are called: `<http name>.<match name>` where the match has a name."""
        named = {f"{self.name}.{name}" if name else self.name for name, _ in self.matches}
        return frozenset(named or {self.name}) - {""}


@attrs.frozen(kw_only=True)
class VirtualService:
    """Hosts at gateways (`mesh`: the sidecars), and the routes that are tried in their order."""

    source: Source
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    routes: tuple[Route, ...]


@attrs.frozen(kw_only=True)
class Declared:
    """All that the documents of one run declare.

    `together` are hosts that stand for one virtual host without being routed by name.
    """

    hosts: tuple[Host, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()

    def for_engine(self) -> tuple[DeclaredHosts, ...]:
        """Return what rules look at: hosts that belong together, and routes in their order."""
        routed = tuple(
            DeclaredHosts(
                hosts=it.hosts,
                gateways=it.gateways,
                routes=tuple(one for route in it.routes for one in _flat(route)),
            )
            for it in self.virtual_services
        )
        return (*routed, *(DeclaredHosts(hosts=hosts) for hosts in self.together))


def _flat(route: Route) -> list[DeclaredRoute]:
    """Return a route for each of its matches, called after both."""
    if not route.matches:
        return [DeclaredRoute(name=route.name, to=route.to, retries=route.retries)]
    return [
        DeclaredRoute(
            name=f"{route.name}.{name}" if name else route.name,
            tests=tuple(RouteTest(*condition) for condition in sorted(conditions)),
            to=route.to,
            retries=route.retries,
        )
        for name, conditions in route.matches
    ]


def declare(node: Mapping, source: Source, notes: Notes) -> Declared:
    """Read one document of a kind that declares."""
    spec = child(node, "spec")
    if source.kind == "Service":
        name = full_name(source.name, source.namespace)
        ports = _ports(spec, "port", "targetPort")
        return Declared(hosts=(Host(kind=source.kind, name=name, ports=ports),))
    if source.kind == "ServiceEntry":
        return _entry(spec, source)
    if source.kind == "VirtualService":
        return _virtual_service(spec, source, notes)
    return _ingress(spec, source)


# -- hosts ---------------------------------------------------------------------------------------


def _ports(spec: Node | None, *names: str) -> frozenset[int]:
    texts = (
        text_of(child(item, name)) for item in items_of(child(spec, "ports")) for name in names
    )
    return frozenset(int(text) for text in texts if text.isdecimal() and len(text) <= 5)


def _entry(spec: Node | None, source: Source) -> Declared:
    addresses = [text_of(child(item, "address")) for item in items_of(child(spec, "endpoints"))]
    known = bool(addresses) and all(map(is_address, addresses))
    return Declared(
        hosts=tuple(
            Host(
                kind=source.kind,
                name=full_name(host, source.namespace),
                ports=_ports(spec, "number", "targetPort"),
                endpoints=len(addresses) if known else None,
            )
            for host in texts_of(child(spec, "hosts"))
        )
    )


def _ingress(spec: Node | None, source: Source) -> Declared:
    """Read the hosts of a Knative Ingress, and the services of the revisions behind them."""
    groups: list[tuple[str, ...]] = []
    for rule in items_of(child(spec, "rules")):
        names = texts_of(child(rule, "hosts"))
        for path in items_of(child(child(rule, "http"), "paths")):
            for split in items_of(child(path, "splits")):
                revision = text_of(child(split, "serviceName"))
                namespace = text_of(child(split, "serviceNamespace")) or source.namespace
                if revision:
                    names += [
                        full_name(name, namespace) for name in (revision, f"{revision}-private")
                    ]
        groups.append(tuple(dict.fromkeys(full_name(name, source.namespace) for name in names)))
    full = dict.fromkeys(name for group in groups for name in group)
    hosts = tuple(Host(kind=source.kind, name=name) for name in full)
    return Declared(hosts=hosts, together=tuple(groups))


# -- routes --------------------------------------------------------------------------------------

_TEXT_PARTS = ("uri", "scheme", "method", "authority")
_MAP_PARTS = ("headers", "withoutHeaders", "queryParams")
_SAYS_NOTHING = frozenset(("name", "statPrefix", "ignoreUriCase"))
_HOW = ("exact", "prefix", "regex")


def _virtual_service(spec: Node | None, source: Source, notes: Notes) -> Declared:
    names = tuple(full_name(host, source.namespace) for host in texts_of(child(spec, "hosts")))
    routes = tuple(
        Route(
            name=text_of(child(item, "name")),
            path=f"{source.path}.http[{at}]",
            matches=tuple((text_of(child(it, "name")), _conditions(it)) for it in _matches(item)),
            to=tuple(_targets(item, source.namespace)),
            retries=read_route(_there(item), f"{source.path}.http[{at}]", notes),
        )
        for at, item in enumerate(items_of(child(spec, "http")))
        if isinstance(item, Mapping)
    )
    service = VirtualService(
        source=source,
        hosts=names,
        gateways=tuple(texts_of(child(spec, "gateways"))) or ("mesh",),
        routes=routes,
    )
    hosts = tuple(Host(kind=source.kind, name=name) for name in names)
    return Declared(hosts=hosts, virtual_services=(service,))


def _targets(route: Mapping, namespace: str) -> Iterator[RouteTarget]:
    """Yield where a route leads; one of several that has no weight gets nothing, as in Istio."""
    parts = [it for it in items_of(child(route, "route")) if isinstance(it, Mapping)]
    for part in parts:
        to, weight = child(part, "destination"), text_of(child(part, "weight"))
        share = int(weight) if weight.isdecimal() and len(weight) <= 9 else 0
        if share or len(parts) == 1:
            yield RouteTarget(
                host=full_name(text_of(child(to, "host")), namespace),
                subset=text_of(child(to, "subset")),
                weight=share or 1,
            )


def _there(route: Mapping) -> dict[str, Node]:
    """Return the fields of a route that hold anything."""
    return {
        key.text: value
        for key, value in route.entries
        if not (isinstance(value, Scalar) and value.is_null)
    }


def _matches(route: Mapping) -> list[Node]:
    match = child(route, "match")
    if match is None or isinstance(match, Sequence):
        return items_of(match)
    return [] if isinstance(match, Scalar) and match.is_null else [match]


def _conditions(match: Node) -> frozenset[Condition]:
    if not isinstance(match, Mapping):  # it is no match at all, and takes nothing for sure
        return frozenset({("match", "", "is", written(match))})
    any_case = text_of(child(match, "ignoreUriCase")) == "true"
    found: list[Condition] = []
    for key, value in entries_of(match):
        part = key.text
        if part in _TEXT_PARTS:
            found.append(_test("uri, any case" if part == "uri" and any_case else part, "", value))
        elif part in _MAP_PARTS:
            found += [_test(part, name.text, test) for name, test in entries_of(value)]
        elif part == "gateways":
            found.append((part, "", "in", ",".join(texts_of(value))))
        elif part not in _SAYS_NOTHING:
            found.append((part, "", "is", written(value)))
    return frozenset(found)


def _test(part: str, name: str, node: Node) -> Condition:
    name = name.lower() if part in ("headers", "withoutHeaders") else name
    for how in _HOW:
        value = child(node, how)
        if value is not None:
            text = text_of(value)
            return (part, name, how, text.lower() if part.endswith("any case") else text)
    return (part, name, "present", "")
