"""A reload: what keeps its state, what begins anew, and that a fault changes nothing."""

import threading
from typing import Any

import pytest

from support import policies as p
from trafficcore.engine import Engine, Permit, Queued, Rejection
from trafficcore.engine.events import PolicyLoaded
from trafficcore.engine.guard import locked
from trafficcore.errors import ConfigError
from trafficcore.spec import HeaderMatch, LabelKeys, Op, Policy


def drained(engine: Engine, now: float = 0, **request: Any) -> int:
    """Return how many requests are admitted before the first refusal."""
    count = 0
    while isinstance(engine.admit(p.request(**request), now), Permit):
        count += 1
        assert count < 1000
    return count


def test_a_rule_keeps_its_bucket_wherever_it_moves_in_the_list() -> None:
    old = p.limit(5, host="web")
    engine = p.engine(old)
    assert drained(engine) == 5
    moved = p.limit(5, name="renamed", host="web")
    engine.reload(p.policy(p.limit(3, host="other"), moved))
    assert drained(engine) == 0
    assert drained(engine, host="other") == 3
    rules = engine.snapshot(0)["rules"]
    assert [(rule["name"], rule["hits"]) for rule in rules] == [("x", 4), ("renamed", 7)]


def test_a_limit_with_new_numbers_begins_anew_and_one_with_a_new_answer_does_not() -> None:
    engine = p.engine(p.limit(5))
    assert drained(engine) == 5
    engine.reload(p.policy(p.limit(5, limit={"status": 420, "body": "calm"})))
    answer = engine.admit(p.request(), 0)
    assert isinstance(answer, Rejection)
    assert (answer.status, answer.body) == (420, "calm")
    engine.reload(p.policy(p.limit(6)))
    assert drained(engine) == 6


def test_equal_rules_are_told_apart_by_their_order() -> None:
    engine = p.engine(p.limit(5), p.limit(5))
    engine.reload(p.policy(p.limit(5), p.limit(5)))
    assert len({id(stage.bucket) for stage in engine._table.limits}) == 2


def test_a_breaker_stays_open_and_takes_on_its_new_answer() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}))
    late = engine.admit(p.request(), 0)
    slow = engine.admit(p.request(), 0)
    assert isinstance(slow, Permit)
    assert isinstance(late, Permit)
    slow.started(200, 1)
    slow.settle(None, 1)
    engine.reload(p.policy(p.breaker("other", rule={"max_slow": 1}, response=None)))
    answer = engine.admit(p.request(), 2)
    assert isinstance(answer, Rejection)
    assert answer.status == 503
    late.settle(None, 3, 200)
    snapshot = engine.snapshot(3)
    assert snapshot["rules"][0]["breaker"]["late"] == 1
    assert snapshot["traffic"]["inbound"]["in_flight"] == 0
    engine.reload(p.policy(p.breaker(rule={"max_slow": 2})))
    assert isinstance(engine.admit(p.request(), 3), Permit)


def call(engine: Engine, now: float, took: float, status: int = 200) -> None:
    """Make one call that is answered after so long."""
    permit = engine.admit(p.request(), now)
    assert isinstance(permit, Permit)
    permit.started(status, now + took)
    permit.settle(None, now + took)


def seen(engine: Engine, now: float) -> dict[str, Any]:
    breaker: dict[str, Any] = engine.snapshot(now)["rules"][0]["breaker"]
    return breaker


def test_another_limit_of_slowness_keeps_a_breaker_open() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}))
    call(engine, 0, 0.6)
    era = seen(engine, 1)["era"]
    engine.reload(p.policy(p.breaker(rule={"max_slow": 1, "slow_after": 3})))
    assert isinstance(engine.admit(p.request(), 1), Rejection)
    assert (seen(engine, 1)["era"], seen(engine, 1)["retry_at"]) == (era, 60.6)
    call(engine, 61, 2)
    call(engine, 64, 3.5)
    assert seen(engine, 68)["state"] == "open"


def test_another_limit_of_slowness_keeps_what_a_breaker_has_counted() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 2}))
    call(engine, 0, 0.6)
    engine.reload(p.policy(p.breaker(rule={"max_slow": 2, "slow_after": 1})))
    call(engine, 2, 0.9)
    assert (seen(engine, 3)["state"], seen(engine, 3)["slow"]) == ("closed", 1)
    call(engine, 4, 1.1)
    assert seen(engine, 6)["state"] == "open"


def test_a_call_under_way_at_a_reload_is_judged_by_the_new_limit_of_slowness() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}))
    permit = engine.admit(p.request(), 0)
    assert isinstance(permit, Permit)
    engine.reload(p.policy(p.breaker(rule={"max_slow": 1, "slow_after": 2})))
    permit.settle(None, 1, 200)
    assert (seen(engine, 1)["state"], seen(engine, 1)["total"]) == ("closed", 1)


@pytest.mark.parametrize(
    "other", [{"window": 5}, {"max_slow": 2}, {"open_for": 50}, {"error_percent": 50}]
)
def test_other_rules_of_a_breaker_begin_closed(other: dict[str, Any]) -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}))
    call(engine, 0, 0.6)
    engine.reload(p.policy(p.breaker(rule={"max_slow": 1, **other})))
    assert (seen(engine, 1)["state"], seen(engine, 1)["total"]) == ("closed", 0)


def test_a_reload_with_a_fault_leaves_a_breakers_limit_of_slowness() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}))
    changed = p.breaker(rule={"max_slow": 1, "slow_after": 2})
    with pytest.raises(ConfigError):
        engine.reload(p.policy(changed, p.destination()), endpoints={p.NAME: [("a:1", "r", 0)]})
    call(engine, 0, 0.6)
    assert seen(engine, 1)["state"] == "open"


def test_who_waits_goes_on_waiting_and_new_priorities_are_for_those_who_come() -> None:
    engine = p.engine(p.quota(1, 1))
    engine.admit(p.request(), 0)
    tickets = [engine.admit(p.request(), 0) for _ in range(3)]
    engine.reload(p.policy(p.quota(1, 1, timeout=0)))
    assert [ticket for ticket, _ in engine.poll(1)] == tickets[:1]
    assert isinstance(engine.admit(p.request(), 1), Rejection)
    assert [ticket for ticket, _ in engine.poll(2)] == tickets[1:2]


def test_who_waits_goes_by_new_numbers_and_before_who_comes_later() -> None:
    engine = p.engine(p.quota(1, 1))
    engine.admit(p.request(), 0)
    tickets = [engine.admit(p.request(), 0) for _ in range(3)]
    engine.reload(p.policy(p.quota(1, 100)))
    tickets.append(engine.admit(p.request(), 0))
    assert all(isinstance(ticket, Queued) for ticket in tickets)
    assert engine.next_deadline() <= 0
    assert engine.poll(0) == []
    assert engine.next_deadline() == pytest.approx(0.01, rel=0.01)
    woken = [ticket for n in range(1, 5) for ticket, _ in engine.poll(n / 100)]
    assert woken == tickets


def test_reloads_with_other_numbers_mint_no_tokens() -> None:
    engine = p.engine(p.quota(100, 1, timeout=0))
    admitted = drained(engine)
    for capacity in (101, 102, 50, 200):
        engine.reload(p.policy(p.quota(capacity, 1, timeout=0)))
        admitted += drained(engine)
    assert admitted == 100


def test_the_budget_of_each_key_follows_as_well() -> None:
    keys = LabelKeys(limit="http.request.header.user")
    engine = p.engine(p.quota(2, 1, timeout=0, keys=keys))
    assert drained(engine, headers={"user": "ann"}) == 2
    engine.reload(p.policy(p.quota(4, 4, timeout=0, keys=keys)))
    assert drained(engine, headers={"user": "ann"}) == 0
    assert drained(engine, 1, headers={"user": "ann"}) == 4
    assert drained(engine, 1, headers={"user": "bob"}) == 4


def test_how_long_idle_keys_are_kept_follows_a_reload() -> None:
    keys = LabelKeys(limit="http.request.header.user")
    engine = p.engine(p.quota(1, 10, timeout=0, keys=keys, max_idle_time=1000))
    drained(engine, headers={"user": "ann"})
    engine.reload(p.policy(p.quota(1, 10, timeout=0, keys=keys, max_idle_time=5)))
    for now, user in ((4, "bob"), (10, "cid")):  # each new key looks at old ones
        drained(engine, now, headers={"user": user})
    (rule,) = engine.snapshot(10)["rules"]
    assert rule["quota"]["queue"]["keys"] == 1


def test_calls_in_flight_stay_counted_where_their_number_changes() -> None:
    def slots(most: int) -> Policy:
        return p.policy(p.quota(most, timeout=0, max_inflight_duration=60))

    engine = Engine(slots(3), listeners=())
    held = [engine.admit(p.request(), 0) for _ in range(3)]
    for most in (2, 3):
        engine.reload(slots(most))
        assert isinstance(engine.admit(p.request(), 0), Rejection)
    engine.reload(slots(4))
    held.append(engine.admit(p.request(), 0))
    assert isinstance(engine.admit(p.request(), 0), Rejection)
    for permit in held:
        permit.settle(None, 1, 200)
    assert drained(engine, 1) == 4


@pytest.mark.parametrize("keys", [LabelKeys(), LabelKeys(limit="http.request.header.user")])
def test_after_a_fork_calls_in_flight_are_the_parents(keys: LabelKeys) -> None:
    rule = p.quota(2, timeout=0, max_inflight_duration=60, keys=keys)
    engine = Engine(p.policy(rule), listeners=())
    asked = {"headers": {"user": "ann"}}
    theirs = [engine.admit(p.request(**asked), 0) for _ in range(2)]
    engine.after_fork()
    assert drained(engine, **asked) == 2
    for permit in theirs:  # as what the parent left behind is collected
        permit.settle(None, 1, 200)
    assert drained(engine, 1, **asked) == 0


def test_who_waits_for_a_quota_that_is_gone_is_still_served_by_it() -> None:
    engine = p.engine(p.quota(1, 1))
    engine.admit(p.request(), 0)
    ticket = engine.admit(p.request(), 0)
    assert isinstance(ticket, Queued)
    engine.reload(Policy())
    assert isinstance(engine.admit(p.request(), 0), Permit)
    assert engine.next_deadline() == 1
    ((woken, permit),) = engine.poll(1)
    assert woken is ticket
    assert isinstance(permit, Permit)
    permit.settle(None, 1, 200)
    engine.reload(Policy())
    assert engine.next_deadline() == float("inf")


def test_endpoints_that_stay_keep_their_ejection_and_those_that_go_are_gone() -> None:
    engine = p.engine(p.destination(), endpoints={p.NAME: ["a:1", "b:1"]})
    for _ in range(6):
        permit = engine.admit(p.calling(), 0)
        assert isinstance(permit, Permit)
        assert permit.endpoint is not None
        permit.settle(None, 0, 503 if permit.endpoint.address == "a:1" else 200)
    engine.reload(endpoints={p.NAME: ["c:1", "a:1"]})
    seen = set()
    for _ in range(10):
        permit = engine.admit(p.calling(), 1)
        assert isinstance(permit, Permit)
        assert permit.endpoint is not None
        seen.add(permit.endpoint.address)
        permit.settle(None, 1, 200)
    assert seen == {"c:1"}
    (cluster,) = engine.snapshot(1)["clusters"]
    assert [(e["address"], e["ejected"]) for e in cluster["endpoints"]] == [
        ("c:1", False),
        ("a:1", True),
    ]
    engine.reload(Policy())  # without a rule nobody is ejected
    assert {e["ejected"] for e in engine.snapshot(2)["clusters"][0]["endpoints"]} == {False}


def test_hosts_can_be_declared_anew() -> None:
    engine = p.engine(p.limit(0, host="web"))
    assert isinstance(engine.admit(p.request(host="www"), 0), Permit)
    engine.reload(hosts={"web": ["www"]})
    assert isinstance(engine.admit(p.request(host="www"), 0), Rejection)


def test_a_set_with_a_fault_changes_nothing() -> None:
    engine = p.engine(p.limit(5), p.quota(10, 10))
    assert drained(engine) == 5
    before = engine._table
    bad = p.limit(9, host="a", headers=(HeaderMatch("x", Op.REGEX, "("),))
    with pytest.raises(ConfigError, match="regular expression"):
        engine.reload(p.policy(p.limit(5, name="renamed"), bad))
    assert engine._table is before
    assert drained(engine) == 0
    assert engine.snapshot(0)["reloads"] == 0
    assert engine.snapshot(0)["rules"][0]["name"] == "x"
    with pytest.raises(ConfigError):
        engine.reload(endpoints={p.NAME: [("a:1", "r", 0)]})
    engine.reload(p.policy(p.limit(5)))
    assert drained(engine) == 0  # what the failed ones looked at is still there to take over


def test_a_reload_says_how_many_rules_kept_their_state() -> None:
    heard: list[object] = []
    engine = p.engine(p.limit(5), p.limit(6), listeners=[heard.append])
    engine.reload(p.policy(p.limit(5), p.limit(7)))
    loaded = [event for event in heard if isinstance(event, PolicyLoaded)]
    assert [(event.rules, event.reload) for event in loaded] == [(2, False), (2, True)]
    assert loaded[0].kept == 0
    assert loaded[1].kept == 1


def test_while_policies_are_read_for_a_reload_requests_go_on_and_other_changes_wait() -> None:
    engine = locked(Engine)(p.policy(p.limit(0, host="web")), locked=True)
    reading, go_on = threading.Event(), threading.Event()

    def read() -> Policy:
        reading.set()
        assert go_on.wait(10)
        return p.policy(p.limit(0, host="web"), p.limit(0, host="shop"))

    engine.policies.source = read
    reload = threading.Thread(target=engine.reload)
    reload.start()
    assert reading.wait(10)
    assert isinstance(engine.admit(p.request(), 0), Rejection)  # nobody waits for the reader
    shadow = threading.Thread(target=engine.shadow, args=("*",))
    shadow.start()
    go_on.set()
    reload.join()
    shadow.join()
    assert isinstance(engine.admit(p.request(host="shop"), 0), Permit)  # of the newer set
    assert engine.snapshot(0)["reloads"] == 1
