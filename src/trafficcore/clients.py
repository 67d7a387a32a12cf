"""Clients without a manifest, in one import: what guards calls, and what puts it under a client.

`TrafficAdapter` is for requests, `TrafficTransport` and `AsyncTrafficTransport` are for httpx2 and
httpx. A library is imported when its shell is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trafficcore.live.breaker import CircuitBreaker, CircuitOpen
from trafficcore.live.breakers import Breakers
from trafficcore.live.limits import Limit
from trafficcore.spec import Retries, RetryCaps
from trafficcore.web.timeouts import Timeouts

if TYPE_CHECKING:
    from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport
    from trafficcore.web.requests import CallRefused, TrafficAdapter

__all__ = [
    "AsyncTrafficTransport",
    "Breakers",
    "CallRefused",
    "CircuitBreaker",
    "CircuitOpen",
    "Limit",
    "Retries",
    "RetryCaps",
    "Timeouts",
    "TrafficAdapter",
    "TrafficTransport",
]

_LAZY = {
    "AsyncTrafficTransport": "trafficcore.web.httpx",
    "CallRefused": "trafficcore.web.requests",
    "TrafficAdapter": "trafficcore.web.requests",
    "TrafficTransport": "trafficcore.web.httpx",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
