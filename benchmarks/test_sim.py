"""A simulated request: arrival, `admit`, a server's work, `settle`, and everything counted."""

import time

from benchmarks.measure import Row
from benchmarks.test_engine import NAME, POLICIES
from trafficcore.sim import Prepared, prepare, simulate

#: Ten endpoints in two zones, all four policies, calls that take their time one over the other.
SCENARIO = """
apiVersion: trafficcore/v1
kind: Scenario
metadata: {{name: speed}}
spec:
  duration: 1h
  process: {{locality: r/a}}
  services:
  - name: {name}
    latency: {{exponential: 20ms}}
    endpoints: [{{locality: r/a, count: 5}}, {{locality: r/b, count: 5}}]
  loads:
  - name: calls
    url: http://{name}/a
    direction: outbound
    headers: {{user_type: guest}}
    rate: 3000
    arrivals: poisson
    calls: {calls}
---
{policies}"""


def prepared(calls: int) -> Prepared:
    (one,) = prepare(SCENARIO.format(name=NAME, calls=calls, policies=POLICIES))
    return one


def answered(one: Prepared) -> int:
    result = simulate(one.scenario, one.policy)
    rules = result.snapshot["rules"]
    assert len(rules) == 4
    assert all(rule["hits"] == result.classes["calls"].count for rule in rules)
    return result.classes["calls"].codes[200]


def test_request(row: Row) -> None:
    one = prepared(row.calls)
    row.measure("sim-request", lambda _: answered(one))


def test_linear(row: Row) -> None:
    """A request among three hundred thousand, in requests among thirty thousand."""
    smoke = row.calls < 20_000
    calls = (3_000, 30_000) if smoke else (30_000, 300_000)
    runs = [prepared(number) for number in calls]

    def each(one: Prepared) -> float:
        begun = time.process_time()
        count = answered(one)
        return (time.process_time() - begun) / count

    # in turn, so that both see the same weather; the fastest is the one with the least of it
    pairs = [tuple(map(each, runs)) for _ in range(1 if smoke else 4)]
    few, many = (min(pair[at] for pair in pairs) for at in (0, 1))
    row.publish("sim-linear", many / few)
