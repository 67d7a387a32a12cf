"""`AsgiTraffic`: an engine in front of an ASGI application.

Pure ASGI: every message passes untouched, in the task that sends it. Scopes that are neither
`http` nor `websocket`, such as `lifespan`, pass through as if nothing stood here.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from trafficcore.engine import Engine, Permit, Queued, Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.drivers import driver_of
from trafficcore.live.limits import Limit
from trafficcore.outcome import Outcome
from trafficcore.web.exchange import (
    CHARGED,
    AsgiApp,
    HttpExchange,
    Receive,
    Scope,
    Send,
    WatchedExchange,
    WebSocketExchange,
)
from trafficcore.web.facts import Labels, Read, asgi_facts, seen_at
from trafficcore.web.receipt import LIMITS
from trafficcore.web.refuse import answer, is_grpc
from trafficcore.web.waiting import Replay, wait

__all__ = ["AsgiTraffic", "refuse"]

CANCELLED, FAILURE = Outcome.CANCELLED, Outcome.FAILURE
#: RFC 6455's "try again later"; before the accept a server makes it a 403.
_TRY_AGAIN: Final = 1013


class AsgiTraffic:
    """Admits each request (inbound), answers refusals itself, settles at the body's last byte.

    The application finds its permit as `scope["state"]["traffic"]` (Starlette:
    `request.state.traffic`). `request_labels` is called with the scope and returns labels that
    rules may look at. *Slow* is measured to the start of the response; with `slow="end"` to its
    last byte. A websocket is one request, from its upgrade to its close, and never slow. With
    `slow_in_flight` a request that hangs is slow before it ends, at the price of a lock in each.

    With `control_point` it stands at a place of the application's own, such as around a part of it
    that is mounted somewhere: only policies that name the place act, and they do so beside those
    that the same engine has applied further out.

    `limits` are rate limits without a manifest, with an engine or without one; `problem` answers
    their refusals as problem documents. `headers` (`ietf` or `envoy`) tells clients what is left of
    them, and of the rate limits that manifests set. Raises `ConfigError` for what cannot be.
    """

    def __new__(  # noqa: PYI034  # or a subclass
        cls, *_: Any, limits: Any = None, headers: Any = "none", problem: Any = False, **__: Any
    ) -> "AsgiTraffic":
        """Choose the class that does no more than is asked for."""
        if limits is None and (headers == "none" or problem):
            return object.__new__(cls)
        from trafficcore.web.asgi_limits import AsgiLimits

        return object.__new__(AsgiLimits)

    def __init__(
        self,
        app: AsgiApp,
        engine: Engine | None = None,
        *,
        limits: Iterable[Limit] | None = None,  # noqa: ARG002  # with some it is AsgiLimits
        headers: str = "none",  # noqa: ARG002  # with others as well
        problem: bool = False,
        request_labels: Labels | None = None,
        control_point: str = "",
        slow: Literal["start", "end"] = "start",
        slow_in_flight: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if engine is None:
            raise ConfigError("AsgiTraffic needs an engine, or limits")
        if not isinstance(engine, Engine):
            raise ConfigError(f"engine must be an Engine (Engine.load(…)), not {engine!r}")
        if problem:
            raise ConfigError("problem says how limits answer: there are none")
        if slow not in ("start", "end"):
            raise ConfigError(f"slow must be 'start' or 'end', not {slow!r}")
        self.app = app
        self.engine = engine
        #: What a scope says of who charged its request: this engine, or one of its places.
        self._mark = (engine, control_point) if control_point else engine
        #: The same, where it is this one alone.
        self._alone = (self._mark,)
        self._labels = request_labels
        #: What reads a request.
        self.read: Read = seen_at(control_point, asgi_facts) if control_point else asgi_facts
        self._from_start = slow == "start"
        self._in_flight = slow_in_flight
        self._exchange = WatchedExchange if slow_in_flight else HttpExchange
        self._clock = clock
        self._driver = driver_of(engine, clock)

    async def __call__(  # noqa: C901, PLR0912, PLR0915
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Run one connection's scope. Flat, as measured: each coroutine more costs half a floor."""
        kind, engine, clock = scope["type"], self.engine, self._clock
        charged = scope.get(CHARGED, ())
        if kind not in ("http", "websocket") or self._mark in charged:
            await self.app(scope, receive, send)
            return
        if self._in_flight:
            engine.policies.table.look(clock())
        verdict: Any = engine.admit(self.read(scope, self._labels), clock())
        replay = None
        if not isinstance(verdict, Permit):
            try:
                if isinstance(verdict, Queued):
                    replay = receive = Replay(receive)
                    verdict = await self._wait(verdict, replay)
            finally:  # refused, or nobody waits any more: limits further out have their tokens back
                if LIMITS in scope and not isinstance(verdict, Permit):
                    scope[LIMITS].give_back(clock())
            if isinstance(verdict, Rejection):
                await refuse(verdict, scope, send)
            if not isinstance(verdict, Permit):
                return
        state = scope.get("state")
        # the state is this request's by the spec; where a permit is in it already, a server shares
        # it all the same, or another engine stands further out: both must keep theirs
        if state is None or "traffic" in state:
            state = dict(state or ())
        state["traffic"] = verdict
        inner = {
            **scope,
            "state": state,
            CHARGED: (*charged, self._mark) if charged else self._alone,
        }
        exchange: HttpExchange | WebSocketExchange
        if kind == "http":
            exchange = self._exchange()
            exchange.permit = verdict
            exchange.server = receive
            exchange.to_server = send
            exchange.clock = clock
            exchange.from_start = self._from_start
            exchange.inner = inner
            exchange.outer = scope
            exchange.over = False
            exchange.trailers = False
            if self._in_flight:
                verdict.watch()
        else:
            exchange = WebSocketExchange(verdict, receive, send, clock)
        try:
            await self.app(inner, exchange.receive, exchange.send)
        except Exception:
            verdict.settle(FAILURE, clock(), 500)
            raise
        except BaseException:  # cancelled: nobody waits for the answer any more
            verdict.settle(CANCELLED, clock())
            raise
        finally:
            if replay is not None:
                replay.close()
        if not exchange.over:
            exchange.ended()

    async def _wait(self, ticket: Queued, replay: Replay) -> Permit | Rejection | None:
        """Return the verdict; None: the client has left first, and is answered by nobody."""
        verdict = None
        try:
            verdict = await wait(self.engine, self._driver, ticket, replay, self._clock)
        finally:
            if not isinstance(verdict, Permit):
                replay.close()
        return verdict


async def refuse(rejection: Rejection, scope: Scope, send: Send) -> None:
    """Send a refusal; a websocket's as a response where the server can, else as a close."""
    prefix = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or ()):
            await send({"type": "websocket.close", "code": _TRY_AGAIN, "reason": ""})
            return
        prefix = "websocket.http.response"
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    grpc = is_grpc(kind.decode("latin-1"))
    status, _, headers, body = answer(rejection, head=scope.get("method") == "HEAD", grpc=grpc)
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": f"{prefix}.start", "status": status, "headers": raw})
    await send({"type": f"{prefix}.body", "body": body, "more_body": False})
