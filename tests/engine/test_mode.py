"""`shadow` counts what would be refused, `off` looks at nothing; both can be switched live."""

import pytest

from support import policies as p
from trafficcore.engine import Engine, Mode, Permit, Rejection
from trafficcore.engine.events import ModeChanged, Refusals
from trafficcore.errors import ConfigError
from trafficcore.live.loading import mode_of_environment
from trafficcore.outcome import Reason


def everything(**more: object) -> Engine:
    return p.engine(
        p.limit(20),
        p.breaker(rule={"max_slow": 1}),
        p.quota(5, 5),
        p.destination(consecutive_5xx=1),
        **more,
    )


def test_shadow_refuses_nothing_and_counts_what_it_would_have_refused() -> None:
    heard: list[object] = []
    engine = everything(mode="shadow", listeners=[heard.append])
    permits = [engine.admit(p.request(), 0) for _ in range(30)]
    assert all(isinstance(permit, Permit) for permit in permits)
    rules = engine.snapshot(0)["rules"]
    assert [rule["shadowed"] for rule in rules[:3]] == [10, 0, 25]
    assert all(rule["refused"] == 0 for rule in rules)
    slow = permits[0]
    assert isinstance(slow, Permit)
    assert slow.reason is None
    slow.started(200, 1)
    slow.settle(None, 1)
    late = engine.admit(p.request(), 1)
    assert isinstance(late, Permit)
    assert late.reason is Reason.RATE_LIMITED
    assert late.rule is not None
    assert late.rule.kind == "ASMLocalRateLimiter"
    late.settle(None, 2, 500)
    breaker = engine.snapshot(2)["rules"][1]
    assert breaker["shadowed"] == 1
    assert breaker["breaker"]["state"] == "open"
    assert breaker["breaker"]["late"] == 0
    assert all(not event.enforced for event in heard if isinstance(event, Refusals))


def test_shadow_sends_calls_to_ejected_endpoints_too() -> None:
    engine = p.engine(
        p.destination(consecutive_5xx=1), endpoints={p.NAME: ["a:1", "b:1"]}, mode="shadow"
    )
    seen = []
    for _ in range(6):
        permit = engine.admit(p.calling(), 0)
        assert isinstance(permit, Permit)
        assert permit.endpoint is not None
        seen.append(permit.endpoint.address)
        permit.settle(None, 0, 503)
    assert seen == ["a:1", "b:1"] * 3
    snapshot = engine.snapshot(0)
    assert all(endpoint["ejected"] for endpoint in snapshot["clusters"][0]["endpoints"])
    assert snapshot["rules"][0]["shadowed"] == 4
    assert all(endpoint["active"] == 0 for endpoint in snapshot["clusters"][0]["endpoints"])


def test_off_looks_at_nothing_but_still_finds_an_endpoint() -> None:
    engine = p.engine(
        p.limit(0, direction=p.OUTBOUND), p.destination(), endpoints={p.NAME: ["a:1"]}, mode="off"
    )
    for _ in range(9):
        permit = engine.admit(p.calling(), 0)
        assert isinstance(permit, Permit)
        assert permit.endpoint is not None
        permit.settle(None, 0, 503)
    snapshot = engine.snapshot(0)
    assert [rule["hits"] for rule in snapshot["rules"]] == [0, 0]
    assert snapshot["traffic"]["outbound"]["in_flight"] == 0
    assert snapshot["clusters"][0]["endpoints"][0]["ejected"] is False


def test_the_mode_is_switched_while_running_and_told() -> None:
    heard: list[object] = []
    engine = p.engine(p.limit(0), listeners=[heard.append])
    assert isinstance(engine.admit(p.request(), 0), Rejection)
    engine.mode = "shadow"
    assert engine.mode is Mode.SHADOW
    assert isinstance(engine.admit(p.request(), 0), Permit)
    engine.mode = Mode.ENFORCE
    assert isinstance(engine.admit(p.request(), 0), Rejection)
    changes = [event for event in heard if isinstance(event, ModeChanged)]
    assert [(change.before, change.after) for change in changes] == [
        ("enforce", "shadow"),
        ("shadow", "enforce"),
    ]
    with pytest.raises(ValueError, match="loud"):
        engine.mode = "loud"
    assert engine.mode is Mode.ENFORCE


@pytest.mark.parametrize(
    ("value", "mode"), [("", "enforce"), (" Shadow ", "shadow"), ("off", "off")]
)
def test_the_environment_chooses_the_mode(
    monkeypatch: pytest.MonkeyPatch, value: str, mode: str
) -> None:
    monkeypatch.setenv("TRAFFICCORE_MODE", value)
    assert mode_of_environment() == mode
    assert Engine.load(p.policy(p.limit(0))).mode.value == mode
    assert Engine.load(p.policy(), mode="enforce").mode is Mode.ENFORCE


def test_a_mode_that_is_none_is_refused_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAFFICCORE_MODE", "on")
    with pytest.raises(
        ConfigError, match="TRAFFICCORE_MODE must be enforce, shadow or off, not 'on'"
    ):
        mode_of_environment()
