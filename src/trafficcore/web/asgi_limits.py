"""`AsgiLimits`: limits without a manifest in front of an ASGI application, and of an engine.

What `AsgiTraffic(app, limits=[…])` makes. A request that a limit refuses is answered here; one
that an engine refuses further in gets its tokens back.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, Literal

from trafficcore.engine import Engine
from trafficcore.errors import ConfigError
from trafficcore.live.limits import Limit
from trafficcore.web.asgi import AsgiTraffic, refuse
from trafficcore.web.declared import Declared
from trafficcore.web.exchange import AsgiApp, Message, Receive, Scope, Send
from trafficcore.web.facts import Labels, under
from trafficcore.web.limit_headers import NAMES, RawRows
from trafficcore.web.limits import LimitGate, Met
from trafficcore.web.receipt import LIMITS, Receipt

__all__ = ["AsgiLimits"]

RawHeader = tuple[bytes, bytes]

_KINDS: Final = ("http", "websocket")
_STARTS: Final = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_new: Final = object.__new__
_NAMES: Final = frozenset(name.encode("ascii") for name in NAMES)


class AsgiLimits(AsgiTraffic):
    """Takes a token of each limit that is about a request, or refuses it.

    `limits` is the gate: `limits["name"]` is a limit at work, its counts and its `shadow`.
    """

    limits: LimitGate

    def __init__(
        self,
        app: AsgiApp,
        engine: Engine | None = None,
        *,
        limits: Iterable[Limit] | None = None,
        headers: str = "none",
        problem: bool = False,
        request_labels: Labels | None = None,
        control_point: str = "",
        slow: Literal["start", "end"] = "start",
        slow_in_flight: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if engine is None and limits is None:
            raise ConfigError("AsgiTraffic needs an engine, or limits")
        find = None
        if engine is not None:
            self.engine = engine
            app = inner = AsgiTraffic(
                app,
                engine,
                request_labels=request_labels,
                control_point=control_point,
                slow=slow,
                slow_in_flight=slow_in_flight,
                clock=clock,
            )
            if headers != "none":
                declared = Declared(engine)
                read = inner.read
                inner.read = declared.noting(read, clock)
                find = lambda scope: declared.find(read(scope, request_labels))  # noqa: E731
        self.app = app
        self.limits = LimitGate(limits or (), headers=headers, problem=problem, declared=find)
        #: Whether limits further in are told of as well, which the request has yet to meet.
        self._further = find is not None
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one connection's scope."""
        if scope["type"] not in _KINDS:
            await self.app(scope, receive, send)
            return
        gate = self.limits
        stages = gate.everywhere
        if stages is None:
            path = scope["path"]
            root = scope.get("root_path")
            if root:
                path = under(root.rstrip("/"), path)
            stages = gate.find(scope.get("method", "GET"), path)
        now = self._clock()
        met = gate.decide(stages, scope, now) if stages else ()
        receipt: Receipt | None = scope.get(LIMITS)
        if not isinstance(met, tuple):
            if receipt is not None:
                receipt.give_back(now)
            await refuse(met, scope, send)
            return
        if met or gate.tell is not None:
            if receipt is None:
                scope[LIMITS] = receipt = _new(Receipt)  # `Receipt.begin` written out
                receipt.met = met
                receipt.declared = ()
                receipt.clock = self._clock
            else:
                receipt.met = (*receipt.met, *met)
            if gate.tell is not None:
                own = None if self._further else gate.tell(met, now)
                send = partial(_send_headed, send, gate, receipt, met, own)
        await self.app(scope, receive, send)


def _send_headed(
    send: Send, gate: LimitGate, receipt: Receipt, met: Met, own: RawRows | None, message: Message
) -> Awaitable[None]:
    """Send a message, with headers where the response starts, each unless it is there already.

    `own` tell of what was `met` here; where there is more on the receipt, they are made anew.
    A plain function that returns the server's own awaitable, and `partial` of it: a coroutine more
    would cost more than all the rest of it, and a nested function as much again.
    """
    if message["type"] in _STARTS:
        if own is None or receipt.met is not met:
            own = _retold(gate, receipt)
        given = message.get("headers") or ()
        headers = [*given, *own]
        for name, _ in given:
            if name in _NAMES:
                headers = _once(given, own)
                break
        message = dict(message)  # the application's own stays as it is
        message["headers"] = headers
    return send(message)


def _retold(gate: LimitGate, receipt: Receipt) -> RawRows:
    """Return what there is to tell of all limits that a request met, here and elsewhere."""
    rows: RawRows = [] if gate.tell is None else gate.tell(receipt.told, receipt.clock())
    return rows


def _once(given: Iterable[RawHeader], own: Iterable[RawHeader]) -> list[RawHeader]:
    names = {name for name, _ in given}
    return [*given, *(row for row in own if row[0] not in names)]
