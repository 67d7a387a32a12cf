"""TC105, TC403, TC504: overrides, workloads and routes behind one that takes all they take."""

from collections.abc import Iterator

from trafficcore.judge.case import Case
from trafficcore.judge.conditions import of_labels, of_request, plain
from trafficcore.judge.takers import Takers
from trafficcore.manifest.declared import VirtualService
from trafficcore.manifest.problems import Problem
from trafficcore.spec import LabelMatcher, QuotaRule, RateLimitRule, RequestMatch

__all__ = ["shadowed"]


def shadowed(case: Case) -> Iterator[Problem]:
    """Judge everything that is tried in its order."""
    for limit in case.policy.limits:
        yield from _overrides(limit, case)
    for quota in case.policy.quotas:
        yield from _workloads(quota, case)
    for service in case.declared.virtual_services:
        yield from _routes(service, case)


def _never(taker: str) -> str:
    return f"is never reached: {taker} takes all its requests"


def _overrides(rule: RateLimitRule, case: Case) -> Iterator[Problem]:
    takers = Takers()
    for at, override in enumerate(rule.overrides):
        if override.match == RequestMatch():  # told where it stands, by its own table
            continue
        name = f"limit_overrides[{at}]"
        conditions = of_request(override.match)
        taker = takers.taker(conditions)
        if taker:
            path = f"{rule.source.path}.{name}"
            yield case.tell("TC105", rule.source, path, _never(taker))
        takers.add(conditions, name)


def _workloads(rule: QuotaRule, case: Case) -> Iterator[Problem]:
    takers = Takers()
    for at, workload in enumerate(rule.workloads):
        if workload.matcher == LabelMatcher():
            continue
        conditions = of_labels(workload.matcher)
        taker = takers.taker(conditions)
        if taker:
            path = f"{rule.source.path}.scheduler.workloads[{at}]"
            yield case.tell("TC403", rule.source, path, _never(taker), workload.name)
        takers.add(conditions, f"the workload {workload.name!r}")


def _routes(service: VirtualService, case: Case) -> Iterator[Problem]:
    takers = Takers()
    for at, route in enumerate(service.routes):
        own = [plain(conditions) for _, conditions in route.matches] or [frozenset()]
        found = [takers.taker(conditions) for conditions in own]
        if all(found):
            yield case.tell("TC504", service.source, route.path, _never(found[0]), route.name)
        for conditions in own:
            takers.add(conditions, f"http[{at}]")
