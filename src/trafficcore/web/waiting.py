"""Waiting for a quota in front of an ASGI application, with an eye on the client.

A client that leaves frees its place at once. To notice it, messages are received while waiting;
they are kept and given to the application in order, and no more of a long body is read than a
server would hold anyway: past that, a client that leaves is noticed when its turn has come.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from trafficcore.engine import Engine, Permit, Queued, Rejection
from trafficcore.live.drivers import Driver
from trafficcore.web.exchange import Message, Receive

__all__ = ["Replay", "wait"]

_GONE: Final = frozenset(("http.disconnect", "websocket.disconnect"))
#: Bytes of a body that are kept while its request waits; each message counts for some itself.
_MOST: Final = 65_536
_EACH: Final = 512


class Replay:
    """A `receive` that gives what came while waiting first, in order, and then goes on."""

    __slots__ = ("_coming", "_kept", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()
        self._coming: asyncio.Future[Message] | None = None

    async def __call__(self) -> Message:
        """Return the next message."""
        if self._kept:
            return self._kept.popleft()
        if self._coming is None:
            return await self._receive()
        return await self._take(self._coming)

    async def until_gone(self) -> None:
        """Read ahead; return when the client has left, or when no more may be read."""
        size = 0
        whole = False
        while size <= _MOST:
            self._coming = asyncio.ensure_future(self._receive())
            message = await self._take(self._coming)
            self._kept.append(message)
            kind = message["type"]
            if kind in _GONE or whole:  # after a whole body only a disconnect can come
                return
            size += _EACH + len(message.get("body", b""))
            whole = kind == "http.request" and not message.get("more_body")

    @property
    def is_gone(self) -> bool:
        """Whether the client is known to have left."""
        return bool(self._kept) and self._kept[-1]["type"] in _GONE

    async def _take(self, coming: "asyncio.Future[Message]") -> Message:
        # shielded: whoever gives up here, as `is_disconnected()` does, must lose no message
        message = await asyncio.shield(coming)
        self._coming = None
        return message

    def close(self) -> None:
        """Stop receiving: the request is over."""
        if self._coming is not None:
            self._coming.cancel()


async def wait(
    engine: Engine, driver: Driver, ticket: Queued, replay: Replay, clock: Callable[[], float]
) -> Permit | Rejection | None:
    """Return the verdict, or None if the client has left first: its place is free then."""

    async def watch() -> None:
        with suppress(Exception):  # the application meets it in its own receive
            await replay.until_gone()
        wake: Any = ticket.wake
        if replay.is_gone and engine.cancel(ticket, clock()) and wake is not None:
            wake()  # without a verdict

    watcher = asyncio.ensure_future(watch())
    try:
        verdict: Permit | Rejection | None = await driver.park_async(ticket)
    finally:
        watcher.cancel()
    if verdict is None or replay.is_gone:
        if isinstance(verdict, Permit):
            verdict.give_back(clock())
        driver.kick()  # the next in the queue may be due at once
        return None
    return verdict
