"""Refusals: which rule it was, what to answer, and what earlier stages get back."""

from collections.abc import Callable
from typing import Any, Final

from trafficcore.engine.claim import Claim
from trafficcore.engine.events import Event, QueueFull
from trafficcore.engine.facts import Facts
from trafficcore.engine.plan import Plan, Side
from trafficcore.engine.rule import Rule
from trafficcore.engine.stages import ConnectionStage
from trafficcore.engine.verdict import Queued, Rejection
from trafficcore.outcome import Reason

__all__ = ["Refuser"]

#: Envoy's body where no endpoint is left.
_NO_ENDPOINT: Final = "no healthy upstream"
#: What it says where too much is in flight.
_OVERFLOW: Final = (
    "upstream connect error or disconnect/reset before headers. reset reason: overflow"
)
_OVERLOADED: Final = (("x-envoy-overloaded", "true"),)
Said = tuple[Reason, tuple[tuple[str, str], ...], str]


class Refuser:
    """Makes rejections and counts them; what was taken on the way goes back first."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    def limited(self, plan: Plan, side: Side, now: float) -> Rejection:
        """Refuse by the first limit that has no token."""
        stage = next((stage for stage in plan.limits if stage.lacks(now)), plan.limits[0])
        return self._count(side, stage.rule, stage.reject(now))

    def by_connection(
        self, plan: Plan, side: Side, stage: ConnectionStage, facts: Facts, now: float
    ) -> Rejection:
        """Refuse by a limit that has a bucket for each connection."""
        plan.refund((), now)
        return self._count(side, stage.rule, stage.reject_from(facts, now))

    def broken(self, plan: Plan, side: Side, claims: tuple[Claim, ...], now: float) -> Rejection:
        """Refuse by the first breaker that does not admit."""
        plan.refund(claims, now)
        stage = next(
            (stage for stage in plan.breaks if not stage.breaker.would_admit(now)), plan.breaks[0]
        )
        return self._count(side, stage.rule, stage.reject(now))

    def nowhere(
        self, plan: Plan, side: Side, claims: tuple[Claim, ...], now: float, era: Any
    ) -> Rejection:
        """Refuse because no endpoint is left to go to."""
        cluster = plan.cluster
        if cluster is not None and cluster.cap is not None:
            cluster.cap.release()
        retry_at = None if cluster is None else cluster.next_return()
        said = (Reason.NO_HEALTHY_ENDPOINT, (), _NO_ENDPOINT)
        return self._by_cluster(plan, side, claims, now, era, said, retry_at)

    def full(
        self, plan: Plan, side: Side, claims: tuple[Claim, ...], now: float, era: Any
    ) -> Rejection:
        """Refuse because the service has as many calls in flight as it may have."""
        said = (Reason.OVERLOADED, _OVERLOADED, _OVERFLOW)
        return self._by_cluster(plan, side, claims, now, era, said, None)

    def _by_cluster(
        self, plan: Plan, side: Side, claims: tuple[Claim, ...], now: float, era: Any, said: Said,
        retry_at: float | None,
    ) -> Rejection:  # fmt: skip
        if plan.breaker is not None:
            plan.breaker.release(era, now)
        plan.refund(claims, now)
        reason, headers, body = said
        rule = None if plan.cluster is None else plan.cluster.rule
        source = None if rule is None else rule.source
        return self._count(side, rule, Rejection(reason, 503, headers, body, source, now, retry_at))

    def unqueued(self, ticket: Queued, now: float) -> Rejection:
        """Refuse somebody whose wait ended without tokens, or never began."""
        claim, stage = ticket.claim, ticket.stage
        ticket.side.queued -= 1
        claim.flow.waiting -= 1
        claim.flow.refused += 1
        ticket.plan.refund(ticket.claims, now)
        retry_at = claim.queue.retry_at(now, claim.cost)
        answer = stage.reject(now, ticket.waiter.reason, retry_at)
        return self._count(ticket.side, stage.rule, answer, claim.queue.waiting)

    def crowded(self, ticket: Queued, now: float) -> Rejection:
        """Refuse somebody who has left the queue again, as there is nowhere to wait."""
        claim, stage = ticket.claim, ticket.stage
        claim.flow.refused += 1
        retry_at = claim.queue.retry_at(now, claim.cost)
        answer = stage.reject(now, Reason.QUEUE_FULL, retry_at)
        return self._count(ticket.side, stage.rule, answer, claim.queue.waiting)

    def _count(
        self, side: Side, rule: Rule | None, answer: Rejection, waiting: int = 0
    ) -> Rejection:
        side.refused += 1
        if rule is not None:
            summary = rule.note_refusal(answer.at, answer.reason)
            if summary is not None:
                if answer.reason is Reason.QUEUE_FULL:
                    self._tell(QueueFull(answer.at, rule.source, waiting))
                self._tell(summary)
        return answer
