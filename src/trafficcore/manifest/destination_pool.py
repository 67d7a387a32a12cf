"""DestinationRule: `connectionPool` and `retryBudget`: how much may be in flight.

In process a call takes its own connection or waits for one in its client's pool, so what Envoy
keeps apart is one number here: calls in flight, `http2MaxRequests` of them at the most, and no
more than have a connection or may wait for one (`maxConnections` + `http1MaxPendingRequests`).
"""

from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.nodes import Node
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import at_least_one
from trafficcore.manifest.types import BOOL, UINT32, Duration, Int, Number, Text
from trafficcore.manifest.units import duration
from trafficcore.spec import RetryCaps

__all__ = [
    "CONNECTION_POOL",
    "RETRY_BUDGET",
    "build_connect_timeout",
    "build_max_requests",
    "build_retry_caps",
    "tell_retries",
]

_MILLI = Duration(least=duration("1ms"), milli=True)
_COUNT = Int(least=0)


class _MilliOrOff:
    """A time of whole milliseconds, or 0s for no limit."""

    name = "duration"
    bounds = "from 1ms, whole milliseconds; 0s = off"
    forms = (Duration(milli=True),)

    def read(self, node: Node, path: str, notes: Notes) -> object:
        before = notes.errors
        value = Duration(milli=True).read(node, path, notes)
        if notes.errors == before and value != 0:
            return _MILLI.read(node, path, notes)
        return value


def _upgrade(record: Record, notes: Notes) -> None:
    if record.get("h2UpgradePolicy") == "UPGRADE" and record.get("useClientProtocol"):
        message = "true excludes h2UpgradePolicy: UPGRADE"
        notes.error(
            record.at("useClientProtocol"),
            record.to("useClientProtocol"),
            message,
            "true",
            code="TC007",
        )


def _limit(name: str) -> Field:
    return Field(name, _COUNT, effect=Effect.WARNED, part=0)


def _tell_pending(record: Record, notes: Notes) -> None:
    tcp, http = record.sub("tcp"), record.sub("http")
    name = "http1MaxPendingRequests"
    if http is not None and http.get(name) and not (tcp and tcp.get("maxConnections")):
        message = "has no effect without tcp.maxConnections: nobody waits for a connection"
        notes.warn("TC310", http.key(name), http.to(name), message, http.text(name))
    elif tcp is not None and tcp.get("maxConnections") and not (http and http.get(name)):
        name = "maxConnections"
        message = "has no effect without http.http1MaxPendingRequests: any number may wait"
        notes.warn("TC310", tcp.key(name), tcp.to(name), message, tcp.text(name))


def _time(name: str, *, off: bool = False) -> Field:
    return Field(name, _MilliOrOff() if off else _MILLI, effect=Effect.WARNED, part=0)


_TCP = Object(
    (
        Field("maxConnections", _COUNT),
        Field("connectTimeout", _MILLI, note="the longest wait for one of the client transports'"),
        _time("idleTimeout", off=True),
        _time("maxConnectionDuration"),
        Field(
            "tcpKeepalive",
            Object((Field("probes", UINT32), Field("time", _MILLI), Field("interval", _MILLI))),
            effect=Effect.WARNED,
            part=0,
        ),
    )
)
_HTTP = Object(
    (
        Field("http1MaxPendingRequests", _COUNT),
        Field("http2MaxRequests", _COUNT),
        _limit("maxRequestsPerConnection"),
        Field("maxRetries", _COUNT, note="of the client transports' retries; 0: any number"),
        _limit("maxConcurrentStreams"),
        _time("idleTimeout"),
        Field(
            "h2UpgradePolicy",
            Text(choices=("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE")),
            effect=Effect.WARNED,
            default="DEFAULT",
            part=0,
        ),
        Field("useClientProtocol", BOOL, effect=Effect.WARNED, default=False, part=0),
        Field(
            "http2KeepAlive",
            Object(
                (
                    Field("interval", _MILLI, required=True),
                    Field("timeout", _MILLI, required=True),
                )
            ),
            effect=Effect.WARNED,
            part=0,
        ),
    ),
    rules=(_upgrade,),
)

CONNECTION_POOL = Object(
    (Field("tcp", _TCP), Field("http", _HTTP)), rules=(at_least_one, _tell_pending)
)


def build_max_requests(pool: Record | None) -> int | None:
    """Return how many calls may be in flight; None: any number. 0 means that, as in Istio."""
    if pool is None:
        return None
    http, tcp = pool.sub("http"), pool.sub("tcp")
    most = [http.get("http2MaxRequests") if http else None]
    pending = http.get("http1MaxPendingRequests") if http else None
    connections = tcp.get("maxConnections") if tcp else None
    if pending and connections:
        most.append(pending + connections)
    return min((number for number in most if number), default=None)


RETRY_BUDGET = Object(
    (
        Field("percent", Number(least=0, most=100), default=20),
        Field("minRetryConcurrency", UINT32, default=3),
        Field(
            "budgetInterval",
            Duration(),
            effect=Effect.WARNED,
            part=0,
            note="retries are held against the calls in flight",
        ),
    )
)


def build_connect_timeout(pool: Record | None) -> float | None:
    """Return the seconds that a call may wait for its connection; None: nothing is said of it."""
    tcp = pool.sub("tcp") if pool else None
    return tcp.get("connectTimeout") if tcp else None


def build_retry_caps(pool: Record | None, budget: Record | None) -> RetryCaps | None:
    """Return how many retries may be under way at once; None: nothing is said of it."""
    if budget is not None:
        return RetryCaps(
            budget_percent=budget.get("percent", 20),
            min_retry_concurrency=budget.get("minRetryConcurrency", 3),
        )
    http = pool.sub("http") if pool else None
    most = http.get("maxRetries") if http else None
    return RetryCaps(max_retries=most) if most else None


def tell_retries(policy: Record, notes: Notes) -> None:
    """Say that a number of retries counts for nothing beside a budget."""
    http, name = policy.sub("connectionPool", "http"), "maxRetries"
    if http is not None and http.get(name) and policy.sub("retryBudget") is not None:
        message = "has no effect beside retryBudget"
        notes.warn("TC321", http.key(name), http.to(name), message, http.text(name))
