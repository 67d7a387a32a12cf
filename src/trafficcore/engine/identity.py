"""Who this process is, and what it stands for: decides where each rule applies.

A virtual host is a *name with a declared port*, not a Host header: `hosts` says which Hosts stand
for which name. Ports in a Host header are ignored, and a rule's port is compared with the
declared one, never with a socket's (docs/decisions/0007).
"""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from trafficcore.engine.istio_version import always_first
from trafficcore.errors import ConfigError
from trafficcore.spec import Direction, Scope

__all__ = ["Identity", "host_matches", "strip_port"]

_CLUSTER: Final = "cluster.local"

#: Virtual hosts by name, declared port (0: none) and the Hosts they answer to.
Declared = tuple[tuple[str, int, frozenset[str]], ...]


def strip_port(host: str) -> str:
    """Return a host without its port, in lower case and without a trailing dot."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and ":" not in name:
        host = name
    return host.rstrip(".")


def host_matches(pattern: str, host: str) -> bool:
    """Compare a host with a name, `*.suffix` or `*`."""
    if pattern in (host, "*"):
        return True
    return pattern.startswith("*.") and host.endswith(pattern[1:]) and host != pattern[1:]


def _split_name(name: str) -> tuple[str, int]:
    bare = strip_port(name)
    rest = name.strip()[len(bare) :].lstrip(".")
    return bare, int(rest[1:]) if rest.startswith(":") else 0


def _declared(hosts: Mapping[str, Iterable[str]]) -> Declared:
    for name, known in hosts.items():
        if isinstance(known, str):
            raise ConfigError(f"hosts of {name} must be a list of Hosts, not the text {known!r}")
    return tuple(
        (*_split_name(name), frozenset(strip_port(host) for host in (_split_name(name)[0], *known)))
        for name, known in hosts.items()
    )


def _text(labels: Iterable[tuple[str, str]]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels) or "no labels"


def _to_declared(hosts: Mapping[str, Iterable[str]] | Declared) -> Declared:
    return _declared(hosts) if isinstance(hosts, Mapping) else hosts


@attrs.frozen(kw_only=True)
class Identity:
    """The process: `labels`, `namespace`, `gateway`, `locality`, and its `hosts`.

    `hosts` maps a virtual host's name, with or without a port, to the Hosts it answers to. `istio`
    is the version it is held to, None: the newest. `callers` are how many processes of its sort,
    itself among them, run in which locality.
    """

    labels: Mapping[str, str] = attrs.field(factory=dict)
    namespace: str = "default"
    gateway: bool = False
    locality: str = ""
    root_namespace: str = "istio-system"
    hosts: Declared = attrs.field(default=(), converter=_to_declared)
    istio: str | None = None
    callers: Mapping[str, int] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Have a short name mean the service it is short for, as in a manifest."""
        always_first(self.istio)  # raises for what is no version
        for place, count in self.callers.items():
            if not isinstance(count, int) or count < 0:
                raise ConfigError(f"callers of {place} must be a whole number, not {count!r}")
        known = {name for name, _, _ in self.hosts}
        more = [
            (full, port, hosts | {full})
            for name, port, hosts in self.hosts
            for full in self.spellings(name) - known
        ]
        if more:
            object.__setattr__(self, "hosts", (*self.hosts, *more))

    def selects(self, namespace: str, labels: tuple[tuple[str, str], ...]) -> str:
        """Return "" if a rule of this namespace and selector is for this process, else why not."""
        if namespace not in (self.namespace, self.root_namespace):
            return f"namespace {namespace}; this process is in {self.namespace}"
        if any(self.labels.get(key) != value for key, value in labels):
            own = [(key, self.labels[key]) for key, _ in labels if key in self.labels]
            return f"selector {_text(labels)}; this process is {_text(own or self.labels.items())}"
        return ""

    def excludes(self, scope: Scope) -> str:
        """Return "" if the scope takes in this process, else why not."""
        if scope.gateway is not self.gateway:
            return (
                "for gateways; this process is none"
                if scope.gateway
                else ("for workloads; this process is a gateway")
            )
        return self.selects(scope.namespace, scope.labels)

    def spellings(self, host: str) -> set[str]:
        """Return a bare, lower-case host, and the full name Kubernetes makes of a short one."""
        dots = host.count(".")
        if dots == 0:
            return {host, f"{host}.{self.namespace}.svc.{_CLUSTER}"}
        if dots == 1:
            return {host, f"{host}.svc.{_CLUSTER}"}
        if dots == 2 and host.endswith(".svc"):
            return {host, f"{host}.{_CLUSTER}"}
        return {host}

    def names(self, host: str) -> frozenset[str]:
        """Return every name that a bare, lower-case host may stand for."""
        spellings = self.spellings(host)
        return frozenset(spellings.union(*({n} for n, _, known in self.hosts if known & spellings)))

    def takes(self, pattern: str, port: int, host: str) -> bool:
        """Whether a rule for the virtual host or service `pattern`:`port` is about `host`."""
        spellings = self.spellings(host)
        declared = [(name, at) for name, at, known in self.hosts if known & spellings]
        fits = any(host_matches(pattern, spelling) for spelling in spellings)
        if pattern.startswith("*"):  # it speaks of a declared virtual host by any of its Hosts
            fits = fits or any(host_matches(pattern, name) for name, _ in declared)
            ports = [at for _, at in declared]
        else:
            ports = [at for name, at in declared if name == pattern]
        return (fits or bool(ports)) and (not (port and ports) or bool({0, port} & {*ports}))

    def covers(self, scope: Scope, host: str, known: Iterable[str]) -> bool:
        """Whether a scope is about requests to `host`; `known` are all virtual hosts by name.

        Of several partial wildcards and names the most specific takes the host, as in Envoy; `*`
        stands for every virtual host and is always about it.
        """
        if scope.vhost is not None:
            name = scope.vhost.name
            if name.startswith("*.") and self._better(name, host, known):
                return False
            return self.takes(name, scope.vhost.port, host)
        if scope.services:
            return any(self.takes(service.name, service.port, host) for service in scope.services)
        return True

    def _better(self, wildcard: str, host: str, known: Iterable[str]) -> bool:
        """Whether another virtual host's name fits `host` more closely than a wildcard does."""
        names = self.names(host)
        return any(
            other in names
            or (len(other) > len(wildcard) and any(host_matches(other, own) for own in names))
            for other in known
            if other != wildcard
        )

    def about(self, scope: Scope) -> str:
        """Say in words which requests a scope is about."""
        side = "inbound" if scope.direction is Direction.INBOUND else "outbound"
        if scope.vhost is not None:
            port = f":{scope.vhost.port}" if scope.vhost.port else ""
            return f"{side} {scope.vhost.name}{port}"
        if scope.services:
            names = (f"{s.name}:{s.port}" if s.port else s.name for s in scope.services)
            return f"{side} {', '.join(names)}"
        return side
