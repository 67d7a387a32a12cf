"""Waiting for a quota in front of an ASGI application, with an eye on the client.

A client that leaves frees its place at once. To notice it, messages are received while waiting;
they are kept and given to the application in order, and no more of a long body is read than a
server would hold anyway: past that, a client that leaves is noticed when its turn has come.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from trafficcore.engine import Permit, Queued, Rejection
from trafficcore.live.drivers import Driver
from trafficcore.web.exchange import Message, Receive

__all__ = ["Replay", "wait"]

_GONE: Final = frozenset(("http.disconnect", "websocket.disconnect"))
#: Bytes of a body that are kept while its request waits.
_MOST: Final = 65_536


class Replay:
    """A `receive` that gives what came while waiting first, in order, and then goes on."""

    __slots__ = ("_kept", "_next", "_receive", "_size", "_whole")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()
        self._next: asyncio.Future[Message] | None = None
        self._size = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._kept:
            return self._kept.popleft()
        coming = self._next
        if coming is None:
            return await self._receive()
        # shielded: a caller that gives up, as is_disconnected() does, must lose no message
        message = await asyncio.shield(coming)
        self._next = None
        return message

    async def gone(self) -> None:
        """Return when the client has left; never, where no more may be read ahead."""
        while True:
            coming = self._next = asyncio.ensure_future(self._receive())
            message = await asyncio.shield(coming)
            self._next = None
            self._kept.append(message)
            if message["type"] in _GONE:
                return
            self._size += len(message.get("body", b""))
            if self._whole or self._size > _MOST:
                await asyncio.get_running_loop().create_future()
            self._whole = message["type"] == "http.request" and not message.get("more_body")

    def close(self) -> None:
        """Stop receiving: the request is over."""
        if self._next is not None:
            self._next.cancel()
