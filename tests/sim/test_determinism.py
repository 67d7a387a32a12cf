"""The same scenario and seed give the same bytes, whatever a process hashes texts to."""

import json
import os
import subprocess
import sys

import pytest

from support.simulation import limit, outlier, play, quota, scenario_text

RULE = outlier(
    "consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 1s, maxEjectionPercent: 50"
)
SPEC = """
seed: SEED
duration: 8s
process: {locality: r/a}
services:
- name: web.default.svc.cluster.local
  latency: {lognormal: {p50: 20ms, p99: 200ms}}
  capacity: 3
  errors: 10%
  endpoints: [{locality: r/a, count: 3}, {locality: r/b, count: 2}]
  failures: [{from: 2s, until: 4s, share: 0.5, zone: r/a}]
- {name: other, latency: {exponential: 5ms}, errors: 0.2}
loads:
- {name: guest, url: 'http://web.default.svc.cluster.local/',
   direction: outbound, headers: {user_type: guest}, rate: 60, arrivals: poisson, timeout: 150ms}
- {name: gold, url: 'http://web.default.svc.cluster.local/',
   direction: outbound, headers: {user_type: subscriber}, clients: 5,
   think: {uniform: [1ms, 50ms]}}
- {name: in, url: 'http://other/', arrivals: poisson,
   steps: [{rate: 20, for: 2s}, {rate: 50, for: 3s}]}
expect: [share gold/guest above 0, p99 of guest below 1 s]
"""
POLICIES = "---".join((limit(50), quota(70, 10, outbound=True), RULE))
PROGRAM = """
import json, sys
from trafficcore.sim import prepare, simulate
(one,) = prepare(sys.stdin.read())
result = simulate(one.scenario, one.policy)
print(json.dumps(result.to_json(), allow_nan=False))
from trafficcore.sim.report import report
print(chr(10).join(report(result)))
"""


def printed(text, hash_seed):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=text.encode(),
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout


def test_the_bytes_do_not_depend_on_the_hash_seed():
    text = scenario_text(SPEC.replace("SEED", "1"), POLICIES)
    first = printed(text, "0")
    assert first == printed(text, "4242")
    shown = json.loads(first.splitlines()[0])
    assert shown["events"], "there is something that could differ"
    assert set(shown["classes"]["guest"]["codes"]) >= {"200", "503", "timeout"}


@pytest.mark.parametrize("seed", [2, 3])
def test_another_seed_gives_another_run(seed):
    one, other = (
        play(SPEC.replace("SEED", str(number)), POLICIES).to_json() for number in (1, seed)
    )
    for name in ("guest", "gold", "in"):
        assert one["classes"][name]["latency"] != other["classes"][name]["latency"]


def test_runs_in_one_process_do_not_disturb_each_other():
    def run():
        return json.dumps(play(SPEC.replace("SEED", "1"), POLICIES).to_json())

    first = run()
    play(SPEC.replace("SEED", "9"), POLICIES)
    assert run() == first
