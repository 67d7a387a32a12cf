"""Endpoints and DestinationRules to clusters: which rule decides for which service."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import attrs

from trafficcore.core.balance import Endpoint, SlowStart
from trafficcore.engine.cluster import Cluster
from trafficcore.engine.discovery import Discovery, Polled
from trafficcore.engine.endpoints import read_endpoints
from trafficcore.engine.feed import Feed
from trafficcore.engine.hashing import Hashing
from trafficcore.engine.identity import Identity, host_matches, strip_port
from trafficcore.engine.istio_locality import Assignment, assign
from trafficcore.engine.istio_outlier import envoy_settings
from trafficcore.engine.membership import Membership
from trafficcore.engine.picking import Draw, hosts_picker
from trafficcore.engine.rule import Rule
from trafficcore.engine.stock import Stock
from trafficcore.errors import ConfigError
from trafficcore.spec import Destination, EndpointSpec, LocalityLb, TrafficPolicy

if TYPE_CHECKING:
    from trafficcore.engine.compile import Build

__all__ = ["ClusterSet", "compile_clusters"]

PASSTHROUGH = "PASSTHROUGH"


@attrs.frozen
class ClusterSet:
    """The clusters by the names that requests may call them by."""

    all: tuple[Cluster, ...]
    feeds: tuple[Feed, ...]
    _by_name: Mapping[str, Cluster]
    _identity: Identity

    def find(self, host: str) -> Cluster | None:
        """Return the cluster that a bare, lower-case host means, if it is one."""
        for name in sorted(self._identity.names(host)):
            if name in self._by_name:
                return self._by_name[name]
        return None


def compile_clusters(
    destinations: Sequence[Destination], build: "Build", stock: Stock, rules: list[Rule]
) -> ClusterSet:
    """Make a cluster of each service with endpoints, under the rule most specific for it."""
    identity = build.identity
    given = {key: _given(key, value, stock) for key, value in build.endpoints.items()}
    deciding: dict[int, list[str]] = {}
    chosen: dict[str, Destination | None] = {}
    for key in given:
        chosen[key] = best = _deciding(destinations, strip_port(key), identity)
        if best is not None and _policy(best, key).simple != PASSTHROUGH:
            deciding.setdefault(id(best), []).append(key)
    made: dict[int, Rule] = {}
    for spec in destinations:
        rule = _rule(spec, identity, deciding.get(id(spec), []), stock)
        made[id(spec)] = rule
        rules.append(rule)
    clusters: dict[str, Cluster] = {}
    for key, endpoints in given.items():
        spec_of = chosen[key]
        rule_of = None if spec_of is None else made[id(spec_of)]
        policy = TrafficPolicy() if spec_of is None else _policy(spec_of, key)
        if policy.simple == PASSTHROUGH:
            continue  # calls go to the address they name
        name = strip_port(key)
        membership = _membership(policy, rule_of, endpoints, identity, build.draw)
        clusters[name] = stock.take(
            ("cluster", key),
            partial(Cluster, name, membership, build.tell, locked=build.locked),
            methodcaller("renew", membership),
        )
    by_name = {
        one: cluster for name, cluster in clusters.items() for one in identity.spellings(name)
    }
    feeds = tuple(value for value in given.values() if isinstance(value, Feed))
    return ClusterSet(tuple(clusters.values()), feeds, by_name | clusters, identity)


def _given(key: str, value: Any, stock: Stock) -> tuple[EndpointSpec, ...] | Feed:
    """Return the endpoints of a service, or what knows them; the same source is the same feed."""
    if isinstance(value, Discovery):
        return stock.take(("feed", key, id(value)), lambda: Feed(strip_port(key), value))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return read_endpoints(key, value)
    if not callable(value):
        raise ConfigError(f"endpoints of {key} must be a list or a Discovery, not {value!r}")
    ask: Any = value
    return stock.take(("feed", key, id(value)), lambda: Feed(strip_port(key), Polled(ask)))


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


def _rule(spec: Destination, identity: Identity, keys: Sequence[str], stock: Stock) -> Rule:
    why_not = _excluded(spec, identity)
    if not keys:
        nothing = f"no endpoints of {spec.host} are given, or another rule decides"
        if spec.policy.simple == PASSTHROUGH:
            nothing = f"{PASSTHROUGH}: calls go to the address they name"
        why_not = why_not or nothing
    about = f"outbound {', '.join(keys) or spec.host}"

    def renew(rule: Rule) -> None:
        rule.source, rule.about, rule.why_not = spec.source, about, why_not
        rule.shadow = spec.shadow

    key = ("rule", "destination", spec.host, spec.namespace, spec.labels)
    return stock.take(key, lambda: Rule(spec.source, about, why_not, spec.shadow), renew)


def _policy(spec: Destination, key: str) -> TrafficPolicy:
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
    settings, panic = (None, 0) if policy.outlier is None else envoy_settings(policy.outlier)

    def place(members: list[Endpoint]) -> Assignment:
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
