"""The world: whose draws, when the engine is polled, what is kept and for how long."""

import tracemalloc

import pytest

from support.simulation import breaker, hear, limit, play, quota, read
from trafficcore.sim import prepare, simulate

WEB = "http://web.default.svc.cluster.local/"


def closed(names, services):
    spec = f"duration: 10s\nservices: [{', '.join(services)}]\nloads:\n"
    for name, url in names:
        spec += f"- {{name: {name}, url: 'http://{url}/', clients: 1, calls: 30}}\n"
    return spec


def test_each_service_has_draws_of_its_own_and_none_disturbs_another():
    service = "{{name: {}, latency: {{exponential: 20ms}}}}"
    one, two = service.format("aa"), service.format("bb")
    _, both = hear(closed([("a", "aa"), ("b", "bb")], [one, two]))
    _, alone = hear(closed([("a", "aa")], [one]))
    of_a = [call.took for call in both if call.load == "a"]
    of_b = [call.took for call in both if call.load == "b"]
    assert of_a == [call.took for call in alone]
    assert of_a != of_b, "two of one length of name are still two"


def test_a_server_is_not_called_for_another_unless_the_host_says_so():
    """The engine goes by the host: an endpoint of the host's own service takes the call."""
    spec = f"""
duration: 2s
services:
- {{name: web.default.svc.cluster.local, latency: 1ms}}
- {{name: other, latency: 1ms}}
loads:
- {{name: a, url: {WEB}, direction: outbound, service: other, rate: 1}}
- {{name: b, url: {WEB}, direction: outbound, rate: 1}}
- {{name: c, url: http://unknown/, direction: outbound, service: other, rate: 1}}
"""
    rule = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: out}
spec: {host: web.default.svc.cluster.local, trafficPolicy: {outlierDetection: {}}}
"""
    world, heard = hear(spec, rule)
    assert {(call.load, call.address) for call in heard} == {
        ("a", "10.0.0.1:80"), ("b", "10.0.0.1:80"), ("c", "10.1.0.1:80"),
    }  # fmt: skip
    assert world.classes["a"].codes == {200: 2}


def test_grants_come_at_the_instants_at_which_their_tokens_are_there():
    _, heard = hear(
        f"duration: 5s\nloads: [{{name: a, url: {WEB}, bursts: {{size: 8, every: 1m}}}}]", quota(2)
    )
    assert [call.now for call in heard] == pytest.approx([0.001 + at / 2 for at in range(8)])


def test_the_engine_is_polled_a_few_times_a_wait_however_deadlines_move():
    """Half of the calls lose patience: each leaves a deadline that is nearer than the next."""
    polls = 0

    def before(world):
        poll = world.engine.poll

        def watched(now):
            nonlocal polls
            polls += 1
            return poll(now)

        world.engine.poll = watched

    spec = f"""
duration: 60s
loads:
- {{name: a, url: {WEB}, headers: {{user_type: guest}},
   rate: 20, arrivals: poisson, timeout: 330ms}}
- {{name: b, url: {WEB}, headers: {{user_type: subscriber}},
   rate: 20, arrivals: poisson, timeout: 90ms}}
"""
    world, heard = hear(spec, quota(10), before)
    waited = len(heard)
    assert world.engine.poll.__name__ == "watched"
    assert 100 < polls < 2 * waited
    assert len(world._polls) <= 1


def test_the_series_of_who_waits_says_the_most_of_each_bin():
    """21 at once where 10 a second are let through: 20 wait, and one less each tenth."""
    world, _ = hear(
        f"duration: 12s\nloads: [{{name: a, url: {WEB}, bursts: {{size: 21, every: 1m}}}}]",
        quota(10),
    )
    assert world.width == pytest.approx(0.1)
    series = dict(world.waiting_over_time)
    assert world.most_waiting == series[0] == 20
    assert list(series.values()) == sorted(series.values(), reverse=True)
    assert world.waiting_over_time[-1][1] <= 1


def test_a_bin_in_which_nothing_changes_has_what_is_there_and_not_what_was_once():
    world, _ = hear(
        f"duration: 120s\nloads:\n"
        f"- {{name: a, url: {WEB}, bursts: {{size: 6, every: 1h}}, timeout: 500ms}}\n"
        f"- {{name: b, url: {WEB}, bursts: {{size: 1, every: 1h}}, start: 600ms, timeout: 8s}}\n"
        f"- {{name: c, url: {WEB}, start: 100s, bursts: {{size: 1, every: 1h}}}}\n",
        quota(1, 1).replace("interval: 1s", "interval: 50s"),
    )
    assert world.width == 1
    assert world.waiting_over_time == [(0, 5), (1, 1), (8, 1), (9, 0)]


def test_a_run_without_any_call_ends_at_once_and_can_be_shown():
    result = play("duration: 10s\nloads: [{name: none, url: http://x/, rate: 0}]")
    assert result.end == 0
    assert result.classes["none"].count == 0


def test_progress_grows_to_1():
    prepared = read("duration: 100s\nloads: [{name: a, url: http://x/, rate: 500}]")
    shares = []
    simulate(prepared.scenario, prepared.policy, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) >= 4


def test_a_thousand_transitions_are_kept_and_the_rest_counted():
    spec = f"""
duration: 60s
services: [{{name: web.default.svc.cluster.local, latency: 1ms, failures: [{{}}]}}]
loads: [{{name: a, url: {WEB}, rate: 200}}]
"""
    result = play(spec, breaker("error_percent: {value: 1}, break_duration: 10ms"))
    assert len(result.events) == 1000
    assert result.more_events > 1000
    assert len(result.to_json()["events"]) == 1000


def test_memory_grows_with_classes_and_not_with_requests():
    spec = """
duration: {seconds}s
services:
- name: web.default.svc.cluster.local
  latency: {{exponential: 5ms}}
loads:
- {{name: open, url: http://web.default.svc.cluster.local/,
   rate: 400, arrivals: poisson, timeout: 1m}}
- {{name: closed, url: http://web.default.svc.cluster.local/,
   clients: 3, think: 100ms, timeout: 1m}}
expect: [p99 of open below 1 s, no 5xx]
"""

    def peak(seconds):
        prepared = read(spec.format(seconds=seconds), limit(900) + "---" + quota(600, 60))
        tracemalloc.start()
        try:
            result = simulate(prepared.scenario, prepared.policy)
            return tracemalloc.get_traced_memory()[1], result
        finally:
            tracemalloc.stop()

    peak(1)  # what is imported and cached once
    small, first = peak(12)
    large, second = peak(120)
    assert second.classes["open"].count > 9 * first.classes["open"].count
    assert large < 1.15 * small + 100_000


def test_a_far_deadline_is_armed_once_however_many_nearer_ones_come_and_go():
    """A token each 50 s that one waits for; the guests beside him give up after 100 ms each."""
    policy = quota(1, 1).replace("interval: 1s", "interval: 50s")
    policy = policy.replace("{priority: 50.0}", "{priority: 50.0, queue_timeout: 0.1s}")
    most = 0

    def before(world):
        poll = world.engine.poll

        def watched(now):
            nonlocal most
            most = max(most, len(world.kernel._heap))
            return poll(now)

        world.engine.poll = watched

    spec = f"""
duration: 45s
loads:
- {{name: a, url: {WEB}, headers: {{user_type: subscriber}}, bursts: {{size: 2, every: 1h}}}}
- {{name: b, url: {WEB}, headers: {{user_type: guest}}, start: 1s, rate: 5}}
"""
    _, heard = hear(spec, policy, before)
    assert [call.code for call in heard if call.load == "a"] == [200, 200]
    assert {call.reason for call in heard if call.load == "b"} == {"queue_timeout"}
    assert most < 10


def test_calls_go_to_the_subset_that_they_or_their_route_name():
    (ready,) = prepare(
        "kind: Scenario\napiVersion: trafficcore/v1\nmetadata: {name: it}\nspec:\n  duration: 5s\n"
        "  services:\n  - name: web\n    endpoints:\n"
        "    - {address: 'a:1', labels: {version: v1}}\n"
        "    - {address: 'b:1', labels: {version: v2}}\n"
        "  loads:\n"
        "  - {name: plain, url: 'http://web/', direction: outbound, rate: 100}\n"
        "  - {name: own, url: 'http://web/', direction: outbound, rate: 10,"
        " labels: {trafficcore/subset: v2}}\n"
        "---\nkind: DestinationRule\napiVersion: networking.istio.io/v1\nmetadata: {name: web}\n"
        "spec: {host: web, subsets: [{name: v1, labels: {version: v1}},"
        " {name: v2, labels: {version: v2}}]}\n"
        "---\nkind: VirtualService\napiVersion: networking.istio.io/v1\nmetadata: {name: web}\n"
        "spec:\n  hosts: [web]\n  http: [{route: [{destination: {host: web, subset: v1}}]}]\n"
    )
    servers = simulate(ready.scenario, ready.policy).servers["web"]
    assert {server["address"]: server["calls"] for server in servers} == {"a:1": 500, "b:1": 50}
