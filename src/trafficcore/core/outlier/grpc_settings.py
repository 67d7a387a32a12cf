"""What gRPC's outlier detection (gRFC A50) is set to, in its names and with its defaults.

Source  gRFC A50; the bounds are those of its service config, but that `interval` is above 0.
"""

import attrs

from trafficcore.core.outlier.settings import check_counts, check_percents, check_times

__all__ = ["FailurePercentageEjection", "GrpcSettings", "SuccessRateEjection"]


@attrs.frozen(kw_only=True)
class SuccessRateEjection:
    """The success rate detector; the factor is in thousandths."""

    stdev_factor: int = 1900
    enforcement_percentage: int = 100
    minimum_hosts: int = 5
    request_volume: int = 100

    def __attrs_post_init__(self) -> None:
        check_counts(self, ("stdev_factor", "minimum_hosts", "request_volume"))
        check_percents(self, ("enforcement_percentage",))


@attrs.frozen(kw_only=True)
class FailurePercentageEjection:
    """The failure percentage detector."""

    threshold: int = 85
    enforcement_percentage: int = 100
    minimum_hosts: int = 5
    request_volume: int = 50

    def __attrs_post_init__(self) -> None:
        check_counts(self, ("minimum_hosts", "request_volume"))
        check_percents(self, ("threshold", "enforcement_percentage"))


@attrs.frozen(kw_only=True)
class GrpcSettings:
    """Times in seconds; with neither detector nothing is counted and nobody is out."""

    interval: float = 10
    base_ejection_time: float = 30
    max_ejection_time: float = 300
    max_ejection_percent: int = 10
    success_rate_ejection: SuccessRateEjection | None = None
    failure_percentage_ejection: FailurePercentageEjection | None = None

    def __attrs_post_init__(self) -> None:
        check_times(self, ("interval",), above=True)
        check_times(self, ("base_ejection_time", "max_ejection_time"))
        check_percents(self, ("max_ejection_percent",))

    @property
    def off(self) -> bool:
        """Whether there is nothing to detect by."""
        return self.success_rate_ejection is None and self.failure_percentage_ejection is None

    @property
    def draws(self) -> bool:
        """Whether anything here is left to chance."""
        detectors = (self.success_rate_ejection, self.failure_percentage_ejection)
        return any(each and 0 < each.enforcement_percentage < 100 for each in detectors)
