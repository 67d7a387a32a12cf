"""What expectations measure, against a twin that simply looks through the list of all calls."""

from math import ceil

import pytest

from support.simulation import breaker, limit, outlier, quota, read, scenario_text
from trafficcore.errors import ConfigError, ManifestError
from trafficcore.sim import prepare, simulate
from trafficcore.sim.world import World

SPEC = """
duration: 20s
services:
- name: web.default.svc.cluster.local
  latency: {exponential: 40ms}
  endpoints:
  - {locality: r/a/x, count: 2}
  - {locality: r/b}
  failures:
  - {from: 5s, until: 8s, share: 0.3}
  - {from: 8s, until: 9s, latency: 300ms}
loads:
- name: guest
  url: http://web.default.svc.cluster.local/
  headers: {user_type: guest}
  rate: 30
  arrivals: poisson
  timeout: 100ms
- name: gold
  url: http://web.default.svc.cluster.local/
  headers: {user_type: subscriber}
  clients: 4
  think: 50ms
"""
POLICIES = limit(38) + "---" + quota(40, 10)


def calls():
    prepared = read(SPEC, POLICIES)
    heard = []
    world = World(
        prepared.scenario, prepared.policy, observe=(lambda call, now: heard.append((call, now)),)
    )
    world.run()
    return heard


HEARD = calls()


def those(of="", start=0.0, end=float("inf")):
    return [
        (call, now - call.sent)
        for call, now in HEARD
        if start <= now < end and of in ("", call.load.spec.name)
    ]


def count(test, *window, **more):
    return sum(test(call) for call, _ in those(*window, **more))


def part(test, *window, **more):
    return 100 * count(test, *window, **more) / len(those(*window, **more))


def quantile(share, *window, **more):
    took = sorted(took for _, took in those(*window, **more))
    return took[max(1, ceil(share * len(took))) - 1]


def fine(call):
    return 0 < call.code < 400


def to(place):
    return lambda call: (
        call.server is not None
        and (call.server.address == place or f"{call.server.locality}/".startswith(f"{place}/"))
    )


def served(call):
    return call.server is not None


TWINS = {
    "calls at least 0": lambda: len(HEARD),
    "200 of guest at least 0": lambda: count(lambda c: c.code == 200, "guest"),
    "5xx from 5 s to 8 s at least 0": lambda: count(lambda c: c.code // 100 == 5, "", 5, 8),
    "timeout after 8 s at least 0": lambda: count(lambda c: c.code == 0, "", 8),
    "refused of guest after 6 s at least 0": lambda: count(lambda c: c.reason != "", "guest", 6),
    "rate_limited at least 0 %": lambda: part(lambda c: c.reason == "rate_limited"),
    "no 429 of gold": lambda: count(lambda c: c.code == 429, "gold"),
    "all 200 of guest after 10 s": lambda: count(lambda c: c.code != 200, "guest", 10),
    "share gold/guest after 9 s at least 0": lambda: (
        count(fine, "gold", 9) / count(fine, "guest", 9)
    ),
    "mean of guest at least 0 s": lambda: (
        sum(took for _, took in those("guest")) / len(those("guest"))
    ),
    "max at least 0 s": lambda: quantile(1),
    "p50 of gold from 8 s to 9 s at least 0 s": lambda: quantile(0.5, "gold", 8, 9),
    "p99 at least 0 s": lambda: quantile(0.99),
    "calls to r/a at least 0": lambda: count(to("r/a")),
    "calls to r/a/x of gold before 9 s at least 0": lambda: count(to("r/a/x"), "gold", 0, 9),
    "calls to r at least 0 %": lambda: 100 * count(to("r")) / count(served),
    "calls to 10.0.0.3:80 at least 0 %": lambda: 100 * count(to("10.0.0.3:80")) / count(served),
}


@pytest.fixture(scope="module")
def verdicts():
    prepared = read(SPEC + f"expect: {list(TWINS)}\n", POLICIES)
    result = simulate(prepared.scenario, prepared.policy)
    return {verdict.text: verdict for verdict in result.verdicts}


@pytest.mark.parametrize("sentence", TWINS)
def test_what_is_measured_is_what_the_list_of_calls_says(sentence, verdicts):
    expected = TWINS[sentence]()
    assert expected, "a twin that sees nothing shows nothing"
    loose = 0.008 if sentence.startswith(("p5", "p9")) else 1e-9
    assert verdicts[sentence].value == pytest.approx(expected, rel=loose)
    assert verdicts[sentence].holds is not sentence.startswith(("no ", "all "))


def judge(*sentences, spec="duration: 10s\nloads: [{name: a, url: 'http://x/', rate: 1}]"):
    prepared = read(spec + "\nexpect:\n" + "".join(f"- {text}\n" for text in sentences))
    return [
        (verdict.holds, verdict.shown)
        for verdict in simulate(prepared.scenario, prepared.policy).verdicts
    ]


def test_a_time_includes_its_beginning_and_not_its_end():
    """Ten calls that take no time, at 0 s to 9 s."""
    spec = (
        "duration: 10s\nservices: [{name: x, latency: 0s}]\n"
        "loads: [{name: a, url: 'http://x/', rate: 1}]"
    )
    sentences = ["200 before 5 s is 5", "200 after 5 s is 5", "200 from 2 s to 4 s is 2"]
    assert all(holds for holds, _ in judge(*sentences, spec=spec))


def test_what_cannot_be_measured_does_not_hold():
    spec = (
        "duration: 10s\nloads: [{name: a, url: 'http://x/', rate: 1}, "
        "{name: b, url: 'http://x/', rate: 0}]"
    )
    for text in ("share a/b above 0", "p99 of b below 1 s", "200 of b is 0 %", "all 200 of b"):
        assert judge(text, spec=spec) == [(False, "nothing to measure")]
    assert judge("200 of b is 0", "no 5xx of b", spec=spec) == [(True, "0"), (True, "0")]


def test_verdicts_show_what_there_was():
    assert judge("200 is 50 %", "all 2xx", "max below 1 s", "waiting is 0", "200 above 10") == [
        (False, "100 %, 10 of 10"),
        (True, "0 of 10 were other"),
        (True, "0.001 s"),
        (True, "0"),
        (False, "10"),
    ]


BREAKER = breaker("error_percent: {value: 50}, break_duration: 3s")
OUTLIER = outlier(
    "consecutive5xxErrors: 1, maxEjectionPercent: 100, interval: 1s, baseEjectionTime: 1s"
)


def test_transitions_are_counted_in_their_time():
    spec = """
duration: 10s
services:
- {name: web.default.svc.cluster.local, latency: 1ms, failures: [{from: 2s, until: 3s}]}
loads:
- {name: a, url: http://web.default.svc.cluster.local/, direction: DIRECTION, rate: 10}
expect: EXPECT
"""
    trips = ["trips is 1", "trips before 2 s is 0", "trips from 2 s to 3 s is 1"]
    text = spec.replace("DIRECTION", "inbound").replace("EXPECT", str(trips))
    (prepared,) = prepare(scenario_text(text, BREAKER))
    assert simulate(prepared.scenario, prepared.policy).holds
    ejections = ["ejections at least 1", "returns after 3 s is 1", "trips is 0"]
    text = spec.replace("DIRECTION", "outbound").replace("EXPECT", str(ejections))
    (prepared,) = prepare(scenario_text(text, OUTLIER))
    result = simulate(prepared.scenario, prepared.policy)
    assert result.holds, result.verdicts


def test_a_scenario_that_was_not_read_from_a_file_is_held_to_its_own_names():
    import attrs

    prepared = read("duration: 10s\nloads: [{name: guest, url: 'http://x/', rate: 1}]")
    for text, fault in (
        ("no 5xx of gest", "names the class 'gest'; did you mean 'guest'?"),
        ("calls to zone-x is 0", "names the place 'zone-x': there is 10.0.0.1:80"),
        ("no 5xx after 5m", "looks at a time after the end, 70 s"),
        ("nonsense", "must have"),
    ):
        scenario = attrs.evolve(prepared.scenario, expect=(text,))
        with pytest.raises(ConfigError) as error:
            simulate(scenario, prepared.policy)
        assert fault in str(error.value)
        assert not isinstance(error.value, ManifestError)
