"""Rate and concurrency limits: buckets, keyed buckets, caps, and Envoy's decisions over them."""

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
from trafficcore.core.limit.token_bucket import TokenBucket

__all__ = [
    "FASTEST_GCRA",
    "PRIORITIES",
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
    "RetryBudget",
    "TokenBucket",
    "bucket",
    "by_priority",
    "suits_gcra",
]
