"""`WsgiLimits`: limits without a manifest in front of a WSGI application, and of an engine.

What `WsgiTraffic(app, limits=[…])` makes; see `asgi_limits`.
"""

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from trafficcore.engine import Engine, Rejection
from trafficcore.live.limits import Limit
from trafficcore.web.facts import Labels, wsgi_path
from trafficcore.web.limit_headers import NAMES, Rows
from trafficcore.web.limits import LimitGate
from trafficcore.web.wsgi import PAID, WsgiTraffic, refuse

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

__all__ = ["WsgiLimits"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class WsgiLimits(WsgiTraffic):
    """Takes a token of each limit that is about a request, or refuses it.

    `limits` is the gate: `limits["name"]` is a limit at work, its counts and its `shadow`.
    """

    limits: LimitGate

    def __init__(
        self,
        app: "WSGIApplication",
        engine: Engine | None = None,
        *,
        limits: Iterable[Limit] | None = None,
        headers: str = "none",
        problem: bool = False,
        request_labels: Labels | None = None,
        slow: Literal["start", "end"] = "start",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._has_engine = engine is not None
        if engine is not None:
            self.engine = engine
            app = WsgiTraffic(app, engine, request_labels=request_labels, slow=slow, clock=clock)
        self.app = app
        self.limits = LimitGate(limits or (), headers=headers, problem=problem, wsgi=True)
        self._clock = clock

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Run one request."""
        gate = self.limits
        now = self._clock()
        met = gate.admit(environ, environ.get("REQUEST_METHOD", "GET"), wsgi_path(environ), now)
        if isinstance(met, Rejection):
            return refuse(met, environ, start_response)
        if met:
            if self._has_engine:
                environ[PAID] = lambda at: gate.give_back(met, at)
            if gate.write is not None:
                start_response = _headed(start_response, gate.write(met, now))
        return self.app(environ, start_response)


def _headed(start_response: "StartResponse", rows: Rows) -> "StartResponse":
    """Return a `start_response` that adds headers, each unless it is there already."""

    def with_headers(
        status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        own: Rows = rows
        for name, _ in headers:
            if name[:1] in "RrXx" and name.lower() in NAMES:
                names = {given.lower() for given, _ in headers}
                own = [row for row in rows if row[0] not in names]
                break
        headers = headers + own
        if exc_info is None:  # servers count their arguments
            return start_response(status, headers)
        return start_response(status, headers, exc_info)

    return with_headers
