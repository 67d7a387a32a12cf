"""DestinationRule: `loadBalancer` with its localities, and the `LocalityLb` they become."""

from trafficcore.manifest.fields import Effect, Field, Object, Record
from trafficcore.manifest.nodes import Mapping, Node
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.shapes import ListOf, MapOf, at_most_one
from trafficcore.manifest.types import BOOL, TEXT, UINT32, Duration, Int, Number, Text
from trafficcore.manifest.units import duration
from trafficcore.spec import LocalityLb

__all__ = ["LOAD_BALANCER", "build_locality", "build_simple", "tell_failover"]

_MILLI = Duration(least=duration("1ms"), milli=True)
_PART = 5


# -- localities ----------------------------------------------------------------------------------

_TOPOLOGY = frozenset(
    (
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.istio.io/subzone",
    )
)


def _locality(text: str) -> str | None:
    if not all(text.split("/", 2)):
        return "a locality such as region/zone, without empty parts"
    if "*" in text[:-1]:
        return "a locality with * at its end only"
    return None


def _region(text: str) -> str | None:
    return "a region alone, without / and *" if "/" in text or "*" in text else None


def _tell_overlaps(places: list[tuple[str, Node]], path: str, notes: Notes) -> None:
    """Note each pattern that has a locality in common with an earlier one.

    `*` stands at the end alone, and a missing tail stands for any: without their `*`, two
    patterns overlap where one begins with the other.
    """
    whole: dict[tuple[str, ...], str] = {}
    begun: dict[tuple[str, ...], str] = {}
    for text, node in places:
        parts = tuple(part for part in text.split("/", 2) if part != "*")
        starts = [parts[:length] for length in range(len(parts) + 1)]
        earlier = begun.get(parts)
        for start in starts:
            earlier = whole.get(start, earlier)
        if earlier is not None:
            notes.error(node, path, f"{short(text)} overlaps with {short(earlier)}", text)
        whole[parts] = text
        begun.update(dict.fromkeys(starts, text))


def _tell_distribute(record: Record, notes: Notes) -> None:
    weights = record.get("to")
    node = record.at("to")
    if not record.has("to") or not isinstance(node, Mapping):
        return
    _tell_overlaps([(key.text, key) for key, _ in node.entries], record.to("to"), notes)
    if weights is not None and len(weights) == len(node.entries):
        total = sum(weight for _, weight in weights)
        if total != 100:
            message = f"must hold weights that sum to 100, not {total}"
            notes.error(node, record.to("to"), message, str(total))


def _tell_locality(record: Record, notes: Notes) -> None:
    rules = record.get("distribute", ())
    places = [(rule.get("from"), rule.at("from")) for rule in rules if rule.get("from")]
    _tell_overlaps(places, record.to("distribute"), notes)
    if rules and record.get("failover"):
        notes.error(
            record.key("failover"), record.path, "distribute and failover exclude each other"
        )
    topology = [label for label in record.get("failoverPriority", ()) if label in _TOPOLOGY]
    if topology and record.get("failover"):
        message = f"failover and failoverPriority with {topology[0]} exclude each other"
        notes.error(record.key("failoverPriority"), record.path, message, topology[0])


def _tell_regions(record: Record, notes: Notes) -> None:
    faulty = record.faulty("from") or record.faulty("to")
    if not faulty and record.get("from", "") == record.get("to", ""):
        notes.error(record.node, record.path, "from and to must be different regions")


_FAILOVER = ListOf(
    Object(
        (
            Field("from", Text(check=_region, name="region")),
            Field("to", Text(check=_region, name="region")),
        ),
        rules=(_tell_regions,),
    )
)
_WEIGHT = Int(least=1, most=100, name="uint32")
_LOCALITY = Object(
    (
        Field("enabled", BOOL, default=True),
        Field(
            "distribute",
            ListOf(
                Object(
                    (
                        Field("from", Text(check=_locality, name="locality"), required=True),
                        Field("to", MapOf(_WEIGHT, check=_locality), required=True),
                    ),
                    rules=(_tell_distribute,),
                )
            ),
        ),
        Field("failover", _FAILOVER),
        Field("failoverPriority", ListOf(TEXT)),
    ),
    rules=(_tell_locality,),
)
_ZONE_AWARE = Object(
    (
        Field("enabled", BOOL),
        Field("failover", _FAILOVER),
        Field("failoverPriority", ListOf(TEXT)),
        Field("minClusterSize", Int(least=1, high=2**32 - 1, name="uint32")),
    )
)


def tell_failover(record: Record, notes: Notes) -> None:
    """Warn where failover is set beside no outlier detection: it then does nothing."""
    locality = record.sub("loadBalancer", "localityLbSetting")
    if locality is None or record.has("outlierDetection"):
        return
    for name in ("failover", "failoverPriority"):
        if locality.get(name):
            message = "has no effect without outlierDetection beside it"
            notes.warn(locality.key(name), locality.to(name), message)


def build_locality(balancer: Record | None) -> LocalityLb | None:
    """Make the locality setting of a `loadBalancer`."""
    record = balancer and balancer.sub("localityLbSetting")
    if not record:
        return None
    return LocalityLb(
        enabled=record.get("enabled", True),
        distribute=tuple(
            (rule.values["from"], rule.values["to"]) for rule in record.get("distribute", ())
        ),
        failover=tuple(
            (rule.get("from", ""), rule.get("to", "")) for rule in record.get("failover", ())
        ),
        failover_priority=record.get("failoverPriority", ()),
    )


# -- algorithms ----------------------------------------------------------------------------------


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
    if record.get(old):
        message = "is deprecated: write ringHash.minimumRingSize"
        notes.warn(record.key(old), record.to(old), message)
        for name in ("ringHash", "maglev"):
            if record.has(name):
                notes.error(record.key(old), record.path, f"{old} and {name} exclude each other")
    if not any(record.has(name) for name in _HASHED):
        notes.warn(record.node, record.path, "names nothing to hash: endpoints are drawn at random")


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
        Field("minimumRingSize", _UINT64),
    ),
    rules=(at_most_one(*_HASHED), at_most_one("ringHash", "maglev"), _tell_hash),
)
_WARMUP = Object(
    (
        Field("duration", _MILLI, required=True),
        Field("minimumPercent", Number(least=0, most=100)),
        Field("aggression", Number(above=0)),
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
_TURNS = "endpoints take turns (ROUND_ROBIN)"


def _tell_simple(record: Record, notes: Notes) -> None:
    name = record.get("simple")
    if name == "LEAST_CONN":
        message = "LEAST_CONN is deprecated: write LEAST_REQUEST"
        notes.warn(record.at("simple"), record.to("simple"), message, name)
    if name not in (None, _ROUND_ROBIN, "UNSPECIFIED"):
        message = f"has no effect in this version with {name}: {_TURNS}"
        notes.warn(record.at("simple"), record.to("simple"), message, name)


def _later(name: str, kind: Object | Duration, note: str = "") -> Field:
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
        _later("consistentHash", _CONSISTENT_HASH, _TURNS),
        Field("localityLbSetting", _LOCALITY),
        _later("zoneAwareLbSetting", _ZONE_AWARE),
        _later("backendUtilization", _BACKEND_UTILIZATION, _TURNS),
        _later("warmup", _WARMUP),
        _later("warmupDurationSecs", _MILLI),
    ),
    rules=(
        at_most_one("simple", "consistentHash", "backendUtilization"),
        at_most_one("localityLbSetting", "zoneAwareLbSetting"),
        _tell_simple,
    ),
)


def build_simple(balancer: Record | None) -> str:
    """Return the algorithm by its present name; "" where none is asked for."""
    name = balancer.get("simple", "") if balancer else ""
    return _OLD_NAMES.get(name, name)
