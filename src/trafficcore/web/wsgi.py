"""`WsgiTraffic`: an engine in front of a WSGI application.

A request that has to wait for a quota waits in its own thread, so a policy that queues wants a
server with threads to spare. Never do all of them wait: see `room`.
"""

import time
from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from trafficcore.engine import Engine, Permit, Queued, Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.drivers import driver_of
from trafficcore.live.limits import Limit
from trafficcore.web.facts import Labels, Read, seen_at, wsgi_facts
from trafficcore.web.receipt import LIMITS
from trafficcore.web.refuse import answer, is_grpc
from trafficcore.web.response import Body, SizedBody, WatchedExchange, WsgiExchange
from trafficcore.web.room import Room

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

__all__ = ["WsgiTraffic", "refuse"]

#: The engines that have charged this request, each with the permit it gave.
_CHARGED = "trafficcore.charged"


class WsgiTraffic:
    """Admits each request (inbound), answers refusals itself, settles at the body's last item.

    The application finds its permit as `environ["trafficcore.permit"]`. `request_labels` is called
    with the environ and returns labels that rules may look at. *Slow* is measured to
    `start_response`; with `slow="end"` to the end of the body. With `slow_in_flight` a request that
    hangs is slow before it ends, at the price of a lock in each. `threads` is how many the server
    runs: all but one of them may wait for a quota, the next is refused at once. None: the most that
    were seen at work at once. Where there is but one thread nobody waits.

    With `control_point` it stands at a place of the application's own, such as around a part of it
    that is mounted somewhere: only policies that name the place act, and they do so beside those
    that the same engine has applied further out.

    `limits` are rate limits without a manifest, with an engine or without one; `problem` answers
    their refusals as problem documents. `headers` (`ietf` or `envoy`) tells clients what is left of
    them, and of the rate limits that manifests set. Raises `ConfigError` for what cannot be.
    """

    def __new__(  # noqa: PYI034  # or a subclass
        cls, *_: Any, limits: Any = None, headers: Any = "none", problem: Any = False, **__: Any
    ) -> "WsgiTraffic":
        """Choose the class that does no more than is asked for."""
        if limits is None and (headers == "none" or problem):
            return object.__new__(cls)
        from trafficcore.web.wsgi_limits import WsgiLimits

        return object.__new__(WsgiLimits)

    def __init__(
        self,
        app: "WSGIApplication",
        engine: Engine | None = None,
        *,
        limits: Iterable[Limit] | None = None,  # noqa: ARG002  # with some it is WsgiLimits
        headers: str = "none",  # noqa: ARG002  # with others as well
        problem: bool = False,
        request_labels: Labels | None = None,
        control_point: str = "",
        slow: Literal["start", "end"] = "start",
        slow_in_flight: bool = False,
        threads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if engine is None:
            raise ConfigError("WsgiTraffic needs an engine, or limits")
        if not isinstance(engine, Engine):
            raise ConfigError(f"engine must be an Engine (Engine.load(…)), not {engine!r}")
        if problem:
            raise ConfigError("problem says how limits answer: there are none")
        if slow not in ("start", "end"):
            raise ConfigError(f"slow must be 'start' or 'end', not {slow!r}")
        self.app = app
        self.engine = engine
        #: What says in a request who charged it: this engine, or one of its places.
        self._mark = (engine, control_point) if control_point else engine
        self._labels = request_labels
        #: What reads a request.
        self.read: Read = seen_at(control_point, wsgi_facts) if control_point else wsgi_facts
        self._from_start = slow == "start"
        self._in_flight = slow_in_flight
        self._exchange = WatchedExchange if slow_in_flight else WsgiExchange
        self._clock = clock
        self._driver = driver_of(engine, clock)
        self._room = Room(threads)

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Run one request."""
        charged = environ.get(_CHARGED, ())
        if (charged or "asgi.scope" in environ) and _has_charged(self._mark, environ, charged):
            return self.app(environ, start_response)
        clock = self._clock
        if self._in_flight:
            self.engine.policies.table.look(clock())
        verdict = self.engine.admit(self.read(environ, self._labels), clock())
        if isinstance(verdict, Queued):
            verdict = self._wait(verdict, environ)
        if isinstance(verdict, Rejection):
            _give_back(environ, clock())
            return refuse(verdict, environ, start_response)
        environ["trafficcore.permit"] = verdict
        environ[_CHARGED] = (*charged, (self._mark, verdict))
        if self._in_flight:
            verdict.watch()
        exchange = self._exchange()
        exchange.permit = verdict
        exchange.server = start_response
        exchange.clock = clock
        exchange.from_start = self._from_start
        exchange.complete = environ.get("REQUEST_METHOD") == "HEAD"
        exchange.left = inf
        exchange.over = False
        try:
            body: Any = self.app(environ, exchange.start_response)
            if hasattr(body, "__len__"):
                return SizedBody(body, exchange, len(body))
            return Body(body, exchange)
        except BaseException as error:
            exchange.failed(error)
            raise

    def _wait(self, ticket: Queued, environ: dict[str, Any]) -> Any:
        """Wait in this thread if there is room for it; return the verdict."""
        room = self._room
        if not room.enter(environ, ticket):
            now = self._clock()
            if self.engine.cancel(ticket, now):
                self._driver.kick()
                return self.engine.refuse.crowded(ticket, now)
            return self._driver.park_thread(ticket)  # it is decided already
        try:
            return self._driver.park_thread(ticket)
        except BaseException:
            _give_back(environ, self._clock())
            raise
        finally:
            room.leave()


def _has_charged(mark: Any, environ: dict[str, Any], charged: Iterable[tuple[Any, Permit]]) -> bool:
    """Whether the engine stands further out around this very request, on either protocol."""
    if any(other == mark and not permit.settled for other, permit in charged):
        return True
    scope = environ.get("asgi.scope")  # put there by bridges from ASGI
    return scope is not None and mark in scope.get(_CHARGED, ())


def _give_back(environ: dict[str, Any], now: float) -> None:
    """Give limits further out their tokens back: the request is refused, or nobody waits for it."""
    if LIMITS in environ:
        environ[LIMITS].give_back(now)


def refuse(
    rejection: Rejection, environ: dict[str, Any], start_response: "StartResponse"
) -> Iterable[bytes]:
    """Answer with a refusal."""
    head = environ.get("REQUEST_METHOD") == "HEAD"
    grpc = is_grpc(environ.get("CONTENT_TYPE"))
    status, reason, headers, body = answer(rejection, head=head, grpc=grpc)
    start_response(f"{status} {reason}", headers)
    return [body] if body else []
