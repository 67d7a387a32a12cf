"""Endpoints and DestinationRules to clusters: which rule decides for which service."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import attrs

from trafficcore.core.balance import Endpoint, SlowStart, ZoneAware
from trafficcore.engine.cluster import Cluster
from trafficcore.engine.declared import RouteNames
from trafficcore.engine.discovery import source_of
from trafficcore.engine.endpoints import read_endpoints
from trafficcore.engine.feed import Feed
from trafficcore.engine.hashing import Hashing
from trafficcore.engine.identity import Identity, host_matches, strip_port
from trafficcore.engine.istio_locality import Assignment, assign, assign_zone_aware
from trafficcore.engine.istio_outlier import envoy_settings
from trafficcore.engine.membership import Membership
from trafficcore.engine.merging import alike, merged
from trafficcore.engine.picking import Draw, hosts_picker
from trafficcore.engine.rule import Rule
from trafficcore.engine.service_entries import compile_entries
from trafficcore.engine.stock import Stock
from trafficcore.engine.subsets import Service, SubsetEntry
from trafficcore.engine.target import Target
from trafficcore.errors import ConfigError
from trafficcore.spec import (
    Destination,
    EndpointSpec,
    LocalityLb,
    Policy,
    Subset,
    TrafficPolicy,
)

if TYPE_CHECKING:
    from trafficcore.engine.compile import Build

__all__ = ["ClusterSet", "compile_clusters"]

PASSTHROUGH = "PASSTHROUGH"


@attrs.frozen
class ClusterSet:
    """The services by the names that requests may call them by, and all their clusters."""

    all: tuple[Cluster, ...]
    feeds: tuple[Feed, ...]
    _by_name: Mapping[str, Service]
    _identity: Identity

    def service(self, host: str) -> Service | None:
        """Return the service that a bare, lower-case host means: by its name, then by wildcard."""
        names = sorted(self._identity.names(host))
        for name in names:
            if name in self._by_name:
                return self._by_name[name]
        wild = (key for key in self._by_name if key.startswith("*."))
        fitting = [key for key in wild if any(host_matches(key, name) for name in names)]
        return self._by_name[max(fitting, key=len)] if fitting else None

    def find(self, host: str) -> Cluster | None:
        """Return the cluster of all endpoints of the service that a host means."""
        service = self.service(host)
        return None if service is None else service.targets[""].cluster

    def choosing(self, routes: RouteNames, draw: Draw | None) -> list[SubsetEntry]:
        """Return the rule that chooses among the clusters of a service, if any has subsets."""
        if all(len(service.targets) == 1 for service in self._by_name.values()):
            return []
        return [SubsetEntry(self.service, routes.routes_of, self._identity.spellings, draw)]


def compile_clusters(policy: Policy, build: "Build", stock: Stock, rules: list[Rule]) -> ClusterSet:
    """Make a cluster of each service with endpoints, under the rule most specific for it."""
    identity, destinations = build.identity, policy.destinations
    entries = compile_entries(policy.entries, build, stock, build.endpoints)
    given = {key: _given(key, value, stock) for key, value in build.endpoints.items()}
    given |= entries.given
    deciding: dict[int, list[str]] = {}
    chosen: dict[str, Destination | None] = {}
    whole: dict[str, Destination] = {}
    for key in given:
        chosen[key] = best = _deciding(destinations, strip_port(key), identity)
        if best is None:
            continue
        whole[key] = merged(best, destinations)
        if _policy(whole[key], key).simple != PASSTHROUGH:
            deciding.setdefault(id(best), []).append(key)
    made: dict[int, Rule] = {}
    for spec in destinations:
        first = next((it for it in whole.values() if alike(it, spec)), spec)
        why = f"part of {first.source}, the first of its host: its subsets are there"
        idle = entries.why if first.source == spec.source else {spec.host: why}
        rule = _rule(spec, identity, deciding.get(id(spec), []), stock, idle)
        made[id(spec)] = rule
        rules.append(rule)
    rules += entries.rules
    services: dict[str, Service] = {}
    for key, endpoints in given.items():
        spec_of = chosen[key]
        rule_of = None if spec_of is None else made[id(spec_of)]
        declared = entries.deciding.get(key, ())
        service = _service(key, whole.get(key), rule_of, endpoints, declared, build, stock)
        services[service.name] = service
    by_name = {
        one: service for name, service in services.items() for one in identity.spellings(name)
    }
    return ClusterSet(
        tuple(
            target.cluster
            for service in services.values()
            for target in service.targets.values()
            if target.cluster is not None
        ),
        tuple(value for value in given.values() if isinstance(value, Feed)),
        by_name | services,
        identity,
    )


def _service(
    key: str,
    spec: Destination | None,
    rule: Rule | None,
    endpoints: tuple[EndpointSpec, ...] | Feed,
    entries: tuple[Rule, ...],
    build: "Build",
    stock: Stock,
) -> Service:
    """Make the cluster of all endpoints of a service, and one for each of its subsets."""
    name = strip_port(key)

    def target(own: str, membership: Membership) -> Target:
        cluster = stock.take(
            ("cluster", key, own),
            partial(Cluster, own, membership, build.tell, locked=build.locked),
            methodcaller("renew", membership),
        )
        return Target(cluster)

    def of(one: Destination | Subset | None) -> Target:
        policy = TrafficPolicy() if one is None else _policy(one, key)
        if policy.simple == PASSTHROUGH:
            return Target(None)  # calls go to the address they name
        membership = attrs.evolve(
            _membership(policy, rule, endpoints, build.identity, build.draw), entries=entries
        )
        if not isinstance(one, Subset):
            return target(name, membership)
        membership = attrs.evolve(membership, subset=one.name, labels=one.labels)
        return target(f"{name}/{one.name}", membership)

    targets = {"": of(spec)}
    nowhere = Target(None)
    if spec is not None and spec.subsets and not spec.shadow:  # in shadow a rule sends nobody
        targets |= {subset.name: of(subset) for subset in spec.subsets}
        nobody = _membership(TrafficPolicy(), rule, (), build.identity, build.draw)
        nowhere = target(f"{name}/", nobody)
    return Service(name=name, targets=targets, nowhere=nowhere)


def _given(key: str, value: Any, stock: Stock) -> tuple[EndpointSpec, ...] | Feed:
    """Return the endpoints of a service, or what knows them; the same source is the same feed."""
    try:
        source = source_of(value)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error
    if source is None:
        return read_endpoints(key, value)
    return stock.take(("feed", key, id(value)), lambda: Feed(strip_port(key), source))


def _deciding(
    destinations: Iterable[Destination], name: str, identity: Identity
) -> Destination | None:
    """Return the rule that decides: of the client's, the service's, the root namespace; by host."""
    parts = name.split(".")
    spaces = (identity.namespace, parts[1] if len(parts) > 1 else "", identity.root_namespace)

    def order(spec: Destination) -> tuple[int, int, int]:
        where = spaces.index(spec.namespace) if spec.namespace in spaces else len(spaces)
        return where, spec.host.startswith("*"), -len(spec.host)

    spellings = identity.spellings(name)  # `reviews` is short for a service's full name
    fitting = [
        spec
        for spec in destinations
        if any(host_matches(spec.host, one) for one in spellings) and not _excluded(spec, identity)
    ]
    return min(fitting, key=order, default=None)


def _excluded(spec: Destination, identity: Identity) -> str:
    """Return why a rule is not for this process; only one with a selector ever is not."""
    return identity.selects(spec.namespace, spec.labels) if spec.labels else ""


def _rule(
    spec: Destination,
    identity: Identity,
    keys: Sequence[str],
    stock: Stock,
    declared: Mapping[str, str],
) -> Rule:
    why_not = _excluded(spec, identity)
    if not keys:
        nothing = f"no endpoints of {spec.host} are given, or another rule decides"
        nothing = declared.get(spec.host) or nothing
        if spec.policy.simple == PASSTHROUGH:
            nothing = f"{PASSTHROUGH}: calls go to the address they name"
        why_not = why_not or nothing
    about = f"outbound {', '.join(keys) or spec.host}"

    def renew(rule: Rule) -> None:
        rule.source, rule.about, rule.why_not = spec.source, about, why_not
        rule.shadow = spec.shadow

    key = ("rule", "destination", spec.host, spec.namespace, spec.labels)
    return stock.take(key, lambda: Rule(spec.source, about, why_not, spec.shadow), renew)


def _policy(spec: Destination | Subset, key: str) -> TrafficPolicy:
    """Return the policy for a service, or for the port its name gives."""
    port = key[len(strip_port(key)) :].lstrip(":")
    return dict(spec.ports).get(int(port), spec.policy) if port.isdigit() else spec.policy


def _membership(
    policy: TrafficPolicy,
    rule: Rule | None,
    endpoints: tuple[EndpointSpec, ...] | Feed,
    identity: Identity,
    draw: Draw | None,
) -> Membership:
    settings, panic = None, 0
    if policy.outlier is not None:
        settings, panic = envoy_settings(policy.outlier, istio=identity.istio)

    zones = policy.zone_aware

    def place(members: list[Endpoint]) -> Assignment:
        if zones is not None:
            setting = LocalityLb(
                enabled=zones.enabled,
                failover=zones.failover,
                failover_priority=zones.failover_priority,
            )
            return assign_zone_aware(members, identity.locality, identity.labels, setting)
        return assign(
            members,
            identity.locality,
            identity.labels,
            outlier=policy.outlier is not None,
            # a mesh has locality on unless it is told otherwise: outlier detection is enough
            setting=LocalityLb() if policy.locality is None else policy.locality,
        )

    return Membership(
        rule=rule,
        endpoints=() if isinstance(endpoints, Feed) else endpoints,
        feed=endpoints if isinstance(endpoints, Feed) else None,
        outlier=settings,
        panic_threshold=panic,
        assign=place,
        max_requests=policy.max_requests,
        hosts=hosts_picker(policy.simple, draw),
        hashing=None if policy.hashing is None else Hashing(policy.hashing, draw),
        warmup=_slow_start(policy),
        retry_caps=policy.retry_caps,
        connect_timeout=policy.connect_timeout,
        zone_aware=None
        if zones is None or not zones.enabled
        else ZoneAware(
            own=identity.locality,
            callers=identity.callers,
            min_cluster_size=zones.min_cluster_size,
        ),
    )


def _slow_start(policy: TrafficPolicy) -> SlowStart | None:
    """Return how those that join grow; Envoy draws at random, and hashes, without regard to it."""
    warmup = policy.warmup
    if warmup is None or policy.simple == "RANDOM" or policy.hashing is not None:
        return None
    return SlowStart(
        window=warmup.duration,
        aggression=warmup.aggression,
        minimum_percent=warmup.minimum_percent,
    )
