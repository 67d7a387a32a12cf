"""What is particular to requests: its requests as facts, its errors as verdicts, its bodies."""

from collections.abc import Iterator
from io import BytesIO, IOBase
from math import inf
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    TimeoutStateError,
)
from urllib3.util import Timeout

from trafficcore.engine import Facts, Rejection
from trafficcore.errors import Rejected
from trafficcore.spec import Direction
from trafficcore.web.call import CONNECT, OURS, Call, Upload, Verdict, verdict_of
from trafficcore.web.facts import Labels
from trafficcore.web.refuse import answer
from trafficcore.web.timeouts import Timeouts, least

__all__ = [
    "CallRefused",
    "FileUpload",
    "Raw",
    "facts_of",
    "host_of",
    "in_hand",
    "in_memory",
    "judge",
    "refusal",
    "timeouts_of",
]

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
#: Bytes of an answer that are read at once where nobody says how many.
_PIECE: Final = 65536
#: What an answer's wrapper holds for itself.
_OWN: Final = frozenset({"_raw", "_call"})
#: Bytes of a file that are sent at once.
_BLOCK: Final = 16384


class CallRefused(Rejected, requests.RequestException):
    """A call was refused by policy; those who catch requests' errors catch it too.

    `request` is None in a copy and in another process: it may hold what cannot be taken along.
    """

    def __init__(self, request: Any, rejection: Rejection, source: str) -> None:
        super().__init__(rejection.reason, source=source, retry_after=rejection.retry_after)
        self.request = request

    def __reduce__(self) -> tuple[Any, ...]:
        made_again, args, state = super().__reduce__()
        return made_again, args, state | {"request": None}


def host_of(url: str) -> str:
    """Return the Host of a URL: what requests would send, the port where it is not the usual."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return host.removesuffix(_DEFAULT_PORTS.get(parts.scheme, "\0"))


def facts_of(request: Any, request_labels: Labels | None) -> Facts:
    """Say what the engine may know of a request that goes out."""
    parts = urlsplit(request.url)
    return Facts(
        Direction.OUTBOUND,
        host_of(request.url),
        unquote(parts.path) or "/",
        request.method,
        query=parts.query,
        scheme=parts.scheme,
        headers=lambda: {name.lower(): _text(value) for name, value in request.headers.items()},
        labels=None if request_labels is None else request_labels(request),
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def judge(error: Exception) -> Verdict:
    """Say what an exception means; requests has one class for no connection and a broken one.

    A proxy's error is what it was made of: urllib3 makes one of a loss after the request as well.
    """
    if isinstance(error, requests.ConnectionError):
        cause = error.args[0] if error.args else None
        reason = cause.reason if isinstance(cause, MaxRetryError) else None
        if isinstance(reason, ProxyError):
            reason = error = reason.original_error
        if isinstance(reason, (NewConnectionError, ConnectTimeoutError)):
            return CONNECT
    elif type(error) is OSError and error.errno is None:
        return OURS  # no file of certificates by that name; what a socket says is wrapped
    return verdict_of(error)


def timeouts_of(timeout: Timeout) -> Timeouts:
    """Return urllib3's own sort of timeouts as ours; what is left of a total is that total."""
    total: Any = timeout.total
    try:
        read: Any = timeout.read_timeout
    except TimeoutStateError:  # it is to be known when the connection is there
        read = total
    connect: Any = timeout.connect_timeout
    return Timeouts(least(connect, total), least(read, total))


def refusal(rejection: Rejection, *, head: bool) -> urllib3.HTTPResponse:
    """Return what urllib3 would have of a server that answers as the refusal does."""
    status, reason, headers, body = answer(rejection, head=head)
    return urllib3.HTTPResponse(
        BytesIO(body),
        urllib3.HTTPHeaderDict(headers),
        status,
        reason=reason,
        preload_content=False,
        decode_content=False,
        request_method="HEAD" if head else None,
    )


def in_hand(raw: Any, method: str) -> urllib3.HTTPResponse:
    """Return an answer of urllib3 that can be read as before, with its body in memory."""
    return urllib3.HTTPResponse(
        BytesIO(raw.read(decode_content=False)),
        raw.headers,
        raw.status,
        version=raw.version,
        reason=raw.reason,
        preload_content=False,
        original_response=raw._original_response,  # noqa: SLF001  # requests has cookies of it
        request_method=method,
    )


def in_memory(body: Any) -> bool:
    """Whether the body of a request is there as a whole, and can be sent as often as it takes."""
    if body is None or isinstance(body, (str, bytes)):
        return True
    if hasattr(body, "read"):  # a mapped file is read from where it stands
        return False
    try:
        memoryview(body)
    except TypeError:
        return False
    return True


class FileUpload(Upload):
    """An upload from a file, in blocks, or from whatever gives pieces."""

    def __init__(self, body: Any) -> None:
        super().__init__(_blocks(body) if hasattr(body, "read") else body)


def _blocks(file: Any) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block.encode() if isinstance(block, str) else block


def _late() -> Exception:
    name: Any = "TrafficAdapter"  # urllib3 says a pool's here
    return ReadTimeoutError(name, "", "the call's own time is over")


@IOBase.register
class Raw:
    """The answer as urllib3 has it: passed through, its end noted at the last byte or the close.

    Where the call's time is bounded, what has come is taken as it comes: to wait for a full piece
    of an answer that drips would be to wait for ever.

    What else it can do is urllib3's own; there the end is noted when it is closed. What is set on
    it is set there too (`decode_content`), but for what it has itself.
    """

    def __init__(self, raw: Any, call: Call) -> None:
        self._raw = raw
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN or hasattr(Raw, name):
            object.__setattr__(self, name, value)
        else:
            setattr(self._raw, name, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return self._noted(iter(self._raw))

    def __next__(self) -> bytes:
        try:
            line: bytes = next(self._raw)
        except StopIteration:
            self._call.finish()
            raise
        except BaseException as error:
            self._call.failed(error)
            raise
        return line

    def stream(
        self, amt: int | None = _PIECE, decode_content: bool | None = None
    ) -> Iterator[bytes]:
        """Give the body in pieces of up to so many bytes."""
        give = self._coming if self._bounded() else self._raw.stream
        return self._noted(give(amt, decode_content))

    def read(
        self,
        amt: int | None = None,
        decode_content: bool | None = None,
        cache_content: bool = False,  # as urllib3 has it
    ) -> bytes:
        """Read of the body: so many bytes unless it ends before, or all."""
        try:
            if self._bounded():
                data = self._gathered(amt, decode_content)
            else:
                data = self._raw.read(amt, decode_content, cache_content)
                if data:
                    self._call.check(_late)
        except BaseException as error:
            self._call.failed(error)
            raise
        whole = amt is None or amt < 0 or (amt and not data)
        if whole or self._raw.length_remaining == 0:
            self._call.finish()
        return data

    def _bounded(self) -> bool:
        """Whether time is to be looked at in between; older urllib3 can only read in full."""
        return self._call.deadline < inf and hasattr(self._raw, "read1")

    def _coming(self, amt: int | None, decode_content: bool | None) -> Iterator[bytes]:
        while piece := self._raw.read1(amt, decode_content):
            yield piece

    def _gathered(self, amt: int | None, decode_content: bool | None) -> bytes:
        pieces: list[bytes] = []
        while piece := self._raw.read1(amt, decode_content):
            self._call.check(_late)
            pieces.append(piece)
            amt = None if amt is None else amt - len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the body, whether it was read or not."""
        try:
            self._raw.close()
        finally:
            self._call.finish()

    def release_conn(self) -> None:
        """Give the connection back to its pool."""
        try:
            self._raw.release_conn()
        finally:
            self._call.finish()

    def _noted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        call = self._call
        try:
            if call.deadline == inf:
                yield from pieces
            else:
                for piece in pieces:
                    call.check(_late)
                    yield piece
        except GeneratorExit:  # left in mid-body: `close` is on its way
            raise
        except BaseException as error:
            self._call.failed(error)
            raise
        self._call.finish()

    def __del__(self) -> None:
        self._call.dropped()
