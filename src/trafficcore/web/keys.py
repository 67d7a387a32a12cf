"""What a limit is kept by: a header, the client's address, a cookie, a function of the request.

A key is read from an ASGI scope or a WSGI environ directly, so that a limit by one header costs
one look at it. None means that the limit is not about the request; a plain function gets `Facts`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

import attrs

from trafficcore.engine import Facts
from trafficcore.errors import ConfigError
from trafficcore.live.functions import answer_of, check_by
from trafficcore.live.limit_checks import is_token
from trafficcore.web.address import HEADERS, Network, client_of, key_of, networks
from trafficcore.web.facts import wsgi_facts
from trafficcore.web.headers import BARE
from trafficcore.web.key import LONGEST, By, Key, Keys, Read, kept, named
from trafficcore.web.outbound_request import facts_of
from trafficcore.web.readings import cookie_values, query_values

__all__ = [
    "FirstOf",
    "client_address",
    "cookie",
    "first_of",
    "header",
    "query",
    "reader",
]


#: Printable ASCII, but for what ends a name.
_COOKIE: Final = re.compile(r"[!-:<>-~]+")


def reader(by: By, *, wsgi: bool = False) -> Read:
    """Return what reads a key; a plain function of `Facts` is one as well."""
    check_by(by)
    read = getattr(by, "wsgi" if wsgi else "asgi", None)
    if read is not None:
        return read()  # type: ignore[no-any-return]
    function: Any = by
    read_facts: Callable[[Mapping[str, Any], None], Facts] = wsgi_facts if wsgi else facts_of

    def read_by(request: Mapping[str, Any]) -> str | None:
        value = answer_of("by", function(read_facts(request, None)))
        return None if value is None else kept(str(value))  # people keep users by number

    return read_by


@attrs.frozen
class _Header:
    """A header's value; a request without it is not met."""

    name: str

    def asgi(self) -> Read:
        name = self.name.encode("latin-1")

        def read(scope: Mapping[str, Any]) -> str | None:
            for key, value in scope["headers"]:
                if key == name:
                    text: str = value.decode("latin-1")
                    return text if len(text) <= LONGEST else kept(text)
            return None

        return read

    def wsgi(self) -> Read:
        if self.name in BARE:
            bare = BARE[self.name]
            return lambda environ: kept(environ.get(bare) or "") or None  # servers say "" for none
        name = "HTTP_" + self.name.upper().replace("-", "_")

        def read(environ: Mapping[str, Any]) -> str | None:
            text: str | None = environ.get(name)
            return text if text is None or len(text) <= LONGEST else kept(text)

        return read


def header(name: str) -> Key:
    """Keep a limit by the value of a header, such as an API key; without it, none.

    Where a request has it more than once, it is what the application most likely reads: the first
    under ASGI, and under WSGI what the server made of them, as a rule all of them with commas.
    """
    if not isinstance(name, str) or not is_token(name):
        raise ConfigError(f"header() takes the name of a header, not {name!r}")
    return _Header(name.lower())


def _lines(scope: Mapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


@attrs.frozen
class _Client:
    """The client's address; see `trafficcore.web.address`."""

    trusted: tuple[Network, ...]
    header: str

    def asgi(self) -> Read:
        name = self.header.encode("latin-1")
        trusted = self.trusted

        def plain(scope: Mapping[str, Any]) -> str:
            client = scope.get("client")
            return key_of(client[0] if client else "")

        def behind(scope: Mapping[str, Any]) -> str:
            client = scope.get("client")
            peer = client[0] if client else ""
            return key_of(client_of(peer, lambda: _lines(scope, name), trusted, self.header))

        return behind if trusted else plain

    def wsgi(self) -> Read:
        name = "HTTP_" + self.header.upper().replace("-", "_")
        trusted = self.trusted

        def plain(environ: Mapping[str, Any]) -> str:
            return key_of(environ.get("REMOTE_ADDR", ""))

        def behind(environ: Mapping[str, Any]) -> str:
            peer = environ.get("REMOTE_ADDR", "")
            lines = (environ.get(name, ""),)
            return key_of(client_of(peer, lambda: lines, trusted, self.header))

        return behind if trusted else plain


def client_address(trusted_proxies: Iterable[str] = (), *, header: str = "x-forwarded-for") -> Key:
    """Keep a limit by the client's address, an IPv6 one by its /64.

    Behind proxies name them (`["10.0.0.0/8"]`, and `"unix"` for one at a UNIX socket, which has no
    address): only they are believed, and only in `header`, the one that they write
    (`x-forwarded-for` or `forwarded`). What is none of these is a `ConfigError`.
    """
    if isinstance(trusted_proxies, str):
        trusted_proxies = (trusted_proxies,)
    if not isinstance(header, str) or header.lower() not in HEADERS:
        raise ConfigError(f"header must be one of {', '.join(HEADERS)}, not {header!r}")
    return _Client(networks(trusted_proxies), header.lower())


def _of_all(values: list[str]) -> Keys | None:
    if len(values) > 1:
        return tuple(map(kept, values))
    return kept(values[0]) if values else None


@attrs.frozen
class _Cookie:
    """A cookie's value, or all that applications could read."""

    name: str
    several: ClassVar[bool] = True

    def _of(self, text: str) -> Keys | None:
        return _of_all(cookie_values(text, self.name))

    def asgi(self) -> Read:
        # HTTP/2 lets a client send its cookies in several headers
        return lambda scope: self._of("; ".join(_lines(scope, b"cookie")))

    def wsgi(self) -> Read:
        return lambda environ: self._of(environ.get("HTTP_COOKIE", ""))


def cookie(name: str) -> Key:
    """Keep a limit by the value of a cookie; without it, none.

    Where a request has several, or one that applications read in different ways, it pays for each,
    so that none is an alias under which the caller of another starts anew. More than four of them
    are what no browser sends: such requests have one bucket for all.
    """
    if not isinstance(name, str) or not _COOKIE.fullmatch(name):
        raise ConfigError(f"cookie() takes the name of a cookie, not {name!r}")
    return _Cookie(name)


@attrs.frozen
class _Query:
    """A query parameter's value, or all that applications could read."""

    name: str
    several: ClassVar[bool] = True

    def _of(self, text: str) -> Keys | None:
        return _of_all(query_values(text, self.name))

    def asgi(self) -> Read:
        return lambda scope: self._of(scope.get("query_string", b"").decode("latin-1"))

    def wsgi(self) -> Read:
        return lambda environ: self._of(environ.get("QUERY_STRING", ""))


def query(name: str) -> Key:
    """Keep a limit by a query parameter; without it, none. Several values are as of `cookie`."""
    return _Query(named("query", name))


@attrs.frozen
class FirstOf:
    """The first of several keys that is there, told apart by which it was."""

    keys: tuple[By, ...]

    @property
    def several(self) -> bool:
        """Whether one request may have several keys."""
        return any(getattr(key, "several", False) for key in self.keys)

    def _read(self, *, wsgi: bool) -> Read:
        readers = [(str(at), reader(key, wsgi=wsgi)) for at, key in enumerate(self.keys)]

        def read(request: Mapping[str, Any]) -> Keys | None:
            for at, get in readers:
                found = get(request)
                if isinstance(found, str):
                    return f"{at}:{found}"
                if found is not None:
                    return tuple(f"{at}:{each}" for each in found)
            return None

        return read

    def asgi(self) -> Read:
        """Return what reads it from a scope."""
        return self._read(wsgi=False)

    def wsgi(self) -> Read:
        """Return what reads it from an environ."""
        return self._read(wsgi=True)


def first_of(*keys: By) -> Key:
    """Keep a limit by the first of these keys that a request has: an API key, else an address.

    A value of one kind never meets the bucket of another.
    """
    if not keys:
        raise ConfigError("first_of() needs a key, such as header('x-api-key')")
    for key in keys:
        check_by(key)
    return FirstOf(keys)
