"""RING 2: the machines composed per request. Time is an argument here as well."""

from trafficcore.engine.engine import Engine
from trafficcore.engine.events import Event, Listener
from trafficcore.engine.facts import Facts
from trafficcore.engine.identity import Identity
from trafficcore.engine.mode import Mode
from trafficcore.engine.subsets import SUBSET
from trafficcore.engine.verdict import Permit, Queued, Rejection

__all__ = [
    "SUBSET",
    "Engine",
    "Event",
    "Facts",
    "Identity",
    "Listener",
    "Mode",
    "Permit",
    "Queued",
    "Rejection",
]
