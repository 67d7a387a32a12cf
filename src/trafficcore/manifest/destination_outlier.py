"""DestinationRule: `outlierDetection`, and the `OutlierDetection` it becomes."""

from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ListOf
from trafficcore.manifest.types import BOOL, INT32, UINT32, Duration, Int
from trafficcore.manifest.units import duration
from trafficcore.spec import OutlierDetection

__all__ = ["OUTLIER_DETECTION", "build_outlier"]

_MILLI = Duration(least=duration("1ms"), milli=True)


def _tell_outlier(record: Record, notes: Notes) -> None:
    old, new = "consecutiveErrors", "consecutive5xxErrors"
    if record.has(old):
        if record.has(new):
            code, message = "TC509", f"has no effect beside {new}"
        else:
            code = "TC602"
            message = f"is deprecated, and Istio no longer acts on it; here it acts as {new}"
        notes.warn(code, record.key(old), record.to(old), message, record.text(old))
    most = "maxEjectionPercent"
    if record.get(most) == 0:
        notes.warn(
            "TC307", record.at(most), record.to(most), "0 means the default, 10, as in Istio", "0"
        )
    local = "consecutiveLocalOriginFailures"
    if record.get(local) and not record.get("splitExternalLocalOriginErrors"):
        message = "above 0 needs splitExternalLocalOriginErrors: true"
        notes.error(record.at(local), record.to(local), message, record.text(local), code="TC007")


_PERCENT = Int(least=0, most=100)
OUTLIER_DETECTION = Object(
    (
        Field("consecutive5xxErrors", UINT32, default=5),
        Field("consecutiveErrors", INT32, instead="consecutive5xxErrors"),
        Field("consecutiveGatewayErrors", UINT32, default=0),
        Field("splitExternalLocalOriginErrors", BOOL, default=False),
        Field("consecutiveLocalOriginFailures", UINT32, default=5),
        Field("interval", _MILLI, default=10),
        Field("baseEjectionTime", _MILLI, default=30),
        Field("maxEjectionPercent", _PERCENT, default=10),
        Field("minHealthPercent", _PERCENT, default=0),
        Field(
            "outlierDetectionHttpErrorCodes",
            ListOf(Int(least=100, most=599)),
            effect=Effect.WARNED,
            part=2,
            note="every 5xx counts as an error",
        ),
    ),
    rules=(_tell_outlier,),
)


def build_outlier(record: Record | None) -> OutlierDetection | None:
    """Make the outlier detection, with Istio's defaults for what it leaves out."""
    if record is None:
        return None
    failures = record.get("consecutive5xxErrors", record.get("consecutiveErrors", 5))
    split = record.get("splitExternalLocalOriginErrors", False)
    # Istio sets the threshold only above 0, and Envoy's own default stands elsewhere.
    local = (record.get("consecutiveLocalOriginFailures") or 5) if split else 0
    return OutlierDetection(
        consecutive_5xx=max(0, failures),
        consecutive_gateway_errors=record.get("consecutiveGatewayErrors", 0),
        consecutive_local_origin_failures=local,
        split_local_origin=split,
        interval=record.get("interval", 10),
        base_ejection_time=record.get("baseEjectionTime", 30),
        max_ejection_percent=record.get("maxEjectionPercent") or 10,
        min_health_percent=record.get("minHealthPercent", 0),
    )
