"""`Facts`: what an engine may know of one request, whatever carried it here."""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from trafficcore.engine.patience import caller_timeout
from trafficcore.spec import Direction

__all__ = ["BOTH", "Both", "Facts"]


class Both(Enum):
    """The class of `BOTH`, so that it has a type of its own."""

    BOTH = "both"


#: What `Facts.either` answers where one of the two may be forged past a proxy.
BOTH: Final = Both.BOTH
_NOTHING: Final[Mapping[str, str]] = {}


class Facts:
    """One request, as the rules see it. Made by a shell, read by the engine.

    `direction` is the place it is seen at: where requests come in, where calls go out, or a text,
    the name of a control point of the application's own (see `ControlPoint`). `host` is the Host
    header or the URL's host, port and letter case as they came. `path` is what the application's
    router sees (percent-decoded, no query), `query` the raw text after `?`.
    `headers` has lower-case names, or is a callable that makes such a mapping when first needed:
    most rules never look. `labels` are the application's own. `address` is the peer's,
    `connection` what tells its connection from others of the same peer. `timeout` is how many
    seconds after its arrival its caller gives up; None: what its headers say of it.

    What every request is asked for is a plain slot, without a fallback of any kind, which would
    make each look cost more. The rest are properties: a shell may work them out when it is asked,
    and `made` are the headers then, None before.
    """

    __slots__ = (
        "_address",
        "_connection",
        "_method",
        "_query",
        "_scheme",
        "_timeout",
        "direction",
        "host",
        "labels",
        "made",
        "path",
    )

    def __init__(
        self,
        direction: Direction | str,
        host: str,
        path: str = "/",
        method: str = "GET",
        *,
        query: str = "",
        scheme: str = "http",
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] = _NOTHING,
        labels: Mapping[str, str] | None = None,
        address: str = "",
        connection: str = "",
        timeout: float | None = None,
    ) -> None:
        self.direction: Any = direction
        self.host = host
        self.path = path
        self.labels = labels
        self.made: Any = _Later(headers) if callable(headers) else headers
        self._method = method
        self._query = query
        self._scheme = scheme
        self._address = address
        self._connection = connection
        self._timeout = timeout

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by their lower-case names."""
        headers: Mapping[str, str] = self.made
        return headers

    @property
    def method(self) -> str:
        """The request's method, in capitals."""
        return self._method

    @property
    def query(self) -> str:
        """What follows the path's `?`, as it came."""
        return self._query

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self._scheme

    @property
    def address(self) -> str:
        """The peer's address, "" where there is none."""
        return self._address

    @property
    def connection(self) -> str:
        """What tells the request's connection from others, "" where nobody knows."""
        return self._connection

    @property
    def timeout(self) -> float | None:
        """Seconds from its arrival until its caller gives up; None: nobody knows."""
        timeout: float | None = self._timeout
        return caller_timeout(self.headers) if timeout is None else timeout

    @property
    def target(self) -> str:
        """What Envoy calls `:path`: the path with its query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def either(self, name: str, other: str) -> str | Both | None:
        """Return a header that may have come by either of two names; `BOTH`: it came by both."""
        headers = self.made
        value: str | None = headers.get(name)
        also: str | None = headers.get(other)
        if value is None:
            return also
        return value if also is None else BOTH

    def header(self, name: str) -> str | None:
        """Return a header by its lower-case name, a pseudo header as Envoy has it, or None."""
        if name[:1] == ":":
            return {
                ":path": self.target,
                ":method": self.method,
                ":authority": self.host,
                ":scheme": self.scheme,
            }.get(name)
        return self.headers.get(name)


class _Later(Mapping[str, str]):
    """Headers that are made when somebody first looks at them."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, str]]) -> None:
        self._make = make
        self._made: Mapping[str, str] | None = None

    def _all(self) -> Mapping[str, str]:
        made = self._made
        if made is None:
            made = self._made = self._make()
        return made

    def get(self, name: str, default: Any = None) -> Any:
        return self._all().get(name, default)

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
