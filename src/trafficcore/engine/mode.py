"""The other ways to run: `shadow` counts what would be refused, `off` lets everything by."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

from trafficcore.core.balance import Endpoint
from trafficcore.engine.claim import Claim
from trafficcore.engine.facts import Facts
from trafficcore.engine.holding import permit_of
from trafficcore.engine.plan import Plan, Side
from trafficcore.engine.route import Routes
from trafficcore.engine.rule import Rule
from trafficcore.engine.stages import ConnectionStage, LimitStage
from trafficcore.engine.verdict import Permit
from trafficcore.outcome import Reason

if TYPE_CHECKING:
    from trafficcore.engine.engine import Engine

__all__ = ["ENFORCE", "OFF", "SHADOW", "Mode", "admit_off", "admit_shadow", "otherwise"]


class Mode(Enum):
    """What an engine does with its verdicts."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


ENFORCE, SHADOW, OFF = Mode.ENFORCE, Mode.SHADOW, Mode.OFF
_NO_PLAN = Plan()


def otherwise(mode: Mode) -> Callable[..., Permit] | None:
    """Return what admits in the place of `Engine.admit`; None: nothing does."""
    if mode is ENFORCE:
        return None
    return admit_off if mode is OFF else admit_shadow


def admit_off(
    engine: "Engine", plan: Plan, side: Side, _routes: Routes, _facts: Facts, now: float
) -> Permit:
    """Admit without a look at any policy; a call that needs an endpoint gets the next in turn."""
    cluster = plan.cluster
    if cluster is not None and now >= cluster.next_sweep:
        cluster.sweep(now)
    endpoint = None if cluster is None else cluster.everyone.pick()
    side.admitted += 1
    return engine.permit().begin(_NO_PLAN, side, 0, endpoint, (), now)


def admit_shadow(
    engine: "Engine", plan: Plan, side: Side, routes: Routes, facts: Facts, now: float
) -> Permit:
    """Run every machine, refuse nothing: count what would have been refused, rule by rule.

    Nobody waits, and ejected endpoints get their calls: the policies change nothing at all.
    """
    plan.hits += 1
    if not plan.rules:
        engine.announcer.note_unmatched(side, routes, facts, now)
    noted: list[tuple[Reason, Rule]] = [
        (Reason.RATE_LIMITED, stage.rule)
        for stage in plan.limits
        if not _has_token(stage, facts, now)
    ]
    era = _era(plan, now, noted)
    claims = tuple(_claims(plan, facts, now, noted))
    endpoint = _endpoint(plan, now, noted)
    side.admitted += 1
    permit: Permit = permit_of(engine, plan).begin(plan, side, era, endpoint, claims, now)
    for reason, rule in noted:
        summary = rule.note_refusal(now, reason, enforced=False)
        if summary is not None:
            engine.tell(summary)
    if noted:
        permit.would_refuse(noted[0][0], noted[0][1].source)
    return permit


def _has_token(stage: LimitStage, facts: Facts, now: float) -> bool:
    if isinstance(stage, ConnectionStage):
        return stage.try_acquire(facts, now)
    taken: bool = stage.bucket.try_acquire(now)
    return taken


def _era(plan: Plan, now: float, noted: list[tuple[Reason, Rule]]) -> Any:
    if plan.breaker is None:
        return 0
    era = plan.try_breaker(now)
    if not era:
        noted += [
            (Reason.CIRCUIT_OPEN, stage.rule)
            for stage in plan.breaks
            if not stage.breaker.would_admit(now)
        ]
    return era


def _claims(
    plan: Plan, facts: Facts, now: float, noted: list[tuple[Reason, Rule]]
) -> Iterator[Claim]:
    for stage in plan.quotas:
        claim = stage.claim(facts)
        if claim.take(now):
            claim.flow.admitted += 1
            yield claim
        else:
            claim.flow.waited += 1
            noted.append((stage.reason, stage.rule))


def _endpoint(plan: Plan, now: float, noted: list[tuple[Reason, Rule]]) -> Endpoint | None:
    cluster = plan.cluster
    if cluster is None:
        return None
    if now >= cluster.next_sweep:
        cluster.sweep(now)
    if cluster.picker.pick() is None and cluster.rule is not None:
        noted.append((Reason.NO_HEALTHY_ENDPOINT, cluster.rule))
    endpoint = cluster.everyone.pick()
    if endpoint is not None:
        endpoint.active += 1
        if cluster.cap is not None:
            if cluster.cap.open and cluster.rule is not None:
                noted.append((Reason.OVERLOADED, cluster.rule))
            cluster.cap.inc()
    return endpoint
