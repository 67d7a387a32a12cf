"""A broken engine breaks its scenarios: nothing but the production engine decides in a run."""

from pathlib import Path

import attrs
import pytest

from trafficcore.core.fair import QuotaQueue
from trafficcore.engine import Engine, Queued, Rejection
from trafficcore.sim import prepare, simulate
from trafficcore.sim.spec import Distribution

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("throttle", "breaker", "outlier", "quota")
ADMIT = Engine.admit
SLOW = Distribution("constant", 0.05)
#: What holds with slower servers as well.
GUESTS = "200 of guest is 70"


def verdicts(name, *, slower=False):
    """Judge an example. With slower servers it makes no flood of calls where nothing holds them."""
    (prepared,) = prepare(EXAMPLES / name / "scenario.yaml")
    scenario = prepared.scenario
    if slower:
        services = [
            attrs.evolve(
                service, servers=tuple(attrs.evolve(s, latency=SLOW) for s in service.servers)
            )
            for service in scenario.services
        ]
        scenario = attrs.evolve(scenario, services=tuple(services))
    return simulate(scenario, prepared.policy).verdicts


def failed(name, **how):
    return [verdict.text for verdict in verdicts(name, **how) if not verdict.holds]


def let_by(engine, facts, now):
    """What an engine without any policy would say."""
    engine.mode = "off"
    permit = ADMIT(engine, facts, now)
    engine.mode = "enforce"
    return permit


@pytest.mark.parametrize("name", NAMES)
def test_the_articles_results_hold(name):
    assert len(verdicts(name)) >= 5
    assert failed(name) == []


@pytest.mark.parametrize("name", ["throttle", "breaker", "outlier"])
def test_each_fails_where_admit_always_admits(name, monkeypatch):
    monkeypatch.setattr(Engine, "admit", let_by)
    assert failed(name)


def test_the_quota_fails_where_admit_always_admits(monkeypatch):
    assert GUESTS not in failed("quota", slower=True)
    monkeypatch.setattr(Engine, "admit", let_by)
    assert GUESTS in failed("quota", slower=True)


@pytest.mark.parametrize("name", ["breaker", "outlier"])
def test_what_learns_from_answers_fails_where_they_are_not_told(name, monkeypatch):
    monkeypatch.setattr("trafficcore.engine.verdict.Permit.settle", lambda *_, **__: None)
    assert failed(name)


def test_the_quota_fails_where_admit_never_lets_anybody_wait(monkeypatch):
    def admit(engine, facts, now):
        verdict = ADMIT(engine, facts, now)
        if isinstance(verdict, Queued):
            engine.cancel(verdict, now)
            return let_by(engine, facts, now)
        return verdict

    monkeypatch.setattr(Engine, "admit", admit)
    assert GUESTS in failed("quota", slower=True)
    assert failed("throttle") == [], "where nobody waits nothing is broken"


@pytest.mark.parametrize("name", ["throttle", "breaker"])
def test_what_refuses_fails_where_admit_never_refuses(name, monkeypatch):
    def admit(engine, facts, now):
        verdict = ADMIT(engine, facts, now)
        return let_by(engine, facts, now) if isinstance(verdict, Rejection) else verdict

    monkeypatch.setattr(Engine, "admit", admit)
    assert failed(name)


def test_the_order_of_the_queue_is_the_engines(monkeypatch):
    """First come first served in the place of fair: the shares become those of who asks."""
    enqueue = QuotaQueue.enqueue

    def one_flow(queue, now, flow, weight=1, *more):
        return enqueue(queue, now, "all", 1, *more)

    monkeypatch.setattr(QuotaQueue, "enqueue", one_flow)
    found = failed("quota")
    assert GUESTS in found
    assert "200 of subscriber is 250" in found
