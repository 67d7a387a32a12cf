"""Which requests a limit is about: methods and paths, as its author writes them.

`"/v1/*"` is everything below `/v1/`, `"/users/{id}"` one segment in the place of `{id}`, and
`"GET|POST /orders"` two methods of one path. A GET's HEAD is meant with it.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import attrs

from trafficcore.errors import ConfigError

__all__ = ["Pattern", "patterns"]

_METHODS: Final = re.compile(r"[A-Z]+(?:\|[A-Z]+)*\Z")
#: Those of HTTP, of WebDAV, and a few that proxies know.
_KNOWN_METHODS: Final = frozenset(
    (
        *("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY"),
        *("PURGE", "COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "REPORT", "SEARCH"),
        *("UNLOCK", "ACL", "LINK", "UNLINK"),
    )
)
_HOLE: Final = re.compile(r"\{[^/{}]*\}")


@attrs.frozen
class Pattern:
    """Methods (none: all) and a path: `*` at the end is everything below, elsewhere one segment."""

    methods: frozenset[str]
    path: re.Pattern[str]

    def holds(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return (not self.methods or method in self.methods) and self.path.match(path) is not None


def patterns(given: Any, what: str = "on") -> tuple[Pattern, ...]:
    """Read `on` or `exempt`: a text or several; () for a function, which is asked each time."""
    if callable(given):
        return ()
    texts = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if not texts and what == "on":
        raise ConfigError("on must name a path, such as '/v1/*'")
    return tuple(_pattern(text, what) for text in texts)


def _pattern(text: Any, what: str) -> Pattern:
    methods, _, path = text.strip().rpartition(" ") if isinstance(text, str) else ("", "", "")
    methods = methods.strip()
    if not (path == "*" or path.startswith("/")) or (methods and not _METHODS.match(methods)):
        raise ConfigError(f"{what} must be a path such as '/v1/*' or 'GET /v1/*', not {text!r}")
    for method in methods.split("|") if methods else ():
        if method not in _KNOWN_METHODS:
            raise ConfigError(f"{what} must name methods of HTTP, and {method!r} is none: {text!r}")
    below = path == "*" or path.endswith("/*")
    stem = _HOLE.sub("*", path[:-1] if below else path)
    expression = re.escape(stem).replace(r"\*", "[^/]*") + (".*" if below else "")
    compiled = re.compile(expression + r"\Z", re.DOTALL)
    named = set(methods.split("|")) if methods else set()
    if "GET" in named:  # whoever answers a GET answers its HEAD, by the same code
        named.add("HEAD")
    return Pattern(frozenset(named), compiled)
