"""What an ejector tells its owner: who went, by which detector, on which counts; who came back."""

from enum import Enum
from typing import Any

import attrs

__all__ = ["Change", "Ejected", "Kind", "Returned"]


class Kind(Enum):
    """What detected an outlier, in the words of Envoy's event log."""

    CONSECUTIVE_5XX = "consecutive_5xx"
    CONSECUTIVE_GATEWAY_FAILURE = "consecutive_gateway_failure"
    CONSECUTIVE_LOCAL_ORIGIN_FAILURE = "consecutive_local_origin_failure"
    SUCCESS_RATE = "success_rate"
    SUCCESS_RATE_LOCAL_ORIGIN = "success_rate_local_origin"
    FAILURE_PERCENTAGE = "failure_percentage"
    FAILURE_PERCENTAGE_LOCAL_ORIGIN = "failure_percentage_local_origin"


@attrs.frozen(kw_only=True)
class Ejected:
    """An endpoint was found to be an outlier, and taken out if `enforced`.

    `until` is the sweep that lets it back at the earliest, None where it was not taken out.
    `count` is how many failures in a row it had, or how many of the interval's `requests`
    failed; `threshold` is what that was held against: a count, the success rate of the lowest
    that is still no outlier, or a failure percentage. `rate` and `average` are percentages of
    success: this endpoint's, and the mean over all that had enough requests.
    """

    key: Any
    kind: Kind
    enforced: bool
    at: float
    until: float | None
    count: int
    threshold: float
    requests: int | None = None
    rate: float | None = None
    average: float | None = None
    multiplier: int = 0
    num_ejections: int = 0


@attrs.frozen(kw_only=True)
class Returned:
    """An ejected endpoint came back; `kind` is what had taken it out.

    `checked`: a successful active health check brought it back before its time was over.
    """

    key: Any
    at: float
    kind: Kind
    checked: bool = False


Change = Ejected | Returned
