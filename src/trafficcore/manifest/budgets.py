"""The parameters of the suite's limiters: how a budget fills, whose it is, what a refusal says."""

from collections.abc import Mapping
from typing import Any

from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.scheduler import STATUS
from trafficcore.manifest.types import BOOL, TEXT, Duration, Int
from trafficcore.spec import LabelKeys

__all__ = [
    "CONCURRENCY",
    "NO_LIMIT",
    "RATE",
    "REQUEST_PARAMETERS",
    "build_bucket",
    "build_keys",
    "tell_nothing",
]


def _tell_old_label_key(record: Record, notes: Notes) -> None:
    if record.has("label_key"):
        message = "is deprecated: write limit_by_label_key"
        notes.warn("TC602", record.key("label_key"), record.to("label_key"), message)


_BY_LABEL = (
    Field("limit_by_label_key", TEXT, default=""),
    Field("max_idle_time", Duration(), default=7200),
)
#: Of a bucket.
RATE = Object(
    (
        Field("interval", Duration(above=True), required=True),
        Field("continuous_fill", BOOL, default=True),
        Field("delay_initial_fill", BOOL, default=False),
        _BY_LABEL[0],
        Field("label_key", TEXT, default="", instead="limit_by_label_key"),
        _BY_LABEL[1],
        Field(
            "lazy_sync",
            Object((Field("enabled", BOOL), Field("num_sync", Int(least=1)))),
            effect=Effect.WARNED,
            part=0,
            quiet=True,
            note="there is nobody to agree with",
        ),
    ),
    rules=(_tell_old_label_key,),
)
#: Of calls in flight.
CONCURRENCY = Object(
    (Field("max_inflight_duration", Duration(above=True), required=True), *_BY_LABEL)
)
#: Of a limiter that makes nobody wait.
REQUEST_PARAMETERS = Object(
    (
        Field("tokens_label_key", TEXT, default=""),
        Field("denied_response_status_code", STATUS, default=429),
    )
)


#: The parameters of a policy that has no budget for each value of a label.
NO_LIMIT: Mapping[str, str] = {}


def tell_nothing(*names: str) -> Any:
    """Make the rule that warns of a budget of nothing."""

    def tell(record: Record, notes: Notes) -> None:
        for name in names:
            if record.get(name) == 0:
                message = "0 lets no request through"
                notes.warn("TC401", record.at(name), record.to(name), message, "0")

    return tell


def build_bucket(parameters: Record) -> dict[str, Any]:
    """Return how a bucket fills, and for how long it is remembered."""
    return {
        "interval": parameters.values["interval"],
        "continuous_fill": parameters.get("continuous_fill", True),
        "delay_initial_fill": parameters.get("delay_initial_fill", False),
        "max_idle_time": parameters.get("max_idle_time", 7200),
    }


def build_keys(parameters: Record | Mapping[str, str], other: Record | None) -> LabelKeys:
    """Return the labels that a request may say something by; `other` is scheduler or request."""
    own = {
        name: (other.get(f"{name}_label_key") or "") if other is not None else ""
        for name in ("priority", "tokens", "fairness", "workload")
    }
    limit = parameters.get("limit_by_label_key") or parameters.get("label_key") or ""
    return LabelKeys(limit=limit, **own)
