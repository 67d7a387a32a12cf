"""`TrafficTransport`, `AsyncTrafficTransport`: what guards the calls of httpx2 or httpx clients.

Each request, also each hop of a redirect, is admitted as *outbound*, sent to the endpoint that the
engine picks, and reported back by the way it ends (`call.py` holds that law). A refusal becomes an
ordinary response, as a mesh's sidecar would answer. What is tried again is tried here, a try at a
time: each is admitted and settled like a call of its own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from trafficcore.engine import Engine, Queued, Rejection
from trafficcore.spec import Retries
from trafficcore.web.call import Call
from trafficcore.web.client_gate import gate_of
from trafficcore.web.facts import Labels
from trafficcore.web.httpx_library import Library, library_of, outbound_facts, with_bases
from trafficcore.web.httpx_pools import Pools
from trafficcore.web.outbound import Breaking, Limiting
from trafficcore.web.persist import persist, persist_async, within
from trafficcore.web.timeouts import DEFAULT, Timing, read_timeouts

if TYPE_CHECKING:
    import httpx
    import httpx2

    class _Sync(httpx2.BaseTransport, httpx.BaseTransport):
        def handle_request(self, request: Any) -> Any: ...
        def __enter__(self) -> Self: ...

    class _Async(httpx2.AsyncBaseTransport, httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: Any) -> Any: ...
        async def __aenter__(self) -> Self: ...
else:
    _Sync = _Async = object

__all__ = ["AsyncTrafficTransport", "TrafficTransport"]

Slow = Literal["start", "end"]


class TrafficTransport(_Sync):
    """A transport for `httpx2.Client` and `httpx.Client` that keeps to policies.

    With an `engine` the policies are its manifests'. Without one, there is a breaker a host
    (`breaker`: `Breakers(...)` with settings of your own, one `CircuitBreaker` for all, or None),
    and what `limit` says: a rate a host (`"10/s"`), a `Limit`, or several.

    `retries` is how calls are tried again: `Retries(...)`, or how often; with an engine, where no
    route of a VirtualService says it. `timeout` is for requests that say nothing of it (a client
    always does): seconds, or `(connect, read)`.

    `transport` is what sends (None: the library's own `HTTPTransport`). A refusal is a response
    with the policy's status, headers and body; `raise_on_refusal` raises `Rejected` instead.
    `response.extensions["trafficcore"]` is the permit, or the `Rejection` that refused.
    `request_labels` is called with each request and adds labels that rules may look at. `slow`
    says whether a slow call is told at the response's start or at its last byte; with
    `slow_in_flight` a call that hangs counts as slow before it ends, so that a service from which
    nothing comes back trips its breaker.

    Who must queue waits in the calling thread, and no longer than the client's `pool` timeout:
    waiting for a turn is waiting for a connection, and ends in the same `PoolTimeout`.
    """

    def __new__(cls, *_args: Any, **_settings: Any) -> Self:
        """Make it one of the libraries' own kind as well."""
        return object.__new__(with_bases(cls, "BaseTransport"))

    def __init__(
        self,
        engine: Engine | None = None,
        transport: "httpx2.BaseTransport | httpx.BaseTransport | None" = None,
        *,
        breaker: Breaking = True,
        limit: Limiting = None,
        retries: Retries | int | None = None,
        timeout: Timing = DEFAULT,
        request_labels: Labels | None = None,
        slow: Slow = "start",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        raise_on_refusal: bool = False,
        slow_in_flight: bool = True,
    ) -> None:
        self._gate = gate_of(
            engine,
            breaker,
            limit,
            retries,
            slow,
            clock,
            raise_on_refusal=raise_on_refusal,
            slow_in_flight=slow_in_flight,
        )
        self._labels = request_labels
        self._timeouts = read_timeouts(timeout)
        self._sleep = sleep
        self._pools = Pools(transport, "HTTPTransport")

    def handle_request(self, request: Any) -> Any:
        """Send one request; called by the client."""
        library = library_of(request)
        self._pools.prepare(library)
        facts = outbound_facts(request, self._labels)
        policy = self._gate.retries(facts)
        verdict = self._gate.admit(facts)
        if isinstance(verdict, Queued):
            verdict = self._gate.wait(library, request, verdict, library.patience(request))
        if isinstance(verdict, Rejection):
            return self._gate.refuse(library, request, verdict)
        if policy is None:
            return self._send(library, request, self._gate.call(verdict))
        return persist(
            self._gate,
            self._gate.tries(policy, facts, verdict),
            verdict,
            partial(self._send, library, request),
            library.keep,
            library.discard,
            self._sleep,
        )

    def _send(self, library: Library, request: Any, call: Call, most: float | None = None) -> Any:
        try:
            aimed = library.aimed(request, call, self._timeouts, most)
            response = self._pools.of(library, aimed).handle_request(aimed)
            if most is not None:
                library.begun(request, aimed, call, self._timeouts)
            return library.tracked(response, call)
        except BaseException as error:
            call.failed(error)
            raise

    def snapshot(self) -> dict[str, Any]:
        """Return what guards the calls, and what came of retries, as plain data."""
        return self._gate.snapshot()

    def close(self) -> None:
        """Close what is underneath."""
        for pool in self._pools.all():
            pool.close()

    def __enter__(self) -> Self:
        for pool in self._pools.all():
            pool.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        for pool in self._pools.all():
            pool.__exit__(exc_type, exc_value, traceback)


class AsyncTrafficTransport(_Async):
    """The same for `httpx2.AsyncClient` and `httpx.AsyncClient`; who must queue waits in the loop.

    A call that is cancelled while it waits leaves the queue at once.
    """

    def __new__(cls, *_args: Any, **_settings: Any) -> Self:
        """Make it one of the libraries' own kind as well."""
        return object.__new__(with_bases(cls, "AsyncBaseTransport"))

    def __init__(
        self,
        engine: Engine | None = None,
        transport: "httpx2.AsyncBaseTransport | httpx.AsyncBaseTransport | None" = None,
        *,
        breaker: Breaking = True,
        limit: Limiting = None,
        retries: Retries | int | None = None,
        timeout: Timing = DEFAULT,
        request_labels: Labels | None = None,
        slow: Slow = "start",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        raise_on_refusal: bool = False,
        slow_in_flight: bool = True,
    ) -> None:
        self._gate = gate_of(
            engine,
            breaker,
            limit,
            retries,
            slow,
            clock,
            raise_on_refusal=raise_on_refusal,
            slow_in_flight=slow_in_flight,
        )
        self._labels = request_labels
        self._timeouts = read_timeouts(timeout)
        self._sleep = sleep
        self._pools = Pools(transport, "AsyncHTTPTransport")

    async def handle_async_request(self, request: Any) -> Any:
        """Send one request; called by the client."""
        library = library_of(request)
        self._pools.prepare(library)
        facts = outbound_facts(request, self._labels)
        policy = self._gate.retries(facts)
        verdict = self._gate.admit(facts)
        if isinstance(verdict, Queued):
            verdict = await self._gate.wait_async(
                library, request, verdict, library.patience(request)
            )
        if isinstance(verdict, Rejection):
            return self._gate.refuse(library, request, verdict)
        if policy is None:
            return await self._send(library, request, self._gate.call(verdict))
        return await persist_async(
            self._gate,
            self._gate.tries(policy, facts, verdict),
            verdict,
            partial(self._send, library, request),
            library.keep_async,
            library.discard_async,
            self._sleep,
        )

    async def _send(
        self, library: Library, request: Any, call: Call, most: float | None = None
    ) -> Any:
        try:
            aimed = library.aimed(request, call, self._timeouts, most)
            sending = self._pools.of(library, aimed).handle_async_request(aimed)
            response = await (sending if most is None else within(library, sending, most))
            if most is not None:
                library.begun(request, aimed, call, self._timeouts)
            return library.tracked(response, call, asynchronous=True)
        except BaseException as error:
            call.failed(error)
            raise

    def snapshot(self) -> dict[str, Any]:
        """Return what guards the calls, and what came of retries, as plain data."""
        return self._gate.snapshot()

    async def aclose(self) -> None:
        """Close what is underneath."""
        for pool in self._pools.all():
            await pool.aclose()

    async def __aenter__(self) -> Self:
        for pool in self._pools.all():
            await pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        for pool in self._pools.all():
            await pool.__aexit__(exc_type, exc_value, traceback)
