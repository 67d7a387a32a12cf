"""The text of a run, word for word for a small one."""

import pytest

from support.simulation import limit, play
from trafficcore.engine.events import EndpointReturned
from trafficcore.errors import ManifestError
from trafficcore.sim import prepare, simulate
from trafficcore.sim.report import report, seconds
from trafficcore.sim.timeline import timeline
from trafficcore.spec import Source

SPEC = """
duration: 10s
services:
- name: web.default.svc.cluster.local
  latency: 20ms
  endpoints: [{locality: r/a}, {locality: r/b}]
  failures: [{endpoints: 2, from: 5s, until: 7s}]
- {name: slow, latency: 2s}
loads:
- {name: busy, url: 'http://web.default.svc.cluster.local/', rate: 4}
- {name: hasty, url: 'http://slow/', rate: 0.5, timeout: 1s}
- {name: silent, url: 'http://slow/', rate: 0}
expect:
- 429 of busy is 20
- no 5xx
"""
#: Three tokens and three a second for 9.75 s are 32 calls; those of 5 s to 7 s take turns.
SHOWN = """\
t: 9.77 s of virtual time, seed 1

busy: 40 answers in 9.77 s, 4.094 a second
  code 200          29   72.50 %
  code 429           8   20.00 %
  code 503           3    7.50 %
  refused            8   20.00 %  rate_limited
  latency    mean 16.2 ms  p50 19.9 ms  p75 20 ms  p90 20 ms  p99 20 ms  p99.9 20 ms  max 20 ms

hasty: 5 answers in 9 s, 0.5556 a second
  timeout            5  100.00 %
  latency    mean 1 s  p50 1 s  p75 1 s  p90 1 s  p99 1 s  p99.9 1 s  max 1 s

silent: 0 calls, none answered

where calls went:
  10.0.0.1:80         16 calls  16 x 200  r/a
  10.0.0.2:80         16 calls  13 x 200, 3 x 503  r/b
  slow                 5 calls  5 x 200

rules:
  ASMLocalRateLimiter default/limit (<text>:26): 40 hits, 8 refused

what happened:
       2.250 s  ASMLocalRateLimiter default/limit (<text>:26): refused 1 (rate_limited)

expectations:
  FAILS  429 of busy is 20  (8)
  FAILS  no 5xx  (3)"""


@pytest.fixture(scope="module")
def lines():
    return report(play(SPEC, limit(3)))


def test_a_run_is_shown_word_for_word(lines):
    assert "\n".join(lines) == SHOWN
    assert not any(line.endswith(" ") for line in lines)


def test_many_servers_are_summed_up_by_zone():
    spec = """
duration: 1s
services:
- name: x
  endpoints: [{locality: r/a, count: 10}, {locality: r/b, count: 5}]
loads: [{name: a, url: 'http://x/', rate: 15}]
"""
    lines = report(play(spec))
    assert "  x         10 calls  10 x 200  r/a" in lines
    assert "  x          5 calls  5 x 200  r/b" in lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 us"), (1e-6, "1 us"), (0.00123456, "1.23 ms"), (0.5, "500 ms"), (1, "1 s"),
        (0.9996, "1000 ms"), (59.96, "60 s"), (1234.5, "1234 s"), (86400, "86400 s"),
    ],
)  # fmt: skip
def test_times_have_three_digits_and_never_an_exponent(value, text):
    assert seconds(value) == text


def returned(at):
    source = Source(file="f", line=1, kind="K", namespace="n", name="r")
    return EndpointReturned(at=at, source=source, cluster="c", address=f"a{at:g}")


def test_a_long_timeline_shows_its_beginning_and_its_end():
    events = [returned(float(at)) for at in range(100)]
    assert len(timeline(events[:40])) == 40
    lines = timeline(events)
    assert len(lines) == 41
    assert lines[20] == "              … and 60 more"
    assert "a19 " in lines[19]
    assert "a80 " in lines[21]
    lines = timeline(events, 7)
    assert lines[20] == "              … and 60 more"
    assert lines[-1] == "              … and 7 more after these"


@pytest.mark.parametrize(
    ("istio", "words"),
    [(None, "after 1.22: the first host keeps to maxEjectionPercent too"),
     ("1.22", "up to 1.22: the first host always goes")],
)  # fmt: skip
def test_a_run_names_the_rule_of_the_first_host(istio, words):
    version = "" if istio is None else f"  process: {{istio: '{istio}'}}\n"
    (ready,) = prepare(
        "kind: Scenario\napiVersion: trafficcore/v1\nmetadata: {name: it}\nspec:\n  duration: 1s\n"
        f"{version}  services: [{{name: web, endpoints: [{{count: 3}}], errors: 100%}}]\n"
        "  loads: [{name: calls, url: http://web/, direction: outbound, rate: 100}]\n---\n"
        "kind: DestinationRule\napiVersion: networking.istio.io/v1\nmetadata: {name: web}\n"
        "spec: {host: web, trafficPolicy: {outlierDetection: {}}}\n"
    )
    result = simulate(ready.scenario, ready.policy)
    assert f"  as in Istio {words}" in report(result)
    assert len(result.events) == (istio is not None)


def test_a_version_that_is_none_is_a_fault():
    with pytest.raises(ManifestError, match=r"a version such as 1\.22"):
        prepare(
            "kind: Scenario\napiVersion: trafficcore/v1\nmetadata: {name: it}\nspec:\n"
            "  duration: 1s\n  process: {istio: newest}\n"
            "  loads: [{name: calls, url: http://web/, rate: 1}]\n"
        )


ROUTES = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], http: [ROUTE]}
"""


@pytest.mark.parametrize(
    ("route", "said"),
    [("{retries: {attempts: 2}}", True), ("{timeout: 1s}", True), ("{name: plain}", False)],
)
def test_what_client_transports_do_alone_is_named(route, said):
    result = play(SPEC, limit(3) + ROUTES.replace("ROUTE", route))
    line = "  timeouts and retries of routes: client transports make them, and no load is one"
    assert (line in report(result)) is said
