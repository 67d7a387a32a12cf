"""`Facts`: what an engine may know of one request, whatever carried it here."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from trafficcore.spec import Direction

__all__ = ["Facts"]

_NOTHING: Final[Mapping[str, str]] = {}


class Facts:
    """One request, as the rules see it. Made by a shell, read by the engine.

    `host` is the Host header or the URL's host, port and letter case as they came. `path` is what
    the application's router sees (percent-decoded, no query), `query` the raw text after `?`.
    `headers` has lower-case names, or is a callable that makes such a mapping when first needed:
    most rules never look. `labels` are the application's own. `address` is the peer's.

    All are plain slots, without a fallback of any kind: that would make each look at one cost more.
    """

    __slots__ = (
        "address",
        "direction",
        "headers",
        "host",
        "labels",
        "method",
        "path",
        "query",
        "scheme",
    )

    def __init__(
        self,
        direction: Direction,
        host: str,
        path: str = "/",
        method: str = "GET",
        *,
        query: str = "",
        scheme: str = "http",
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] = _NOTHING,
        labels: Mapping[str, str] | None = None,
        address: str = "",
    ) -> None:
        self.direction = direction
        self.host = host
        self.path = path
        self.method = method
        self.query = query
        self.scheme = scheme
        self.labels = labels
        self.address = address
        self.headers: Mapping[str, str] = _Later(headers) if callable(headers) else headers

    @property
    def target(self) -> str:
        """What Envoy calls `:path`: the path with its query."""
        return f"{self.path}?{self.query}" if self.query else self.path

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
