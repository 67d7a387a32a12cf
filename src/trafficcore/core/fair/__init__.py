"""Who goes next, by weight, and the budgets that decide when: queues that are fair, and quotas."""

from trafficcore.core.fair.bucket import TokenBucket
from trafficcore.core.fair.fair_queue import FairQueue
from trafficcore.core.fair.keyed import KeyedQueues
from trafficcore.core.fair.lanes import Entry
from trafficcore.core.fair.of_key import OfKey
from trafficcore.core.fair.purse import Costs, Purse, PurseQueue
from trafficcore.core.fair.quota import QuotaQueue
from trafficcore.core.fair.ramp import LoadRamp
from trafficcore.core.fair.slots import Slots
from trafficcore.core.fair.waiter import Fate, Waiter

__all__ = [
    "Costs",
    "Entry",
    "FairQueue",
    "Fate",
    "KeyedQueues",
    "LoadRamp",
    "OfKey",
    "Purse",
    "PurseQueue",
    "QuotaQueue",
    "Slots",
    "TokenBucket",
    "Waiter",
]
