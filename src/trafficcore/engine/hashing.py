"""`Hashing`: what of a request decides its endpoint, where a DestinationRule has `consistentHash`.

Law    the key is the text of a header, a cookie, a query parameter (as it came, the first of the
       name) or the caller's address, its hash xxHash64. A cookie that is missing, or empty, is
       made where there is a `ttl`: its value is a hash of the request's connection, so that
       requests beside each other on one get one cookie; else it is drawn. Without a key the call
       goes to a host drawn at random.
State  none but the draw.   Cost  a hash of the key, kept for the last few thousand short ones
Source Envoy hash_policy.cc and Router::addDownstreamSetCookie; Istio's consistentHash
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any, Final

from trafficcore.core.balance import (
    Endpoint,
    Hashed,
    MaglevMaker,
    Picker,
    RingMaker,
    TableMaker,
)
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.engine.facts import Facts
from trafficcore.engine.picking import Draw
from trafficcore.spec import ConsistentHash, HashCookie

__all__ = ["Hashing", "cookie_value", "hash_of", "query_value", "set_cookie"]

#: Longer texts are hashed each time: they are the caller's, and would fill what is kept.
_LONGEST: Final = 128
_WHOLE: Final = 2**64


class Hashing:
    """How calls to one cluster find their endpoint by a key of their own."""

    __slots__ = ("_cookie", "_number", "_read", "draw", "shape", "tables")

    def __init__(self, spec: ConsistentHash, draw: Draw | None) -> None:
        #: What tables are made by.
        self.shape = (spec.maglev, spec.size)
        #: What makes the tables of the cluster, and keeps what helps the next one.
        self.tables: TableMaker = MaglevMaker(spec.size) if spec.maglev else RingMaker(spec.size)
        self._read = _reader(spec)
        cookie = spec.cookie
        self._cookie = cookie if cookie is not None and cookie.ttl is not None else None
        self.draw = draw
        self._number = count()

    def follow(self, before: "Hashing | None") -> None:
        """Take over what the settings before had worked out, where tables are made alike."""
        if before is not None and before.shape == self.shape:
            self.tables = before.tables

    def pick(self, picker: Picker, facts: Facts) -> tuple[Endpoint | None, str | None]:
        """Return who takes a call, and the `Set-Cookie` that goes with its answer, if any."""
        if not isinstance(picker, Hashed):  # a rule in shadow chooses nobody
            return picker.pick(), None
        key = self._read(facts)
        if key is not None:
            return picker.find(hash_of(key)), None
        if self._cookie is None:
            return picker.pick(), None
        value = f"{self._new(facts):016x}"
        return picker.find(hash_of(value)), set_cookie(self._cookie, value)

    def _new(self, facts: Facts) -> int:
        """Return what the value of a new cookie is made of."""
        if facts.connection or facts.address:
            return hash_of(f"{facts.address} {facts.connection}")
        if self.draw is not None:
            return int(self.draw() * _WHOLE)
        return hash_of(str(next(self._number)))


def hash_of(text: str) -> int:
    """Return the hash of a key."""
    return _kept(text) if len(text) <= _LONGEST else _hash(text)


def _hash(text: str) -> int:
    return xxhash64(text.encode("utf-8", "surrogatepass"))


_kept = lru_cache(maxsize=4096)(_hash)


def _reader(spec: ConsistentHash) -> Callable[[Facts], str | None]:
    name, cookie = spec.header, spec.cookie
    if name:
        return lambda facts: facts.header(name)
    if cookie is not None:
        wanted = cookie.name
        return lambda facts: cookie_value(facts.header("cookie") or "", wanted)
    if spec.query:
        return lambda facts: query_value(facts.query, spec.query)
    if spec.source_address:
        return lambda facts: facts.address or None
    return lambda _: None


def cookie_value(header: str, name: str) -> str | None:
    """Return the first cookie of a name, without quotes around it; None: not there, or empty."""
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            quoted = len(value) > 1 and value[0] == value[-1] == '"'
            return (value[1:-1] if quoted else value) or None
    return None


def query_value(query: str, name: str) -> str | None:
    """Return the first parameter of a name as it came, not decoded; None: it is not there."""
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == name:
            return value
    return None


def set_cookie(cookie: HashCookie, value: str) -> str:
    """Return the text of a `Set-Cookie` header, as Envoy writes it."""
    parts: list[Any] = [f'{cookie.name}="{value}"']
    if cookie.ttl is not None and int(cookie.ttl):
        parts.append(f"Max-Age={int(cookie.ttl)}")
    if cookie.path:
        parts.append(f"Path={cookie.path}")
    parts += [f"{key}={text}" if text else key for key, text in cookie.attributes]
    return "; ".join([*parts, "HttpOnly"])
