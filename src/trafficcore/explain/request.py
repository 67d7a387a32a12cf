"""One request before all rules: which act on it, in the engine's order, and why others do not.

The plan is the engine's own, and what is said of the end of it is tried on an engine, at a time
that stands still.
"""

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import attrs

from trafficcore.engine import Engine, Facts, Identity, Permit, Queued, Rejection
from trafficcore.engine.claim import UNLIMITED
from trafficcore.engine.cluster import Cluster
from trafficcore.engine.compile import virtual_hosts
from trafficcore.engine.identity import host_matches, strip_port
from trafficcore.engine.metering import MeterStage
from trafficcore.engine.plan import Plan
from trafficcore.engine.ramp import RampStage
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.stages import BreakStage, LimitStage
from trafficcore.engine.table import Table
from trafficcore.explain.breaking import trips
from trafficcore.explain.entry import goes_to
from trafficcore.explain.idle import Seen
from trafficcore.explain.limit import pace
from trafficcore.explain.meaning import find
from trafficcore.explain.quota import patience
from trafficcore.explain.refusal import answered
from trafficcore.explain.retries import route_words
from trafficcore.explain.rules import AS_NAMED, Hosts, RuleMeaning, compiled, made_up, meaning_of
from trafficcore.explain.scope import label_words, match_words
from trafficcore.explain.words import count, number, ordinal, span
from trafficcore.spec import Direction, Policy

__all__ = ["RequestMeaning", "Step", "explain_request"]

#: So many requests at one instant are tried; what lets more by is no limit to anybody.
_MOST = 10_000


@attrs.frozen(kw_only=True)
class Step:
    """One rule that acts on the request: which stage it is, and what it does, in sentences."""

    stage: str
    rule: RuleMeaning
    texts: tuple[str, ...]


@attrs.frozen(kw_only=True)
class RequestMeaning:
    """What becomes of one request.

    `steps` are the rules that act, in order; `idle` are all others, each with the reason.
    `outcome` is what an engine that has seen no other request answers.
    """

    request: str
    steps: tuple[Step, ...]
    idle: tuple[tuple[RuleMeaning, str], ...]
    outcome: tuple[str, ...]


def explain_request(
    policy: Policy, identity: Identity, hosts: Hosts, facts: Facts
) -> RequestMeaning:
    """Return which rules meet the request and what each does, and why the others do not."""
    endpoints = made_up(policy, identity, hosts, _services(policy, identity, facts))
    table, pairs = compiled(policy, identity, endpoints)
    plan = table.at(facts.direction).find(facts)
    seen = Seen(
        facts=facts,
        identity=identity,
        known=virtual_hosts(policy, identity),
        cluster=plan.cluster,
    )
    acting = set(map(id, plan.rules))
    by_rule = {id(rule): meaning_of(spec, rule, hosts) for spec, rule in pairs}
    idle = tuple(
        (by_rule[id(rule)], seen.why_idle(spec, rule))
        for spec, rule in pairs
        if id(rule) not in acting
    )
    engine = Engine(policy, identity=identity, endpoints=endpoints, finding=AS_NAMED)
    return RequestMeaning(
        request=f"{facts.method} {facts.scheme}://{facts.host}{facts.target}",
        steps=tuple(_steps(plan, facts, by_rule)),
        idle=idle,
        outcome=(*_outcome(engine, facts), *_route(table, facts)),
    )


def _route(table: Table, facts: Facts) -> Iterator[str]:
    """Say what the declared route of a call adds to its answer."""
    if facts.direction is Direction.OUTBOUND:
        yield from route_words(table.retries.find(facts))


def _services(policy: Policy, identity: Identity, facts: Facts) -> list[str]:
    """Return which services need endpoints: those named, and what a wildcard stands for."""
    exact = [spec.host for spec in policy.destinations if not spec.host.startswith("*")]
    host = strip_port(facts.host)
    names = identity.names(host)
    wild = (spec.host for spec in policy.destinations if spec.host.startswith("*"))
    if not names & set(exact) and any(
        host_matches(pattern, name) for pattern in wild for name in names
    ):
        return [*exact, host]
    return exact


def _steps(plan: Plan, facts: Facts, by_rule: dict[int, RuleMeaning]) -> Iterator[Step]:
    stages: list[tuple[str, Any, Callable[..., Iterator[str]]]] = [
        *(("limit", stage, _limit) for stage in plan.limits),
        *(("breaker", stage, _break) for stage in plan.breaks),
        *(("ramp", stage, _ramp) for stage in plan.quotas if isinstance(stage, RampStage)),
        *(("meter", stage, _meter) for stage in plan.quotas if isinstance(stage, MeterStage)),
        *(("quota", stage, _quota) for stage in plan.quotas if isinstance(stage, QuotaStage)),
    ]
    for name, stage, texts in stages:
        rule = by_rule[id(stage.rule)]
        yield Step(stage=name, rule=rule, texts=tuple(texts(stage, rule, facts)))
    cluster = plan.cluster
    if cluster is not None:
        yield from _endpoints(cluster, by_rule)


def _endpoints(cluster: Cluster, by_rule: dict[int, RuleMeaning]) -> Iterator[Step]:
    entries = cluster.membership.entries
    for entry in entries:
        rule = by_rule[id(entry)]
        spec: Any = rule.spec
        yield Step(stage="endpoint", rule=rule, texts=(f"Goes {goes_to(spec)}.",))
    if cluster.rule is None:
        return
    rule = by_rule[id(cluster.rule)]
    membership = cluster.membership
    own = [one for one in membership.endpoints if one.labels == membership.labels]
    of = f"the subset {membership.subset} of " if membership.subset else ""
    made = f"{count(len(own), 'endpoint')} of {of}{cluster.name.partition('/')[0]}"
    made_up_of = f"Goes to one of {made}, made up in this process's own locality."
    said = [one.text for one in rule.meanings if one.key in ("ejection", "most hosts out")]
    texts = said if entries else [made_up_of, *said]
    yield Step(stage="endpoint", rule=rule, texts=tuple(texts))


def _limit(stage: LimitStage, rule: RuleMeaning, _facts: Facts) -> Iterator[str]:
    spec: Any = rule.spec
    limit = stage.limit
    if spec.overrides:
        taken = next((one for one in spec.overrides if one.limit is limit), None)
        if taken is None:
            yield "No override fits: the rule's own limit holds."
        else:
            yield f"An override holds in its place: {match_words(taken.match)}."
    if not limit.quota:
        yield f"Refused: {pace(limit)}."
        return
    yield f"Takes one of {count(limit.quota, 'token')}: {pace(limit)}."
    stage.bucket.try_acquire(0, limit.quota)
    refusal = stage.reject(0)
    value, _ = answered(refusal)
    yield f"The {ordinal(limit.quota + 1)} at once is refused {value}{_retry(refusal)}."


def _retry(refusal: Rejection) -> str:
    wait = refusal.retry_after
    return "" if wait is None else f"; worth coming back in {_later(wait)}"


def _later(seconds: float) -> str:
    """Write a wait in whole milliseconds, rounded up but for what a float's last bits add."""
    return span(ceil(seconds * 1000 - 0.001) / 1000)


def _break(_stage: BreakStage, rule: RuleMeaning, _facts: Facts) -> Iterator[str]:
    spec: Any = rule.spec
    yield "Closed to begin with: it lets the request by and counts how it ends."
    yield f"Trips at {'; or '.join(trips(spec))} within {span(spec.window)}."
    refusal = find(rule.meanings, "refusal")
    yield f"Then every such request is refused {refusal} for {span(spec.open_for)}."


def _ramp(_stage: RampStage, rule: RuleMeaning, _facts: Facts) -> Iterator[str]:
    spec: Any = rule.spec
    by = f" by its {spec.session}" if spec.session else ""
    yield f"Among the share that goes on{by}, or refused: {find(rule.meanings, 'refusal')}."


def _meter(_stage: MeterStage, _rule: RuleMeaning, _facts: Facts) -> Iterator[str]:
    yield "How long it takes is counted for that rule, if it ends well."


def _quota(stage: QuotaStage, rule: RuleMeaning, facts: Facts) -> Iterator[str]:
    spec: Any = rule.spec
    claim = stage.claim(facts)
    if claim.queue is UNLIMITED:
        yield f"Not limited: it has no label {spec.keys.limit}."
        return
    flow = claim.flow
    if spec.shedding is not None:
        yield f"Of the workload {flow.name}; passes while latencies are as ever, else by its share."
        return
    what = "place" if spec.in_flight else "token"
    tokens = f"{number(claim.cost)} of {count(spec.capacity, what)}"
    if not spec.queue:
        yield f"Takes {tokens}; where they are gone it is refused."
        return
    if flow is stage.default:
        wanted = [f"{one.name} wants {label_words(one.matcher)}" for one in spec.workloads]
        tail = f": {'; '.join(wanted)}" if wanted else ""
        yield f"Of the workload {flow.name}, as it fits no other{tail}."
    else:
        words = next(label_words(one.matcher) for one in spec.workloads if one.name == flow.name)
        part = find(rule.meanings, f"{flow.name} share")
        yield f"Of the workload {flow.name}, as {words}; its share is {part} while all wait."
    if claim.lane != flow.name:
        yield f"By its own labels it waits as {getattr(claim.lane, 'name', claim.lane)}."
    waits = patience(flow.parameters)
    most = "at most " if flow.parameters.queue_timeout else ""
    yield f"Takes {tokens}; where they are gone it waits {most}{waits}."


def _outcome(engine: Engine, facts: Facts) -> Iterator[str]:
    """Say what an engine answers to the request, sent over and over at one instant."""
    for admitted in range(_MOST):
        verdict = engine.admit(facts, 0)
        if not isinstance(verdict, Permit):
            yield from _end(engine, facts, admitted, verdict)
            return
    yield "It is admitted."
    yield f"{_MOST} at one instant are all admitted."


def _end(engine: Engine, facts: Facts, admitted: int, verdict: Queued | Rejection) -> Iterator[str]:
    if isinstance(verdict, Queued):
        said = f"waits, by {verdict.stage.rule.source}"
    else:
        said = f"is refused {verdict.status}, by {verdict.rule or 'no rule: there is no endpoint'}"
    if not admitted:
        yield f"It {said}."
        return
    yield "It is admitted."
    verb = "is" if admitted == 1 else "are"
    yield f"{admitted} at one instant {verb} admitted; the {ordinal(admitted + 1)} {said}."
    if isinstance(verdict, Rejection) and verdict.retry_at is not None:
        again = engine.admit(facts, verdict.retry_at)
        if isinstance(again, Permit):
            yield f"The next is admitted {_later(verdict.retry_at)} later."
