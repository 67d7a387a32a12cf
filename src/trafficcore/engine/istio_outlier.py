"""What Istio makes of a DestinationRule's `outlierDetection` in Envoy's terms, surprises and all.

Law     Success rates are never enforced. A consecutive count v becomes the threshold v, enforced
        at 100 % (v > 0) or 0 % (v = 0). `maxEjectionPercent` 0 means Envoy's default of 10.
        Local-origin failures count only when split off. `minHealthPercent` becomes the panic
        threshold: 0, its default, switches panic off as soon as there is an outlierDetection.
Source  Istio, `applyOutlierDetection`; Envoy's release notes for the first ejection.
"""

from typing import Any

from trafficcore.core.outlier import Settings
from trafficcore.engine.istio_version import always_first
from trafficcore.spec import OutlierDetection

__all__ = ["envoy_fields", "envoy_settings"]


def envoy_fields(  # one a field of the message
    *,
    consecutive_5xx_errors: int | None = None,
    consecutive_gateway_errors: int | None = None,
    split_external_local_origin_errors: bool = False,
    consecutive_local_origin_failures: int | None = None,
    interval: float | None = None,
    base_ejection_time: float | None = None,
    max_ejection_percent: int = 0,
    min_health_percent: int = 0,
) -> tuple[dict[str, Any], int | None]:
    """Return the fields Istio sets of Envoy's message, and the healthy panic threshold.

    None is a field that was not written; what is not in the answer has Envoy's default, and a
    panic threshold of None is Envoy's of 50.
    """
    fields: dict[str, Any] = {"enforcing_success_rate": 0}
    if consecutive_5xx_errors is not None:
        fields["consecutive_5xx"] = consecutive_5xx_errors
        fields["enforcing_consecutive_5xx"] = 100 if consecutive_5xx_errors else 0
    if consecutive_gateway_errors is not None:
        fields["consecutive_gateway_failure"] = consecutive_gateway_errors
        fields["enforcing_consecutive_gateway_failure"] = 100 if consecutive_gateway_errors else 0
    if interval is not None:
        fields["interval"] = interval
    if base_ejection_time is not None:
        fields["base_ejection_time"] = base_ejection_time
    if max_ejection_percent > 0:
        fields["max_ejection_percent"] = max_ejection_percent
    if split_external_local_origin_errors:
        fields["split_external_local_origin_errors"] = True
        fields["enforcing_local_origin_success_rate"] = 0
        if consecutive_local_origin_failures:
            fields["consecutive_local_origin_failure"] = consecutive_local_origin_failures
            fields["enforcing_consecutive_local_origin_failure"] = 100
    return fields, min_health_percent if min_health_percent >= 0 else None


def envoy_settings(spec: OutlierDetection, *, istio: str | None = None) -> tuple[Settings, int]:
    """Return what an `Ejector` is built with, and the panic threshold in percent (0: off).

    `istio` is a version such as "1.22". Up to that one the first host always goes; later ones,
    and none given, keep to the percentage: fewer than ten hosts and the default 10 % eject
    nobody.
    """
    fields, panic = envoy_fields(
        consecutive_5xx_errors=spec.consecutive_5xx,
        consecutive_gateway_errors=spec.consecutive_gateway_errors,
        split_external_local_origin_errors=spec.split_local_origin,
        consecutive_local_origin_failures=spec.consecutive_local_origin_failures,
        interval=spec.interval,
        base_ejection_time=spec.base_ejection_time,
        max_ejection_percent=spec.max_ejection_percent,
        min_health_percent=spec.min_health_percent,
    )
    first = always_first(istio)
    return Settings(**fields, always_eject_one_host=first), 50 if panic is None else panic
