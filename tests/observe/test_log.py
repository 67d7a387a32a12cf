"""What the log says at 3 a.m.: rule, file and line, counts, until when."""

import logging

import pytest

from support import policies as p
from trafficcore.engine import Engine, Permit
from trafficcore.engine.events import Event
from trafficcore.observe.log import describe

MORE = {"endpoints": {p.NAME: ["a:1"]}}


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_every_transition_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trafficcore")
    engine = Engine.load(
        p.policy(
            p.breaker("slow", rule={"max_slow": 1}),
            p.limit(1, labels=(("app", "other"),)),
            p.destination(consecutive_5xx=1),
        ),
        labels={"app": "web"},
        **MORE,
    )
    assert messages(caplog) == [
        (
            "ASMLocalRateLimiter default/x (p.yaml:1): does not apply: selector app=other;"
            " this process is app=web"
        ),
        "ASMCircuitBreaker default/slow (p.yaml:1): applies to inbound *",
        "DestinationRule default/x (p.yaml:1): applies to outbound web.default.svc.cluster.local",
        "3 rules loaded",
    ]
    caplog.clear()
    permit = engine.admit(p.request(), 0)
    assert isinstance(permit, Permit)
    permit.started(200, 2)
    permit.settle(None, 2)
    engine.admit(p.request(), 3)
    engine.admit(p.request(), 4)
    tripped, refused = messages(caplog)
    assert tripped.startswith("ASMCircuitBreaker default/slow (p.yaml:1): closed to open by ")
    assert "slow 1" in tripped
    assert tripped.endswith(", for 60 s")
    assert refused == "ASMCircuitBreaker default/slow (p.yaml:1): refused 1 (circuit_open)"
    caplog.clear()
    assert isinstance(engine.admit(p.request(), 70), Permit)
    (closed,) = messages(caplog)
    assert "open to closed" in closed
    caplog.clear()
    call = engine.admit(p.calling(), 100)
    assert isinstance(call, Permit)
    call.settle(None, 100, 500)
    engine.admit(p.calling(), 125)
    ejected, returned = messages(caplog)
    assert ejected == (
        "DestinationRule default/x (p.yaml:1): a:1 of web.default.svc.cluster.local ejected by"
        " consecutive_5xx (1 in a row), ejection 1, for 20 s"
    )
    assert returned.endswith("a:1 of web.default.svc.cluster.local returned")
    caplog.clear()
    engine.reload(p.policy(p.breaker("slow", rule={"max_slow": 1})))
    assert messages(caplog)[-1] == "1 rule reloaded, 1 kept their state"
    engine.mode = "shadow"
    assert messages(caplog)[-1] == "mode enforce to shadow"
    assert caplog.records[-1].levelno == logging.WARNING
    assert hasattr(caplog.records[-1], "event")


def test_a_full_queue_and_its_refusals_are_told(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine.load(p.policy(p.quota(1, 1)), max_waiting=1)
    caplog.clear()
    for _ in range(9):
        engine.admit(p.request(), 0)
    assert messages(caplog) == [
        "QuotaSchedulingPolicy default/x (p.yaml:1): queue full with 1 waiting",
        "QuotaSchedulingPolicy default/x (p.yaml:1): refused 1 (queue_full)",
    ]


def test_nothing_is_logged_per_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="trafficcore")
    engine = Engine.load(p.policy(p.limit(1, 1000)))
    caplog.clear()
    for n in range(1000):
        engine.admit(p.request(), n / 1000)
    assert len(messages(caplog)) == 1


def test_that_no_rule_applies_is_a_warning_with_the_reason() -> None:
    text = LIMIT_OF_ANOTHER
    told: list[Event] = []
    Engine.load(text, listeners=[told.append])
    level, line = describe(told[-1])
    assert level == logging.WARNING
    assert line.startswith("1 rule loaded, and none applies to this process: namespace shop;")


LIMIT_OF_ANOTHER = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: it, namespace: shop}
spec:
  configs:
  - limit: {fill_interval: 1s, quota: 1}
"""
