"""One admitted request on ASGI: what its messages mean for the permit.

A permit ends at the last byte of the body, not when the application returns: background tasks run
inside that call. `Permit.settle` counts once, so each place that may be the end simply says so.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from trafficcore.engine import Permit
from trafficcore.outcome import Outcome
from trafficcore.web.grpc_status import status_of

__all__ = [
    "CHARGED",
    "AsgiApp",
    "HttpExchange",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "WatchedExchange",
    "WebSocketExchange",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CANCELLED, FAILURE = Outcome.CANCELLED, Outcome.FAILURE
#: The scope's key for the engines that have charged the request.
CHARGED: Final = "trafficcore.charged"
#: What Starlette's router notes in the scope for those who stand further out (metrics, traces).
_ROUTED: Final = ("app", "endpoint", "path_params", "route", "router")
#: The last message of a body is one of these without `more_body`; a file by its path is one whole.
_BODIES: Final = frozenset(
    ("http.response.body", "http.response.zerocopysend", "http.response.pathsend")
)
_TRAILERS: Final = "http.response.trailers"
_SWITCHING: Final = 101


class HttpExchange:
    """Stands between server and application for one request; passes every message untouched.

    `AsgiTraffic` fills it in: making an object and filling it in costs less than an `__init__`.
    """

    __slots__ = (
        "clock",
        "from_start",
        "inner",
        "outer",
        "over",
        "permit",
        "server",
        "to_server",
        "trailers",
    )

    permit: Permit
    server: Receive
    to_server: Send
    clock: Callable[[], float]
    from_start: bool
    inner: Scope
    outer: Scope
    #: Whether the response's last byte has been given to the server.
    over: bool
    #: Whether trailers end the response, and may say how it went, where a breaker wants to know.
    trailers: bool

    async def receive(self) -> Message:
        """Pass a message in; a client that left before the last byte is no verdict."""
        message = await self.server()
        if message["type"] == "http.disconnect":
            self.permit.settle(CANCELLED, self.clock())
        return message

    async def send(self, message: Message) -> None:
        """Pass a message out; the response starts with one and ends with one."""
        kind = message["type"]
        permit = self.permit
        last = False
        if kind == "http.response.start":
            permit.status = message["status"]  # `Permit.started` written out
            if self.from_start:
                permit.started_at = self.clock()
            if permit.era:
                self._look(message)
                self.trailers = bool(message.get("trailers"))
            if "endpoint" in self.inner:
                self._tell_route()
        elif kind in _BODIES:
            last = not self.trailers and not message.get("more_body")
        elif kind == _TRAILERS and self.trailers:
            self._look(message)
            last = not message.get("more_trailers")
        try:
            await self.to_server(message)
        except OSError:  # the client is gone (ASGI 2.4)
            permit.settle(CANCELLED, self.clock())
            raise
        if last:
            self.over = True
            permit.settle(None, self.clock())

    def _look(self, message: Message) -> None:
        """Take gRPC's status for the response's, where headers or trailers have one.

        What is no list could be read but once, and the server wants to.
        """
        headers = message.get("headers")
        for name, value in headers if isinstance(headers, (list, tuple)) else ():
            if name == b"grpc-status":
                permit = self.permit
                permit.status = status_of(permit.status, value.decode("latin-1"))

    def _tell_route(self) -> None:
        """Pass on which route it was: without us it would stand in the one scope of all."""
        inner, outer = self.inner, self.outer
        for key in _ROUTED:
            if key in inner:
                outer[key] = inner[key]

    def ended(self) -> None:
        """Note that the application returned: a response it left unfinished is a broken one."""
        self.permit.settle(FAILURE, self.clock(), 500)


class WatchedExchange(HttpExchange):
    """The same where the breaker watches the request: what has begun to answer is not slow."""

    __slots__ = ()

    async def send(self, message: Message) -> None:
        """Pass a message out, and tell the breaker of the first."""
        if message["type"] == "http.response.start" and self.from_start:
            self.permit.landed(self.clock())
        await super().send(message)


class WebSocketExchange:
    """The same for a websocket: one call from upgrade to close, never slow, however long."""

    __slots__ = ("_clock", "_receive", "_send", "permit")
    over = False

    def __init__(
        self, permit: Permit, receive: Receive, send: Send, clock: Callable[[], float]
    ) -> None:
        self.permit = permit
        self._receive = receive
        self._send = send
        self._clock = clock
        permit.started(0, permit.admitted_at)

    async def receive(self) -> Message:
        """Pass a message in; after the accept a client's leaving is the usual end."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.permit.settle(None if self.permit.status else CANCELLED, self._clock())
        return message

    async def send(self, message: Message) -> None:
        """Pass a message out; accept, refusal and close say how it went."""
        permit = self.permit
        kind = message["type"]
        if kind == "websocket.accept":
            permit.status = _SWITCHING
        elif kind == "websocket.http.response.start":
            permit.status = message["status"]
        elif kind == "websocket.close" and not permit.status:
            permit.status = 403
        try:
            await self._send(message)
        except OSError:
            permit.settle(CANCELLED, self._clock())
            raise
        if kind == "websocket.close" or (
            kind == "websocket.http.response.body" and not message.get("more_body")
        ):
            permit.settle(None, self._clock())

    def ended(self) -> None:
        """Note that the application returned: fine after an accept, an error without an answer."""
        if self.permit.status == _SWITCHING:
            self.permit.settle(None, self._clock())
        else:
            self.permit.settle(FAILURE, self._clock(), 500)
