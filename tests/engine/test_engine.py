"""The order of the stages, what a refusal gives back, and who hears of what."""

from typing import Any

import pytest

from support import policies as p
from trafficcore.engine import Engine, Identity, Permit, Queued, Rejection
from trafficcore.engine.events import BreakerChanged, Event, Refusals, RuleRead, Unmatched
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import HeaderMatch, LimitOverride, Op, RequestMatch

#: A bucket of one float grants so much of a token early, that bursts never come one short.
SLACK = 1 / 1000
SUCCESS, FAILURE, CANCELLED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.CANCELLED


def admitted(engine: Engine, now: float, **request: Any) -> Permit:
    verdict = engine.admit(p.request(**request), now)
    assert isinstance(verdict, Permit), verdict
    return verdict


def refused(engine: Engine, now: float, **request: Any) -> Rejection:
    verdict = engine.admit(p.request(**request), now)
    assert isinstance(verdict, Rejection), verdict
    return verdict


def settled(engine: Engine, begin: float, end: float, status: int = 200) -> None:
    permit = admitted(engine, begin)
    permit.started(status, end)
    permit.settle(None, end)


def test_a_limit_admits_its_quota_then_refuses_with_the_time_of_the_next_token() -> None:
    engine = p.engine(p.limit(2, 60))
    admitted(engine, 0)
    admitted(engine, 0)
    answer = refused(engine, 3)
    assert (answer.status, answer.body, answer.reason) == (
        429,
        "local_rate_limited",
        Reason.RATE_LIMITED,
    )
    assert answer.retry_after == pytest.approx(27, abs=30 * SLACK)
    assert ("x-local-rate-limit", "true") in answer.headers
    assert answer.rule is not None
    assert (answer.rule.file, answer.rule.line) == ("p.yaml", 1)
    admitted(engine, answer.retry_at or 0)
    refused(engine, answer.retry_at or 0)


def test_every_limit_that_matches_must_have_a_token_and_a_refusal_takes_from_none() -> None:
    engine = p.engine(p.limit(5, 60, "wide"), p.limit(1, 60, "narrow", host="web"))
    admitted(engine, 0)
    for _ in range(10):
        assert refused(engine, 0).rule.name == "narrow"  # type: ignore[union-attr]
    for _ in range(4):  # the wide one lost a single token, to the request that got by
        admitted(engine, 0, host="other")
    assert refused(engine, 0, host="other").rule.name == "wide"  # type: ignore[union-attr]


def test_a_quota_of_nothing_refuses_everything_and_knows_no_time_to_retry() -> None:
    answer = refused(p.engine(p.limit(0)), 0)
    assert answer.retry_after is None


def test_an_override_replaces_the_limit_and_the_first_one_wins() -> None:
    def match(value: str) -> RequestMatch:
        return RequestMatch(headers=(HeaderMatch("x-tier", Op.PREFIX, value),))

    base = p.limit(1)
    rule = p.limit(
        1,
        overrides=(
            LimitOverride(match("gold"), p.limit(3).limit),
            LimitOverride(match("g"), p.limit(2).limit),
        ),
    )
    assert base.limit == rule.limit
    engine = p.engine(rule)
    counts = {}
    for tier in ("gold", "green", "none"):
        verdicts = [engine.admit(p.request(headers={"x-tier": tier}), 0) for _ in range(5)]
        counts[tier] = sum(isinstance(verdict, Permit) for verdict in verdicts)
    assert counts == {"gold": 3, "green": 2, "none": 1}


def test_a_rule_of_a_path_leaves_other_paths_alone() -> None:
    engine = p.engine(p.limit(1, headers=(HeaderMatch(":path", Op.PREFIX, "/login"),)))
    admitted(engine, 0, path="/login")
    refused(engine, 0, path="/login/again")
    for _ in range(3):
        admitted(engine, 0, path="/other")


def test_a_rule_of_path_and_header_needs_both() -> None:
    engine = p.engine(
        p.limit(0, headers=(HeaderMatch(":path", Op.PREFIX, "/a"), HeaderMatch("x", Op.EXACT, "1")))
    )
    refused(engine, 0, path="/a", headers={"x": "1"})
    admitted(engine, 0, path="/a", headers={"x": "2"})
    admitted(engine, 0, path="/b", headers={"x": "1"})
    admitted(engine, 0, path="/a")


def test_five_slow_answers_trip_the_breaker_and_it_closes_when_its_time_is_over() -> None:
    engine = p.engine(p.breaker(host="web"))
    for n in range(5):
        settled(engine, n, n + 0.6)
    answer = refused(engine, 5)
    assert (answer.status, answer.body, answer.reason) == (498, "delay break!", Reason.CIRCUIT_OPEN)
    assert answer.retry_after == pytest.approx(59.6)
    admitted(engine, 5, host="other")
    refused(engine, 64.5)
    admitted(engine, 64.6)


def test_slow_is_measured_to_the_start_of_the_response() -> None:
    engine = p.engine(p.breaker())
    for n in range(9):
        permit = admitted(engine, n)
        permit.started(200, n + 0.4)
        permit.settle(None, n + 0.9)
    admitted(engine, 9)


def test_without_a_start_slow_is_measured_to_the_end() -> None:
    engine = p.engine(p.breaker())
    for n in range(5):
        permit = admitted(engine, n)
        permit.status = 200
        permit.settle(None, n + 0.9)
    refused(engine, 5)


@pytest.mark.parametrize(
    ("status", "trips"), [(500, True), (503, True), (404, False), (200, False)]
)
def test_only_5xx_is_an_error(status: int, trips: bool) -> None:
    engine = p.engine(p.breaker(rule={"error_percent": 50, "min_requests": 4}))
    for n in range(4):
        settled(engine, n, n, status)
    verdict = engine.admit(p.request(), 4)
    assert isinstance(verdict, Rejection) is trips


@pytest.mark.parametrize(("status", "trips"), [(500, False), (502, True), (504, True)])
def test_gateway_errors_are_counted_by_themselves(status: int, trips: bool) -> None:
    engine = p.engine(p.breaker(rule={"gateway_error_percent": 100, "min_requests": 4}))
    for n in range(4):
        settled(engine, n, n, status)
    assert isinstance(engine.admit(p.request(), 4), Rejection) is trips


def test_seven_percent_of_a_hundred_is_seven() -> None:
    engine = p.engine(p.breaker(rule={"error_percent": 7, "min_requests": 100}))
    for n in range(100):
        settled(engine, n / 100, n / 100, 500 if n < 7 else 200)
    refused(engine, 1)


def test_a_client_that_goes_away_and_an_ignored_call_are_no_verdict() -> None:
    engine = p.engine(p.breaker(rule={"error_percent": 1, "min_requests": 1}))
    for n in range(20):
        permit = admitted(engine, n)
        if n % 2:
            permit.ignore()
            permit.settle(FAILURE, n + 0.9, 500)
        else:
            permit.fail()
            permit.settle(CANCELLED, n + 0.9)
    (rule,) = engine.snapshot(20)["rules"]
    assert rule["breaker"]["total"] == 0
    permit = admitted(engine, 20)
    permit.fail()
    permit.started(200, 20)
    permit.settle(None, 20)
    refused(engine, 21)


def test_a_permit_settles_once() -> None:
    engine = p.engine(p.breaker(rule={"error_percent": 50, "min_requests": 2}))
    permit = admitted(engine, 0)
    for _ in range(5):
        permit.settle(FAILURE, 0, 500)
        permit.give_back(0)
    assert permit.settled
    (rule,) = engine.snapshot(0)["rules"]
    assert rule["breaker"]["total"] == 1
    assert engine.snapshot(0)["traffic"]["inbound"]["in_flight"] == 0


def test_all_breakers_that_match_must_admit_and_each_judges_by_its_own_limit() -> None:
    engine = p.engine(
        p.breaker("strict", rule={"slow_after": 0.1, "max_slow": 2}),
        p.breaker("mild", rule={"slow_after": 5, "max_slow": 2}),
    )
    for n in range(2):
        settled(engine, n, n + 0.2)
    assert refused(engine, 3).rule.name == "strict"  # type: ignore[union-attr]
    breakers = [rule["breaker"] for rule in engine.snapshot(3)["rules"]]
    assert [breaker["state"] for breaker in breakers] == ["open", "closed"]
    assert [breaker["slow"] for breaker in breakers] == [2, 0]


def test_a_refusal_by_the_breaker_gives_the_token_of_the_limit_back() -> None:
    engine = p.engine(p.limit(5), p.breaker(rule={"max_slow": 1}))
    settled(engine, 0, 1)
    for _ in range(10):
        assert refused(engine, 1).reason is Reason.CIRCUIT_OPEN
    (bucket,) = engine.snapshot(1)["rules"][0]["buckets"]
    assert bucket["tokens"] == pytest.approx(4 + 1 / 12, abs=SLACK)


def test_a_refusal_gives_back_never_above_capacity() -> None:
    engine = p.engine(p.limit(1, 1), p.breaker(rule={"max_slow": 1}))
    settled(engine, 0, 10)
    refused(engine, 20)
    assert engine.snapshot(20)["rules"][0]["buckets"][0]["tokens"] == pytest.approx(1, abs=SLACK)


def test_a_full_house_waits_in_weighted_order_and_leaves_with_a_permit() -> None:
    engine = p.engine(p.quota(1, 1))
    admitted(engine, 0)
    tickets = {}
    for _ in range(8):
        for kind in ("guest", "subscriber"):
            ticket = engine.admit(p.request(headers={"user_type": kind}), 0)
            assert isinstance(ticket, Queued)
            tickets[ticket] = kind
    order = []
    for second in range(1, 6):
        assert engine.next_deadline() == pytest.approx(second)
        assert engine.poll(second - 0.01) == []
        ((ticket, permit),) = engine.poll(second)
        assert isinstance(permit, Permit)
        assert permit.admitted_at == second
        order.append(tickets[ticket])
    assert sorted(order) == ["guest"] + ["subscriber"] * 4
    assert engine.snapshot(5)["traffic"]["inbound"]["queued"] == 11


def test_who_waits_too_long_is_refused_and_pays_nothing() -> None:
    engine = p.engine(p.limit(5), p.quota(1, 1, timeout=1.5))
    admitted(engine, 0)
    ticket = engine.admit(p.request(), 0)
    assert isinstance(ticket, Queued)
    assert ticket.deadline == 1.5
    faster = engine.admit(p.request(headers={"user_type": "subscriber"}), 0.5)
    assert [woken for woken, _ in engine.poll(1)] == [faster]
    ((woken, answer),) = engine.poll(1.6)
    assert woken is ticket
    assert isinstance(answer, Rejection)
    assert (answer.status, answer.reason, answer.retry_at) == (503, Reason.QUEUE_TIMEOUT, 2)
    assert engine.snapshot(1.6)["rules"][0]["buckets"][0]["tokens"] == pytest.approx(
        5 - 2 + 1.6 * 5 / 60, abs=SLACK
    )
    admitted(engine, 2)
    assert engine.snapshot(2)["traffic"]["inbound"]["queued"] == 0


def test_who_cannot_be_served_in_time_is_refused_at_once_and_told_when() -> None:
    engine = p.engine(p.limit(5), p.quota(1, 1, timeout=1.5))
    admitted(engine, 0)
    assert isinstance(engine.admit(p.request(), 0), Queued)
    answer = engine.admit(p.request(), 0.25)
    assert isinstance(answer, Rejection)
    assert (answer.status, answer.reason, answer.retry_at) == (503, Reason.QUEUE_TIMEOUT, 2)
    assert answer.retry_after == 1.75
    found = engine.snapshot(0.25)
    assert found["traffic"]["inbound"]["queued"] == 1
    assert found["rules"][1]["quota"]["workloads"][-1]["refused"] == 1


def test_who_never_waits_is_refused_at_once() -> None:
    engine = p.engine(p.quota(1, 1, timeout=0))
    admitted(engine, 0)
    assert refused(engine, 0).reason is Reason.QUEUE_TIMEOUT


def test_a_full_queue_refuses() -> None:
    engine = p.engine(p.quota(1, 1), max_waiting=3)
    admitted(engine, 0)
    verdicts = [engine.admit(p.request(), 0) for _ in range(5)]
    refusals = [verdict for verdict in verdicts if isinstance(verdict, Rejection)]
    assert [answer.reason for answer in refusals] == [Reason.QUEUE_FULL] * 2


def test_a_place_given_up_costs_nothing_and_is_given_up_once() -> None:
    engine = p.engine(p.limit(5), p.quota(1, 1))
    admitted(engine, 0)
    ticket = engine.admit(p.request(), 0)
    assert isinstance(ticket, Queued)
    assert engine.cancel(ticket, 0)
    assert not engine.cancel(ticket, 0)
    assert engine.poll(5) == []
    snapshot = engine.snapshot(0)
    assert snapshot["rules"][0]["buckets"][0]["tokens"] == pytest.approx(4, abs=SLACK)
    assert snapshot["traffic"]["inbound"]["queued"] == 0
    assert [flow["waiting"] for flow in snapshot["rules"][1]["quota"]["workloads"]] == [0, 0, 0]


def test_a_permit_that_nobody_will_use_passes_its_token_on() -> None:
    engine = p.engine(p.limit(5), p.breaker(), p.quota(1, 1))
    admitted(engine, 0)
    first, second = (engine.admit(p.request(), 0) for _ in range(2))
    ((woken, permit),) = engine.poll(1)
    assert woken is first
    assert isinstance(permit, Permit)
    permit.give_back(1)
    ((woken, permit),) = engine.poll(1)
    assert woken is second
    snapshot = engine.snapshot(1)
    assert snapshot["traffic"]["inbound"]["in_flight"] == 2
    assert snapshot["rules"][0]["buckets"][0]["tokens"] == pytest.approx(3 + 1 / 12, abs=SLACK)


def test_an_open_breaker_refuses_at_admission_and_takes_no_place_in_the_queue() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}), p.quota(1, 1))
    settled(engine, 0, 0.9)
    answer = refused(engine, 0.9)
    assert answer.reason is Reason.CIRCUIT_OPEN
    assert engine.snapshot(0.9)["traffic"]["inbound"]["queued"] == 0


def test_a_breaker_that_opens_while_somebody_waits_refuses_him_and_the_token_goes_back() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}), p.quota(1, 1))
    slow = admitted(engine, 0)
    ticket = engine.admit(p.request(), 0)
    assert isinstance(ticket, Queued)
    slow.started(200, 0.9)
    slow.settle(None, 0.9)
    ((woken, answer),) = engine.poll(1)
    assert woken is ticket
    assert isinstance(answer, Rejection)
    assert answer.reason is Reason.CIRCUIT_OPEN
    tokens = engine.snapshot(1)["rules"][1]["quota"]["queue"]["tokens"]
    assert tokens == pytest.approx(1)


def test_slow_is_measured_from_when_the_request_leaves_the_queue() -> None:
    engine = p.engine(p.breaker(rule={"max_slow": 1}), p.quota(1, 1))
    admitted(engine, 0)
    engine.admit(p.request(), 0)
    ((_, permit),) = engine.poll(1)
    assert isinstance(permit, Permit)
    permit.started(200, 1.4)
    permit.settle(None, 1.4)
    assert engine.snapshot(2)["rules"][0]["breaker"]["slow"] == 0


def test_two_quotas_are_passed_one_after_the_other() -> None:
    engine = p.engine(p.quota(1, 1), p.quota(1, 0.5))
    admitted(engine, 0)
    first = engine.admit(p.request(), 0)
    assert isinstance(first, Queued)
    assert engine.poll(1) == []  # through the first, waiting for the second
    ((woken, permit),) = engine.poll(2)
    assert woken is first
    assert isinstance(permit, Permit)
    quotas = [rule["quota"] for rule in engine.snapshot(2)["rules"]]
    assert [quota["workloads"][-1]["admitted"] for quota in quotas] == [2, 2]
    second = engine.admit(p.request(), 2)
    assert isinstance(second, Queued)
    assert engine.cancel(second, 2)
    assert [quota["workloads"][-1]["waiting"] for quota in quotas] == [0, 0]


def test_both_spellings_of_a_header_name_the_workload_and_together_none() -> None:
    engine = p.engine(p.quota(100, 100))
    for headers in (
        {"user_type": "guest"},
        {"user-type": "guest"},
        {"user_type": "guest", "user-type": "subscriber"},
        {"user_type": "subscriber", "user-type": "subscriber"},
        {},
    ):
        admitted(engine, 0, headers=headers)
    quota = engine.snapshot(0)["rules"][0]["quota"]
    assert [flow["admitted"] for flow in quota["workloads"]] == [2, 0, 3]
    assert quota["ambiguous_labels"] == 2


def test_a_label_of_the_application_goes_before_what_a_caller_sent() -> None:
    engine = p.engine(p.quota(100, 100))
    admitted(
        engine,
        0,
        headers={"user_type": "subscriber"},
        labels={"http.request.header.user_type": "guest"},
    )
    flows = engine.snapshot(0)["rules"][0]["quota"]["workloads"]
    assert [flow["admitted"] for flow in flows] == [1, 0, 0]


def test_directions_are_kept_apart() -> None:
    engine = p.engine(p.limit(1), p.limit(1, direction=p.OUTBOUND))
    admitted(engine, 0)
    refused(engine, 0)
    assert isinstance(engine.admit(p.calling("web"), 0), Permit)
    assert isinstance(engine.admit(p.calling("web"), 0), Rejection)
    assert [rule["hits"] for rule in engine.snapshot(0)["rules"]] == [2, 2]


def test_a_rule_that_is_not_for_this_process_says_why_and_does_nothing() -> None:
    events: list[Event] = []
    engine = p.engine(
        p.limit(0, labels=(("app", "activator"),)),
        identity=Identity(labels={"app": "web"}),
        listeners=[events.append],
    )
    admitted(engine, 0)
    (rule,) = engine.snapshot(0)["rules"]
    assert rule["why_not"] == "selector app=activator; this process is app=web"
    assert not rule["applies"]
    (read,) = [event for event in events if isinstance(event, RuleRead)]
    assert read.why_not == rule["why_not"]


def test_listeners_hear_of_transitions_and_of_refusals_every_ten_seconds() -> None:
    events: list[Event] = []
    engine = p.engine(p.breaker(rule={"max_slow": 1}), p.limit(1, 100), listeners=[events.append])
    events.clear()
    settled(engine, 0, 1)
    for tenth in range(10, 250):
        refused(engine, tenth / 10)
    changes = [event for event in events if isinstance(event, BreakerChanged)]
    assert [(change.before, change.after) for change in changes] == [("closed", "open")]
    assert changes[0].until == 61
    told = [event for event in events if isinstance(event, Refusals)]
    assert [event.count for event in told] == [1, 100, 100]
    assert [event.at for event in told] == [1, 11, 21]


def test_a_listener_that_raises_harms_nobody() -> None:
    def broken(_: Event) -> None:
        raise RuntimeError

    heard: list[Event] = []
    engine = p.engine(p.breaker(rule={"max_slow": 1}), listeners=[broken, heard.append])
    settled(engine, 0, 1)
    refused(engine, 1)
    assert engine.announcer.errors == len(heard) > 0


def test_after_a_thousand_requests_without_a_rule_there_is_one_warning() -> None:
    events: list[Event] = []
    engine = p.engine(p.limit(1, host="web"), listeners=[events.append])
    for n in range(3000):
        admitted(engine, n, host="other.example.com")
    (told,) = [event for event in events if isinstance(event, Unmatched)]
    assert (told.count, told.host) == (1000, "other.example.com")
    # where no rule is about a direction at all, nothing is amiss
    for n in range(1001):
        engine.admit(p.calling("other"), n)
    assert sum(isinstance(event, Unmatched) for event in events) == 1


def test_the_memos_of_hosts_and_paths_are_bounded() -> None:
    engine = p.engine(p.limit(10**9, headers=(HeaderMatch(":path", Op.PREFIX, "/x"),)))
    for n in range(3000):
        admitted(engine, 0, host=f"h{n}", path="/x")
        admitted(engine, 0, path=f"/x/{n}")
    routes = engine._table.inbound
    assert len(routes.hosts) <= 512
    assert sum(len(host.paths) for host in routes.hosts.values()) <= 4096
    for n in range(6000):
        admitted(engine, 0, host=f"h{n % 100}", path=f"/x/{n}")
    assert 0 < sum(len(host.paths) for host in routes.hosts.values()) <= 4096
    admitted(engine, 0, host="h" * 300, path="/x" * 300)
    assert max(len(path) for host in routes.hosts.values() for path in host.paths) <= 256
    assert max(map(len, routes.hosts)) <= 256
    assert len(routes._plans) == 1
