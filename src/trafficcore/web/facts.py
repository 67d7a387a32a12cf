"""What a rule may know of a request, read from an ASGI scope or a WSGI environ.

The path is the whole one, mount point included, percent-decoded as the application's router has
it: a rule for `/admin` is about `/%61dmin` too. Headers are decoded when a rule first asks.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from trafficcore.engine import Facts
from trafficcore.engine.facts import Both
from trafficcore.engine.patience import caller_timeout
from trafficcore.errors import ConfigError
from trafficcore.spec import Direction
from trafficcore.web.headers import BARE, AsgiHeaders, RawHeaders, WsgiHeaders, key_of

__all__ = ["Labels", "Read", "asgi_facts", "seen_at", "under", "wsgi_facts", "wsgi_path"]

#: `request_labels=` of a shell: labels that the application vouches for, from its own request.
Labels = Callable[[Any], Mapping[str, str] | None]

#: What reads a scope or an environ.
Read = Callable[[Any, Labels | None], Facts]

INBOUND: Final = Direction.INBOUND
_TAKEN: Final = ("ingress", "egress")
_new: Final = object.__new__
_SCHEMES: Final = {"ws": "http", "wss": "https"}


def seen_at(point: str, read: Read) -> Read:
    """Return what reads a request as one at a control point of the application's own."""
    if point in _TAKEN:
        raise ConfigError(f"a control point must have a name of its own, not {point!r}")

    def seen(request: Any, labels: Labels | None) -> Facts:
        facts = read(request, labels)
        facts.direction = point
        return facts

    return seen


class _AsgiFacts(Facts):
    """What a scope says; what few rules look at is read when one does."""

    __slots__ = ("raw", "scope")

    raw: RawHeaders
    scope: Mapping[str, Any]

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] | None = self.made
        if headers is None:
            headers = self.made = AsgiHeaders(self.raw)
        return headers

    def either(self, name: str, other: str) -> str | Both | None:
        one, two = _wire(name, other)
        found = None
        for key, value in self.raw:
            low = key.lower()  # servers should have done it
            if low == one or low == two:  # noqa: PLR1714, SIM109  # a tuple costs twice that
                if found is not None:
                    self.made = self.headers
                    return super().either(name, other)
                found = value
        return None if found is None else found.decode("latin-1")

    @property
    def method(self) -> str:
        method: str = self.scope.get("method", "GET")
        return method

    @property
    def query(self) -> str:
        return (self.scope.get("query_string") or b"").decode("latin-1")

    @property
    def scheme(self) -> str:
        scheme = self.scope.get("scheme") or "http"
        return _SCHEMES.get(scheme, scheme)

    @property
    def timeout(self) -> float | None:
        return caller_timeout(self.headers)

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else ""

    @property
    def connection(self) -> str:
        client = self.scope.get("client")
        return f"{client[0]}:{client[1]}" if client else ""


@lru_cache(maxsize=1024)  # names come from rules
def _environ_key(name: str, other: str) -> str:
    """Return the one key that stands for both; "" where the header has a place of its own."""
    dashed = other if "_" in name else name
    return "" if dashed in BARE else key_of(dashed)


@lru_cache(maxsize=1024)
def _wire(name: str, other: str) -> tuple[bytes, bytes]:
    return name.encode("latin-1", "replace"), other.encode("latin-1", "replace")


def asgi_facts(scope: Mapping[str, Any], request_labels: Labels | None) -> Facts:
    """Read an `http` or `websocket` scope; an upgrade is a GET, as on the wire."""
    headers = scope.get("headers") or ()
    for name, value in headers:
        if name == b"host" or name == b":authority":  # noqa: PLR1714  # as above
            host = value.decode("latin-1")
            break
    else:
        host = (scope.get("server") or ("",))[0]
    path = scope["path"]
    root = scope.get("root_path")
    if root:
        path = under(root.rstrip("/"), path)
    facts = _new(_AsgiFacts)
    facts.direction = INBOUND
    facts.host = host
    facts.path = path or "/"
    facts.raw = headers
    facts.made = None
    facts.labels = None if request_labels is None else request_labels(scope)
    facts.scope = scope
    return facts


def under(root: str, path: str) -> str:
    """Return the path with its mount point: new servers put it there, older ones leave it out."""
    if path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path
    return root + path


class _WsgiFacts(Facts):
    """What an environ says; what few rules look at is read when one does."""

    __slots__ = ("environ",)

    environ: Mapping[str, Any]

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] | None = self.made
        if headers is None:
            headers = self.made = WsgiHeaders(self.environ)
        return headers

    def either(self, name: str, other: str) -> str | Both | None:
        key = _environ_key(name, other)
        if key:
            value: str | None = self.environ.get(key)
            return value
        self.made = self.headers
        return super().either(name, other)

    @property
    def method(self) -> str:
        method: str = self.environ.get("REQUEST_METHOD", "GET")
        return method

    @property
    def query(self) -> str:
        query: str = self.environ.get("QUERY_STRING", "")
        return query

    @property
    def scheme(self) -> str:
        scheme: str = self.environ.get("wsgi.url_scheme", "http")
        return scheme

    @property
    def timeout(self) -> float | None:
        return caller_timeout(self.headers)

    @property
    def address(self) -> str:
        address: str = self.environ.get("REMOTE_ADDR", "")
        return address

    @property
    def connection(self) -> str:
        port = self.environ.get("REMOTE_PORT")
        return f"{self.address}:{port}" if port else ""


def wsgi_path(environ: Mapping[str, Any]) -> str:
    """Return the whole path of an environ, as the application's router has it."""
    path: str = environ.get("PATH_INFO", "")
    script = environ.get("SCRIPT_NAME")
    if script:
        path = script.rstrip("/") + path
    if not path.isascii():  # bytes in the guise of latin-1, says PEP 3333; routers read UTF-8
        path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    return path or "/"


def wsgi_facts(environ: Mapping[str, Any], request_labels: Labels | None) -> Facts:
    """Read a WSGI environ."""
    facts = _new(_WsgiFacts)
    facts.direction = INBOUND
    facts.host = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    facts.path = wsgi_path(environ)
    facts.made = None
    facts.labels = None if request_labels is None else request_labels(environ)
    facts.environ = environ
    return facts
