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
from trafficcore.web.refuse import has_no_body

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

__all__ = ["Body", "SizedBody", "WsgiExchange"]

CANCELLED, FAILURE = Outcome.CANCELLED, Outcome.FAILURE


class WsgiExchange:
    """The response of one request, as its application starts it."""

    __slots__ = (
        "_clock",
        "_from_start",
        "_left",
        "_start_response",
        "_write",
        "complete",
        "permit",
    )

    def __init__(
        self,
        permit: Permit,
        start_response: "StartResponse",
        clock: Callable[[], float],
        from_start: bool,
        head: bool,
    ) -> None:
        self.permit = permit
        self._start_response = start_response
        self._write: Callable[[bytes], object]
        self._clock = clock
        self._from_start = from_start
        self._left: float = inf
        #: Whether nothing is missing of the body: a server need not ask for one that has none.
        self.complete = head

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Start the response, or with `exc_info` start another in its place."""
        now = self._clock()
        if exc_info is None:
            self._write = self._start_response(status, headers)
        else:
            self._write = self._start_response(status, headers, exc_info)
        code = int(status[:3])
        if self._from_start:
            self.permit.started(code, now)
        else:
            self.permit.status = code
        if has_no_body(code):
            self.complete = True
        self._left = _content_length(headers)
        return self.write

    def write(self, data: bytes) -> object:
        """Write a part of the body in the way of old."""
        try:
            result = self._write(data)
        except OSError:  # the client is gone
            self.permit.settle(CANCELLED, self._clock())
            raise
        self.given(len(data))
        return result

    def given(self, count: int) -> None:
        """Note that so many bytes more are the server's."""
        self._left -= count
        if self._left <= 0:
            self.finished()

    def failed(self, error: BaseException) -> None:
        """Note what the application raised; what is no `Exception` came from outside of it."""
        outcome = FAILURE if isinstance(error, Exception) else CANCELLED
        self.permit.settle(outcome, self._clock(), 500)

    def finished(self) -> None:
        """Note the end of the body; without a `start_response` the server makes it a 500."""
        self.complete = True
        self.permit.settle(None if self.permit.status else FAILURE, self._clock(), 500)

    def closed(self) -> None:
        """Note that nobody wants the rest."""
        if self.complete:
            self.finished()
        else:
            self.permit.settle(CANCELLED, self._clock())


class Body:
    """The iterable that the server gets: the application's, item by item, closed exactly once."""

    __slots__ = ("_body", "_closed", "_exchange", "_next")

    def __init__(self, body: Iterable[bytes], exchange: WsgiExchange) -> None:
        self._body = body
        self._exchange = exchange
        self._next: Callable[[], bytes] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        exchange = self._exchange
        try:
            step = self._next
            if step is None:
                step = self._next = iter(self._body).__next__
            item = step()
            exchange.given(len(item))
        except StopIteration:
            exchange.finished()
            raise
        except BaseException as error:
            exchange.failed(error)
            raise
        return item

    def close(self) -> None:
        """Settle by how far the body was read, then close the application's iterable."""
        if self._closed:
            return
        self._closed = True
        self._exchange.closed()  # first: what runs at close is no part of the response
        close = getattr(self._body, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        # a server that forgets `close` must not keep a place in flight for ever
        with suppress(Exception):
            self.close()


class SizedBody(Body):
    """The same where the length is known: a server takes a header from it, so it stays known."""

    __slots__ = ("_left", "_length")

    def __init__(self, body: Any, exchange: WsgiExchange) -> None:
        super().__init__(body, exchange)
        self._length = self._left = len(body)
        if not self._length:
            exchange.complete = True

    def __len__(self) -> int:
        return self._length

    def __next__(self) -> bytes:
        item = super().__next__()
        self._left -= 1
        if not self._left:
            self._exchange.finished()
        return item


def _content_length(headers: Iterable[tuple[str, str]]) -> float:
    for name, value in headers:
        if name.lower() == "content-length":
            return int(value) if value.isdecimal() else inf
    return inf
