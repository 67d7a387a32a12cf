"""QuotaSchedulingPolicy: its fields, and the `QuotaRule` it becomes."""

from typing import Any

from trafficcore.manifest.budgets import RATE, build_bucket, build_keys, tell_nothing
from trafficcore.manifest.common import Document, Kind
from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.scheduler import SCHEDULER, build_scheduler
from trafficcore.manifest.selecting import SELECTING, TOP, build_head
from trafficcore.manifest.types import Number
from trafficcore.spec import QuotaRule

__all__ = ["QUOTA"]

_QUOTA_SCHEDULER = Object(
    (
        Field("bucket_capacity", Number(least=0), required=True),
        Field("fill_amount", Number(least=0), required=True),
        Field("rate_limiter", RATE, required=True),
        Field("scheduler", SCHEDULER),
        *SELECTING,
    ),
    rules=(tell_nothing("bucket_capacity", "fill_amount"),),
)


def _build(spec: Record, document: Document, notes: Notes) -> list[Any]:  # noqa: ARG001
    quota = spec.values["quota_scheduler"]
    limiter, scheduler = quota.values["rate_limiter"], quota.get("scheduler")
    return [
        QuotaRule(
            **build_head(spec, quota, document),
            capacity=quota.values["bucket_capacity"],
            fill_amount=quota.values["fill_amount"],
            **build_bucket(limiter),
            **build_scheduler(scheduler),
            keys=build_keys(limiter, scheduler),
        )
    ]


QUOTA = Kind(
    name="QuotaSchedulingPolicy",
    group="istio.alibabacloud.com",
    versions=("v1",),
    spec=Object((Field("quota_scheduler", _QUOTA_SCHEDULER, required=True), *TOP)),
    build=_build,
)
