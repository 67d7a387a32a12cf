"""The kinds of results, and a frozen count of them.

A kind is three bits: an error, slow, an error at the gateway (502, 503, 504). A slow error is one
result, one error, one slow call and one bad result.
"""

from typing import Final

import attrs

__all__ = [
    "ERROR",
    "GATEWAY_ERROR",
    "GOOD",
    "KIND_NAMES",
    "NOTHING",
    "SLOW",
    "Counts",
    "Tally",
    "add",
]

GOOD: Final = 0
ERROR: Final = 1
SLOW: Final = 2
GATEWAY_ERROR: Final = 5  # an error, of the class that is counted beside the others

#: By kind; the gateway bit makes no name of its own.
KIND_NAMES: Final = ("success", "error", "slow", "slow_error") * 2

#: Inside the machine: (total, errors, slow, slow errors, gateway errors, duration).
Tally = tuple[int, int, int, int, int, float]

NOTHING: Final[Tally] = (0, 0, 0, 0, 0, 0)


def add(a: Tally, b: Tally) -> Tally:
    """Return the sum of two."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5])


@attrs.frozen
class Counts:
    """What a breaker saw in its window; while half-open, of its probes."""

    total: int = 0
    errors: int = 0
    slow: int = 0
    slow_errors: int = 0
    gateway_errors: int = 0
    duration_total: float = 0

    @property
    def successes(self) -> int:
        """All that were no errors, the slow ones among them."""
        return self.total - self.errors

    @property
    def bad(self) -> int:
        """Errors and slow calls, each result once."""
        return self.errors + self.slow - self.slow_errors
