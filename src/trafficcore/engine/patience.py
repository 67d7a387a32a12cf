"""How long a caller will wait, by what it says itself, and what that leaves for a queue.

Law    a place in a queue is held until the workload's `queue_timeout` is over, and not longer than
       until `decision_deadline_margin` before the caller gives up: who is admitted later than that
       would be answered to nobody.
Source Aperture's scheduler; Envoy's `x-envoy-expected-rq-timeout-ms`, gRPC over HTTP/2.
"""

from collections.abc import Mapping
from math import inf
from typing import Final

__all__ = ["caller_timeout", "queue_deadline"]

_ENVOY: Final = "x-envoy-expected-rq-timeout-ms"
_GRPC: Final = "grpc-timeout"
#: What the letter behind a gRPC timeout stands for, in seconds.
_UNITS: Final = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
#: Digits of either header; what has more is no number that anybody sends.
_DIGITS: Final = 15


def caller_timeout(headers: Mapping[str, str]) -> float | None:
    """Return in how many seconds the sender of these headers gives up; None: they do not say.

    Of two that say it the shorter counts, and what is no number as they have it says nothing.
    """
    envoy, grpc = headers.get(_ENVOY), headers.get(_GRPC)
    found = inf
    if envoy is not None and _whole(envoy):
        found = int(envoy) / 1000
    if grpc is not None and grpc[-1:] in _UNITS and _whole(grpc[:-1]):
        found = min(found, int(grpc[:-1]) * _UNITS[grpc[-1]])
    return None if found == inf else found


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def queue_deadline(now: float, queue_timeout: float | None, caller: float, margin: float) -> float:
    """Return until when somebody waits who came to a queue at `now`; `caller` gives up himself."""
    own = inf if queue_timeout is None else now + queue_timeout
    return min(own, caller - margin)
