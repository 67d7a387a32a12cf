"""Circuit breaking: what a service did of late decides whether it is called at all."""

from trafficcore.core.breaker import presets
from trafficcore.core.breaker.breaker import Breaker
from trafficcore.core.breaker.counts import ERROR, GATEWAY_ERROR, GOOD, SLOW, Counts
from trafficcore.core.breaker.events import Change, Exceeded, Mistake
from trafficcore.core.breaker.flights import Flight
from trafficcore.core.breaker.keyed import KeyedBreaker
from trafficcore.core.breaker.response import Response, answer
from trafficcore.core.breaker.settings import (
    Count,
    Cumulative,
    HalfOpen,
    Open,
    Ratio,
    Rule,
    Rules,
    Settings,
    Time,
)
from trafficcore.core.breaker.states import BY_HAND, TRANSITIONS, Cause, IllegalMove, State

__all__ = [
    "BY_HAND",
    "ERROR",
    "GATEWAY_ERROR",
    "GOOD",
    "SLOW",
    "TRANSITIONS",
    "Breaker",
    "Cause",
    "Change",
    "Count",
    "Counts",
    "Cumulative",
    "Exceeded",
    "Flight",
    "HalfOpen",
    "IllegalMove",
    "KeyedBreaker",
    "Mistake",
    "Open",
    "Ratio",
    "Response",
    "Rule",
    "Rules",
    "Settings",
    "State",
    "Time",
    "answer",
    "presets",
]
