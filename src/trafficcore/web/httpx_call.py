"""One admitted call of a client: when it is over, and what its end says of the host.

Law    the status line is the verdict. Once headers are in, the call is settled by its status: at
       the last byte, or earlier if the caller closes the response, since what a caller does not
       want to read is no fault of the host and takes nothing back from a 503. A body that breaks
       is a failure. A call that is cancelled, or a response that is dropped unread, is no verdict.
State  the permit; it settles once, however many of these ends come together.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, Final

from trafficcore.engine import Permit, Rejection
from trafficcore.outcome import Outcome
from trafficcore.web.grpc_status import status_of

__all__ = ["EXTENSION", "AsyncBody", "Body", "Call", "Upload"]

#: Where a response carries its permit, or the rejection it stands for.
EXTENSION: Final = "trafficcore"

_Verdict = tuple[Outcome | None, int]

_CONNECT: Final[_Verdict] = (Outcome.FAILURE, 503)
_TIMEOUT: Final[_Verdict] = (Outcome.FAILURE, 504)
_RESET: Final[_Verdict] = (Outcome.FAILURE, 500)
#: Before any answer, these are failures of the way there, and not of the host's answer.
_LOCAL: Final = frozenset({503, 504})
_OURS: Final[_Verdict] = (Outcome.IGNORED, 0)
_NEVER_SENT: Final[_Verdict] = (None, 0)

#: What an exception says of the host, by the first name along its ancestry: the libraries' own
#: errors, and those of transports underneath that map nothing. All else is a reset.
_VERDICTS: Final[dict[str, _Verdict]] = {
    "ConnectError": _CONNECT,
    "ConnectTimeout": _CONNECT,
    "ProxyError": _CONNECT,
    "ConnectionRefusedError": _CONNECT,
    "gaierror": _CONNECT,
    "PoolTimeout": _NEVER_SENT,  # no connection was free here: nothing went out
    "TrafficError": _NEVER_SENT,  # a refusal or a setting of ours
    "TimeoutException": _TIMEOUT,
    "TimeoutError": _TIMEOUT,
    "UnsupportedProtocol": _OURS,
    "LocalProtocolError": _OURS,
    "InvalidURL": _OURS,
    "StreamError": _OURS,
}


class Call:
    """A permit on its way: tell it what happens, and it settles at the first end it sees.

    `slow="end"` measures *slow* to the last byte instead of the response's start.
    """

    __slots__ = ("_clock", "_to_end", "permit", "upload")

    def __init__(self, permit: Permit, clock: Callable[[], float], *, to_end: bool) -> None:
        self.permit = permit
        self.upload: Upload | None = None
        self._clock = clock
        self._to_end = to_end

    def answered(self, response: Any) -> None:
        """Note the response's headers, and leave the permit where the application finds it."""
        extensions = response.extensions
        if isinstance(extensions.get(EXTENSION), Rejection):
            # a transport of ours underneath refused: that says nothing of any host
            self.permit.give_back(self._clock())
            return
        extensions[EXTENSION] = self.permit
        cookie = self.permit.set_cookie
        if cookie is not None:  # the client keeps it as it keeps a server's
            items = [*response.headers.multi_items(), ("set-cookie", cookie)]
            response.headers = type(response.headers)(items)
        status = status_of(response.status_code, response.headers.get("grpc-status"))
        if self._to_end:
            self.permit.status = status
        else:
            now = self._clock()
            self.permit.started(status, now)
            self.permit.landed(now)

    def finish(self) -> None:
        """End the call by its status."""
        if not self.permit.settled:
            self.permit.settle(None, self._clock())

    def failed(self, error: BaseException) -> None:
        """End the call by the exception that came instead of a response, or of more of it."""
        permit = self.permit
        if permit.settled:
            return
        now = self._clock()
        if not isinstance(error, Exception):  # cancelled, interrupted, the process is leaving
            permit.settle(Outcome.CANCELLED, now)
            return
        broken = self.upload is not None and self.upload.broken
        outcome, status = _OURS if broken else _verdict(type(error))
        if outcome is None:
            permit.give_back(now)
        else:
            local = not permit.status and status in _LOCAL
            permit.settle(outcome, now, status, local=local)

    def dropped(self) -> None:
        """End a call whose response nobody holds any more: no verdict, safe inside a collection."""
        if not self.permit.settled:
            self.permit.settle(Outcome.CANCELLED, self._clock())


def _verdict(error: type[BaseException]) -> _Verdict:
    for ancestor in error.__mro__:
        if ancestor.__name__ in _VERDICTS:
            return _VERDICTS[ancestor.__name__]
    return _RESET


class Body:
    """The body of a response: passed through untouched, its end noted."""

    def __init__(self, body: Any, call: Call) -> None:
        self._body = body
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except GeneratorExit:  # closed in mid-body: `close` is on its way
            raise
        except BaseException as error:
            self._call.failed(error)
            raise
        self._call.finish()

    def close(self) -> None:
        """Close the body, whether it was read or not."""
        try:
            self._body.close()
        finally:
            self._call.finish()

    def __del__(self) -> None:
        self._call.dropped()


class AsyncBody:
    """The same for an asynchronous body."""

    def __init__(self, body: Any, call: Call) -> None:
        self._body = body
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._body.__aiter__()
        try:
            async for chunk in chunks:
                yield chunk
        except GeneratorExit:  # closed in mid-body: `aclose` is on its way
            raise
        except BaseException as error:
            self._call.failed(error)
            raise
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        self._call.finish()

    async def aclose(self) -> None:
        """Close the body, whether it was read or not."""
        try:
            await self._body.aclose()
        finally:
            self._call.finish()

    def __del__(self) -> None:
        self._call.dropped()


class Upload:
    """A request body that is made while it is sent; `broken` once making it has failed."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.broken = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception:
            self.broken = True
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._body:
                yield chunk
        except Exception:
            self.broken = True
            raise
