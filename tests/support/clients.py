"""One client shell in all its forms, over a service that does what a script says.

`requests`, `httpx2`, `httpx`, and the latter two asynchronously; urllib3's pool and the libraries'
transports are where the script stands in.
"""

import asyncio
from importlib import import_module
from io import BytesIO
from typing import Any

import requests
import urllib3
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError

from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport
from trafficcore.web.requests import TrafficAdapter
from trafficcore.web.requests_library import timeouts_of

__all__ = ["KINDS", "Script", "client", "session_over"]

KINDS = ("requests", "httpx2", "httpx", "httpx2-async", "httpx-async")

#: A fault by the name that a script has for it, as each library says it.
HTTPX = {
    "connect": "ConnectError",
    "connect-timeout": "ConnectTimeout",
    "timeout": "ReadTimeout",
    "reset": "RemoteProtocolError",
}


class Script:
    """What a service does with one try after another; the last entry goes on for ever.

    An entry is a status, `(status, headers)`, `"connect"`, `"connect-timeout"`, `"timeout"`,
    `"reset"`, an exception, or a callable of the try's number that returns one of these.
    """

    def __init__(self, *entries: Any, body: bytes = b"body") -> None:
        self.entries = list(entries) or [200]
        self.body = body
        self.tries: list[dict[str, Any]] = []
        self.closed = 0
        #: Called when somebody reads of an answer.
        self.during: Any = lambda: None

    def next(self, **seen: Any) -> Any:
        self.tries.append(seen)
        entry = self.entries[min(len(self.tries), len(self.entries)) - 1]
        if callable(entry) and not isinstance(entry, type):
            entry = entry(len(self.tries))
        if isinstance(entry, int):
            return entry, {}
        return entry

    def reads(self) -> None:
        """Count an answer whose end was seen."""
        self.closed += 1


class _Pool(urllib3.HTTPConnectionPool):
    """Stands for a pool of urllib3 to one address."""

    def __init__(self, script: Script, place: dict[str, Any], tls: dict[str, Any]) -> None:
        super().__init__(place["host"], place["port"])
        self.script, self.tls, self.scheme = script, tls, place["scheme"]

    def urlopen(self, method: str, url: str, **how: Any) -> Any:  # type: ignore[override]
        body = how["body"]
        address = f"{self.host}:{self.port}" if self.port else self.host
        try:
            entry = self.script.next(
                address=address,
                host=how["headers"].get("Host"),
                name=self.tls.get("server_hostname"),
                url=url,
                waits=_waits(how["timeout"]),
                method=method,
            )
            if entry == "connect":
                raise MaxRetryError(self, url, NewConnectionError(None, "refused"))  # type: ignore[arg-type]
            if entry == "connect-timeout":
                late = urllib3.exceptions.ConnectTimeoutError(None, "late")
                raise MaxRetryError(self, url, late)
            content = (
                b"".join(body)
                if hasattr(body, "__iter__") and not isinstance(body, bytes)
                else body
            )
            self.script.tries[-1]["content"] = content
        except OSError as error:  # as urllib3 takes it, whatever it came from
            raise ProtocolError("Connection aborted.", error) from error
        if entry == "timeout":
            raise ReadTimeoutError(self, url, "late")
        if entry == "reset":
            raise ProtocolError("Connection aborted.")
        if isinstance(entry, BaseException):
            raise entry
        status, headers = entry
        script = self.script

        class Body(BytesIO):
            def read(self, *size: Any) -> bytes:
                script.during()
                return super().read(*size)

            def read1(self, *size: Any) -> bytes:
                script.during()
                return super().read1(*size)

            def close(self) -> None:
                script.reads()
                super().close()

        return urllib3.HTTPResponse(
            Body(script.body), headers, status, reason="", preload_content=False
        )


def _waits(timeout: Any) -> tuple[Any, Any]:
    whole = timeouts_of(timeout)
    return whole.connect, whole.read


class _Adapter(TrafficAdapter):
    def __init__(self, script: Script, engine: Any, **settings: Any) -> None:
        super().__init__(engine, **settings)
        self.script = script

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        place, tls = self.build_connection_pool_key_attributes(request, verify, cert)
        return _Pool(self.script, place, tls)


class _Requests:
    asynchronous = False

    def __init__(self, script: Script, engine: Any, settings: dict[str, Any]) -> None:
        self.shell = _Adapter(script, engine, **settings)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("http://", self.shell)
        self.session.mount("https://", self.shell)
        self.errors = requests.RequestException

    def call(self, method: str, url: str, *, content: Any = None, **how: Any) -> Any:
        return self.session.request(method, url, data=content, **how)

    def permit(self, response: Any) -> Any:
        return response.trafficcore


class _Httpx:
    def __init__(
        self, script: Script, engine: Any, settings: dict[str, Any], lib: Any, *, asynchronous: bool
    ) -> None:
        self.lib = lib
        self.asynchronous = asynchronous
        self.errors = lib.HTTPError
        transport = _transport(lib, script, asynchronous=asynchronous)
        if asynchronous:
            sleep = settings.pop("sleep", None)
            if sleep is not None:

                async def later(seconds: float) -> None:
                    sleep(seconds)
                    await asyncio.sleep(0)

                settings["sleep"] = later
            self.shell: Any = AsyncTrafficTransport(engine, transport, **settings)
        else:
            self.shell = TrafficTransport(engine, transport, **settings)

    def call(self, method: str, url: str, **how: Any) -> Any:
        if not self.asynchronous:
            with self.lib.Client(transport=self.shell) as session:
                return session.request(method, url, **how)

        async def run() -> Any:
            if how.get("content") is not None and not isinstance(how["content"], bytes):
                how["content"] = _later(how["content"])
            async with self.lib.AsyncClient(transport=self.shell) as session:
                return await session.request(method, url, **how)

        return asyncio.run(run())

    def permit(self, response: Any) -> Any:
        return response.extensions["trafficcore"]


async def _later(pieces: Any) -> Any:
    for piece in pieces:
        yield piece


def _transport(lib: Any, script: Script, *, asynchronous: bool) -> Any:
    def begin(request: Any) -> Any:
        waits = request.extensions.get("timeout", {})
        entry = script.next(
            address=request.url.netloc.decode(),
            host=request.headers.get("host"),
            name=request.extensions.get("sni_hostname"),
            url=request.url.raw_path.decode(),
            waits=(waits.get("connect"), waits.get("read")),
            method=request.method,
        )
        if entry in ("connect", "connect-timeout"):
            raise getattr(lib, HTTPX[entry])("no")
        return entry

    def end(entry: Any) -> tuple[int, dict[str, str]]:
        if isinstance(entry, str):
            raise getattr(lib, HTTPX[entry])("no")
        if isinstance(entry, BaseException):
            raise entry
        return entry  # type: ignore[no-any-return]

    class Body(lib.SyncByteStream):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Any:
            script.during()
            yield script.body

        def close(self) -> None:
            script.reads()

    class AsyncBody(lib.AsyncByteStream):  # type: ignore[misc, name-defined]
        async def __aiter__(self) -> Any:
            await asyncio.sleep(0)
            script.during()
            yield script.body

        async def aclose(self) -> None:
            await asyncio.sleep(0)
            script.reads()

    class Sync(lib.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            entry = begin(request)
            script.tries[-1]["content"] = request.read()
            status, headers = end(entry)
            return lib.Response(status, headers=headers, stream=Body())

    class Async(lib.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            await asyncio.sleep(0)
            entry = begin(request)
            script.tries[-1]["content"] = await request.aread()
            await asyncio.sleep(0)
            status, headers = end(entry)
            return lib.Response(status, headers=headers, stream=AsyncBody())

    return Async() if asynchronous else Sync()


def client(kind: str, script: Script, engine: Any = None, **settings: Any) -> Any:
    """Return a client of one kind: `call(method, url)`, `permit(response)`, and its `shell`."""
    if kind == "requests":
        return _Requests(script, engine, settings)
    library, _, how = kind.partition("-")
    return _Httpx(script, engine, settings, import_module(library), asynchronous=how == "async")


def session_over(*args: Any, **settings: Any) -> tuple[requests.Session, TrafficAdapter]:
    """Return a session for real sockets, and the adapter that is mounted on it."""
    session = requests.Session()
    session.trust_env = False
    adapter = TrafficAdapter(*args, **settings)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session, adapter
