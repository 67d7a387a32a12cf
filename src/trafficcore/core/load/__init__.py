"""How much of a load to let by, told from the latencies of those that were: ramps and shedding."""

from trafficcore.core.load.gradient import Gradient
from trafficcore.core.load.ramping import Criteria, Ramping
from trafficcore.core.load.recent import Recent
from trafficcore.core.load.sampling import Sampler, fnv1a
from trafficcore.core.load.shedding import LoadBucket, LoadQueue, LoadSettings

__all__ = [
    "Criteria",
    "Gradient",
    "LoadBucket",
    "LoadQueue",
    "LoadSettings",
    "Ramping",
    "Recent",
    "Sampler",
    "fnv1a",
]
