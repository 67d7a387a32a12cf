"""Loads against timelines worked out by hand; permits are settled once whatever happens."""

import pytest

from support.simulation import hear, limit, outlier, quota
from trafficcore.engine import Permit

WEB = "http://web.default.svc.cluster.local/"


def run(load, policies="", *, latency="100ms", more="", duration="10s", service=""):
    spec = f"""
duration: {duration}
services:
- {{name: web.default.svc.cluster.local, latency: {latency}{service}}}
loads:
- name: calls
  url: {WEB}
"""
    spec += "".join(f"  {line.strip()}\n" for line in load.strip().splitlines()) + more
    return hear(spec, policies)


def seen(heard):
    return [(round(call.now, 6), call.code) for call in heard]


def settled_evenly(world):
    sides = world.engine.snapshot(world.kernel.now)["traffic"]
    return all(side["in_flight"] == 0 and side["queued"] == 0 for side in sides.values())


def test_one_client_goes_round_by_hand():
    """100 ms of work and 150 ms of thought: a call every 250 ms, the last begins before 1 s."""
    world, heard = run("clients: 1\nthink: 150ms\nduration: 1s")
    assert seen(heard) == [(0.1, 200), (0.35, 200), (0.6, 200), (0.85, 200)]
    assert world.classes["calls"].first == 0
    assert settled_evenly(world)


def test_calls_is_the_most_of_each_client():
    _, heard = run("clients: 3\ncalls: 2\nstagger: 10ms")
    assert seen(heard) == [
        (at, 200) for at in (0.1, 0.11, 0.12, 0.2, 0.21, 0.22)
    ]  # fmt: skip


def test_a_start_shifts_a_closed_load_and_its_duration():
    _, heard = run("clients: 1\nstart: 2s\nduration: 300ms")
    assert [at for at, _ in seen(heard)] == [2.1, 2.2, 2.3]


def test_warm_up_calls_are_made_one_by_one_and_not_counted_and_all_wait_for_the_last():
    """Two clients at one place: 0.1 s each, so the warm-up of two calls each ends at 0.4 s."""
    world, heard = run("clients: 2\nwarmup_calls: 2\nduration: 150ms", service=", capacity: 1")
    stats = world.classes["calls"]
    assert (stats.warmups, stats.first) == (4, 0.4)
    assert [at for at, _ in seen(heard)] == [0.5, 0.6, 0.7]
    assert stats.sent == 3, "two begin at 0.4 s and one at 0.5 s: 150 ms from 0.4 s"


def test_calls_in_flight_at_the_end_are_counted():
    world, heard = run("clients: 4\nduration: 50ms")
    assert seen(heard) == [(0.1, 200)] * 4
    assert world.classes["calls"].unanswered == 0


@pytest.mark.parametrize(
    "load",
    [
        "clients: 3\nstagger: 4s",
        "clients: 3\nstagger: 4s\nwarmup_calls: 1",
        "clients: 1\nstart: 9.95s\nwarmup_calls: 1",
        "clients: 1\nwarmup_calls: 1000",
        "clients: 2\nstart: 9s",
        "rate: 7",
        "bursts: {size: 2, every: 3s}",
    ],
)
def test_no_call_begins_at_the_end_or_later(load):
    begun = []

    def before(world):
        admit = world.engine.admit

        def watched(facts, now):
            begun.append(now)
            return admit(facts, now)

        for simulated in world._loads:
            simulated._admit = watched

    spec = "duration: 10s\nservices: [{name: web, latency: 100ms}]\nloads:\n- name: c\n  url: http://web/\n"
    spec += "".join(f"  {line}\n" for line in load.splitlines())
    hear(spec, before=before)
    assert begun
    assert max(begun) < 10


def test_a_refusal_takes_its_time_and_a_closed_client_backs_off():
    """One a second: refused after 5 ms, and again 300 ms later."""
    world, heard = run(
        "clients: 1\nrefused_after: 5ms\nbackoff: 300ms\nduration: 1s", limit(1), latency="20ms"
    )
    assert seen(heard) == [(0.02, 200), (0.025, 429), (0.33, 429), (0.635, 429), (0.94, 429)]
    assert [call.reason for call in heard[1:]] == ["rate_limited"] * 4
    assert world.classes["calls"].reasons == {"rate_limited": 4}


def test_a_client_gives_up_in_the_moment_its_patience_ends_and_no_other():
    _, heard = run("bursts: {size: 1, every: 1m}\ntimeout: 99ms")
    assert seen(heard) == [(0.099, 0)]
    _, heard = run("bursts: {size: 1, every: 1m}\ntimeout: 100ms")
    assert seen(heard) == [(0.1, 200)], "an answer that comes as it ends still counts"


def test_a_closed_client_that_gave_up_calls_again():
    _, heard = run("clients: 1\ntimeout: 30ms\nthink: 20ms\nduration: 120ms")
    assert seen(heard) == [(0.03, 0), (0.08, 0), (0.13, 0)]


DIRECTIONS = pytest.mark.parametrize("direction", ["inbound", "outbound"])


@DIRECTIONS
def test_time_outs_in_queue_and_in_flight_settle_once(direction, monkeypatch):
    """Ten a second for a burst of 30 that are served 300 ms each and wait one second at most."""
    ended = []
    settle = Permit.settle

    def counting(permit, *args, **kwargs):
        if not permit.settled:
            ended.append(permit)
        settle(permit, *args, **kwargs)

    monkeypatch.setattr(Permit, "settle", counting)
    world, heard = run(
        f"bursts: {{size: 30, every: 1m}}\ntimeout: 1s\ndirection: {direction}",
        quota(10, outbound=direction == "outbound"),
        latency="300ms",
    )
    assert len(heard) == 30
    assert sum(call.code == 200 for call in heard) == 8, "granted at 0 to 0.7 s"
    assert {call.now for call in heard if call.code == 0} == {1.0}
    assert world.waiting == 0
    assert world.most_waiting == 29
    assert settled_evenly(world)
    side = world.engine.snapshot(world.kernel.now)["traffic"][direction]
    assert side["admitted"] == len(ended) == 10, (
        "of those at 0.8 s and 0.9 s nobody hears the answer"
    )
    (rule,) = world.engine.snapshot(world.kernel.now)["rules"]
    assert rule["quota"]["queue"]["cancelled"] == 20


def test_an_outbound_time_out_counts_against_the_server_and_an_inbound_one_against_nobody():
    policy = outlier("consecutive5xxErrors: 3, maxEjectionPercent: 100")
    load = "bursts: {size: 3, every: 1m}\ntimeout: 10ms\ndirection: "
    assert len(run(load + "outbound", policy)[0].events) == 1
    assert run(load + "inbound", policy)[0].events == []


def test_a_load_at_a_control_point_meets_the_policies_of_that_place_alone():
    policy = quota(10).replace("ingress", "render")
    load = "bursts: {size: 3, every: 1m}\ntimeout: 10ms\n"
    assert run(load + "control_point: render", policy)[0].waiting_over_time != [(0, 0)]
    assert run(load + "control_point: elsewhere", policy)[0].waiting_over_time == [(0, 0)]
    assert run(load + "direction: inbound", policy)[0].waiting_over_time == [(0, 0)]


def test_a_queue_that_is_full_pushes_out_its_newest_even_as_they_give_up():
    """The one that is pushed out at 0.5 s has lost patience at that very moment: one end, once."""
    world, heard = hear(
        f"""
duration: 5s
process: {{max_waiting: 2}}
services: [{{name: web.default.svc.cluster.local, latency: 10ms}}]
loads:
- {{name: first, url: {WEB}, headers: {{user_type: guest}},
   bursts: {{size: 3, every: 1m}}, timeout: 500ms}}
- {{name: second, url: {WEB}, headers: {{user_type: subscriber}},
   bursts: {{size: 1, every: 1m}}, start: 500ms}}
""",
        quota(1),
    )
    assert len(heard) == 4
    assert world.waiting == 0
    assert settled_evenly(world)
    assert sorted(call.code for call in heard if call.load == "first") == [0, 0, 200]


def test_a_long_patience_does_not_keep_what_has_ended():
    """Twenty thousand calls of a hundredth of a second, each with half a minute of patience."""
    most = 0

    def before(world):
        (load,) = world._loads
        watch = load._watch

        def watched(call):
            nonlocal most
            watch(call)
            most = max(most, len(load._patient), len(world.kernel._heap))

        load._watch = watched

    spec = """
duration: 10s
services: [{name: web, latency: 10ms}]
loads: [{name: c, url: http://web/, rate: 2000, timeout: 30s}]
"""
    world, heard = hear(spec, before=before)
    assert len(heard) == 20_000
    assert most < 200, "20 are on their way at a time"
    assert world.end == pytest.approx(10.0095), "not when the last patience would have ended"


def test_time_outs_are_those_of_a_slow_model():
    """Each call by itself: an answer if it comes in time, else a time-out then."""
    _, heard = run(
        "rate: 500\narrivals: poisson\ntimeout: 20ms", latency="{exponential: 20ms}", duration="20s"
    )
    given_up = [call for call in heard if call.code == 0]
    assert all(call.took == pytest.approx(0.02) for call in given_up)
    assert all(call.took <= 0.02 for call in heard if call.code == 200)
    assert len(given_up) / len(heard) == pytest.approx(0.3679, abs=5 * (0.233 / 10_000) ** 0.5)


def test_labels_headers_method_and_path_reach_the_policies():
    policy = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: limit}
spec:
  configs:
  - match:
      vhost:
        name: web.default.svc.cluster.local
        route:
          header_match:
          - {name: ':path', exact_match: "/a b?x=1"}
          - {name: ':method', exact_match: POST}
          - {name: x-who, exact_match: me}
    limit: {fill_interval: {seconds: 1000}, quota: 1}
"""
    base = (
        "{{name: {}, url: 'http://web.default.svc.cluster.local/{}', method: {}, "
        "headers: {{X-Who: {}}}, bursts: {{size: 2, every: 1m}}}}"
    )
    loads = [("hit", "a%20b?x=1", "post", "me"), ("path", "b", "POST", "me")]
    loads += [("method", "a%20b?x=1", "GET", "me"), ("header", "a%20b?x=1", "post", "you")]
    spec = "duration: 5s\nloads:\n" + "".join(f"- {base.format(*load)}\n" for load in loads)
    world, _ = hear(spec, policy)
    assert {name: stats.codes for name, stats in world.classes.items()} == {
        "hit": {200: 1, 429: 1}, "path": {200: 2}, "method": {200: 2}, "header": {200: 2},
    }  # fmt: skip


def test_who_cannot_be_connected_to_fails_on_our_side_of_the_wire():
    policy = outlier(
        "splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, "
        "consecutive5xxErrors: 3, maxEjectionPercent: 100"
    )
    load = "bursts: {size: 5, every: 1m}\ndirection: outbound"
    refused, _ = run(load, policy, service=", failures: [{refused: true}]")
    answered, _ = run(load, policy, service=", failures: [{}]")
    assert [event.kind for event in refused.events] == ["consecutive_local_origin_failure"]
    assert [event.kind for event in answered.events] == ["consecutive_5xx"]


def test_who_is_waited_for_in_vain_fails_on_our_side_of_the_wire():
    policy = outlier(
        "splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, "
        "consecutive5xxErrors: 0, maxEjectionPercent: 100"
    )
    load = "bursts: {size: 5, every: 1m}\ndirection: outbound\ntimeout: 1s"
    late, _ = run(load, policy, latency="2s")
    assert [event.kind for event in late.events] == ["consecutive_local_origin_failure"]
