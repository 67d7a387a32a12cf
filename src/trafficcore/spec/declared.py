"""What documents beside the policies declare: hosts that belong together, routes by name."""

import attrs

from trafficcore.spec.retries import Retries

__all__ = ["DeclaredHosts", "DeclaredRoute", "RouteTarget", "RouteTest"]


@attrs.frozen
class RouteTest:
    """One test of a request: its `part`, `name` within it, `how` it is compared, and with what.

    Parts are `uri` (the path), `scheme`, `method`, `authority`, `headers`, `withoutHeaders`,
    `queryParams`, `gateways`; `how` is `exact`, `prefix`, `regex` (whole value), `present` or, for
    gateways, `in` (names parted by commas). Another part is one that no process can look at.
    """

    part: str
    name: str
    how: str
    value: str


@attrs.frozen(kw_only=True)
class RouteTarget:
    """Where a part of a route's requests goes: a subset ("": none) of a host, by weight."""

    host: str
    subset: str = ""
    weight: int = 1


@attrs.frozen(kw_only=True)
class DeclaredRoute:
    """One route: its whole name, and the tests that must all hold; none: it takes every request.

    `retries` is what it says of timeout and retries, None: nothing; `to` is where its requests go.
    """

    name: str
    tests: tuple[RouteTest, ...] = ()
    retries: Retries | None = None
    to: tuple[RouteTarget, ...] = ()


@attrs.frozen(kw_only=True)
class DeclaredHosts:
    """Hosts of one virtual host at `gateways` (`mesh`: the sidecars); the first route that fits."""

    hosts: tuple[str, ...]
    gateways: tuple[str, ...] = ("mesh",)
    routes: tuple[DeclaredRoute, ...] = ()
