"""DestinationRule: `loadBalancer`, its algorithms; localities are in `destination_locality`."""

from trafficcore.manifest.destination_hash import CONSISTENT_HASH
from trafficcore.manifest.destination_locality import LOCALITY, ZONE_AWARE
from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ListOf, at_most_one
from trafficcore.manifest.types import TEXT, UINT32, Duration, Number, Text
from trafficcore.manifest.units import duration
from trafficcore.spec import Warmup

__all__ = ["LOAD_BALANCER", "build_simple", "build_warmup"]

_MILLI = Duration(least=duration("1ms"), milli=True)
_PART = 5


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
#: Algorithms that look at no weight that grows.
_NOT_GROWING = ("RANDOM", "PASSTHROUGH")
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
        if record.has(field) and (record.has("consistentHash") or name in _NOT_GROWING):
            message = f"has no effect with {name or 'consistentHash'}"
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
        Field("consistentHash", CONSISTENT_HASH),
        Field("localityLbSetting", LOCALITY),
        Field("zoneAwareLbSetting", ZONE_AWARE),
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
