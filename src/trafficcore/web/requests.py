"""`TrafficAdapter`: what guards the calls of a requests session, put under it by one `mount`.

Each request, also each hop of a redirect, is admitted as *outbound*, sent to the endpoint that the
engine picks, and reported back by the way it ends (`call.py` holds that law). What is tried again
is tried here. It waits no longer than its timeouts: requests by itself waits for ever.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal

from requests.adapters import DEFAULT_POOLBLOCK, DEFAULT_POOLSIZE, HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import ConnectionError as BrokenConnection
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import EmptyPoolError, HTTPError
from urllib3.util import Timeout

from trafficcore.engine import Engine, Queued, Rejection
from trafficcore.spec import Retries
from trafficcore.web.call import Call
from trafficcore.web.client_gate import gate_of
from trafficcore.web.facts import Labels
from trafficcore.web.outbound import Breaking, Limiting
from trafficcore.web.persist import persist
from trafficcore.web.requests_library import (
    CallRefused,
    FileUpload,
    Raw,
    facts_of,
    host_of,
    in_hand,
    in_memory,
    judge,
    refusal,
    timeouts_of,
)
from trafficcore.web.requests_pool import POOLS
from trafficcore.web.target import split_address
from trafficcore.web.timeouts import DEFAULT, Timeouts, Timing, read_timeouts

__all__ = ["CallRefused", "TrafficAdapter"]

#: Where a prepared request carries the endpoint chosen for it.
_ENDPOINT: Final = "trafficcore_endpoint"


class TrafficAdapter(HTTPAdapter):
    """An adapter for `session.mount("https://", TrafficAdapter())` that keeps to policies.

    Without an `engine` there is a breaker a host (`breaker`: `Breakers(...)` with settings of your
    own, one `CircuitBreaker` for all, or None), and what `limit` says: a rate a host (`"10/s"`), a
    `Limit`, or several. With one, the policies are its manifests'.

    `retries` is how calls are tried again: `Retries(...)`, or how often; with an engine, where no
    route of a VirtualService says it. `timeout` is for requests that bring none: seconds, or
    `(connect, read)`; None: as long as it takes.

    A refusal is a response with the policy's status, headers and body; `raise_on_refusal` raises
    `CallRefused`, a `Rejected` and a `RequestException`. `response.trafficcore` is the permit, or
    the `Rejection` that refused. `request_labels`, `slow` and `slow_in_flight` are as those of
    `TrafficTransport`, the pool's settings those of `HTTPAdapter`: with `pool_block` a call waits
    for a free connection as long as it would for a new one. Who must queue waits in the calling
    thread, and no longer than the timeout of a connection.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        breaker: Breaking = True,
        limit: Limiting = None,
        retries: Retries | int | None = None,
        timeout: Timing = DEFAULT,
        request_labels: Labels | None = None,
        slow: Literal["start", "end"] = "start",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        raise_on_refusal: bool = False,
        slow_in_flight: bool = True,
        pool_connections: int = DEFAULT_POOLSIZE,
        pool_maxsize: int = DEFAULT_POOLSIZE,
        pool_block: bool = DEFAULT_POOLBLOCK,
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
            judge=judge,
        )
        self._labels = request_labels
        self._timeouts = read_timeouts(timeout)
        self._sleep = sleep
        super().__init__(pool_connections, pool_maxsize, 0, pool_block)

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("a TrafficAdapter counts for its own process and cannot be pickled")

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Any:
        """Send one request; called by the session."""
        gate = self._gate
        facts = facts_of(request, self._labels)
        # whatever may be wrong with these is told before there is a permit that it could lose
        policy = gate.retries(facts)
        how = {"stream": stream, "verify": verify, "cert": cert, "proxies": proxies}
        waits = self._timed(timeout)
        send = partial(self._send, request, timeout, waits, how)
        verdict = gate.admit(facts)
        if isinstance(verdict, Queued):
            verdict = gate.wait(self, request, verdict, waits.connect)
        if isinstance(verdict, Rejection):
            return gate.refuse(self, request, verdict)
        if policy is None:
            return send(gate.call(verdict))
        tries = gate.tries(policy, facts, verdict)
        return persist(gate, tries, verdict, send, _keep, _discard, self._sleep)

    def _send(
        self,
        request: Any,
        own: Any,
        timeouts: Timeouts,
        how: dict[str, Any],
        call: Call,
        most: float | None = None,
    ) -> Any:
        try:
            waits = timeouts.within(most, call.connect)
            timeout: Any = (waits.connect, waits.read)
            if isinstance(own, Timeout) and waits is timeouts:
                timeout = own  # it may bound both together
            aimed = _aimed(request, call)
            if call.permit.endpoint is not None:  # of which a proxy would know nothing
                how = {**how, "proxies": None}
            response = super().send(aimed, timeout=timeout, **how)
            return _tracked(response, request, call)
        except EmptyPoolError as error:  # which requests does not know
            call.failed(error)
            raise ConnectTimeout(error, request=request) from error
        except BaseException as error:
            call.failed(error)
            raise

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make the pools, which wait for a free connection no longer than for a new one."""
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: Any, **more: Any) -> Any:
        """Return the pools behind a proxy; likewise."""
        manager = super().proxy_manager_for(proxy, **more)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def _timed(self, timeout: Any) -> Timeouts:
        """Return the timeouts of one request: its own, or those for requests that bring none."""
        if timeout is None:
            return self._timeouts
        return timeouts_of(timeout) if isinstance(timeout, Timeout) else read_timeouts(timeout)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Name the pool of connections: the endpoint's, with the TLS name of the URL."""
        place, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        address = getattr(request, _ENDPOINT, None)
        if address is not None:
            host, port = split_address(address)
            if place["scheme"] == "https":
                tls = {**tls, "server_hostname": place["host"]}
            place = {**place, "host": host, "port": place["port"] if port is None else port}
        return place, tls

    # What a gate asks of a library

    def refusal(self, request: Any, rejection: Rejection) -> Any:
        """Return the response that a refusal is to the application."""
        response: Any = self.build_response(
            request, refusal(rejection, head=request.method == "HEAD")
        )
        response.trafficcore = rejection
        return response

    def refused(self, request: Any, rejection: Rejection, source: str) -> CallRefused:
        """Return what is raised in the place of that response."""
        return CallRefused(request, rejection, source)

    def too_late(self, request: Any, message: str) -> Exception:
        """Return what is raised where that was not long enough."""
        return ConnectTimeout(message, request=request)

    def snapshot(self) -> dict[str, Any]:
        """Return what guards the calls, and what came of retries, as plain data."""
        return self._gate.snapshot()


def _aimed(request: Any, call: Call) -> Any:
    """Return a request to the endpoint chosen for it, the caller's own where nothing changes."""
    endpoint, body = call.permit.endpoint, request.body
    streamed = not in_memory(body)
    if endpoint is None and not streamed:
        return request
    aimed = request.copy()
    if streamed:
        aimed.body = call.upload = FileUpload(body)
    if endpoint is not None:
        setattr(aimed, _ENDPOINT, endpoint.address)
        aimed.headers.setdefault("Host", host_of(request.url))
    return aimed


def _tracked(response: Any, request: Any, call: Call) -> Any:
    """Have a response tell its call how it goes on."""
    response.request = request
    response.trafficcore = call.permit
    if call.permit.set_cookie is not None:
        _give_cookie(response, request, call.permit.set_cookie)
    call.answered(response.status_code, response.headers.get("grpc-status"))
    if response.raw.length_remaining == 0:  # no body, nobody to read it
        call.finish()
    response.raw = Raw(response.raw, call)
    return response


def _give_cookie(response: Any, request: Any, cookie: str) -> None:
    """Add a cookie where the session will look for a server's: it keeps it like one of those."""
    response.raw.headers.add("set-cookie", cookie)
    response.headers["set-cookie"] = response.raw.headers["set-cookie"]
    original = getattr(response.raw, "_original_response", None)
    if original is not None:
        original.msg.add_header("set-cookie", cookie)
        extract_cookies_to_jar(response.cookies, request, response.raw)


def _keep(response: Any) -> None:
    """Take the body of an answer into memory, so that its connection is free."""
    try:
        response.raw = in_hand(response.raw, response.request.method)
    except HTTPError as error:
        raise BrokenConnection(error, request=response.request) from error


def _discard(response: Any) -> None:
    """Let go of an answer that is tried again; what is wrong with its end is of no interest."""
    with suppress(Exception):
        response.close()
