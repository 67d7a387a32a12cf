"""Waiting for a quota: into the queue, and out of it with a verdict."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from trafficcore.engine.claim import Claim
from trafficcore.engine.holding import permit_of
from trafficcore.engine.in_flight import has_room
from trafficcore.engine.patience import queue_deadline
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.verdict import Permit, Queued, Rejection

if TYPE_CHECKING:
    from trafficcore.engine.engine import Engine

__all__ = ["cancel", "dispatch", "poll", "schedule"]


def schedule(engine: "Engine", ticket: Queued, now: float) -> Permit | Queued | Rejection:
    """Take the tokens of each quota in turn, from where the ticket stands; wait for the first."""
    plan = ticket.plan
    for stage in plan.quotas[len(ticket.claims) :]:
        claim = stage.claim(ticket.facts)
        flow = claim.flow
        if not claim.take(now):
            if ticket.gives_up is None:  # the first wait: it has come just now
                timeout = ticket.facts.timeout
                ticket.gives_up = inf if timeout is None else now + timeout
            ticket.stage, ticket.claim = stage, claim
            ticket.deadline = queue_deadline(
                now, flow.parameters.queue_timeout, ticket.gives_up, stage.margin
            )
            ticket.side.queued += 1
            flow.waited += 1
            flow.waiting += 1
            ticket.waiter = claim.enqueue(now, ticket.deadline, ticket)
            if ticket.waiter.reason is None:
                return ticket
            flow.waited -= 1
            return engine.refuse.unqueued(ticket, now)
        flow.admitted += 1
        ticket.claims = (*ticket.claims, claim)
    return enter(engine, ticket, now)


def enter(engine: "Engine", ticket: Queued, now: float) -> Permit | Rejection:
    """Take the breaker's permit and an endpoint: nothing is left to wait for."""
    plan, side, claims = ticket.plan, ticket.side, ticket.claims
    era: Any = 0
    if plan.breaker is not None:
        era = plan.breaker.live or plan.try_breaker(now)
        if not era:
            return engine.refuse.broken(plan, side, claims, now)
    return dispatch(engine, ticket, claims, now, era)


def dispatch(
    engine: "Engine", ticket: Queued, claims: tuple[Claim, ...], now: float, era: Any
) -> Permit | Rejection:
    """Take an endpoint and make the permit: the last step, with what those before have taken."""
    plan, side = ticket.plan, ticket.side
    endpoint = cookie = None
    cluster = plan.cluster
    if cluster is not None:
        if now >= cluster.next_sweep:
            cluster.sweep(now)
        if not has_room(cluster, now):
            return engine.refuse.full(plan, side, claims, now, era)
        if cluster.hashing is None:
            endpoint = cluster.picker.pick()
        else:
            endpoint, cookie = cluster.hashing.pick(cluster.picker, ticket.facts)
        if endpoint is None:
            return engine.refuse.nowhere(plan, side, claims, now, era)
        endpoint.active += 1
    side.admitted += 1
    permit: Permit = permit_of(engine, plan).begin(plan, side, era, endpoint, claims, now)
    if cookie is not None:
        permit.give_cookie(cookie)
    return permit


def poll(
    engine: "Engine", stages: Sequence[QuotaStage], now: float
) -> list[tuple[Queued, Permit | Rejection]]:
    """Run every queue; return the tickets whose wait is over, each with its verdict."""
    woken: list[tuple[Queued, Permit | Rejection]] = []
    for stage in stages:
        for waiter in stage.queue.poll(now):
            ticket: Queued = waiter.item
            if waiter.reason is not None:
                woken.append((ticket, engine.refuse.unqueued(ticket, now)))
                continue
            ticket.side.queued -= 1
            claim = ticket.claim
            claim.flow.waiting -= 1
            claim.flow.admitted += 1
            ticket.claims = (*ticket.claims, claim)
            verdict = schedule(engine, ticket, now)
            if not isinstance(verdict, Queued):
                woken.append((ticket, verdict))
    return woken


def cancel(ticket: Queued, now: float) -> bool:
    """Take a ticket out of its queue; what it had of the quotas before that goes back."""
    claim = ticket.claim
    if not claim.queue.cancel(ticket.waiter, now):
        return False
    ticket.side.queued -= 1
    claim.flow.waiting -= 1
    ticket.plan.refund(ticket.claims, now)
    return True
