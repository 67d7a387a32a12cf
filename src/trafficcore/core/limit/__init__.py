"""Rate and concurrency limits: buckets, keyed buckets, caps, and Envoy's decisions over them."""

from trafficcore.core.limit.bookings import Booking, Bookings
from trafficcore.core.limit.bucket import FASTEST_GCRA, Bucket, bucket, suits_gcra
from trafficcore.core.limit.concurrency import (
    PRIORITIES,
    Cap,
    ConcurrencyLimit,
    RetryBudget,
    by_priority,
)
from trafficcore.core.limit.descriptors import (
    Decision,
    Descriptor,
    DescriptorLimit,
    Fill,
    LocalRateLimit,
)
from trafficcore.core.limit.filter import LimitAnswer, LimitFilter
from trafficcore.core.limit.gcra import Gcra
from trafficcore.core.limit.keyed import KeyedGcra
from trafficcore.core.limit.one_key import OneKey
from trafficcore.core.limit.sliding import SlidingWindow
from trafficcore.core.limit.token_bucket import TokenBucket

__all__ = [
    "FASTEST_GCRA",
    "PRIORITIES",
    "Booking",
    "Bookings",
    "Bucket",
    "Cap",
    "ConcurrencyLimit",
    "Decision",
    "Descriptor",
    "DescriptorLimit",
    "Fill",
    "Gcra",
    "KeyedGcra",
    "LimitAnswer",
    "LimitFilter",
    "LocalRateLimit",
    "OneKey",
    "RetryBudget",
    "SlidingWindow",
    "TokenBucket",
    "bucket",
    "by_priority",
    "suits_gcra",
]
