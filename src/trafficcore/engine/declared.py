"""Routes by name: which of the declared routes a request takes, and so which rules are about it.

Law    Of the routes that are declared for a virtual host, in their order, a request takes the
       first whose tests all hold. A rule with a route's name is about the requests that take a
       route of that name, and about no other. Hosts that are declared together are one virtual
       host. A test of something that a process cannot see never holds.
Source Istio's VirtualService; names of matches as it gives them to Envoy's routes.
"""

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import parse_qsl

import attrs

from trafficcore.engine.facts import Facts
from trafficcore.engine.identity import Declared as Hosts
from trafficcore.engine.identity import Identity, host_matches, strip_port
from trafficcore.engine.match import Predicate, text_test
from trafficcore.spec import DeclaredHosts, DeclaredRoute, Op, RouteTest, VirtualHost

__all__ = ["RouteNames", "with_declared"]

_OPS = {"exact": Op.EXACT, "prefix": Op.PREFIX, "regex": Op.REGEX, "present": Op.PRESENT}
_READ: dict[str, Callable[[Facts], str]] = {
    "uri": lambda facts: facts.path,
    "uri, any case": lambda facts: facts.path.lower(),
    "scheme": lambda facts: facts.scheme,
    "method": lambda facts: facts.method,
    "authority": lambda facts: facts.host,
}
_MESH = "mesh"
#: What Istio calls a route without a name.
_OWN = "default"


def with_declared(identity: Identity, declared: Iterable[DeclaredHosts]) -> Identity:
    """Return an identity that also stands for the hosts that documents declare together."""
    more: list[tuple[str, int, frozenset[str]]] = []
    for group in declared:
        bare = frozenset(strip_port(host) for host in group.hosts if "*" not in host)
        if len(bare) > 1:
            more += [(host, 0, bare) for host in sorted(bare)]
    hosts: Hosts = (*identity.hosts, *more)
    return attrs.evolve(identity, hosts=hosts) if more else identity


class RouteNames:
    """The declared routes of every virtual host, for one process."""

    def __init__(self, declared: Sequence[DeclaredHosts], identity: Identity) -> None:
        self._declared = [
            group for group in declared if group.routes and _serves(group.gateways, identity)
        ]
        self._identity = identity
        self._compiled: dict[int, list[tuple[str, list[Predicate]]]] = {}

    def missing(self, vhost: VirtualHost) -> str:
        """Return "" if a route of this name is declared for the virtual host, else why not."""
        routes = self._routes(vhost.name)
        if any((name or _OWN) == vhost.route for name, _ in routes):
            return ""
        if not routes:
            unnamed = vhost.route == _OWN
            return "" if unnamed else f"route {vhost.route!r} is not known: nothing declares it"
        known = ", ".join(dict.fromkeys(name for name, _ in routes if name)) or "none"
        return f"route {vhost.route!r} is not declared for {vhost.name}; known: {known}"

    def test(self, vhost: VirtualHost) -> Predicate:
        """Return whether a request takes a route of the virtual host by that name."""
        routes, wanted = self._routes(vhost.name), vhost.route

        def holds(facts: Facts) -> bool:
            for name, tests in routes:
                if all(test(facts) for test in tests):
                    return (name or _OWN) == wanted
            return not routes

        return holds

    @property
    def any_retries(self) -> bool:
        """Whether any route says something of timeout and retries."""
        return any(route.retries for group in self._declared for route in group.routes)

    def routes_of(self, spellings: Iterable[str]) -> list[tuple[list[Predicate], DeclaredRoute]]:
        """Return the routes of a host by its names, in order, each with its tests."""
        names = frozenset(spellings)
        groups = [
            group
            for group in self._declared
            if any(host_matches(host, name) for host in group.hosts for name in names)
        ]
        groups.sort(key=lambda group: names.isdisjoint(group.hosts))
        return [
            (tests, route)
            for group in groups
            for (_, tests), route in zip(self._of(group), group.routes, strict=True)
        ]

    def _routes(self, name: str) -> list[tuple[str, list[Predicate]]]:
        """Return the routes of a virtual host in order; those of exact hosts before wildcards."""
        groups = [
            group
            for group in self._declared
            if name == "*" or any(host_matches(host, name) for host in group.hosts)
        ]
        groups.sort(key=lambda group: name not in group.hosts)
        return [route for group in groups for route in self._of(group)]

    def _of(self, group: DeclaredHosts) -> list[tuple[str, list[Predicate]]]:
        found = self._compiled.get(id(group))
        if found is None:
            found = self._compiled[id(group)] = [
                (route.name, [self._compile(test) for test in route.tests])
                for route in group.routes
            ]
        return found

    def _compile(self, test: RouteTest) -> Predicate:
        part = test.part
        if part == "gateways":
            serves = _serves(tuple(test.value.split(",")), self._identity)
            return lambda _: serves
        if part == "port":  # it is the declared one's, and ports of a Host are not looked at
            return lambda _: True
        return _text(test) if test.how in _OPS else _never


def _never(_facts: Facts) -> bool:
    return False


def _text(test: RouteTest) -> Predicate:
    name, holds = test.name, text_test(_OPS[test.how], test.value)
    if test.part in ("headers", "withoutHeaders"):
        wanted = test.part == "headers"
        return lambda facts: _present(facts.header(name), holds) is wanted
    if test.part == "queryParams":
        return lambda facts: any(
            key == name and holds(text)
            for key, text in parse_qsl(facts.query, keep_blank_values=True)
        )
    read = _READ.get(test.part)
    return _never if read is None else lambda facts: holds(read(facts))


def _present(value: str | None, holds: Callable[[str], bool]) -> bool:
    return value is not None and holds(value)


def _serves(gateways: tuple[str, ...], identity: Identity) -> bool:
    """Whether routes of these gateways are for the process: `mesh` is for sidecars."""
    named = [name for name in gateways if name != _MESH]
    return bool(named) if identity.gateway else _MESH in gateways
