"""`WsgiLimits`: limits without a manifest in front of a WSGI application, and of an engine.

What `WsgiTraffic(app, limits=[…])` makes; see `asgi_limits`.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from trafficcore.engine import Engine
from trafficcore.errors import ConfigError
from trafficcore.live.limits import Limit
from trafficcore.web.declared import Declared
from trafficcore.web.facts import Labels, wsgi_path
from trafficcore.web.limit_headers import NAMES, Rows
from trafficcore.web.limits import LimitGate, Met
from trafficcore.web.receipt import LIMITS, Receipt
from trafficcore.web.wsgi import WsgiTraffic, refuse

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

__all__ = ["WsgiLimits"]

_new: Final = object.__new__
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
        control_point: str = "",
        slow: Literal["start", "end"] = "start",
        slow_in_flight: bool = False,
        threads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if engine is None and limits is None:
            raise ConfigError("WsgiTraffic needs an engine, or limits")
        find = None
        if engine is not None:
            self.engine = engine
            app = inner = WsgiTraffic(
                app,
                engine,
                request_labels=request_labels,
                control_point=control_point,
                slow=slow,
                slow_in_flight=slow_in_flight,
                threads=threads,
                clock=clock,
            )
            if headers != "none":
                declared = Declared(engine)
                read = inner.read
                inner.read = declared.noting(read, clock)
                find = lambda environ: declared.find(read(environ, request_labels))  # noqa: E731
        self.app = app
        self.limits = LimitGate(
            limits or (), headers=headers, problem=problem, wsgi=True, declared=find
        )
        #: Whether limits further in are told of as well, which the request has yet to meet.
        self._further = find is not None
        self._clock = clock

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Run one request."""
        gate = self.limits
        stages = gate.everywhere
        if stages is None:
            stages = gate.find(environ.get("REQUEST_METHOD", "GET"), wsgi_path(environ))
        now = self._clock()
        met = gate.decide(stages, environ, now) if stages else ()
        receipt: Receipt | None = environ.get(LIMITS)
        if not isinstance(met, tuple):
            if receipt is not None:
                receipt.give_back(now)
            return refuse(met, environ, start_response)
        if met or gate.tell is not None:
            if receipt is None:
                environ[LIMITS] = receipt = _new(Receipt)  # `Receipt.begin` written out
                receipt.met = met
                receipt.declared = ()
                receipt.clock = self._clock
            else:
                receipt.met = (*receipt.met, *met)
            if gate.tell is not None:
                own = None if self._further else gate.tell(met, now)
                start_response = partial(_start_headed, start_response, gate, receipt, met, own)
        return self.app(environ, start_response)


def _start_headed(
    start_response: "StartResponse",
    gate: LimitGate,
    receipt: Receipt,
    met: Met,
    own: Rows | None,
    status: str,
    headers: list[tuple[str, str]],
    exc_info: ExcInfo | None = None,
) -> Callable[[bytes], object]:
    """Start the response with headers more, each unless it is there already.

    `own` tell of what was `met` here; where there is more on the receipt, they are made anew.
    """
    rows = own
    if rows is None or receipt.met is not met:
        rows = [] if gate.tell is None else gate.tell(receipt.told, receipt.clock())
    for name, _ in headers:
        if name[:1] in "RrXx" and name.lower() in NAMES:
            names = {given.lower() for given, _ in headers}
            rows = [row for row in rows if row[0] not in names]
            break
    if exc_info is None:  # servers count their arguments
        return start_response(status, [*headers, *rows])
    return start_response(status, [*headers, *rows], exc_info)
