"""The snapshot of an engine as JSON, to mount beside an application and look at.

It shows rules, files and endpoints: mount it where only operators come. One process answers for
itself alone, so its id is part of the answer.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from enum import Enum
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from trafficcore.engine import Engine

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["SnapshotApp"]

Message = MutableMapping[str, Any]

_TEXT: Final = "text/plain; charset=utf-8"
_PHRASES: Final = {200: "OK", 405: "Method Not Allowed"}


def plain(value: Any) -> Any:
    """Return a value in the words of strict JSON: `inf` and `nan` have none, so they are null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return plain(value.value)
    return str(value)


class SnapshotApp:
    """An ASGI application; its method `wsgi` is the same as a WSGI application.

    Answers GET and HEAD on whatever path it is mounted at, and nothing else.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.engine = engine
        self._clock = clock

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer an ASGI request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return
        status, headers, body = self._answer(scope["method"])
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def wsgi(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a WSGI request."""
        status, headers, body = self._answer(environ["REQUEST_METHOD"])
        start_response(f"{status} {_PHRASES[status]}", headers)
        return [body] if body else []

    def _answer(self, method: str) -> tuple[int, list[tuple[str, str]], bytes]:
        if method not in ("GET", "HEAD"):
            headers = [("allow", "GET, HEAD"), ("content-type", _TEXT), ("content-length", "0")]
            return 405, headers, b""
        seen = {"process": os.getpid(), **self.engine.snapshot(self._clock())}
        body = json.dumps(plain(seen), allow_nan=False).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
        ]
        return 200, headers, b"" if method == "HEAD" else body
