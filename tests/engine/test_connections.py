"""A bucket for each connection: `per_downstream_connection`."""

import pytest

from trafficcore import Engine, Facts, Permit, Rejection
from trafficcore.spec import Direction

RULE = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: it}
spec:
  configs:
  - match: {vhost: {name: web}}
    limit: {fill_interval: {seconds: 60}, quota: 2, per_downstream_connection: true}
"""
HOST = "web.default.svc.cluster.local"


def ask(made, connection, now=0, address="9.9.9.9"):
    facts = Facts(Direction.INBOUND, HOST, address=address, connection=connection)
    return made.admit(facts, now)


def test_each_connection_has_its_own_tokens():
    made = Engine.load(RULE, listeners=())
    for connection in ("9.9.9.9:1", "9.9.9.9:2"):
        answers = [ask(made, connection) for _ in range(3)]
        assert [isinstance(answer, Permit) for answer in answers] == [True, True, False]
        assert (answers[2].status, answers[2].body) == (429, "local_rate_limited")
        assert answers[2].retry_after == pytest.approx(30, abs=1e-3)
    assert isinstance(ask(made, "9.9.9.9:1", 30.001), Permit)
    rule = made.snapshot(0)["rules"][0]
    assert (rule["hits"], rule["refused"]) == (7, 2)
    assert rule["buckets"][0]["keys"] == 2


def test_without_a_connection_it_counts_by_the_peer():
    made = Engine.load(RULE, listeners=())
    assert [isinstance(ask(made, "", address="1.1.1.1"), Permit) for _ in range(3)][-1] is False
    assert isinstance(ask(made, "", address="2.2.2.2"), Permit)


def test_a_refusal_gives_back_what_a_shared_limit_gave():
    shared = RULE.replace("{name: it}", "{name: shared}").replace(
        "quota: 2, per_downstream_connection: true", "quota: 4"
    )
    made = Engine.load(f"{RULE}---{shared}", listeners=())
    assert [isinstance(ask(made, "a"), Permit) for _ in range(9)].count(True) == 2
    assert [isinstance(ask(made, "b"), Permit) for _ in range(3)] == [True, True, False]
    assert isinstance(ask(made, "c"), Rejection)


@pytest.mark.parametrize("how", ["mode", "rule"])
def test_in_shadow_it_counts_and_admits(how):
    made = Engine.load(RULE, listeners=())
    if how == "mode":
        made.mode = "shadow"
    else:
        made.shadow("* default/it")
    assert all(isinstance(ask(made, "a"), Permit) for _ in range(5))
    rule = made.snapshot(0)["rules"][0]
    assert (rule["refused"], rule["shadowed"]) == (0, 3)


def test_its_state_stays_over_a_reload():
    made = Engine.load(RULE, listeners=())
    assert all(isinstance(ask(made, "a"), Permit) for _ in range(2))
    made.reload()
    assert isinstance(ask(made, "a"), Rejection)


def test_a_quota_of_0_refuses_every_connection():
    made = Engine.load(RULE.replace("quota: 2", "quota: 0"), listeners=())
    assert isinstance(ask(made, "a"), Rejection)
    assert ask(made, "a").retry_after is None


def test_connections_are_remembered_within_a_bound():
    made = Engine.load(RULE, listeners=())
    for number in range(11_000):
        ask(made, f"peer:{number}", 0.0)
    assert made.snapshot(0.0)["rules"][0]["buckets"][0]["keys"] <= 10_000
