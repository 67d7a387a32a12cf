"""RING 1: the machines, for those who bring their own time.

Every call takes `now`; nothing here reads a clock, starts a thread, logs or does I/O. Locks are
handed in. The machines run on floats, and exactly on `fractions.Fraction`.
"""

from trafficcore.core.balance import Endpoint, build_picker
from trafficcore.core.breaker import Breaker
from trafficcore.core.fair import FairQueue, QuotaQueue
from trafficcore.core.limit import ConcurrencyLimit, Gcra, KeyedGcra, TokenBucket
from trafficcore.core.nolock import NO_LOCK
from trafficcore.core.outlier import Ejector

__all__ = [
    "NO_LOCK",
    "Breaker",
    "ConcurrencyLimit",
    "Ejector",
    "Endpoint",
    "FairQueue",
    "Gcra",
    "KeyedGcra",
    "QuotaQueue",
    "TokenBucket",
    "build_picker",
]
