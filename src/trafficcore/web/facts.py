"""What a rule may know of a request, read from an ASGI scope or a WSGI environ.

The path is the whole one, mount point included, percent-decoded as the application's router has
it: a rule for `/admin` is about `/%61dmin` too. Headers are decoded when a rule first asks.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from trafficcore.engine import Facts
from trafficcore.spec import Direction

__all__ = ["Labels", "asgi_facts", "wsgi_facts"]

#: `request_labels=` of a shell: labels that the application vouches for, from its own request.
Labels = Callable[[Any], Mapping[str, str] | None]

INBOUND: Final = Direction.INBOUND
_SCHEMES: Final = {"ws": "http", "wss": "https"}


def asgi_facts(scope: Mapping[str, Any], request_labels: Labels | None) -> Facts:
    """Read an `http` or `websocket` scope; an upgrade is a GET, as on the wire."""
    headers = scope.get("headers") or ()
    for name, value in headers:
        if name in (b"host", b":authority"):
            host = value.decode("latin-1")
            break
    else:
        host = (scope.get("server") or ("",))[0]
    path = scope["path"]
    root = scope.get("root_path") or ""
    if root:
        path = _under(root.rstrip("/"), path)
    scheme = scope.get("scheme") or "http"
    client = scope.get("client")
    return Facts(
        INBOUND,
        host,
        path or "/",
        scope.get("method", "GET"),
        query=(scope.get("query_string") or b"").decode("latin-1"),
        scheme=_SCHEMES.get(scheme, scheme),
        headers=partial(_asgi_headers, headers),
        labels=None if request_labels is None else request_labels(scope),
        address=client[0] if client else "",
    )


def _under(root: str, path: str) -> str:
    """Return the path with its mount point: new servers put it there, older ones leave it out."""
    if path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path
    return root + path


def _asgi_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for key, value in raw:
        name = key.decode("latin-1").lower()
        text = value.decode("latin-1")
        before = headers.get(name)
        if before is not None:
            text = f"{before}{'; ' if name == 'cookie' else ', '}{text}"
        headers[name] = text
    return headers


def wsgi_facts(environ: Mapping[str, Any], request_labels: Labels | None) -> Facts:
    """Read a WSGI environ."""
    path = environ.get("SCRIPT_NAME", "").rstrip("/") + environ.get("PATH_INFO", "")
    if not path.isascii():  # bytes in the guise of latin-1, says PEP 3333; routers read UTF-8
        path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    return Facts(
        INBOUND,
        environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
        path or "/",
        environ.get("REQUEST_METHOD", "GET"),
        query=environ.get("QUERY_STRING", ""),
        scheme=environ.get("wsgi.url_scheme", "http"),
        headers=partial(_wsgi_headers, environ),
        labels=None if request_labels is None else request_labels(environ),
        address=environ.get("REMOTE_ADDR", ""),
    )


def _wsgi_headers(environ: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    for key, name in (("CONTENT_TYPE", "content-type"), ("CONTENT_LENGTH", "content-length")):
        value = environ.get(key)
        if value:
            headers[name] = value
    return headers
