"""httpx2 and httpx by the same code: a request says which library it is of, and that one is used.

Neither is imported until somebody holds a transport, and then only what is there.
"""

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final, TypeVar

from trafficcore.engine import Facts, Rejection
from trafficcore.engine.facts import Both
from trafficcore.engine.patience import caller_timeout
from trafficcore.errors import Rejected
from trafficcore.spec import Direction
from trafficcore.web.call import Call, Upload
from trafficcore.web.facts import Labels
from trafficcore.web.httpx_call import EXTENSION, AsyncBody, Body
from trafficcore.web.refuse import answer
from trafficcore.web.target import split_address
from trafficcore.web.timeouts import Timeouts, least

__all__ = ["TLS", "Library", "library_of", "outbound_facts", "with_bases"]

T = TypeVar("T")

_NAMES: Final = ("httpx2", "httpx")
_OUTBOUND: Final = Direction.OUTBOUND
_new: Final = object.__new__
#: Schemes over TLS, where the server is held to a name.
TLS: Final = ("https", "wss")


class _CallFacts(Facts):
    """What a request that goes out says; what few rules look at is read when one does."""

    __slots__ = ("request",)

    request: Any

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] | None = self.made
        if headers is None:
            headers = self.made = dict(self.request.headers.items())
        return headers

    def either(self, name: str, other: str) -> str | Both | None:
        self.made = self.headers
        return super().either(name, other)

    @property
    def method(self) -> str:
        method: str = self.request.method
        return method

    @property
    def query(self) -> str:
        query: str = self.request.url.query.decode("ascii")
        return query

    @property
    def scheme(self) -> str:
        scheme: str = self.request.url.scheme
        return scheme

    @property
    def timeout(self) -> float | None:
        return caller_timeout(self.headers)

    @property
    def address(self) -> str:
        return ""

    @property
    def connection(self) -> str:
        return ""


def outbound_facts(request: Any, request_labels: Labels | None) -> Facts:
    """Say what the engine may know of a request that goes out."""
    facts = _new(_CallFacts)
    url = request.url
    facts.direction = _OUTBOUND
    facts.host = url.netloc.decode("ascii")
    facts.path = url.path
    facts.made = None
    facts.labels = None if request_labels is None else request_labels(request)
    facts.request = request
    return facts


class Library:
    """The classes of one library, and ours made to its kind."""

    def __init__(self, module: ModuleType) -> None:
        self.module: Any = module
        sync, asynchronous = self.module.SyncByteStream, self.module.AsyncByteStream
        late = {"late": staticmethod(self.timed_out)}
        self._body: Any = type("Body", (Body, sync), late)
        self._async_body: Any = type("AsyncBody", (AsyncBody, asynchronous), late)
        self._upload: Any = type("Upload", (Upload, sync, asynchronous), {})

    def aimed(self, request: Any, call: Call, timeouts: Timeouts, most: float | None = None) -> Any:
        """Return a request to the endpoint chosen for it, the caller's own where nothing changes.

        Only the address of the connection is another: the `Host` header and the name that TLS
        verifies stay those of the URL. `timeouts` are for a request that has none of its own, and
        no wait until the answer has begun is longer than `most`.
        """
        endpoint, stream = call.permit.endpoint, request.stream
        own = request.extensions.get("timeout")
        connect = call.connect
        timed = most is not None or connect is not None or (own is None and not timeouts.none)
        if not isinstance(stream, self.module.ByteStream):
            stream = call.upload = self._upload(stream)
        elif endpoint is None and not timed:
            return request
        url, extensions = request.url, dict(request.extensions)
        if timed:
            extensions["timeout"] = _timed(own, timeouts, most, connect)
        if endpoint is not None:
            host, port = split_address(endpoint.address)
            url = url.copy_with(host=host, port=url.port if port is None else port)
            if url.scheme in TLS:
                extensions.setdefault("sni_hostname", request.url.raw_host.decode("ascii"))
        return self.module.Request(
            request.method, url, headers=request.headers, stream=stream, extensions=extensions
        )

    def begun(self, request: Any, aimed: Any, call: Call, timeouts: Timeouts) -> None:
        """Let the rest of an answer take its time: how long a try may take is about its beginning.

        The libraries look at the waits of a request again before they read its body.
        """
        own = request.extensions.get("timeout")
        aimed.extensions["timeout"] = _timed(own, timeouts, call.left(), call.connect)

    def tracked(self, response: Any, call: Call, *, asynchronous: bool = False) -> Any:
        """Have a response tell its call how it goes on."""
        extensions = response.extensions
        if isinstance(extensions.get(EXTENSION), Rejection):
            # a transport of ours underneath refused: that says nothing of any host
            call.give_back()
        else:
            extensions[EXTENSION] = call.permit
            cookie = call.permit.set_cookie
            if cookie is not None:  # the client keeps it as it keeps a server's
                items = [*response.headers.multi_items(), ("set-cookie", cookie)]
                response.headers = type(response.headers)(items)
            call.answered(response.status_code, response.headers.get("grpc-status"))
        if response.is_closed:  # made whole in memory: nobody will read or close it again
            call.finish()
        else:
            made = self._async_body if asynchronous else self._body
            response.stream = made(response.stream, call)
        return response

    def keep(self, response: Any) -> None:
        """Take the body of an answer into memory, so that its connection is free."""
        stream = response.stream
        try:
            body = b"".join(stream)
        finally:
            stream.close()
        response.stream = self.module.ByteStream(body)

    async def keep_async(self, response: Any) -> None:
        """Do the same with an asynchronous one."""
        stream = response.stream
        try:
            body = b"".join([piece async for piece in stream])
        finally:
            await stream.aclose()
        response.stream = self.module.ByteStream(body)

    def discard(self, response: Any) -> None:
        """Let go of an answer that is tried again; what is wrong with its end is of no interest."""
        with suppress(Exception):
            response.close()

    async def discard_async(self, response: Any) -> None:
        """Do the same for an asynchronous one."""
        with suppress(Exception):
            await response.aclose()

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

    def refused(self, request: Any, rejection: Rejection, source: str) -> Rejected:  # noqa: ARG002
        """Return what is raised in the place of that response."""
        return Rejected(rejection.reason, source=source, retry_after=rejection.retry_after)

    def timed_out(self, request: Any = None) -> Exception:
        """Return what is raised where a call takes longer than it may."""
        late: Exception = self.module.ReadTimeout("the call's own time is over", request=request)
        return late

    def patience(self, request: Any) -> float | None:
        """Return how long the client waits for a connection."""
        timeout: float | None = request.extensions.get("timeout", {}).get("pool")
        return timeout

    def too_late(self, request: Any, message: str) -> Exception:
        """Return what is raised where that was not long enough."""
        late: Exception = self.module.PoolTimeout(message, request=request)
        return late


@cache
def _library(module: ModuleType) -> Library:
    return Library(module)


_by_class: Final[dict[type, Library]] = {}


def library_of(request: Any) -> Library:
    """Return the library that a request is of."""
    cls = type(request)
    try:
        return _by_class[cls]
    except KeyError:
        library = _by_class[cls] = _find_library(cls)
        return library


def _find_library(cls: type) -> Library:
    for ancestor in cls.__mro__:
        module = sys.modules.get(ancestor.__module__.partition(".")[0])
        if module is not None and getattr(module, "Request", None) is ancestor:
            return _library(module)
    raise TypeError(f"a request must be one of httpx2 or httpx, not {cls!r}")


#: The waits of one request, as the libraries name them.
_WAITS: Final = ("connect", "read", "write", "pool")


def _timed(
    own: dict[str, float | None] | None,
    timeouts: Timeouts,
    most: float | None,
    connect: float | None,
) -> dict[str, float | None]:
    """Return the waits of a try: the request's own, else the shell's, none above their bounds."""
    if own is None:
        read = timeouts.read
        own = {"connect": timeouts.connect, "read": read, "write": read, "pool": None}
    waits = {name: own.get(name) for name in _WAITS}
    waits["connect"] = least(waits["connect"], connect)
    return {name: least(wait, most) for name, wait in waits.items()}


def _loaded() -> list[ModuleType]:
    found = [sys.modules[name] for name in _NAMES if name in sys.modules]
    for name in _NAMES if not found else ():
        try:
            return [import_module(name)]
        except ImportError:
            continue
    return list(dict.fromkeys(found))  # `httpx2.alias_httpx` gives one module both names


#: Each class as a subclass of the bases that were there; a handful, however many transports.
_based: Final[dict[tuple[Any, ...], Any]] = {}


def with_bases(cls: type[T], name: str) -> type[T]:
    """Return `cls` as a true subclass of the libraries' own `name`.

    Clients call what they are given; wrappers of other hands ask `isinstance` first.
    """
    found = (getattr(module, name, None) for module in _loaded())
    bases: tuple[Any, ...] = (cls, *(base for base in found if base is not None))
    if bases not in _based:
        names = ("__doc__", "__module__", "__qualname__")
        members = {name: getattr(cls, name) for name in names}
        _based[bases] = type(cls.__name__, bases, members)
    made: type[T] = _based[bases]
    return made
