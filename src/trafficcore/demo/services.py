"""The services behind the policies, as plain ASGI: they count their own hits."""

import asyncio
from typing import Any

__all__ = ["Service"]


class Service:
    """Answers 200 with its name, after `delay` seconds; `status` makes it fail."""

    def __init__(self, name: str, *, delay: float = 0) -> None:
        self.name = name
        self.delay = delay
        self.status = 200
        self.hits = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002  # ASGI's shape
        """Answer one request."""
        self.hits += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        body = self.name.encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
