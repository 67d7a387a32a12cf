"""Scenario files: what they become, and every fault of those that cannot be run, word for word.

After a change on purpose, `UPDATE_GOLDEN=1` in the environment writes the golden files anew; then
read the difference.
"""

import os
from pathlib import Path

import pytest

from support.simulation import HEAD, limit, read, scenario_text
from trafficcore.errors import ManifestError
from trafficcore.sim import prepare
from trafficcore.sim.spec import Distribution, Segment, Server
from trafficcore.spec import Direction

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.yaml"))
LOADS = "loads: [{name: a, url: 'http://web/', rate: 1}]"


def faults(source):
    with pytest.raises(ManifestError) as error:
        prepare(source)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_faulty_file_is_told_all_its_faults(file):
    found = "\n".join(faults(file)).replace(f"{CORPUS}{os.sep}", "") + "\n"
    golden = file.with_suffix(".golden")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_every_endless_loop_of_the_corpus_is_refused():
    text = (CORPUS / "endless.yaml").read_text(encoding="utf-8")
    told = faults(text)
    assert len(told) == text.count("kind: Scenario")
    assert all("never ends" in fault or "comes to" in fault for fault in told)


@pytest.mark.parametrize(
    "load",
    [
        "clients: 1, think: 2us",
        "clients: 1, refused_after: 0s, backoff: 1ms",
        "clients: 1000000, calls: 5, think: 1s",
        "rate: 1000000, calls: 10",
        "bursts: {size: 1000000, every: 1ns}, calls: 10",
        "rate: 1000000, start: 29s",
        "clients: 1000, think: 1s",
    ],
)
def test_what_does_end_is_not_refused(load):
    """Few calls, a pause wherever a round could take no time, or servers that take their time."""
    read(f"duration: 30s\nloads: [{{name: a, url: 'http://web/', {load}}}]")


def test_ten_thousand_slow_clients_for_a_day_are_not_called_endless():
    read(
        "duration: 24h\nservices: [{name: web, latency: 2s}]\n"
        "loads: [{name: a, url: 'http://web/', clients: 10000}]"
    )


def test_everything_absent_is_its_default():
    scenario = read(LOADS).scenario
    assert (scenario.seed, scenario.duration, scenario.drain) == (1, 60, 60)
    (service,) = scenario.services
    assert service.name == "web"
    assert service.servers == (
        Server(address="10.0.0.1:80", latency=Distribution("constant", 0.001)),
    )
    (load,) = scenario.loads
    assert load.direction is Direction.INBOUND
    assert (load.method, load.path, load.timeout, load.refused_after) == ("GET", "/", 0, 0.001)


def test_a_file_becomes_what_it_says():
    scenario = read(
        """
seed: 7
duration: 2m
process:
  labels: {app: web}
  namespace: shop
  locality: r/z/s
  hosts: {'web:8080': [web.example.com]}
services:
- name: web.example.com
  latency: {lognormal: {p50: 20ms, p99: 300ms}}
  capacity: 4
  errors: 1 %
  endpoints:
  - {count: 2, locality: r/a}
  - {address: '1.2.3.4:80', weight: 3, latency: {uniform: [10ms, 30ms]}, capacity: 9, errors: 0.5}
  failures:
  - {from: 10s, until: 1m, endpoints: 1}
  - {latency: 1s}
loads:
- name: open
  url: http://u:p@web.example.com:8080/a%20b?c=d%20e
  direction: outbound
  headers: {User_Type: guest}
  labels: {tier: gold}
  ramp: {from: 1, to: 5, over: 10s}
- name: stepwise
  url: https://web.example.com
  steps: [{rate: 1, for: 2s}, {rate: 3, for: 4s}]
- name: closed
  url: http://web.example.com/
  clients: 3
  think: {exponential: 5ms}
"""
    ).scenario
    assert scenario.seed == 7
    assert scenario.process.hosts == (("web:8080", ("web.example.com",)),)
    (service,) = scenario.services
    first, second, third = service.servers
    assert [s.address for s in service.servers] == ["10.0.0.1:80", "10.0.0.2:80", "1.2.3.4:80"]
    assert first.latency == second.latency == Distribution("lognormal", 0.02, 0.3)
    assert (first.capacity, first.errors, first.locality, first.weight) == (4, 0.01, "r/a", 1)
    assert third.latency == Distribution("uniform", 0.01, 0.03)
    assert (third.capacity, third.errors, third.locality, third.weight) == (9, 0.5, "", 3)
    fails, slow = service.failures
    assert (fails.servers, fails.start, fails.end, fails.status) == (("1",), 10, 60, 503)
    assert (slow.status, slow.latency) == (0, Distribution("constant", 1))
    ramp, steps, closed = scenario.loads
    assert (ramp.host, ramp.path, ramp.query) == ("web.example.com:8080", "/a b", "c=d%20e")
    assert ramp.headers == (("user_type", "guest"),)
    assert ramp.direction is Direction.OUTBOUND
    assert ramp.segments == (Segment(0, 10, 1, 5), Segment(10, float("inf"), 5, 5))
    assert (steps.scheme, steps.path) == ("https", "/")
    assert steps.segments == (Segment(0, 2, 1, 1), Segment(2, 6, 3, 3))
    assert (closed.clients, closed.think) == (3, Distribution("exponential", 0.005))


def test_manifests_come_from_beside_the_file_and_from_the_file_itself(tmp_path):
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "limit.yaml").write_text(limit(3))
    text = scenario_text(f"manifests: [policies]\n{LOADS}", limit(5).replace("limit}", "own}"))
    (tmp_path / "scenario.yaml").write_text(text)
    (prepared,) = prepare(tmp_path / "scenario.yaml")
    assert {rule.source.name for rule in prepared.policy.limits} == {"limit", "own"}


def test_a_folder_of_manifests_may_hold_the_scenario_itself(tmp_path):
    (tmp_path / "limit.yaml").write_text(limit(3))
    (tmp_path / "scenario.yaml").write_text(scenario_text(f"manifests: ['.']\n{LOADS}"))
    (prepared,) = prepare(tmp_path)
    assert len(prepared.policy.limits) == 1


def test_manifests_that_no_scenario_names_are_left_alone(tmp_path):
    (tmp_path / "faulty.yaml").write_text("kind: ASMLocalRateLimiter\nspec: {nonsense: 1}\n")
    (tmp_path / "scenario.yaml").write_text(scenario_text(LOADS))
    (prepared,) = prepare(tmp_path)
    assert not prepared.policy.limits


def test_faults_of_manifests_are_told_once_however_many_scenarios_name_them(tmp_path):
    (tmp_path / "faulty.yaml").write_text(limit(3).replace("quota:", "quotta:"))
    two = scenario_text(f"manifests: [faulty.yaml]\n{LOADS}")
    (tmp_path / "scenarios.yaml").write_text(f"{two}---\n{two}")
    told = faults(tmp_path)
    assert len(told) == len(set(told))
    assert any("did you mean 'quota'" in fault for fault in told)


def test_scenarios_without_a_name_have_that_of_their_file(tmp_path):
    text = f"kind: Scenario\nspec:\n  {LOADS}\n"
    (tmp_path / "night.yaml").write_text(f"{text}---\n{text}")
    assert [one.scenario.name for one in prepare(tmp_path)] == ["night", "night-2"]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}  loads: &x [*x]\n",
        f"{HEAD}  loads: {'[' * 500}\n",
        f"{HEAD}\tloads: 1\n",
        "kind: Scenario\nkind: Scenario\nspec: {loads: []}\n",
        "kind: Scenario\nspec: [1, 2]\n",
        "kind: Scenario\nspec: !!python/object/apply:os.system [ls]\n",
        "kind: Scenario\nspec: {loads: [1, null, {}, []]}\n",
        "kind: Scenario\nspec: {loads: {a: b}, services: 5, process: [], expect: {}}\n",
        "kind: Scenario\nmetadata: 5\nspec: {" + LOADS + "}\n",
        "kind: Scenario\nspec: {seed: 1e999, " + LOADS + "}\n",
        "kind: Scenario\nspec: {expect: [[a], null, ''], " + LOADS + "}\n",
        'kind: Scenario\nspec: {manifests: ["a\\0b"], ' + LOADS + "}\n",
    ],
)
def test_a_hostile_file_is_a_fault_and_no_accident(text):
    assert faults(text)
