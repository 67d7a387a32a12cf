"""The transports underneath, and which of them a request may use."""

from functools import cache
from typing import Any

from trafficcore.errors import ConfigError
from trafficcore.web.httpx_library import TLS, Library

__all__ = ["Pools"]


class Pools:
    """The transports underneath: the one that was given, or our own, made when first needed.

    A pool tells connections apart by address alone, so one address that several TLS names share
    needs a pool a name, or a call would travel on a connection verified for another's name.
    """

    def __init__(self, given: Any, kind: str) -> None:
        self.given = given
        self._kind = kind
        self._own: dict[tuple[Library, str], Any] = {}
        self._names: dict[tuple[str, int | None], str] = {}

    def of(self, library: Library, request: Any) -> Any:
        """Return the transport for a request that has been aimed."""
        url, name = request.url, ""
        if url.scheme in TLS:
            name = request.extensions.get("sni_hostname") or ""
        if self.given is not None:
            if name and self._names.setdefault((url.host, url.port), name) != name:
                raise ConfigError(
                    f"{url.netloc.decode()} serves {self._names[url.host, url.port]} and {name}"
                    " over TLS: give each a transport of its own by mounts=, or give none"
                )
            return self.given
        pool = self._own.get((library, name))
        if pool is None:
            # whoever loses this race made a pool without a single connection
            pool = self._own.setdefault((library, name), self._make(library, name))
        return pool

    def prepare(self, library: Library) -> None:
        """Make the pool that most calls use, before anybody measures how long a call takes."""
        if self.given is None and (library, "") not in self._own:
            self._own.setdefault((library, ""), self._make(library, ""))

    def _make(self, library: Library, name: str) -> Any:
        module = library.module
        if not name:
            return getattr(module, self._kind)()
        return getattr(module, self._kind)(verify=_context(library))

    def all(self) -> list[Any]:
        """Return every transport there is by now."""
        return [*self._own.values()] if self.given is None else [self.given]


@cache
def _context(library: Library) -> Any:
    return library.module.create_ssl_context()
