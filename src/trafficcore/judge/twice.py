"""TC107, TC207, TC505, TC506: two rules for one thing: one hides the other, or both act."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from trafficcore.judge.case import Case
from trafficcore.manifest.declared import VirtualService
from trafficcore.manifest.problems import Problem
from trafficcore.spec import BreakRule, Destination, RateLimitRule, Source

__all__ = ["twice"]

T = TypeVar("T")


def twice(case: Case) -> Iterator[Problem]:
    """Judge each rule against the first one before it that is about the same."""
    policy = case.policy
    yield from _limits(policy.limits, case)
    for breaker, first in _later(policy.breakers, _requests):
        message = f"both act: {_who(first.source)} is about the same requests"
        yield case.tell("TC207", breaker.source, breaker.source.path, message)
    with_policy = [it for it in policy.destinations if _has_policy(it, case)]
    for rule, before in _later(with_policy, lambda it: (it.namespace, it.host, it.labels)):
        message = f"{rule.host} has a trafficPolicy in {_who(before.source)} already"
        path = f"{rule.source.path}.host"
        yield case.tell("TC505", rule.source, path, message, rule.host)
    yield from _virtual_services(case)


def _who(source: Source) -> str:
    rule = f" {source.rule}" if source.rule else ""
    return f"{source.kind} {source.name}{rule} ({source.file}:{source.line})"


def _later(rules: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[T, T]]:
    """Yield each rule whose key was there before, with the first rule of that key."""
    first: dict[Hashable, T] = {}
    for rule in rules:
        before = first.setdefault(key(rule), rule)
        if before is not rule:
            yield rule, before


def _requests(rule: RateLimitRule | BreakRule) -> Hashable:
    return rule.scope


def _limits(rules: Iterable[RateLimitRule], case: Case) -> Iterator[Problem]:
    """Two limits that hold a burst and a rate belong beside each other; a stricter one hides."""
    groups: dict[Hashable, list[RateLimitRule]] = {}
    for rule in rules:
        key = (rule.scope, rule.limit.per_connection, rule.overrides)
        groups.setdefault(key, []).append(rule)
    for group in groups.values():
        # sorted by burst, a rule is hidden by one before it that fills no faster
        order = sorted(group, key=lambda it: (it.limit.quota, _rate(it)))
        strictest = order[0]
        for rule in order[1:]:
            if _rate(rule) < _rate(strictest):
                strictest = rule
            else:
                message = f"{_who(strictest.source)} is about the same requests, and no laxer"
                yield case.tell("TC107", rule.source, rule.source.path, message)


def _rate(rule: RateLimitRule) -> float:
    return rule.limit.quota / rule.limit.fill_interval


def _has_policy(rule: Destination, case: Case) -> bool:
    """Without a `trafficPolicy` it only brings subsets, and those are merged."""
    return case.places.find(rule.source, f"{rule.source.path}.trafficPolicy") is not None


def _virtual_services(case: Case) -> Iterator[Problem]:
    first: dict[tuple[str, str, str], VirtualService] = {}
    for service in case.declared.virtual_services:
        told: set[str] = set()
        for at, host in enumerate(service.hosts):
            for gateway in service.gateways:
                before = first.setdefault((service.source.namespace, gateway, host), service)
                if before is not service and host not in told:
                    told.add(host)
                    message = f"{host} has routes in {_who(before.source)} already, at {gateway}"
                    path = f"{service.source.path}.hosts[{at}]"
                    yield case.tell("TC506", service.source, path, message, host)
