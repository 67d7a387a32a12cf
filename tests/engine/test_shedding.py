"""Load shed by latency in an engine: the budget, the queue in front of it, what is measured."""

from typing import Any

import attrs
import pytest

from support import policies as p
from trafficcore.engine import Engine, Permit, Queued, Rejection
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import LabelKeys, QuotaRule, QuotaSelector, Shedding

TEN = 10


def shed(own: Shedding | None = None, **more: Any) -> QuotaRule:
    return p.quota(0, 0, shedding=own or Shedding(), **more)


def calls(engine: Engine, start: int, end: int, latency: float, **more: Any) -> int:
    """Ten a second that end well after `latency`; return how many went at once."""
    went = 0
    for tick in range(start * TEN, end * TEN):
        now = tick / TEN
        verdict = engine.admit(p.request(**more), now)
        if isinstance(verdict, Permit):
            went += 1
            verdict.settle(Outcome.SUCCESS, now + latency)
        elif isinstance(verdict, Queued):
            engine.cancel(verdict, now)
    return went


def queue(engine: Engine, now: float) -> dict[str, Any]:
    found: dict[str, Any] = engine.snapshot(now)["rules"][0]["quota"]["queue"]
    return found


def overloaded(*rules: QuotaRule, **more: Any) -> Engine:
    engine = p.engine(*rules)
    calls(engine, 0, 300, 0.1, **more)
    calls(engine, 300, 330, 0.3, **more)
    return engine


def test_while_latencies_are_as_ever_nobody_waits() -> None:
    engine = p.engine(shed())
    assert calls(engine, 0, 60, 0.1) == 600
    assert queue(engine, 60)["passes"] is True


def test_while_they_are_not_some_wait_and_go_by_weight() -> None:
    engine = overloaded(shed())
    rate = queue(engine, 330)["rate"]
    assert 1 < rate < 8
    verdicts = [
        engine.admit(p.request(headers={"user_type": kind}), 330)
        for kind in ["guest"] * 20 + ["subscriber"] * 20
    ]
    waiting = [verdict for verdict in verdicts if isinstance(verdict, Queued)]
    served: list[Queued] = []
    while len(served) < 10 and (due := engine.next_deadline()) < 340:
        served += [ticket for ticket, _ in engine.poll(due)]
    names = [ticket.flow.name for ticket in served]
    assert len(waiting) >= 30
    assert names.count("subscriber") == 4 * names.count("guest") == 8


def test_its_own_refusals_are_those_of_a_queue() -> None:
    engine = overloaded(shed(timeout=0))
    for _ in range(20):
        verdict = engine.admit(p.request(), 330)
    assert isinstance(verdict, Rejection)
    assert (verdict.status, verdict.reason) == (503, Reason.QUEUE_TIMEOUT)
    assert verdict.retry_at is not None
    assert 330 < verdict.retry_at <= 340


def test_another_services_latency_may_be_what_counts() -> None:
    there = (QuotaSelector(service="db.default.svc.cluster.local", control_point="egress"),)
    engine = p.engine(shed(Shedding(meters=there)))
    calls(engine, 0, 300, 0.1)
    calls(engine, 300, 340, 9)
    assert queue(engine, 340)["passes"] is True, "its own latency is not looked at"
    for second in range(341, 371):
        permit = engine.admit(p.calling("db"), second)
        assert isinstance(permit, Permit)
        permit.settle(None, second + 0.1, 200)
        calls(engine, second, second + 1, 0.1)
    for second in range(371, 381):
        for _ in range(10):
            permit = engine.admit(p.calling("db"), second)
            assert isinstance(permit, Permit)
            permit.settle(None, second + 3, 200)
        calls(engine, second, second + 1, 0.1)
    assert queue(engine, 390)["multiplier"] is not None


@pytest.mark.parametrize("end", ["failure", "cancelled", "given back"])
def test_only_calls_that_end_well_are_measured(end: str) -> None:
    engine = p.engine(shed())
    permit = engine.admit(p.request(), 0)
    assert isinstance(permit, Permit)
    if end == "given back":
        permit.give_back(1)
    else:
        permit.settle(Outcome(end), 1)
    assert engine.policies.table.quotas[0].queue._budget._short.before(9) == (0, 0)


def test_what_a_request_costs_may_be_what_its_workload_took() -> None:
    engine = overloaded(shed(Shedding(cost_by_latency=True)), headers={"user_type": "guest"})
    guest = engine.admit(p.request(headers={"user_type": "guest"}), 330)
    assert isinstance(guest, (Permit, Queued))
    claims = guest.claims if isinstance(guest, Permit) else (guest.claim,)
    (claim,) = [claim for claim in claims if hasattr(claim, "cost")]
    assert 100 < claim.cost < 150
    found = engine.policies.table.quotas[0].queue.estimates
    assert set(found) == {"guest"}


def test_a_label_goes_before_what_it_took() -> None:
    spec = shed(Shedding(cost_by_latency=True), keys=LabelKeys(tokens="size"))
    engine = overloaded(spec, headers={"user_type": "guest"})
    facts = p.request(headers={"user_type": "guest"}, labels={"size": "3"})
    assert engine.policies.table.quotas[0].claim(facts).cost == 3


def test_a_reload_keeps_what_it_has_learned() -> None:
    engine = overloaded(shed())
    before = queue(engine, 330)["rate"]
    engine.reload(p.policy(shed()))
    assert queue(engine, 330)["rate"] == before
    engine.reload(p.policy(shed(Shedding(tolerance=2))))
    assert queue(engine, 330)["passes"] is True


def test_in_shadow_it_counts_and_nobody_waits() -> None:
    engine = overloaded(attrs.evolve(shed(), shadow=True))
    assert all(isinstance(engine.admit(p.request(), 330), Permit) for _ in range(50))
    assert engine.snapshot(330)["rules"][0]["shadowed"] > 30
