"""Endpoints of an engine: zones, ejection, return, and what a late result may still do."""

from collections import Counter

import attrs
import pytest

from support import policies as p
from trafficcore.engine import Engine, Facts, Identity, Permit, Rejection
from trafficcore.engine.events import EndpointEjected, EndpointReturned, Event
from trafficcore.errors import ConfigError
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import Direction, EndpointSpec, LocalityLb, TrafficPolicy

HERE = Identity(locality="r/a")
FOUR = {p.NAME: [("a1:80", "r/a"), ("a2:80", "r/a"), ("b1:80", "r/b"), ("b2:80", "r/b")]}


def call(engine: Engine, now: float, *failing: str) -> str:
    permit = engine.admit(p.calling(), now)
    assert isinstance(permit, Permit), permit
    assert permit.endpoint is not None
    address = permit.endpoint.address
    permit.started(503 if address in failing else 200, now)
    permit.settle(None, now)
    return address


def calls(engine: Engine, now: float, count: int, *failing: str) -> Counter[str]:
    return Counter(call(engine, now, *failing) for _ in range(count))


def test_without_a_rule_calls_go_round_all_endpoints() -> None:
    engine = p.engine(identity=HERE, endpoints=FOUR)
    assert calls(engine, 0, 40) == {"a1:80": 10, "a2:80": 10, "b1:80": 10, "b2:80": 10}


def test_outlier_detection_keeps_calls_in_their_zone_and_spills_over_by_1_4() -> None:
    events: list[Event] = []
    engine = p.engine(p.destination(), identity=HERE, endpoints=FOUR, listeners=[events.append])
    assert calls(engine, 0, 40) == {"a1:80": 20, "a2:80": 20}
    assert calls(engine, 1, 6, "a1:80")["a1:80"] == 3
    assert calls(engine, 1, 200) == {"a2:80": 140, "b1:80": 30, "b2:80": 30}
    failures = 0
    while failures < 3:
        failures += call(engine, 2, "a2:80") == "a2:80"
    assert calls(engine, 2, 100) == {"b1:80": 50, "b2:80": 50}
    # ejected at 1 and 2 for 20 s, swept at 0, 5, 10 …: back at 25
    assert set(calls(engine, 24.9, 20)) == {"b1:80", "b2:80"}
    assert calls(engine, 25, 40) == {"a1:80": 20, "a2:80": 20}
    ejected = [event for event in events if isinstance(event, EndpointEjected)]
    assert [(event.address, event.until) for event in ejected] == [("a1:80", 25), ("a2:80", 25)]
    returned = [event for event in events if isinstance(event, EndpointReturned)]
    assert [(event.address, event.at) for event in returned] == [("a1:80", 25), ("a2:80", 25)]


def test_a_success_between_failures_keeps_an_endpoint_in() -> None:
    engine = p.engine(p.destination(), identity=HERE, endpoints={p.NAME: [("a1:80", "r/a")]})
    for n in range(20):
        call(engine, n, *(("a1:80",) if n % 3 else ()))
    assert engine.snapshot(20)["clusters"][0]["endpoints"][0]["ejected"] is False


def test_a_call_that_never_got_through_counts_and_a_cancelled_one_does_not() -> None:
    engine = p.engine(p.destination(), endpoints={p.NAME: ["a:1"]})
    for outcome, status in ((Outcome.CANCELLED, 0), (Outcome.IGNORED, 0), (Outcome.FAILURE, 503)):
        for _ in range(3):
            permit = engine.admit(p.calling(), 0)
            assert isinstance(permit, Permit)
            assert engine.snapshot(0)["clusters"][0]["endpoints"][0]["active"] == 1
            permit.settle(outcome, 0, status)
    answer = engine.admit(p.calling(), 0)
    assert isinstance(answer, Rejection)
    assert (answer.status, answer.body, answer.reason) == (
        503,
        "no healthy upstream",
        Reason.NO_HEALTHY_ENDPOINT,
    )
    assert answer.retry_after == 20
    assert engine.snapshot(0)["clusters"][0]["endpoints"][0]["active"] == 0


def test_local_failures_are_counted_by_themselves_where_origins_are_split() -> None:
    split = {"split_local_origin": True, "consecutive_local_origin_failures": 2}
    engine = p.engine(p.destination(consecutive_5xx=2, **split), endpoints={p.NAME: ["a:1", "b:1"]})

    def end(outcome: Outcome, status: int, *, local: bool) -> None:
        permits = [engine.admit(p.calling(), 0) for _ in range(2)]
        for permit in permits:
            assert isinstance(permit, Permit)
            assert permit.endpoint is not None
            if permit.endpoint.address == "a:1":
                permit.settle(outcome, 0, status, local=local)
            else:
                permit.settle(Outcome.SUCCESS, 0, 200)

    def ejected() -> bool:
        return bool(engine.snapshot(0)["clusters"][0]["endpoints"][0]["ejected"])

    end(Outcome.FAILURE, 503, local=True)
    end(Outcome.FAILURE, 503, local=False)  # an answer: the way there was fine
    end(Outcome.FAILURE, 504, local=True)
    end(Outcome.SUCCESS, 200, local=False)
    end(Outcome.FAILURE, 503, local=True)
    assert not ejected()
    end(Outcome.FAILURE, 504, local=True)
    assert ejected()


def test_a_failure_without_an_answer_says_nothing_good_of_the_way_there() -> None:
    split = {"split_local_origin": True, "consecutive_local_origin_failures": 2}
    engine = p.engine(p.destination(consecutive_5xx=5, **split), endpoints={p.NAME: ["a:1"]})

    def end(status: int, *, local: bool) -> None:
        permit = engine.admit(p.calling(), 0)
        assert isinstance(permit, Permit)
        permit.settle(Outcome.FAILURE, 0, status, local=local)

    end(503, local=True)
    end(0, local=False)
    end(503, local=True)
    assert engine.snapshot(0)["clusters"][0]["endpoints"][0]["ejected"]


def test_nowhere_to_go_gives_everything_back() -> None:
    engine = p.engine(
        p.destination(consecutive_5xx=1),
        p.limit(5, direction=p.OUTBOUND),
        p.breaker(direction=p.OUTBOUND),
        endpoints={p.NAME: ["a:1"]},
    )
    call(engine, 0, "a:1")
    for _ in range(9):
        answer = engine.admit(p.calling(), 0)
        assert isinstance(answer, Rejection)
        assert answer.reason is Reason.NO_HEALTHY_ENDPOINT
    snapshot = engine.snapshot(0)
    assert snapshot["rules"][0]["buckets"][0]["tokens"] == pytest.approx(4, abs=0.001)
    assert snapshot["rules"][1]["breaker"]["total"] == 1
    assert snapshot["traffic"]["outbound"]["in_flight"] == 0


def test_locality_can_be_switched_off() -> None:
    rule = p.destination()
    off = attrs.evolve(
        rule, policy=TrafficPolicy(outlier=rule.policy.outlier, locality=LocalityLb(enabled=False))
    )
    engine = p.engine(off, identity=HERE, endpoints=FOUR)
    assert len(calls(engine, 0, 40)) == 4


def test_distribute_sends_shares_by_locality() -> None:
    rule = p.destination()
    spread = LocalityLb(distribute=(("r/a", (("r/a", 80), ("r/b", 20))),))
    engine = p.engine(
        attrs.evolve(rule, policy=attrs.evolve(rule.policy, locality=spread)),
        identity=HERE,
        endpoints=FOUR,
    )
    assert calls(engine, 0, 100) == {"a1:80": 40, "a2:80": 40, "b1:80": 10, "b2:80": 10}


@pytest.mark.parametrize("host", ["web", "web.default", "web.default.svc", "Web.default:8012"])
def test_a_service_is_found_by_any_of_its_spellings(host: str) -> None:
    engine = p.engine(endpoints={p.NAME: ["a:1"]})
    permit = engine.admit(p.calling(host), 0)
    assert isinstance(permit, Permit)
    assert permit.endpoint is not None


def test_an_unknown_host_goes_to_its_own_address() -> None:
    engine = p.engine(p.destination(), endpoints={p.NAME: ["a:1"]})
    permit = engine.admit(p.calling("example.com"), 0)
    assert isinstance(permit, Permit)
    assert permit.endpoint is None


def test_the_most_specific_rule_decides_and_the_others_say_so() -> None:
    engine = p.engine(
        p.destination("*.svc.cluster.local", consecutive_5xx=1),
        p.destination(p.NAME, consecutive_5xx=2),
        endpoints={p.NAME: ["a:1"]},
    )
    call(engine, 0, "a:1")
    call(engine, 0, "a:1")
    assert isinstance(engine.admit(p.calling(), 0), Rejection)
    wide, own = engine.snapshot(0)["rules"]
    assert not wide["applies"]
    assert own["applies"]
    assert own["hits"] == 3


@pytest.mark.parametrize(
    "bad",
    [
        [("a:1", "r", 0)],
        [("a:1", "r", 1, 2)],
        [("a:1", "r", 1, {"v": 2})],
        [("a:1", "r", 1, {}, 0)],
        [7],
        ["a:1", "a:1"],
        [("",)],
        ["http://a:1"],
        [("a:65536", "r")],
    ],
)
def test_endpoints_that_cannot_be_are_refused(bad: list[object]) -> None:
    with pytest.raises(ConfigError):
        p.engine(endpoints={p.NAME: bad})


@pytest.mark.parametrize("key", ["reviews", "reviews.default", "reviews.default.svc", "reviews:80"])
@pytest.mark.parametrize("host", ["reviews", "reviews.default.svc.cluster.local"])
def test_endpoints_may_be_given_under_a_short_name(key: str, host: str) -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: it}
spec:
  host: reviews
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}
"""
    engine = Engine.load(text, listeners=(), endpoints={key: ["a:1"]})
    assert engine.snapshot(0)["rules"][0]["applies"]
    permit = engine.admit(Facts(Direction.OUTBOUND, host), 0)
    assert isinstance(permit, Permit)
    assert permit.endpoint is not None
    assert permit.endpoint.address == "a:1"


def test_labels_of_endpoints_decide_by_failover_priority() -> None:
    rule = p.destination()
    by_label = attrs.evolve(
        rule,
        policy=TrafficPolicy(
            outlier=rule.policy.outlier, locality=LocalityLb(failover_priority=("version",))
        ),
    )
    given = [("a:1", "", 1, {"version": "v1"}), EndpointSpec("b:1", labels={"version": "v2"})]
    who = Identity(labels={"version": "v2"})
    engine = p.engine(by_label, identity=who, endpoints={p.NAME: given})
    assert calls(engine, 0, 4) == {"b:1": 4}
    engine.reload(endpoints={p.NAME: [("a:1", "", 1, {"version": "v2"}), "b:1"]})
    assert calls(engine, 0, 4) == {"a:1": 4}
    (cluster,) = engine.snapshot(0)["clusters"]
    assert [one["labels"] for one in cluster["endpoints"]] == [{"version": "v2"}, {}]
