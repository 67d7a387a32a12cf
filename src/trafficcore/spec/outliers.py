"""Outlier detection: what a DestinationRule's `outlierDetection` becomes, in Envoy's words."""

import attrs

from trafficcore.errors import ConfigError

__all__ = ["OutlierDetection"]


@attrs.frozen(kw_only=True)
class OutlierDetection:
    """When an endpoint is ejected and for how long; 0 switches a detector off.

    Times are seconds. `min_health_percent` is Envoy's panic threshold: 0, Istio's default as soon
    as outlier detection is set, means that panic is off.
    """

    consecutive_5xx: int = 5
    consecutive_gateway_errors: int = 0
    consecutive_local_origin_failures: int = 0
    split_local_origin: bool = False
    interval: float = 10
    base_ejection_time: float = 30
    max_ejection_percent: int = 10
    min_health_percent: int = 0

    def __attrs_post_init__(self) -> None:
        for name in ("interval", "base_ejection_time"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0 s, not {getattr(self, name)!r}")
        for name in ("max_ejection_percent", "min_health_percent"):
            if not 0 <= getattr(self, name) <= 100:
                raise ConfigError(f"{name} must be from 0 to 100, not {getattr(self, name)!r}")
