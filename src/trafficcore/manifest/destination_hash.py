"""DestinationRule: `consistentHash`, and the `ConsistentHash` it becomes."""

from trafficcore.manifest.fields import Field, Object, Record
from trafficcore.manifest.problems import Notes
from trafficcore.manifest.shapes import ListOf, at_most_one
from trafficcore.manifest.types import BOOL, TEXT, Duration, Int, Text
from trafficcore.spec import ConsistentHash, HashCookie

__all__ = ["CONSISTENT_HASH", "build_hash"]

#: What Istio asks of Envoy where nothing is written, and what Envoy has by itself.
_RING = 1024
_TABLE = 65_537
_MOST_PLACES = 8_388_608
_HASHED = ("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName")


def _is_prime(number: int) -> bool:
    if number < 4:
        return number > 1
    return number % 2 == 1 and all(number % odd for odd in range(3, int(number**0.5) + 1, 2))


def _tell_maglev(record: Record, notes: Notes) -> None:
    size = record.get("tableSize")
    if size is not None and not (size < 5_000_011 and _is_prime(size)):
        message = f"must be a prime below 5000011, not {size}"
        notes.error(record.at("tableSize"), record.to("tableSize"), message, str(size))


def _tell_size(record: Record, notes: Notes) -> None:
    size = record.get("minimumRingSize", 0)
    if size > _MOST_PLACES:
        message = f"must be at most {_MOST_PLACES}, not {size}"
        notes.error(record.at("minimumRingSize"), record.to("minimumRingSize"), message, str(size))


def _tell_key(record: Record, notes: Notes) -> None:
    address = "useSourceIp"
    if record.get(address):
        message = "calls have a source address where the shell gives one; others go at random"
        notes.notice("TC313", record.key(address), record.to(address), message)
    elif not any(record.get(name) or record.faulty(name) for name in _HASHED):
        message = "names nothing to hash: endpoints are drawn at random"
        notes.warn("TC311", record.node, record.path, message)


def _tell_old(record: Record, notes: Notes) -> None:
    old = "minimumRingSize"
    if record.has(old):
        message = "is deprecated: write ringHash.minimumRingSize"
        notes.warn("TC602", record.key(old), record.to(old), message)


def _tell_hash(record: Record, notes: Notes) -> None:
    old = "minimumRingSize"
    for name in ("ringHash", "maglev"):
        if record.get(old) and record.has(name):
            message = f"{old} and {name} exclude each other"
            notes.error(record.key(old), record.path, message, code="TC007")


_UINT64 = Int(low=0, high=2**64 - 1, quoted=True, name="uint64")
CONSISTENT_HASH = Object(
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
        Field("useSourceIp", BOOL, default=False, note="the address that the shell gives, if any"),
        Field("httpQueryParameterName", TEXT),
        Field(
            "ringHash",
            Object((Field("minimumRingSize", _UINT64, default=_RING),), rules=(_tell_size,)),
        ),
        Field(
            "maglev", Object((Field("tableSize", _UINT64, default=_TABLE),), rules=(_tell_maglev,))
        ),
        Field("minimumRingSize", _UINT64, instead="ringHash.minimumRingSize"),
    ),
    rules=(
        at_most_one(*_HASHED),
        at_most_one("ringHash", "maglev"),
        _tell_hash,
        _tell_old,
        _tell_size,
        _tell_key,
    ),
)


def build_hash(balancer: Record | None) -> ConsistentHash | None:
    """Make the consistent hash of a `loadBalancer`."""
    record = balancer and balancer.sub("consistentHash")
    if record is None:
        return None
    maglev, ring = record.sub("maglev"), record.sub("ringHash")
    size = maglev.get("tableSize") or _TABLE if maglev is not None else 0
    if maglev is None:
        size = ring.get("minimumRingSize", 0) if ring is not None else 0
        size = size or record.get("minimumRingSize") or _RING
    return ConsistentHash(
        header=record.get("httpHeaderName", "").lower(),
        cookie=_build_cookie(record.sub("httpCookie")),
        source_address=record.get("useSourceIp", False),
        query=record.get("httpQueryParameterName", ""),
        maglev=maglev is not None,
        size=size,
    )


def _build_cookie(record: Record | None) -> HashCookie | None:
    if record is None:
        return None
    return HashCookie(
        name=record.values["name"],
        path=record.get("path", ""),
        ttl=record.get("ttl"),
        attributes=tuple(
            (item.values["name"], item.get("value", "")) for item in record.get("attributes", ())
        ),
    )
