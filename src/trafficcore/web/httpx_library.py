"""httpx2 and httpx by the same code: a request says which library it is of, and that one is used.

Neither is imported until somebody holds a transport, and then only what is there.
"""

import sys
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final, TypeVar

from trafficcore.engine import Facts, Rejection
from trafficcore.errors import ConfigError
from trafficcore.spec import Direction
from trafficcore.web.facts import Labels
from trafficcore.web.httpx_call import EXTENSION, AsyncBody, Body, Call, Upload
from trafficcore.web.refuse import answer

__all__ = ["Library", "Pools", "library_of", "outbound_facts", "with_bases"]

T = TypeVar("T", bound=type)

_NAMES: Final = ("httpx2", "httpx")
_TLS: Final = ("https", "wss")


def outbound_facts(request: Any, request_labels: Labels | None) -> Facts:
    """Say what the engine may know of a request that goes out."""
    url = request.url
    return Facts(
        Direction.OUTBOUND,
        url.netloc.decode("ascii"),
        url.path,
        request.method,
        query=url.query.decode("ascii"),
        scheme=url.scheme,
        headers=lambda: dict(request.headers.items()),
        labels=None if request_labels is None else request_labels(request),
    )


class Library:
    """The classes of one library, and ours made to its kind."""

    def __init__(self, module: ModuleType) -> None:
        self.module: Any = module
        sync, asynchronous = self.module.SyncByteStream, self.module.AsyncByteStream
        self._body: Any = type("Body", (Body, sync), {})
        self._async_body: Any = type("AsyncBody", (AsyncBody, asynchronous), {})
        self._upload: Any = type("Upload", (Upload, sync, asynchronous), {})

    def aimed(self, request: Any, call: Call) -> Any:
        """Return a request to the endpoint chosen for it, the caller's own where nothing changes.

        Only the address of the connection is another: the `Host` header and the name that TLS
        verifies stay those of the URL.
        """
        endpoint, stream = call.permit.endpoint, request.stream
        if not isinstance(stream, self.module.ByteStream):
            stream = call.upload = self._upload(stream)
        elif endpoint is None:
            return request
        url, extensions = request.url, dict(request.extensions)
        if endpoint is not None:
            host, port = _split(endpoint.address)
            url = url.copy_with(host=host, port=url.port if port is None else port)
            if url.scheme in _TLS:
                extensions.setdefault("sni_hostname", request.url.raw_host.decode("ascii"))
        return self.module.Request(
            request.method, url, headers=request.headers, stream=stream, extensions=extensions
        )

    def tracked(self, response: Any, call: Call, *, asynchronous: bool = False) -> Any:
        """Have a response tell its call how it goes on."""
        call.answered(response)
        if response.is_closed:  # made whole in memory: nobody will read or close it again
            call.finish()
        else:
            made = self._async_body if asynchronous else self._body
            response.stream = made(response.stream, call)
        return response

    def refusal(self, request: Any, rejection: Rejection) -> Any:
        """Return the response that a refusal is to the application."""
        status, reason, headers, body = answer(rejection, head=request.method == "HEAD")
        return self.module.Response(
            status,
            headers=[(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers],
            content=body,
            request=request,
            extensions={EXTENSION: rejection, "reason_phrase": reason.encode("ascii")},
        )


@cache
def _library(module: ModuleType) -> Library:
    return Library(module)


@lru_cache(maxsize=256)
def _library_of_class(cls: type) -> Library:
    for ancestor in cls.__mro__:
        module = sys.modules.get(ancestor.__module__.partition(".")[0])
        if module is not None and getattr(module, "Request", None) is ancestor:
            return _library(module)
    raise TypeError(f"a request must be one of httpx2 or httpx, not {cls!r}")


def library_of(request: Any) -> Library:
    """Return the library that a request is of."""
    return _library_of_class(type(request))


@lru_cache(maxsize=4096)
def _split(address: str) -> tuple[str, int | None]:
    host, _, port = address.rpartition(":")
    if not port.isdigit() or (":" in host and not host.endswith("]")):
        return address.strip("[]"), None
    return host.strip("[]"), int(port)


def _loaded() -> list[ModuleType]:
    found = [sys.modules[name] for name in _NAMES if name in sys.modules]
    for name in _NAMES if not found else ():
        try:
            return [import_module(name)]
        except ImportError:
            continue
    return list(dict.fromkeys(found))  # `httpx2.alias_httpx` gives one module both names


@cache
def _with_bases(cls: T, bases: tuple[type, ...]) -> T:
    members = {"__module__": cls.__module__, "__doc__": cls.__doc__, "__qualname__": cls.__qualname__}
    return type(cls)(cls.__name__, (cls, *bases), members)  # type: ignore[return-value]


def with_bases(cls: T, name: str) -> T:
    """Return `cls` as a true subclass of the libraries' own `name`.

    Clients call what they are given; wrappers of other hands ask `isinstance` first.
    """
    bases = (getattr(module, name, None) for module in _loaded())
    return _with_bases(cls, tuple(base for base in bases if base is not None))


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
        if url.scheme in _TLS:
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
