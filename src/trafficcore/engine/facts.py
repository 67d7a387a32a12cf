"""`Facts`: what an engine may know of one request, whatever carried it here."""

from collections.abc import Callable, Mapping
from typing import Final

from trafficcore.spec import Direction

__all__ = ["Facts"]

_NOTHING: Final[Mapping[str, str]] = {}


class Facts:
    """One request, as the rules see it. Made by a shell, read by the engine.

    `host` is the Host header or the URL's host, port and letter case as they came. `path` is what
    the application's router sees (percent-decoded, no query), `query` the raw text after `?`.
    `headers` has lower-case names, or is a callable that makes such a mapping when first needed:
    most rules never look. `labels` are the application's own. `address` is the peer's.
    """

    __slots__ = (
        "_make_headers",
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
        if callable(headers):
            self._make_headers = headers  # and `headers` stays unset until somebody looks
        else:
            self.headers: Mapping[str, str] = headers

    def __getattr__(self, name: str) -> Mapping[str, str]:
        """Make the headers when they are first looked at; from then on they are a plain slot."""
        if name != "headers":
            raise AttributeError(name)
        headers = self.headers = self._make_headers()
        return headers

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
