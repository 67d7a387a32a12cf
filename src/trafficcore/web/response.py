"""One admitted request on WSGI: `start_response` and the body, watched for the permit's end.

A body is whole when the server has been given all bytes of its content-length, or all items of a
list, or has met the end of the iterable, whichever comes first: some servers, and the clients that
frameworks bring for tests, ask for no more than they need.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

from trafficcore.engine import Permit
from trafficcore.outcome import Outcome
from trafficcore.web.grpc_status import status_of
from trafficcore.web.refuse import BODILESS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

__all__ = ["Body", "SizedBody", "WatchedExchange", "WsgiExchange"]

CANCELLED, FAILURE = Outcome.CANCELLED, Outcome.FAILURE


class WsgiExchange:
    """The response of one request, as its application starts it.

    `WsgiTraffic` fills it in: making an object and filling it in costs less than an `__init__`.
    """

    __slots__ = (
        "_write",
        "clock",
        "complete",
        "from_start",
        "left",
        "over",
        "permit",
        "server",
    )

    _write: Callable[[bytes], object]
    permit: Permit
    #: The server's own `start_response`.
    server: "StartResponse"
    clock: Callable[[], float]
    from_start: bool
    #: Whether nothing is missing of the body: a server need not ask for one that has none.
    complete: bool
    #: How many bytes of the content-length the server has not been given.
    left: float
    #: Whether the body's end has been noted.
    over: bool

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Start the response, or with `exc_info` start another in its place."""
        now = self.clock()
        if exc_info is None:
            self._write = self.server(status, headers)
        else:
            self._write = self.server(status, headers, exc_info)
        permit = self.permit  # its `started` written out
        permit.status = code = int(status[:3])
        if self.from_start:
            permit.started_at = now
        if code in BODILESS:
            self.complete = True
        self.left = inf
        for name, value in headers:
            if name.lower() == "content-length":
                if value.isdecimal():
                    self.left = int(value)
                break
        if permit.era:  # a breaker wants to know how it went
            for name, value in headers:
                if name.lower() == "grpc-status":
                    permit.status = status_of(code, value)
        return self.write

    def write(self, data: bytes) -> object:
        """Write a part of the body in the way of old."""
        try:
            result = self._write(data)
        except OSError:  # the client is gone
            self.permit.settle(CANCELLED, self.clock())
            raise
        self.given(len(data))
        return result

    def given(self, count: int) -> None:
        """Note that so many bytes more are the server's."""
        self.left -= count
        if self.left <= 0 and not self.over:
            self.finished()

    def failed(self, error: BaseException) -> None:
        """Note what the application raised; what is no `Exception` came from outside of it."""
        outcome = FAILURE if isinstance(error, Exception) else CANCELLED
        self.permit.settle(outcome, self.clock(), 500)

    def finished(self) -> None:
        """Note the end of the body; without a `start_response` the server makes it a 500."""
        self.complete = self.over = True
        self.permit.settle(None if self.permit.status else FAILURE, self.clock(), 500)

    def closed(self) -> None:
        """Note that nobody wants the rest."""
        if self.complete:
            self.finished()
        else:
            self.permit.settle(CANCELLED, self.clock())


class WatchedExchange(WsgiExchange):
    """The same where the breaker watches the request: what has begun to answer is not slow."""

    __slots__ = ()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Start the response, and tell the breaker so."""
        if self.from_start:
            self.permit.landed(self.clock())
        return super().start_response(status, headers, exc_info)


class Body:
    """The iterable that the server gets: the application's, item by item, closed exactly once.

    Each `iter` goes on where the last one stopped. It is a generator, which a loop resumes for a
    fraction of what a call of `__next__` costs; it knows this object, never the other way round,
    so that both are gone as soon as the server lets go.
    """

    __slots__ = ("_body", "_closed", "_exchange", "_items", "_left", "_length")

    def __init__(self, body: Iterable[bytes], exchange: WsgiExchange, length: float = inf) -> None:
        self._body = body
        self._exchange = exchange
        self._items: Iterator[bytes] | None = None
        #: How many items there are, and how many are to come; `inf` where nobody can tell.
        self._length = self._left = length
        self._closed = False
        if not length:
            exchange.complete = True

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            items = self._items
            if items is None:
                items = self._items = iter(self._body)
            for item in items:
                exchange.left -= len(item)
                self._left -= 1
                if (exchange.left <= 0 or self._left <= 0) and not exchange.over:
                    exchange.finished()
                yield item
        except GeneratorExit:  # the server has let go; `close` says what of
            raise
        except BaseException as error:
            exchange.failed(error)
            raise
        if not exchange.over:
            exchange.finished()

    def __next__(self) -> bytes:
        return next(iter(self))

    def close(self) -> None:
        """Settle by how far the body was read, then close the application's iterable."""
        if self._closed:
            return
        self._closed = True
        if not self._exchange.over:
            self._exchange.closed()  # first: what runs at close is no part of the response
        close = getattr(self._body, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        # a server that forgets `close` must not keep a place in flight for ever
        if not self._closed:
            with suppress(Exception):
                self.close()


class SizedBody(Body):
    """The same where the length is known: a server takes a header from it, so it stays known."""

    __slots__ = ()

    def __len__(self) -> int:
        return int(self._length)
