"""All rules of a policy with what they mean, and where each applies, as the engine has it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from trafficcore.engine import Identity
from trafficcore.engine.compile import Build, compile_policy
from trafficcore.engine.discovery import Polled
from trafficcore.engine.finding import Finding
from trafficcore.engine.identity import host_matches, strip_port
from trafficcore.engine.rule import Rule
from trafficcore.engine.table import Table
from trafficcore.explain.breaking import breaker_meanings
from trafficcore.explain.destination import destination_meanings
from trafficcore.explain.entry import entry_meanings
from trafficcore.explain.limit import limit_meanings
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.quota import quota_meanings
from trafficcore.explain.ramp import ramp_meanings
from trafficcore.spec import (
    BreakRule,
    Destination,
    EndpointSpec,
    Policy,
    QuotaRule,
    RampRule,
    RateLimitRule,
    ServiceEntry,
    Source,
    full_name,
)

__all__ = [
    "AS_NAMED",
    "Hosts",
    "RuleMeaning",
    "Spec",
    "compiled",
    "explain",
    "made_up",
    "meaning_of",
    "specs",
]

Spec = RateLimitRule | BreakRule | RampRule | QuotaRule | Destination | ServiceEntry
#: Names that stay names: there is nobody to ask while rules are read.
AS_NAMED = Finding(discover=lambda specs: Polled(lambda: specs))

_MEANINGS: dict[type, Callable[..., tuple[Meaning, ...]]] = {
    RateLimitRule: limit_meanings,
    BreakRule: breaker_meanings,
    RampRule: ramp_meanings,
    QuotaRule: quota_meanings,
    ServiceEntry: entry_meanings,
}


@attrs.frozen(kw_only=True)
class Hosts:
    """How many hosts services have: by name (short or full, with a port or without), else `each`.

    A short name is a service of `namespace`; `istio` says by which version's rule they are ejected.
    """

    each: int | None = None
    by_name: Mapping[str, int] = attrs.field(factory=dict)
    namespace: str = "default"
    istio: str | None = None

    def _known(self) -> dict[str, int]:
        known = {}
        for name, how_many in self.by_name.items():
            host, mark, port = name.partition(":")
            known[f"{full_name(host, self.namespace)}{mark}{port}"] = how_many
        return known

    def of(self, host: str) -> int | None:
        """Return how many a service has by its full name, None where nobody said."""
        return self._known().get(host, self.each)

    def endpoints(self, services: Iterable[str], locality: str) -> dict[str, list[tuple[str, str]]]:
        """Make endpoints up, in one locality: one of a service where nobody said how many."""
        wanted = {name: self.of(name) for name in services} | self._known()
        return {
            name: [
                (f"host-{index}", locality)
                for index in range(1, (1 if how_many is None else how_many) + 1)
            ]
            for name, how_many in wanted.items()
        }


@attrs.frozen(kw_only=True)
class RuleMeaning:
    """One rule: what it is, what it means, and where it applies in this process or why not."""

    spec: Spec
    meanings: tuple[Meaning, ...]
    about: str
    why_not: str

    @property
    def source(self) -> Source:
        """Where it was written."""
        return self.spec.source


def specs(policy: Policy) -> Iterator[Spec]:
    """Yield the rules in the engine's order.

    Limits, breakers, ramps, quotas, destinations, entries.
    """
    yield from policy.limits
    yield from policy.breakers
    yield from policy.ramps
    yield from policy.quotas
    yield from policy.destinations
    yield from policy.entries


def compiled(
    policy: Policy, identity: Identity, endpoints: Mapping[str, Any]
) -> tuple[Table, list[tuple[Spec, Rule]]]:
    """Compile as an engine does, and return each rule beside what came of it."""
    build = Build(
        identity=identity,
        endpoints=endpoints,
        tell=lambda _: None,
        max_waiting=0,
        finding=AS_NAMED,
    )
    table = compile_policy(policy, build)
    return table, list(zip(specs(policy), table.rules, strict=True))


def made_up(
    policy: Policy, identity: Identity, hosts: Hosts, services: Iterable[str]
) -> dict[str, list[EndpointSpec]]:
    """Make endpoints up for services that no ServiceEntry speaks of, and for those counted.

    Each of their subsets gets as many again, with its labels.
    """
    declared = {entry.host for entry in policy.entries}
    wanted = [name for name in services if name not in declared]
    made: dict[str, list[EndpointSpec]] = {}
    for name, places in hosts.endpoints(wanted, identity.locality).items():
        kinds = [
            subset.labels
            for spec in policy.destinations
            if host_matches(spec.host, strip_port(name))
            for subset in spec.subsets
            if subset.labels
        ]
        made[name] = [
            EndpointSpec(f"{address}.{at}", locality, 1, labels)
            for at, labels in enumerate(((), *kinds))
            for address, locality in places
        ]
    return made


def explain(policy: Policy, identity: Identity, hosts: Hosts) -> list[RuleMeaning]:
    """Return every rule of a policy with its meaning, also where it is not for this process."""
    services = [one.host for one in policy.destinations if not one.host.startswith("*")]
    _, pairs = compiled(policy, identity, made_up(policy, identity, hosts, services))
    return [meaning_of(spec, rule, hosts) for spec, rule in pairs]


def meaning_of(spec: Spec, rule: Rule, hosts: Hosts) -> RuleMeaning:
    """Return one rule with its meaning."""
    if isinstance(spec, Destination):
        meanings = destination_meanings(spec, hosts.of(spec.host), hosts.istio)
    else:
        meanings = _MEANINGS[type(spec)](spec)
    return RuleMeaning(spec=spec, meanings=meanings, about=rule.about, why_not=rule.why_not)
