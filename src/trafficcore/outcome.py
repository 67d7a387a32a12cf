"""Words that every ring shares: how a call ended, and why a request was refused."""

from enum import Enum

__all__ = ["Outcome", "Reason", "classify"]


class Outcome(Enum):
    """How an admitted call ended, as its caller saw it. *Slow* is not an outcome: it is derived."""

    SUCCESS = "success"
    FAILURE = "failure"
    #: In no count and no denominator: the application asked for it, or nobody can tell.
    IGNORED = "ignored"
    #: The caller went away; no verdict on the service.
    CANCELLED = "cancelled"


class Reason(Enum):
    """Why a request was refused. The comments give Envoy's response flag."""

    RATE_LIMITED = "rate_limited"  # RL
    CIRCUIT_OPEN = "circuit_open"  # UO
    OVERLOADED = "overloaded"  # UO
    QUEUE_FULL = "queue_full"  # UO
    QUEUE_TIMEOUT = "queue_timeout"  # UO
    NO_HEALTHY_ENDPOINT = "no_healthy_endpoint"  # UH
    RAMPING = "ramping"  # none: the share that a load ramp accepts is still below all


def classify(status: int) -> Outcome:
    """Say what an HTTP status means for breakers and ejection: 5xx fails, all else succeeds.

    A 4xx is the caller's fault, not the service's (Envoy's outlier detection reads it so as well).
    """
    return Outcome.FAILURE if 500 <= status <= 599 else Outcome.SUCCESS
