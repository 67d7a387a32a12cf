"""Waits at servers against Erlang C, Pollaczek and Khinchine, and ciw.

The bound is the run's own: four standard errors of the mean, estimated from thirty batches, each
many times as long as the queue remembers. A test also asks that this error is small, so that a
wrong queue cannot hide in it.
"""

from math import factorial, sqrt

import numpy as np
import pytest

from support.simulation import read
from trafficcore.sim import simulate
from trafficcore.sim.servers import SimServer

SERVICE = 0.02
BATCHES = 30
SPEC = """
seed: {seed}
duration: {duration}s
services: [{{name: web, latency: {latency}, capacity: {servers}, queue: 1000000}}]
loads: [{{name: calls, url: http://web/, rate: {rate}, arrivals: poisson}}]
"""


def waits(monkeypatch, servers, load, *, latency="{exponential: 20ms}", calls=80_000, seed=1):
    """Seconds each call waited for a place, in the order in which they came to one."""
    found = []
    work = SimServer._work

    def noting(server, call):
        found.append(server._kernel.now - call.sent)
        work(server, call)

    monkeypatch.setattr(SimServer, "_work", noting)
    rate = load * servers / SERVICE
    prepared = read(
        SPEC.format(seed=seed, duration=calls / rate, latency=latency, servers=servers, rate=rate)
    )
    simulate(prepared.scenario, prepared.policy)
    assert len(found) == pytest.approx(calls, rel=0.02)
    return np.array(found[calls // 20 :])


def error(values):
    """The standard error of the mean, from the means of batches."""
    size = len(values) // BATCHES
    means = values[: size * BATCHES].reshape(BATCHES, size).mean(axis=1)
    return means.std(ddof=1) / sqrt(BATCHES)


def erlang_c(servers, load):
    """The chance that a call has to wait."""
    offered = servers * load
    full = offered**servers / factorial(servers) / (1 - load)
    return full / (sum(offered**k / factorial(k) for k in range(servers)) + full)


def agrees(values, expected, small):
    off = error(values)
    assert off < small * expected, "too short a run to tell"
    assert abs(values.mean() - expected) < 4 * off


CASES = [(1, 0.5), (1, 0.9), (3, 0.7), (8, 0.5), (8, 0.9)]


@pytest.mark.parametrize(("servers", "load"), CASES)
def test_waits_are_those_of_erlang_c(monkeypatch, servers, load):
    found = waits(monkeypatch, servers, load)
    waited = erlang_c(servers, load)
    agrees((found > 0).astype(float), waited, small=0.1)
    agrees(found, waited * SERVICE / (servers * (1 - load)), small=0.15)


def test_waits_for_constant_work_are_half_of_those_for_exponential(monkeypatch):
    found = waits(monkeypatch, 1, 0.8, latency="20ms")
    agrees(found, 0.8 * SERVICE / (2 * (1 - 0.8)), small=0.05)


def test_the_tail_of_the_wait_is_exponential(monkeypatch):
    """P(wait > t) = C exp(-(1 - load) c t / service)."""
    found = waits(monkeypatch, 3, 0.8)
    for t in (0.01, 0.03):
        expected = erlang_c(3, 0.8) * np.exp(-(1 - 0.8) * 3 * t / SERVICE)
        agrees((found > t).astype(float), expected, small=0.1)


def test_waits_are_those_of_ciw(monkeypatch):
    import ciw

    servers, load, calls = 3, 0.8, 25_000
    rate = load * servers / SERVICE
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate)],
        service_distributions=[ciw.dists.Exponential(1 / SERVICE)],
        number_of_servers=[servers],
    )
    ciw.seed(1)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(calls / rate)
    records = sorted(simulation.get_all_records(), key=lambda record: record.arrival_date)
    theirs = np.array([record.waiting_time for record in records])[calls // 20 :]
    ours = waits(monkeypatch, servers, load)
    together = sqrt(error(theirs) ** 2 + error(ours) ** 2)
    assert together < 0.12 * theirs.mean()
    assert abs(ours.mean() - theirs.mean()) < 4 * together
    both = sqrt(error((theirs > 0) * 1.0) ** 2 + error((ours > 0) * 1.0) ** 2)
    assert abs((ours > 0).mean() - (theirs > 0).mean()) < 4 * both
