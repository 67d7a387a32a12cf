"""DestinationRule: `loadBalancer`, its algorithms; localities are in `destination_locality`."""

from trafficcore.manifest.destination_locality import LOCALITY, ZONE_AWARE
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ListOf, at_most_one
from trafficcore.manifest.types import BOOL, TEXT, UINT32, Duration, Int, Number, Text
from trafficcore.manifest.units import duration
from trafficcore.spec import Warmup

__all__ = ["LOAD_BALANCER", "build_simple", "build_warmup"]

_MILLI = Duration(least=duration("1ms"), milli=True)
_PART = 5


def _is_prime(number: int) -> bool:
    if number < 4:
        return number > 1
    return number % 2 == 1 and all(number % odd for odd in range(3, int(number**0.5) + 1, 2))


def _tell_maglev(record: Record, notes: Notes) -> None:
    size = record.get("tableSize")
    if size is not None and not (size < 5_000_011 and _is_prime(size)):
        message = f"must be a prime below 5000011, not {size}"
        notes.error(record.at("tableSize"), record.to("tableSize"), message, str(size))


def _tell_hash(record: Record, notes: Notes) -> None:
    old = "minimumRingSize"
    for name in ("ringHash", "maglev"):
        if record.get(old) and record.has(name):
            message = f"{old} and {name} exclude each other"
            notes.error(record.key(old), record.path, message, code="TC007")


_HASHED = ("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName")
_UINT64 = Int(low=0, high=2**64 - 1, quoted=True, name="uint64")
_CONSISTENT_HASH = Object(
    (
        Field("httpHeaderName", TEXT),
        Field(
            "httpCookie",
            Object(
                (
                    Field("name", Text(least=1), required=True),
                    Field("path", TEXT),
                    Field("ttl", Duration()),
                    Field(
                        "attributes",
                        ListOf(
                            Object(
                                (Field("name", Text(least=1), required=True), Field("value", TEXT))
                            )
                        ),
                    ),
                )
            ),
        ),
        Field("useSourceIp", BOOL),
        Field("httpQueryParameterName", TEXT),
        Field("ringHash", Object((Field("minimumRingSize", _UINT64),))),
        Field("maglev", Object((Field("tableSize", _UINT64),), rules=(_tell_maglev,))),
        Field("minimumRingSize", _UINT64, instead="ringHash.minimumRingSize"),
    ),
    rules=(at_most_one(*_HASHED), at_most_one("ringHash", "maglev"), _tell_hash),
)
_WARMUP = Object(
    (
        Field("duration", _MILLI, required=True),
        Field("minimumPercent", Number(least=0, most=100), default=10),
        Field("aggression", Number(above=0), default=1),
    )
)
_BACKEND_UTILIZATION = Object(
    (
        Field("errorUtilizationPenaltyPercent", UINT32),
        Field("metricNamesForComputingUtilization", ListOf(TEXT)),
        Field("weightExpirationPeriod", Duration()),
        Field("weightStabilizationPeriod", Duration()),
        Field("weightUpdatePeriod", Duration()),
    )
)
_ROUND_ROBIN = "ROUND_ROBIN"
_OLD_NAMES = {"LEAST_CONN": "LEAST_REQUEST", "UNSPECIFIED": ""}
_INSTEAD = "endpoints are chosen as by LEAST_REQUEST"
_PASSES = "PASSTHROUGH sends each call to the address it names, whatever endpoints there are"


def _tell_simple(record: Record, notes: Notes) -> None:
    name = record.get("simple")
    if name == "LEAST_CONN":
        message = "LEAST_CONN is deprecated: write LEAST_REQUEST"
        notes.warn("TC602", record.at("simple"), record.to("simple"), message, name)
    if name == "PASSTHROUGH":
        message = f"{_PASSES}: fields that are about endpoints have no effect"
        notes.warn("TC509", record.at("simple"), record.to("simple"), message, name)
    for field in ("warmup", "warmupDurationSecs"):
        if record.has(field) and name in ("RANDOM", "PASSTHROUGH"):
            message = f"has no effect with {name}"
            notes.warn("TC509", record.key(field), record.to(field), message)


def _tell_warmup(record: Record, notes: Notes) -> None:
    old = "warmupDurationSecs"
    if record.has(old):
        code, message = "TC602", "is deprecated: write warmup.duration"
        if record.has("warmup"):
            code, message = "TC509", "has no effect beside warmup"
        notes.warn(code, record.key(old), record.to(old), message)


def _later(name: str, kind: Object, note: str = "") -> Field:
    return Field(name, kind, effect=Effect.WARNED, part=_PART, note=note)


LOAD_BALANCER = Object(
    (
        Field(
            "simple",
            Text(
                choices=(
                    "UNSPECIFIED",
                    "LEAST_REQUEST",
                    "LEAST_CONN",
                    _ROUND_ROBIN,
                    "RANDOM",
                    "PASSTHROUGH",
                )
            ),
        ),
        _later("consistentHash", _CONSISTENT_HASH, _INSTEAD),
        Field("localityLbSetting", LOCALITY),
        _later("zoneAwareLbSetting", ZONE_AWARE),
        _later("backendUtilization", _BACKEND_UTILIZATION, _INSTEAD),
        Field("warmup", _WARMUP),
        Field("warmupDurationSecs", _MILLI, instead="warmup.duration"),
    ),
    rules=(
        at_most_one("simple", "consistentHash", "backendUtilization"),
        at_most_one("localityLbSetting", "zoneAwareLbSetting"),
        _tell_simple,
        _tell_warmup,
    ),
)


def build_simple(balancer: Record | None) -> str:
    """Return the algorithm by its present name; "" where none is asked for."""
    name = balancer.get("simple", "") if balancer else ""
    return _OLD_NAMES.get(name, name)


def build_warmup(balancer: Record | None) -> Warmup | None:
    """Return how endpoints that join grow to their weight; the old name says how long alone."""
    if balancer is None:
        return None
    warmup = balancer.sub("warmup")
    if warmup is not None:
        return Warmup(
            duration=warmup.values["duration"],
            minimum_percent=warmup.get("minimumPercent", 10),
            aggression=warmup.get("aggression", 1),
        )
    duration = balancer.get("warmupDurationSecs")
    return None if duration is None else Warmup(duration=duration)
