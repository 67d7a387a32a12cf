"""DestinationRule: `connectionPool` and `retryBudget`, checked and named until there is a pool."""

from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.nodes import Node
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import at_least_one
from trafficcore.manifest.types import BOOL, UINT32, Duration, Int, Number, Text
from trafficcore.manifest.units import duration

__all__ = ["CONNECTION_POOL", "RETRY_BUDGET"]

_MILLI = Duration(least=duration("1ms"), milli=True)
_COUNT = Int(least=0)
_PART = 4


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


def _limit(name: str, part: int = _PART) -> Field:
    return Field(name, _COUNT, effect=Effect.WARNED, part=part)


def _time(name: str, *, off: bool = False) -> Field:
    return Field(name, _MilliOrOff() if off else _MILLI, effect=Effect.WARNED, part=0)


_TCP = Object(
    (
        _limit("maxConnections"),
        _time("connectTimeout"),
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
        _limit("http1MaxPendingRequests"),
        _limit("http2MaxRequests"),
        _limit("maxRequestsPerConnection", 0),
        _limit("maxRetries"),
        _limit("maxConcurrentStreams", 0),
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

CONNECTION_POOL = Object((Field("tcp", _TCP), Field("http", _HTTP)), rules=(at_least_one,))

RETRY_BUDGET = Object(
    (
        Field("percent", Number(least=0, most=100)),
        Field("minRetryConcurrency", UINT32),
        Field("budgetInterval", Duration()),
    )
)
