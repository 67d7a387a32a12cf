"""`Balancer`: what a person without an engine sees of balancing, ejection and zones."""

import json
import logging
from collections import Counter
from contextlib import nullcontext

import pytest

from support.exactness import assert_atomic, hammer, python_clock
from trafficcore.core.balance import Endpoint
from trafficcore.core.outlier import Result, Settings
from trafficcore.engine.guard import locked
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.balancer import Balancer
from trafficcore.outcome import Reason
from trafficcore.spec import EndpointSpec, LocalityLb

ARTICLE = Settings(consecutive_5xx=3, interval=5, base_ejection_time=20, max_ejection_percent=100)
NEAR, FAR = "r1/a", "r1/b"
FOUR = [("a1:80", NEAR), ("a2:80", NEAR), ("b1:80", FAR), ("b2:80", FAR)]


def make(endpoints, clock, **settings):
    return Balancer(endpoints, clock=clock, **{"outlier": ARTICLE, **settings})


def call(balancer, count, down=()):
    """Make calls one at a time; those to `down` answer 503. Return how many each got."""
    found = Counter()
    for _ in range(count):
        pick = balancer.pick()
        if not pick:
            found[None] += 1
            continue
        found[pick.address] += 1
        balancer.report(pick, status=503 if pick.address in down else 200)
    return found


def test_calls_go_round_all_endpoints(clock):
    assert call(make(["a:1", "b:1", "c:1"], clock), 9) == {"a:1": 3, "b:1": 3, "c:1": 3}


def test_all_traffic_stays_in_the_own_zone_while_it_is_well(clock):
    assert call(make(FOUR, clock, locality=NEAR), 100) == {"a1:80": 50, "a2:80": 50}


def test_an_ejection_does_not_send_the_next_call_to_the_first_endpoint(clock):
    once = Settings(consecutive_5xx=1, max_ejection_percent=100)
    balancer = make(["a:1", "b:1", "c:1", "d:1"], clock, outlier=once)
    call(balancer, 2, down={"b:1"})
    assert [balancer.pick().address for _ in range(4)] == ["c:1", "d:1", "a:1", "c:1"]


def test_with_one_of_two_out_thirty_per_cent_go_over(clock):
    balancer = make(FOUR, clock, locality=NEAR)
    before = call(balancer, 5, down={"a1:80"})
    assert before == {"a1:80": 3, "a2:80": 2}
    assert call(balancer, 100) == {"a2:80": 70, "b1:80": 15, "b2:80": 15}


def test_a_lost_zone_costs_six_errors_and_comes_back_at_a_sweep(clock):
    balancer = make(FOUR, clock, locality=NEAR)
    down = {"a1:80", "a2:80"}
    errors = call(balancer, 200, down)
    assert errors["a1:80"] == errors["a2:80"] == 3
    assert call(balancer, 50, down) == {"b1:80": 25, "b2:80": 25}
    clock.advance(19.9)
    assert call(balancer, 10) == {"b1:80": 5, "b2:80": 5}
    clock.advance(0.1)  # 20 s is on the grid of 5 s
    assert call(balancer, 100) == {"a1:80": 50, "a2:80": 50}


def test_nobody_left_is_a_false_pick_which_says_when_to_come_back(clock):
    balancer = make(["a:1"], clock, name="billing")
    call(balancer, 3, down={"a:1"})
    pick = balancer.pick()
    assert not pick
    assert pick.retry_after == 20
    with pytest.raises(Rejected) as refusal, pick:
        pytest.fail("entered")
    assert refusal.value.reason is Reason.NO_HEALTHY_ENDPOINT
    assert refusal.value.source == "billing"
    assert refusal.value.retry_after == 20
    with pytest.raises(Rejected):
        _ = pick.address
    with pytest.raises(AttributeError):
        _ = pick.adress
    balancer.report(pick)  # nothing to report on
    assert repr(pick) == "<Pick of nobody>"


def test_panic_uses_everybody_where_it_is_asked_for(clock):
    balancer = make(["a:1"], clock, panic_threshold=50)
    call(balancer, 3, down={"a:1"})
    assert balancer.pick().address == "a:1"
    assert balancer.snapshot()["priorities"][0]["panic"]


def test_no_endpoints_is_nobody_and_nothing_to_wait_for(clock):
    pick = make([], clock).pick()
    assert not pick
    assert pick.retry_after is None


# with


def run_within(balancer, error=None, act=lambda pick: None):
    """Enter a pick, do something and raise something; return the tally of its endpoint."""
    pick = balancer.pick()
    with pytest.raises(type(error)) if error else nullcontext(), pick as endpoint:
        assert endpoint is pick
        assert endpoint.endpoint.active == 1
        act(endpoint)
        if error is not None:
            raise error
    assert pick.endpoint.active == 0
    return pick.endpoint.tally


@pytest.mark.parametrize("error", [ValueError(), TimeoutError(), ConnectionRefusedError()])
def test_an_exception_is_a_failure(clock, error):
    assert run_within(make(["a:1"], clock), error).consecutive_5xx == 1


def test_leaving_without_one_is_a_success(clock):
    balancer = make(["a:1"], clock)
    run_within(balancer, ValueError())
    tally = run_within(balancer)
    assert (tally.consecutive_5xx, tally.successes) == (0, 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()])
def test_a_caller_that_goes_away_is_no_verdict(clock, error):
    tally = run_within(make(["a:1"], clock), error)
    assert (tally.successes, tally.failures) == (0, 0)


def test_what_the_caller_says_goes_before_what_was_raised(clock):
    balancer = make(["a:1"], clock)
    tally = run_within(balancer, ValueError(), lambda pick: pick.ignore())
    assert (tally.successes, tally.failures) == (0, 0)
    assert run_within(balancer, None, lambda pick: pick.fail()).failures == 1
    assert run_within(balancer, None, lambda pick: pick.fail(503)).consecutive_gateway_failure == 1


def test_connections_that_fail_are_counted_apart_where_origins_are_split(clock):
    split = Settings(split_external_local_origin_errors=True)
    tally = run_within(make(["a:1"], clock, outlier=split), ConnectionResetError())
    assert (tally.consecutive_local_origin_failure, tally.consecutive_5xx) == (1, 0)


# report


def test_a_pick_is_reported_once(clock):
    balancer = make(["a:1"], clock)
    pick = balancer.pick()
    balancer.report(pick, ok=False)
    balancer.report(pick, ok=False)
    balancer.report(pick)
    assert pick.endpoint.active == 0
    assert pick.endpoint.tally.consecutive_5xx == 1


@pytest.mark.parametrize(
    ("report", "failures", "successes"),
    [
        ({}, 0, 1),
        ({"ok": True}, 0, 1),
        ({"ok": False}, 1, 0),
        ({"ok": None}, 0, 0),
        ({"status": 200}, 0, 1),
        ({"status": 404}, 0, 1),
        ({"status": 500}, 1, 0),
        ({"ok": False, "status": 200}, 0, 1),
        ({"result": Result.TIMEOUT}, 1, 0),
        ({"result": Result.EXT_SUCCESS}, 0, 1),
    ],
)
def test_what_a_report_counts_as(clock, report, failures, successes):
    balancer = make(["a:1"], clock)
    pick = balancer.pick()
    balancer.report(pick, **report)
    tally = pick.endpoint.tally
    assert (tally.failures, tally.successes) == (failures, successes)


def test_without_outlier_detection_nothing_is_counted_and_zones_are_alike(clock):
    balancer = make(FOUR, clock, locality=NEAR, outlier=None)
    assert call(balancer, 40, down={"a1:80"}) == dict.fromkeys(
        ["a1:80", "a2:80", "b1:80", "b2:80"], 10
    )
    assert balancer.snapshot()["why"] == "failover needs outlier detection: all localities alike"
    assert all(e["active"] == 0 for e in balancer.snapshot()["endpoints"])


# endpoints and zones


def test_failover_goes_where_a_rule_says(clock):
    places = [("a:1", "r1"), ("b:1", "r2"), ("c:1", "r3")]
    setting = LocalityLb(failover=(("r1", "r3"),))
    balancer = make(places, clock, locality="r1", locality_lb=setting)
    call(balancer, 3, down={"a:1"})
    assert call(balancer, 10) == {"c:1": 10}


def test_labels_may_decide_who_goes_first(clock):
    old, new = Endpoint("a:1", labels={"v": "1"}), Endpoint("b:1", labels={"v": "2"})
    setting = LocalityLb(failover_priority=("v",))
    balancer = make([old, new], clock, labels={"v": "2"}, locality_lb=setting)
    assert call(balancer, 10) == {"b:1": 10}


def test_distribution_weighs_zones_and_leaves_out_the_rest(clock):
    setting = LocalityLb(distribute=(("r1/*", ((NEAR, 80), (FAR, 20))),))
    balancer = make([*FOUR, ("c:1", "r2")], clock, locality=NEAR, locality_lb=setting)
    assert call(balancer, 100) == {"a1:80": 40, "a2:80": 40, "b1:80": 10, "b2:80": 10}


def test_who_gets_no_calls_is_no_part_of_the_share_that_may_be_out(clock):
    setting = LocalityLb(distribute=(("*", ((NEAR, 100),)),))
    half = Settings(consecutive_5xx=1, max_ejection_percent=50)
    balancer = make([*FOUR[:2], FOUR[2]], clock, locality=NEAR, locality_lb=setting, outlier=half)
    call(balancer, 2, down={"a1:80", "a2:80"})
    assert balancer.snapshot()["ejected"] == 1  # of two, and not of three
    pick = balancer.pick()
    balancer._locality_lb = LocalityLb(distribute=(("*", ((FAR, 100),)),))
    balancer.update(FOUR)
    balancer.report(pick, ok=False)
    assert call(balancer, 4) == {"b1:80": 2, "b2:80": 2}


def test_weights_are_kept(clock):
    assert call(make([("a:1", "", 3), ("b:1", "", 1)], clock), 100) == {"a:1": 75, "b:1": 25}


def test_endpoints_that_stay_keep_their_ejections(clock):
    balancer = make(["a:1", "b:1"], clock)
    call(balancer, 6, down={"a:1"})
    waiting = balancer.pick()
    balancer.update([("b:1", "", 2), "c:1", "a:1"])
    assert call(balancer, 9) == {"b:1": 6, "c:1": 3}
    clock.advance(20)
    assert call(balancer, 8) == {"a:1": 2, "b:1": 4, "c:1": 2}
    balancer.update(["c:1"])
    balancer.report(waiting, ok=False)  # of an endpoint that is no more
    assert call(balancer, 3) == {"c:1": 3}


def test_an_endpoint_given_twice_is_refused(clock):
    with pytest.raises(ConfigError, match="'a:1' is given twice"):
        make(["a:1", ("a:1", NEAR)], clock)
    with pytest.raises(ConfigError, match="not 101"):
        make(["a:1"], clock, panic_threshold=101)


# what people read


def test_the_snapshot_says_where_calls_go_and_why(clock):
    balancer = make(FOUR, clock, locality=NEAR, name="shop")
    call(balancer, 5, down={"a1:80"})
    clock.advance(4)
    shot = balancer.snapshot()
    assert shot["name"] == "shop"
    assert shot["why"] == "failover: own sub-zone, zone, region, then others"
    assert shot["localities"] == {NEAR: 70, FAR: 30}
    assert [(p["load"], p["why"]) for p in shot["priorities"]] == [
        (70, "1 of 2 healthy count as 70 %"),
        (30, "2 of 2 healthy count as 100 %"),
    ]
    assert {e["address"]: e["share"] for e in shot["endpoints"]} == {
        "a1:80": 0,
        "a2:80": 70,
        "b1:80": 15,
        "b2:80": 15,
    }
    out = shot["endpoints"][0]["ejected"]
    assert (out["by"], out["count"], out["remaining"]) == ("consecutive_5xx", 3, 16)
    assert shot["ejected"] == 1
    assert json.loads(json.dumps(shot)) == shot


def test_each_transition_is_one_line_of_logging(clock, caplog):
    caplog.set_level(logging.INFO, "trafficcore")
    balancer = make(
        ["a:1", "b:1"],
        clock,
        name="shop",
        outlier=Settings(consecutive_5xx=1, max_ejection_percent=50),
    )
    call(balancer, 1, down={"a:1"})
    call(balancer, 1, down={"b:1"})  # one of two is out: no more
    clock.advance(30)
    balancer.snapshot()
    lines = [(r.levelname, r.message) for r in caplog.records]
    assert lines == [
        ("WARNING", "shop: a:1 ejected for 30 s: 1 x consecutive_5xx"),
        ("INFO", "shop: a:1 returned"),
    ]


def test_an_ejection_that_is_not_enforced_is_told_as_such(clock, caplog):
    caplog.set_level(logging.INFO, "trafficcore")
    lenient = Settings(consecutive_5xx=1, enforcing_consecutive_5xx=0, max_ejection_percent=100)
    balancer = make(["a:1"], clock, outlier=lenient)
    call(balancer, 1, down={"a:1"})
    assert [r.message for r in caplog.records] == [
        "balancer: a:1: 1 x consecutive_5xx, not ejected"
    ]


# threads and forks


def test_no_count_can_be_split():
    assert_atomic(Balancer.pick, state={"active"})
    assert_atomic(Balancer.report, state={"active", "_open"})


@pytest.mark.stress
@pytest.mark.parametrize("force", [lambda cls: cls, locked], ids=["free", "locked"])
def test_threads_share_the_endpoints_to_the_last_call_and_leave_none_in_flight(force):
    balancer = force(Balancer)([f"10.0.0.{i}:80" for i in range(7)], clock=python_clock())

    def work(_index):
        found = Counter()
        for _ in range(1500):
            with balancer.pick() as endpoint:
                found[endpoint.address] += 1
        return found

    counts = sum(hammer(work, threads=8), Counter())
    assert sum(counts.values()) == 12000
    assert max(counts.values()) - min(counts.values()) <= 1
    shot = balancer.snapshot()
    assert all(e["active"] == 0 for e in shot["endpoints"])
    tallies = [e.tally for e in balancer._endpoints.values()]
    assert sum(t.successes for t in tallies) == 12000


def test_calls_in_flight_are_the_parents(clock):
    balancer = make(["a:1"], clock)
    pick = balancer.pick()
    balancer.after_fork()  # as in the child
    assert pick.endpoint.active == 0
    balancer.report(pick)
    assert pick.endpoint.active == 0


@pytest.mark.parametrize("picker", ["ring_hash", "maglev"])
def test_calls_of_one_key_go_to_one_endpoint(clock, picker):
    once = Settings(consecutive_5xx=1, interval=5, base_ejection_time=20, max_ejection_percent=100)
    balancer = make([f"{n}:1" for n in range(8)], clock, outlier=once, picker=picker)
    users = [f"user-{n}" for n in range(200)]
    found = {user: balancer.pick(key=user).address for user in users}
    assert found == {user: balancer.pick(key=user).address for user in users}
    assert len(set(found.values())) == 8
    balancer.report(balancer.pick(key=users[0]), status=503)
    moved = {user: balancer.pick(key=user).address for user in users}
    assert found[users[0]] not in moved.values()
    kept = sum(moved[user] == found[user] for user in users)
    assert kept > 0.6 * len(users)
    clock.advance(25)
    assert found == {user: balancer.pick(key=user).address for user in users}
    assert {balancer.pick().address for _ in range(500)} == set(found.values())  # drawn, without


def test_the_less_busy_of_two_takes_the_call(clock):
    balancer = make(["a:1", "b:1"], clock, picker="least_request")
    for _ in range(200):  # held: whoever has fewer is at least as likely to be drawn
        balancer.pick()
    active = [entry["active"] for entry in balancer.snapshot()["endpoints"]]
    assert sum(active) == 200
    assert max(active) - min(active) < 20


def test_a_draw_finds_everybody(clock):
    assert len(call(make(["a:1", "b:1", "c:1"], clock, picker="random"), 100)) == 3


def test_a_key_needs_a_picker_that_looks_at_it(clock):
    with pytest.raises(ConfigError, match=r"a key \('x'\) needs the picker ring_hash or maglev"):
        make(["a:1"], clock).pick(key="x")


def test_a_picker_that_is_none_is_told(clock):
    with pytest.raises(ConfigError, match="picker must be one of round_robin, least_request"):
        make(["a:1"], clock, picker="fastest")


# endpoints that are found out


class Source:
    def __init__(self, known=None, every=10):
        self.known, self.every, self.due = known, every, float("-inf")
        self.notices = []

    def snapshot(self, now):
        self.due = now + self.every
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    def next_deadline(self):
        return self.due

    def watch(self, notice):
        self.notices.append(notice)


def test_a_source_is_asked_when_it_says_and_those_that_stay_keep_their_ejection(clock, caplog):
    source = Source(["a:1", "b:1"])
    balancer = make(source, clock, name="it")
    call(balancer, 6, down={"a:1"})
    source.known = [EndpointSpec("a:1"), EndpointSpec("c:1", labels={"v": "1"})]
    assert call(balancer, 4) == {"b:1": 4}
    clock.advance(10)
    with caplog.at_level(logging.INFO, "trafficcore.balancer"):
        assert call(balancer, 4) == {"c:1": 4}
    assert "it: c:1 joined, b:1 left" in caplog.text
    assert [one["ejected"] is None for one in balancer.snapshot()["endpoints"]] == [False, True]


def test_a_notice_has_the_next_pick_ask(clock):
    source = Source(["a:1"], every=float("inf"))
    balancer = make(source, clock)
    source.known = ["b:1"]
    assert call(balancer, 2) == {"a:1": 2}
    for notice in source.notices:
        notice()
    assert call(balancer, 2) == {"b:1": 2}


def test_a_source_that_fails_leaves_the_endpoints_and_says_so(clock, caplog):
    source = Source(["a:1"])
    balancer = make(source, clock, outlier=None)
    source.known = OSError("away")
    clock.advance(10)
    assert call(balancer, 2) == {"a:1": 2}
    assert "balancer: endpoints stay as they were: OSError: away" in caplog.text
    assert balancer.snapshot()["discovery"]["error"] == "OSError: away"
    source.known = ["a:1"]
    with caplog.at_level(logging.INFO, "trafficcore.balancer"):
        clock.advance(10)
        call(balancer, 1)
    assert "endpoints are known again" in caplog.text


def test_a_callable_is_asked_before_the_first_pick(clock):
    asked = []
    balancer = make(lambda: asked.append(1) or ["a:1"], clock)
    assert call(balancer, 2) == {"a:1": 2}
    clock.advance(10)
    assert call(balancer, 1) == {"a:1": 1}
    assert len(asked) == 3


def test_an_update_by_hand_lets_the_source_go(clock):
    source = Source(["a:1"])
    balancer = make(source, clock)
    balancer.update(["b:1"])
    clock.advance(100)
    assert call(balancer, 2) == {"b:1": 2}
    with pytest.raises(ConfigError, match="must be a list or a Discovery, not 'a:1'"):
        make("a:1", clock)
