"""Scenarios that cannot end, told before they begin.

A closed loop whose round can take no time at all calls again and again at one instant, and so
does one to which being refused, turned away or out of patience costs nothing. And a thousand
million calls, as many as the servers' own latencies let through, are nobody's laptop's.
"""

from math import inf

from trafficcore.manifest.fields import Record
from trafficcore.manifest.problems import Notes
from trafficcore.sim.arrivals import expected
from trafficcore.sim.spec import Load, Scenario, Segment, Service

__all__ = ["MOST_CALLS", "tell_endless"]

MOST_CALLS = 1_000_000_000
_SHORTEST = 1e-6


def tell_endless(spec: Record, scenario: Scenario, notes: Notes) -> None:
    """Note each load that would keep the scenario from ending."""
    for item, load in zip(spec.get("loads", ()), scenario.loads, strict=True):
        if load.closed and _shortest(load, scenario) < _SHORTEST:
            message = "never ends: its clients call again at the same instant; set think or backoff"
            notes.error(item.node, item.path, message)
            continue
        calls = (_closed_calls if load.closed else _open_calls)(load, scenario)
        if calls > MOST_CALLS:
            message = f"comes to {calls:.3g} calls; at most {MOST_CALLS:,} are simulated"
            notes.error(item.node, item.path, message)


def _shortest(load: Load, scenario: Scenario) -> float:
    """Return how long one round of a closed loop takes at the least, as a rule."""
    service = _service(load, scenario)
    answers = [load.refused_after + load.backoff, *_latencies(service)]
    answers += [f.latency.middle for f in service.failures if f.latency is not None]
    if any(f.refused for f in service.failures) or any(s.capacity for s in service.servers):
        answers.append(load.refused_after)  # not by a policy: no backoff
    if load.timeout:
        answers.append(load.timeout)
    return min(answers) + load.think.middle


def _service(load: Load, scenario: Scenario) -> Service:
    nothing = Service(name=load.service, servers=())  # a fault that was told
    return next((s for s in scenario.services if s.name == load.service), nothing)


def _latencies(service: Service) -> list[float]:
    return [server.latency.middle for server in service.servers]


def _span(load: Load, scenario: Scenario) -> float:
    return max(0.0, min(load.duration, scenario.duration - load.start))


def _closed_calls(load: Load, scenario: Scenario) -> float:
    usual = min(_latencies(_service(load, scenario)), default=inf) + load.think.middle
    most = load.clients * _span(load, scenario) / max(usual, _SHORTEST)
    return min(most, load.clients * load.calls) if load.calls else most


def _open_calls(load: Load, scenario: Scenario) -> float:
    span = _span(load, scenario)
    if load.bursts is not None:
        size, every = load.bursts
        most = size * (span / every + 1)
    else:
        cut = [_until(segment, span) for segment in load.segments if segment.start < span]
        most = expected(cut)
    return min(most, load.calls) if load.calls else most


def _until(segment: Segment, end: float) -> Segment:
    if segment.end <= end:
        return segment
    part = (end - segment.start) / (segment.end - segment.start)
    last = segment.rate + part * (segment.last - segment.rate)
    return Segment(segment.start, end, segment.rate, last)
