"""TC501, TC502, TC503: hosts, ports and routes that nothing declares.

Law    A host is looked for where hosts of its sort are declared at all: a service of the cluster
       where the set has Services of its namespace, another name where it has routes (inbound), or
       routes and ServiceEntries (outbound), and any where the command line says what the process
       stands for. The rest may be declared elsewhere.
"""

import re
from collections.abc import Iterator

from trafficcore.engine.identity import host_matches
from trafficcore.judge.case import Case
from trafficcore.manifest.fields import nearest
from trafficcore.manifest.problems import Problem, short
from trafficcore.spec import BreakRule, Direction, RateLimitRule, VirtualHost

__all__ = ["undeclared"]

_Rule = RateLimitRule | BreakRule

_CLUSTER = ".svc.cluster.local"
#: Names that Knative makes for revisions; nobody declares them.
_REVISION = re.compile(r"-\d{5}(-private)?\.")
_ROUTING = frozenset(("VirtualService", "Ingress"))
_OUTSIDE = {Direction.INBOUND: _ROUTING, Direction.OUTBOUND: _ROUTING | {"ServiceEntry"}}
#: What Istio calls the route of a host that no VirtualService routes.
_OWN_ROUTES = frozenset(("default", "allow_any", "block_all"))
#: Likeness is slow to find, and a set with more names that are wrong has another trouble.
_SUGGESTIONS = 50
_MOST_NAMES = 500


def undeclared(case: Case) -> Iterator[Problem]:
    """Judge the hosts, ports and route names of limits and breakers."""
    known = _Known(case)
    routes = _Routes(case)
    rules: tuple[_Rule, ...] = (*case.policy.limits, *case.policy.breakers)
    for rule in rules:
        vhost = rule.scope.vhost
        if vhost is not None:
            path = f"{rule.source.path}.match.vhost"
            yield from _host(rule, vhost.name, vhost.port, path, known, case)
            yield from _route(rule, vhost, path, routes, case)
        for service in rule.scope.services:
            path = f"{rule.source.path}.target_services"
            yield from _host(rule, service.name, service.port, path, known, case)


def _host(
    rule: _Rule, name: str, port: int, path: str, known: "_Known", case: Case
) -> Iterator[Problem]:
    at = path if path.endswith("services") else f"{path}.name"
    if known.lacks(name, rule.scope.direction):
        meant = known.nearest(name)
        message = f"nothing declares the host {name}"
        message += f"; did you mean {meant}?" if meant else ""
        yield case.tell("TC501", rule.source, at, message, name)
        return
    ports = known.ports(name)
    if port and ports and port not in ports:
        at = path if path.endswith("services") else f"{path}.port"
        message = f"{name} has {', '.join(map(str, sorted(ports)))}, not {port}"
        yield case.tell("TC502", rule.source, at, message, str(port))


def _route(
    rule: _Rule, vhost: VirtualHost, path: str, routes: "_Routes", case: Case
) -> Iterator[Problem]:
    if not vhost.route or vhost.route in _OWN_ROUTES:
        return
    names = routes.of(vhost.name)
    if vhost.route not in names:
        meant = nearest(vhost.route, sorted(names)) if names else ""
        message = f"{vhost.name} has no route {short(vhost.route)}"
        if not names:
            message = f"nothing declares a route of {vhost.name}: the rule is about no request"
        message += f"; did you mean {meant}?" if meant else ""
        yield case.tell("TC503", rule.source, f"{path}.route.name_match", message, vhost.route)


class _Known:
    """What is declared, by name and by the sorts of names there are."""

    def __init__(self, case: Case) -> None:
        self._names: set[str] = set()
        self._ports: dict[str, set[int]] = {}
        self._domains: set[str] = set()
        self._kinds: set[str] = set()
        self._stands = bool(case.identity.hosts)
        self._suggested: dict[str, str] = {}
        for host in case.declared.hosts:
            self._names.add(host.name)
            self._ports.setdefault(host.name, set()).update(host.ports)
            if host.kind == "Service":
                self._domains.add(_domain(host.name))
            elif not host.name.endswith(_CLUSTER):
                self._kinds.add(host.kind)
        for name, port, _ in case.identity.hosts:
            full = next(iter(case.identity.names(name) - {name}), name)
            self._names.update((name, full))
            if port:
                self._ports.setdefault(full, set()).add(port)
        self._wild = [name for name in self._names if name.startswith("*")]

    def lacks(self, name: str, direction: Direction) -> bool:
        """Whether the name should be declared and is not."""
        if name in ("", "*") or name in self._names or _REVISION.search(name):
            return False
        if name.startswith("*"):
            return self._sorted(name, direction) and not any(
                host_matches(name, known) for known in self._names
            )
        return self._sorted(name, direction) and not any(
            host_matches(wild, name) for wild in self._wild
        )

    def _sorted(self, name: str, direction: Direction) -> bool:
        if self._stands:
            return True
        if name.endswith(_CLUSTER):
            return _domain(name) in self._domains
        return bool(self._kinds & _OUTSIDE[direction])

    def ports(self, name: str) -> set[int]:
        return self._ports.get(name, set())

    def nearest(self, name: str) -> str:
        """Return the declared name that was most likely meant, or ""."""
        if name not in self._suggested and len(self._suggested) < _SUGGESTIONS:
            self._suggested[name] = self._nearest(name)
        return self._suggested.get(name, "")

    def _nearest(self, name: str) -> str:
        if not name.endswith(_CLUSTER):
            others = sorted(it for it in self._names if not it.endswith(_CLUSTER))
            return nearest(name, others[:_MOST_NAMES], 0.8)
        first, _, domain = name.partition(".")
        firsts = {known.partition(".")[0]: known for known in sorted(self._names)}
        own = [it for it in firsts if f"{it}.{domain}" in self._names]
        meant = nearest(first, own[:_MOST_NAMES])
        return f"{meant}.{domain}" if meant else firsts.get(first, "")


def _domain(name: str) -> str:
    return name.partition(".")[2]


class _Routes:
    """The names of routes by the host they are for."""

    def __init__(self, case: Case) -> None:
        self._of: dict[str, set[str]] = {}
        for service in case.declared.virtual_services:
            names = {name for route in service.routes for name in route.names}
            for host in service.hosts:
                self._of.setdefault(host, set()).update(names)
        self._wild = [host for host in self._of if host.startswith("*")]

    def of(self, host: str) -> set[str]:
        """Return the names of the routes that a virtual host may have."""
        found = set(self._of.get(host, ()))
        for wild in self._wild:
            if host_matches(wild, host):
                found |= self._of[wild]
        if host.startswith("*"):
            for name, names in self._of.items():
                if host_matches(host, name):
                    found |= names
        return found
