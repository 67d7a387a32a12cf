"""Balancing: which endpoint takes a call. Envoy's arithmetic, dealt out in turns."""

from trafficcore.core.balance.build import build_picker
from trafficcore.core.balance.edf import Edf
from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.hashed import Hashed, HostTable, TableMaker, build_hashed
from trafficcore.core.balance.layout import Layout, Source
from trafficcore.core.balance.least_request import FullScan, TwoChoices, Weighted
from trafficcore.core.balance.maglev import Maglev, MaglevMaker
from trafficcore.core.balance.priority import Level, Loads, choose, priority_loads
from trafficcore.core.balance.random_choice import RandomChoice
from trafficcore.core.balance.ring_hash import Ring, RingMaker
from trafficcore.core.balance.round_robin import Picker
from trafficcore.core.balance.slow_start import SlowStart
from trafficcore.core.balance.sources import ZoneAware
from trafficcore.core.balance.zone_aware import Routing, ZonePlan, zone_plan

__all__ = [
    "Edf",
    "Endpoint",
    "FullScan",
    "Hashed",
    "HostTable",
    "Layout",
    "Level",
    "Loads",
    "Maglev",
    "MaglevMaker",
    "Picker",
    "RandomChoice",
    "Ring",
    "RingMaker",
    "Routing",
    "SlowStart",
    "Source",
    "TableMaker",
    "TwoChoices",
    "Weighted",
    "ZoneAware",
    "ZonePlan",
    "build_hashed",
    "build_picker",
    "choose",
    "priority_loads",
    "zone_plan",
]
