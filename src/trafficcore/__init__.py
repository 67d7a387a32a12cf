"""A service mesh's traffic policies inside a Python process.

`Engine.load` reads the manifests of Alibaba Cloud Service Mesh and Istio; `AsgiTraffic`,
`WsgiTraffic`, `TrafficTransport` and `AsyncTrafficTransport` put an engine under an application or
an HTTP client. `RateLimiter`, `KeyedRateLimiter`, `CircuitBreaker`, `QuotaScheduler` and `Balancer`
work without an engine. The machines inside, which take time as an argument, are in
`trafficcore.core`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trafficcore.engine import Engine, Facts, Permit, Queued, Rejection
from trafficcore.errors import (
    ConfigError,
    ImpossibleCost,
    ManifestError,
    Rejected,
    TrafficError,
)
from trafficcore.outcome import Outcome, Reason

if TYPE_CHECKING:
    from trafficcore.limits import Limit, header
    from trafficcore.live.balancer import Balancer
    from trafficcore.live.breaker import CircuitBreaker
    from trafficcore.live.fair import QuotaScheduler
    from trafficcore.live.limiter import KeyedRateLimiter, RateLimiter
    from trafficcore.observe.app import SnapshotApp
    from trafficcore.web.asgi import AsgiTraffic
    from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport
    from trafficcore.web.wsgi import WsgiTraffic

__all__ = [
    "AsgiTraffic",
    "AsyncTrafficTransport",
    "Balancer",
    "CircuitBreaker",
    "ConfigError",
    "Engine",
    "Facts",
    "ImpossibleCost",
    "KeyedRateLimiter",
    "Limit",
    "ManifestError",
    "Outcome",
    "Permit",
    "Queued",
    "QuotaScheduler",
    "RateLimiter",
    "Reason",
    "Rejected",
    "Rejection",
    "SnapshotApp",
    "TrafficError",
    "TrafficTransport",
    "WsgiTraffic",
    "header",
]

__version__ = "0.1.0"

#: Handles and shells, imported when first asked for: nobody pays for what he does not use.
_LAZY = {
    "AsgiTraffic": "trafficcore.web.asgi",
    "AsyncTrafficTransport": "trafficcore.web.httpx",
    "Balancer": "trafficcore.live.balancer",
    "CircuitBreaker": "trafficcore.live.breaker",
    "KeyedRateLimiter": "trafficcore.live.limiter",
    "Limit": "trafficcore.limits",
    "QuotaScheduler": "trafficcore.live.fair",
    "RateLimiter": "trafficcore.live.limiter",
    "SnapshotApp": "trafficcore.observe.app",
    "TrafficTransport": "trafficcore.web.httpx",
    "WsgiTraffic": "trafficcore.web.wsgi",
    "header": "trafficcore.limits",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
