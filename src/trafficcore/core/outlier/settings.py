"""What outlier detection is set to, in the names and with the defaults of Envoy's message.

Times are seconds; the stdev factor is in thousandths, as there; a count of 0 switches a
consecutive detector off.
Source  Envoy, `outlier_detection_impl.cc` (DetectorConfig) and the bounds of its API.
"""

import math
from numbers import Real
from typing import Any, Final

import attrs

from trafficcore.core.outlier.changes import Kind
from trafficcore.errors import ConfigError

__all__ = ["ENFORCING", "Settings"]

#: The setting that holds in what share of cases (percent) a detection of each kind ejects.
ENFORCING: Final = {
    Kind.CONSECUTIVE_5XX: "enforcing_consecutive_5xx",
    Kind.CONSECUTIVE_GATEWAY_FAILURE: "enforcing_consecutive_gateway_failure",
    Kind.CONSECUTIVE_LOCAL_ORIGIN_FAILURE: "enforcing_consecutive_local_origin_failure",
    Kind.SUCCESS_RATE: "enforcing_success_rate",
    Kind.SUCCESS_RATE_LOCAL_ORIGIN: "enforcing_local_origin_success_rate",
    Kind.FAILURE_PERCENTAGE: "enforcing_failure_percentage",
    Kind.FAILURE_PERCENTAGE_LOCAL_ORIGIN: "enforcing_failure_percentage_local_origin",
}

_COUNTS: Final = (
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate_minimum_hosts",
    "success_rate_request_volume",
    "success_rate_stdev_factor",
    "failure_percentage_minimum_hosts",
    "failure_percentage_request_volume",
)
_PERCENTS: Final = (*ENFORCING.values(), "max_ejection_percent", "failure_percentage_threshold")
_SWITCHES: Final = (
    "always_eject_one_host",
    "split_external_local_origin_errors",
    "successful_active_health_check_uneject_host",
)


@attrs.frozen(kw_only=True)
class Settings:
    """When an endpoint is ejected, for how long, and how many may be out at once.

    `interval` is the time between sweeps; it is no counting window for consecutive errors.
    With the default of 10 % a cluster of fewer than ten endpoints ejects nobody, unless
    `always_eject_one_host` lets the first one go, as releases before that setting always did.
    `max_ejection_time` defaults to 300 s, or to `base_ejection_time` where that is longer.
    """

    interval: float = 10
    base_ejection_time: float = 30
    max_ejection_time: float = attrs.field(
        default=attrs.Factory(lambda self: _default_maximum(self.base_ejection_time), True)
    )
    max_ejection_time_jitter: float = 0
    max_ejection_percent: int = 10
    always_eject_one_host: bool = False
    successful_active_health_check_uneject_host: bool = True

    consecutive_5xx: int = 5
    enforcing_consecutive_5xx: int = 100
    consecutive_gateway_failure: int = 5
    enforcing_consecutive_gateway_failure: int = 0
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failure: int = 5
    enforcing_consecutive_local_origin_failure: int = 100

    success_rate_minimum_hosts: int = 5
    success_rate_request_volume: int = 100
    success_rate_stdev_factor: int = 1900
    enforcing_success_rate: int = 100
    enforcing_local_origin_success_rate: int = 100

    failure_percentage_threshold: int = 85
    failure_percentage_minimum_hosts: int = 5
    failure_percentage_request_volume: int = 50
    enforcing_failure_percentage: int = 0
    enforcing_failure_percentage_local_origin: int = 0

    def __attrs_post_init__(self) -> None:
        check_times(self, ("interval", "base_ejection_time", "max_ejection_time"), above=True)
        check_times(self, ("max_ejection_time_jitter",))
        if self.max_ejection_time < self.base_ejection_time:
            raise ConfigError(
                f"max_ejection_time must not be below base_ejection_time"
                f" ({self.base_ejection_time!r} s), not {self.max_ejection_time!r}"
            )
        check_counts(self, _COUNTS)
        check_percents(self, _PERCENTS)
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false, not {getattr(self, name)!r}")

    @property
    def jitter_steps(self) -> int:
        """Whole milliseconds in `max_ejection_time_jitter`."""
        return round(self.max_ejection_time_jitter * 1000)

    @property
    def draws(self) -> bool:
        """Whether anything here is left to chance."""
        shares = (getattr(self, name) for name in ENFORCING.values())
        return self.jitter_steps > 0 or any(0 < share < 100 for share in shares)


def _default_maximum(base: Any) -> Any:
    # What is no number is told by its own name, in the checks below.
    return max(300, base) if isinstance(base, Real) else 300


def check_times(settings: object, names: tuple[str, ...], *, above: bool = False) -> None:
    """Raise `ConfigError` for a time that is not finite and from 0 (or above it)."""
    for name in names:
        value = getattr(settings, name)
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0 or (above and value == 0):
            bound = "above 0 s" if above else "0 s or more"
            raise ConfigError(f"{name} must be {bound}, not {value!r}")


def check_counts(settings: object, names: tuple[str, ...]) -> None:
    """Raise `ConfigError` for a count that is not a whole number from 0."""
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ConfigError(f"{name} must be a whole number from 0, not {value!r}")


def check_percents(settings: object, names: tuple[str, ...]) -> None:
    """Raise `ConfigError` for a percentage that is not a whole number from 0 to 100."""
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100:
            raise ConfigError(f"{name} must be a whole number from 0 to 100, not {value!r}")
