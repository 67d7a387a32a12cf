"""Scenarios that cannot end, told before they begin.

A closed loop whose round can take no time at all calls again and again at one instant, and so
does one whose refusals cost it nothing; and a thousand million calls are nobody's laptop's.
"""

from trafficcore.manifest.fields import Record
from trafficcore.manifest.problems import Notes
from trafficcore.sim.arrivals import expected
from trafficcore.sim.spec import Load, Scenario, Segment

__all__ = ["MOST_CALLS", "tell_endless"]

MOST_CALLS = 1_000_000_000
_SHORTEST = 1e-6


def tell_endless(spec: Record, scenario: Scenario, notes: Notes) -> None:
    """Note each load that would keep the scenario from ending."""
    for item, load in zip(spec.get("loads", ()), scenario.loads, strict=True):
        shortest = _round(load, scenario) if load.closed else _SHORTEST
        if shortest < _SHORTEST:
            message = "never ends: its clients call again at the same instant; set think or backoff"
            notes.error(item.node, item.path, message)
            continue
        calls = (
            _closed_calls(load, scenario, shortest) if load.closed else _open_calls(load, scenario)
        )
        if calls > MOST_CALLS:
            message = f"comes to {calls:.3g} calls; at most {MOST_CALLS:,} are simulated"
            notes.error(item.node, item.path, message)


def _round(load: Load, scenario: Scenario) -> float:
    """Return how long one round of a closed loop takes at the least, as a rule."""
    service = next((s for s in scenario.services if s.name == load.service), None)
    answers = [load.refused_after + load.backoff]
    if service is not None:
        answers += [server.latency.middle for server in service.servers]
        answers += [f.latency.middle for f in service.failures if f.latency is not None]
    return min(answers) + load.think.middle


def _closed_calls(load: Load, scenario: Scenario, shortest: float) -> float:
    most = load.clients * min(load.duration, scenario.duration) / shortest
    return min(most, load.clients * load.calls) if load.calls else most


def _open_calls(load: Load, scenario: Scenario) -> float:
    span = min(load.duration, scenario.duration)
    if load.bursts is not None:
        size, every = load.bursts
        return size * (span / every + 1)
    cut = [_until(segment, span) for segment in load.segments if segment.start < span]
    return expected(cut)


def _until(segment: Segment, end: float) -> Segment:
    if segment.end <= end:
        return segment
    part = (end - segment.start) / (segment.end - segment.start)
    last = segment.rate + part * (segment.last - segment.rate)
    return Segment(segment.start, end, segment.rate, last)
