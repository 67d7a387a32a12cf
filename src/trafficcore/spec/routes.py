"""Which requests a rule is about: direction, workload, virtual host, headers, query, address."""

from enum import Enum

import attrs

from trafficcore.errors import ConfigError

__all__ = [
    "AddressMatch",
    "Direction",
    "HeaderMatch",
    "Op",
    "QueryMatch",
    "RequestMatch",
    "Scope",
    "Service",
    "VirtualHost",
]


class Direction(Enum):
    """Which side of the process a request is on: it came in, or it goes out."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Op(Enum):
    """How a text is compared. REGEX matches the whole value; PRESENT looks at presence alone.

    A REGEX value is compiled by `trafficcore.spec.pattern`.
    """

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    CONTAINS = "contains"
    REGEX = "regex"
    PRESENT = "present"


@attrs.frozen
class HeaderMatch:
    """One header compared; `:path`, `:method`, `:authority` are headers here, as in Envoy.

    `PRESENT` with `value="false"` holds where the header is absent. `invert` turns the answer.
    `name` is lower case.
    """

    name: str
    op: Op
    value: str = ""
    invert: bool = False


@attrs.frozen
class QueryMatch:
    """One query parameter compared, after percent decoding.

    `PRESENT` with `value="false"` holds where the parameter is absent.
    """

    name: str
    op: Op
    value: str = ""
    ignore_case: bool = False


@attrs.frozen
class AddressMatch:
    """The peer's address inside a network; None for a mask length: the whole address."""

    address: str
    v4_prefix_len: int | None = None
    v6_prefix_len: int | None = None


@attrs.frozen
class RequestMatch:
    """All parts given must match; no part at all matches every request."""

    headers: tuple[HeaderMatch, ...] = ()
    queries: tuple[QueryMatch, ...] = ()
    address: AddressMatch | None = None


@attrs.frozen
class VirtualHost:
    """A virtual host by name (`*` = all, `*.example.com`), declared port (0 = any), route."""

    name: str = "*"
    port: int = 0
    route: str = ""
    headers: tuple[HeaderMatch, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port must be from 0 (any) to 65535, not {self.port!r}")


@attrs.frozen
class Service:
    """A service by its full name (`httpbin.default.svc.cluster.local`) and port (0 = any)."""

    name: str
    port: int = 0


@attrs.frozen(kw_only=True)
class Scope:
    """Who applies a rule and to what: the process it is for, and the requests it looks at.

    `namespace` and `labels` select the process (no labels: every one of the namespace; of the
    mesh if it is the root namespace). `gateway` True: gateways only, False: never on a gateway.
    One of `vhost` and `services` says which requests; neither: all of that direction.
    """

    direction: Direction
    namespace: str
    labels: tuple[tuple[str, str], ...] = ()
    gateway: bool = False
    vhost: VirtualHost | None = None
    services: tuple[Service, ...] = ()
