"""Load ramps in an engine: who goes on, who is refused, and what moves them."""

from fractions import Fraction as F
from typing import Any

import attrs
import pytest

from support import policies as p
from trafficcore.engine import Engine, Permit, Rejection
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import QuotaSelector, RampDriver, RampRule

STEPS = ((F(0), 0), (F(100), 10))
SLOW = RampDriver(forward=F(1, 10), reset=F(1, 2))


def ramp(**more: Any) -> RampRule:
    more.setdefault("steps", STEPS)
    return RampRule(source=p.source("LoadRampingPolicy"), namespace="default", **more)


def ask(engine: Engine, now: float = 0, **more: Any) -> Permit | Rejection:
    found = engine.admit(p.request(**more), now)
    assert isinstance(found, (Permit, Rejection))
    return found


def taken(engine: Engine, now: float, **more: Any) -> int:
    """How many of a hundred go on, in tens: shares are exact to within a request or two."""
    return round(sum(isinstance(ask(engine, now, **more), Permit) for _ in range(100)), -1)


def state(engine: Engine, now: float) -> dict[str, Any]:
    found: dict[str, Any] = engine.snapshot(now)["rules"][0]["ramp"]
    return found


def test_the_share_grows_with_time_and_the_rest_is_refused() -> None:
    engine = p.engine(ramp())
    assert [taken(engine, now) for now in (0, 1, 2, 6, 11)] == [0, 0, 10, 50, 100]
    engine = p.engine(ramp())
    answer = ask(engine)
    assert isinstance(answer, Rejection)
    assert (answer.status, answer.reason, answer.retry_at) == (403, Reason.RAMPING, None)
    assert answer.rule is not None
    assert answer.rule.kind == "LoadRampingPolicy"
    found = state(engine, 0)
    assert (found["percent"], found["admitted"], found["refused"]) == (0, 0, 1)


def test_latencies_of_good_calls_move_it() -> None:
    engine = p.engine(ramp(steps=((F(100), 0), (F(50), 2)), drivers=(SLOW,)))
    assert taken(engine, 0) == 100
    quick = ask(engine, 0)
    assert isinstance(quick, Permit)
    quick.settle(Outcome.SUCCESS, F(1, 20))
    assert taken(engine, 3) == 50
    slow = ask(engine, 3, path="/again")
    for _ in range(9):
        if isinstance(slow, Permit):
            break
        slow = ask(engine, 3)
    assert isinstance(slow, Permit)
    slow.settle(Outcome.SUCCESS, 5)
    assert state(engine, 6)["percent"] == 100


@pytest.mark.parametrize("end", ["fail", "cancel", "give back", "twice", "ignore", "judged"])
def test_what_did_not_end_well_is_not_seen_and_nothing_is_seen_twice(end: str) -> None:
    engine = p.engine(ramp(steps=((100, 0),), drivers=(SLOW,)))
    permit = ask(engine, 0)
    assert isinstance(permit, Permit)
    if end == "give back":
        permit.give_back(1)
        permit.settle(None, 1, 200)
    elif end == "judged":
        permit.fail()
        permit.settle(None, 1, 200)
    else:
        outcome = {
            "fail": None, "cancel": Outcome.CANCELLED, "ignore": Outcome.IGNORED,
            "twice": Outcome.SUCCESS,
        }[end]  # fmt: skip
        permit.settle(outcome, 1, 500)
        permit.settle(outcome, 1, 500)
    seen = engine.policies.table.ramps[0].ramp._recent[0].before(5)
    assert seen == ((1, 1) if end == "twice" else (0, 0))


def test_latency_is_measured_to_the_start_of_the_response() -> None:
    engine = p.engine(ramp(steps=((100, 0),), drivers=(SLOW,)))
    permit = ask(engine, 0)
    assert isinstance(permit, Permit)
    permit.started(200, F(1, 4))
    permit.settle(None, 9)
    assert state(engine, 10)["latencies"] == [F(1, 4)]


def test_a_driver_may_look_at_other_requests_than_the_ramp_is_about() -> None:
    there = (QuotaSelector(service="db.default.svc.cluster.local", control_point="egress"),)
    driver = attrs.evolve(SLOW, selectors=there)
    engine = p.engine(ramp(drivers=(driver,), selectors=(QuotaSelector(control_point="new"),)))
    assert isinstance(ask(engine), Permit)
    permit = engine.admit(p.calling("db"), 0)
    assert isinstance(permit, Permit)
    permit.settle(None, F(1, 20), 200)
    assert state(engine, 1)["latencies"] == [F(1, 20)]
    assert engine.admit(p.request(direction="new"), 0).reason is Reason.RAMPING
    assert engine.snapshot(1)["rules"][0]["hits"] == 2


def test_a_session_keeps_its_answer() -> None:
    engine = p.engine(ramp(steps=((40, 0),), session="user"))
    answers = {
        user: {isinstance(ask(engine, now, labels={"user": user}), Permit) for now in range(5)}
        for user in map(str, range(50))
    }
    assert {len(seen) for seen in answers.values()} == {1}
    assert 5 < sum(True in seen for seen in answers.values()) < 35
    assert taken(engine, 0) == 40, "who has no session is one of a share"


def test_it_comes_before_what_costs_anything() -> None:
    engine = p.engine(p.quota(1, 1), ramp())
    for _ in range(3):
        assert isinstance(ask(engine), Rejection)
    assert isinstance(ask(engine, 11), Permit)


def test_what_comes_after_it_gives_nothing_back_to_it() -> None:
    engine = p.engine(ramp(steps=((100, 0),), drivers=(SLOW,)), p.quota(1, 1, queue=False))
    first = ask(engine)
    assert isinstance(first, Permit)
    assert isinstance(ask(engine), Rejection)
    first.settle(None, 1, 200)
    assert engine.policies.table.ramps[0].ramp._recent[0].before(5) == (1, 1)


def test_in_shadow_it_counts_and_refuses_nothing() -> None:
    engine = p.engine(ramp(shadow=True))
    assert taken(engine, 0) == 100
    (rule,) = engine.snapshot(0)["rules"]
    assert (rule["refused"], rule["shadowed"]) == (0, 100)
    whole = p.engine(ramp(), mode="shadow")
    permit = ask(whole)
    assert isinstance(permit, Permit)
    assert permit.reason is Reason.RAMPING


def test_a_reload_keeps_where_it_stands_and_hears_start_and_reset() -> None:
    engine = p.engine(ramp())
    assert taken(engine, 0) == 0
    assert taken(engine, 6) == 50
    for change, seen in (
        ({"started": False}, {7: 50, 8: 50}),
        ({"reset": True}, {9: 0, 10: 0}),
        ({}, {11: 0, 13: 10}),  # from the first look on
    ):
        engine.reload(p.policy(ramp(**change)))
        assert {now: state(engine, now)["percent"] for now in seen} == seen
    engine.reload(p.policy(ramp(steps=((20, 0),))))
    assert state(engine, 9)["percent"] == 20


def test_it_is_for_whom_its_selector_names() -> None:
    engine = p.engine(ramp(labels=(("app", "other"),)))
    assert isinstance(ask(engine), Permit)
    assert "selector app=other" in engine.snapshot(0)["rules"][0]["why_not"]
