"""RING 3: the production engine on virtual time: policies tried before they are rolled out.

`prepare` reads scenario files, `simulate` runs one, `Result` holds everything there is to see.
The engine is the one of `trafficcore.engine`, driven through its public verbs; here are only the
callers (`loads`), the servers (`servers`), the clock (`kernel`) and what is counted (`stats`).
"""

from trafficcore.sim.result import Result, simulate
from trafficcore.sim.scenario import Prepared, prepare
from trafficcore.sim.spec import Scenario

__all__ = ["Prepared", "Result", "Scenario", "prepare", "simulate"]
