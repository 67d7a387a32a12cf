"""DestinationRule: `localityLbSetting` and its kin, and the `LocalityLb` they become."""

from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.nodes import Mapping, Node
from trafficcore.manifest.problems import Notes, short
from trafficcore.manifest.shapes import ListOf, MapOf
from trafficcore.manifest.types import BOOL, TEXT, Int, Text
from trafficcore.spec import LocalityLb, ZoneAwareLb

__all__ = ["LOCALITY", "ZONE_AWARE", "build_locality", "build_zone_aware", "tell_failover"]

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
            record.key("failover"),
            record.path,
            "distribute and failover exclude each other",
            code="TC007",
        )
    topology = [label for label in record.get("failoverPriority", ()) if label in _TOPOLOGY]
    if topology and record.get("failover"):
        message = f"failover and failoverPriority with {topology[0]} exclude each other"
        notes.error(record.key("failoverPriority"), record.path, message, topology[0], code="TC007")


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
LOCALITY = Object(
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
ZONE_AWARE = Object(
    (
        Field("enabled", BOOL, default=True),
        Field("failover", _FAILOVER),
        Field("failoverPriority", ListOf(TEXT)),
        Field("minClusterSize", Int(least=1, high=2**32 - 1, name="uint32"), default=6),
    )
)


def tell_failover(record: Record, notes: Notes) -> None:
    """Warn where localities are set beside no outlier detection: failover then does nothing."""
    locality = record.sub("loadBalancer", "localityLbSetting")
    if locality is None or record.has("outlierDetection") or locality.get("enabled") is False:
        return
    message = "has no effect without outlierDetection beside it"
    given = [name for name in ("failover", "failoverPriority") if locality.get(name)]
    for name in given:
        notes.warn("TC305", locality.key(name), locality.to(name), message)
    if not given and not locality.has("distribute"):
        notes.warn("TC305", locality.node, locality.path, message)


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
        failover=_failover(record),
        failover_priority=record.get("failoverPriority", ()),
    )


def build_zone_aware(balancer: Record | None) -> ZoneAwareLb | None:
    """Make the zone-aware setting of a `loadBalancer`."""
    record = balancer and balancer.sub("zoneAwareLbSetting")
    if not record:
        return None
    return ZoneAwareLb(
        enabled=record.get("enabled", True),
        failover=_failover(record),
        failover_priority=record.get("failoverPriority", ()),
        min_cluster_size=record.get("minClusterSize", 6),
    )


def _failover(record: Record) -> tuple[tuple[str, str], ...]:
    return tuple((rule.get("from", ""), rule.get("to", "")) for rule in record.get("failover", ()))
