"""The client shell in process: what goes in, what comes out, and that each call settles once.

Every test runs over httpx2 and over plain httpx.
"""

import asyncio
import gc
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

from support.outbound import (
    HOST,
    SOURCE,
    URL,
    breaker,
    ejected,
    ejection,
    engine,
    limit,
    outbound,
    scope,
)
from trafficcore.engine import Facts, Permit, Rejection
from trafficcore.errors import ConfigError, Rejected
from trafficcore.outcome import Reason
from trafficcore.spec import (
    ConsistentHash,
    Destination,
    Direction,
    HashCookie,
    Limit,
    RateLimitRule,
    TrafficPolicy,
)
from trafficcore.web.asgi import AsgiTraffic
from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport
from trafficcore.web.httpx_library import library_of, outbound_facts
from trafficcore.web.httpx_pools import Pools

A, B = "10.0.0.1:8080", "10.0.0.2:8080"


@pytest.fixture(params=["httpx2", "httpx"])
def lib(request):
    return import_module(request.param)


@pytest.fixture(params=["sync", "async"])
def way(request):
    return request.param


class Service:
    """What a transport underneath would reach: answers or raises what it is told to."""

    def __init__(self, lib, status=200, body=b"body", error=None, broken=None, headers=()):
        self.lib = lib
        self.status = status
        self.body = body
        self.error = error
        self.broken = broken
        self.headers = list(headers)
        self.requests = []
        self.closed = 0

    def answer(self, request, stream):
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return self.lib.Response(self.status, headers=self.headers, stream=stream)


def transport_of(way, service):
    """Return an inner transport whose bodies are streams, as those of a network are."""
    lib = service.lib

    class Stream(lib.SyncByteStream):
        def __iter__(self):
            yield service.body
            if service.broken is not None:
                raise service.broken

        def close(self):
            service.closed += 1

    class AsyncStream(lib.AsyncByteStream):
        async def __aiter__(self):
            await asyncio.sleep(0)
            yield service.body
            if service.broken is not None:
                raise service.broken

        async def aclose(self):
            service.closed += 1

    class Inner(lib.BaseTransport):
        def handle_request(self, request):
            request.read()
            return service.answer(request, Stream())

    class AsyncInner(lib.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await request.aread()
            return service.answer(request, AsyncStream())

    return Inner() if way == "sync" else AsyncInner()


def call(way, service, engine, *urls, method="GET", act=None, client=None, **settings):
    """Make calls through a client in either way; return the last response."""
    lib = service.lib
    inner = transport_of(way, service)
    urls = urls or (URL,)
    if way == "sync":
        transport = TrafficTransport(engine, inner, **settings)
        with lib.Client(transport=transport, **(client or {})) as session:
            for url in urls:
                if act is None:
                    response = session.request(method, url)
                    continue
                with session.stream(method, url) as response:
                    act(response)
        return response

    async def run():
        transport = AsyncTrafficTransport(engine, inner, **settings)
        async with lib.AsyncClient(transport=transport, **(client or {})) as session:
            for url in urls:
                if act is None:
                    response = await session.request(method, url)
                    continue
                async with session.stream(method, url) as response:
                    act(response)
        return response

    return asyncio.run(run())


def test_an_admitted_call_carries_its_permit_and_leaves_nothing_in_flight(lib, way, clock):
    gate = engine(limit(5))
    service = Service(lib)
    response = call(way, service, gate, clock=clock)
    permit = response.extensions["trafficcore"]
    assert isinstance(permit, Permit)
    assert permit.settled
    assert permit.status == 200
    assert response.content == b"body"
    assert service.closed == 1
    assert outbound(gate) == {
        "admitted": 1,
        "in_flight": 0,
        "queued": 0,
        "refused": 0,
        "unmatched": 0,
    }


def test_a_refusal_is_a_response_that_never_reaches_the_service(lib, way, clock):
    gate = engine(limit(1, 30, headers=(("x-why", "ünder 1"),)))
    service = Service(lib)
    response = call(way, service, gate, URL, URL, clock=clock)
    rejection = response.extensions["trafficcore"]
    assert isinstance(rejection, Rejection)
    assert rejection.reason is Reason.RATE_LIMITED
    assert response.status_code == 429
    assert response.reason_phrase == "Too Many Requests"
    assert response.text == "local_rate_limited"
    assert response.headers["retry-after"] == "30"
    assert response.headers["x-envoy-ratelimited"] == "true"
    assert response.headers["x-why"] == "ünder 1"
    assert response.headers["content-length"] == "18"
    assert response.url == URL
    assert len(service.requests) == 1
    assert outbound(gate)["refused"] == 1
    assert outbound(gate)["in_flight"] == 0


def test_a_cookie_that_is_made_comes_with_the_answer_and_keeps_the_endpoint(lib, way, clock):
    hashing = ConsistentHash(cookie=HashCookie(name="stick", ttl=60, path="/"))
    rule = Destination(
        source=SOURCE, host=HOST, namespace="default", policy=TrafficPolicy(hashing=hashing)
    )
    gate = engine(rule, endpoints=[f"10.0.0.{n}:80" for n in range(20)], draw=iter([0.3]).__next__)
    service = Service(lib, headers=[("set-cookie", "own=1"), ("set-cookie", "two=2")])
    response = call(way, service, gate, *[URL] * 5, clock=clock)
    assert len({request.url.host for request in service.requests}) == 1
    assert "cookie" not in service.requests[0].headers
    assert 'stick="4ccccccccccccc00"' in service.requests[1].headers["cookie"]
    # one was made, once, and the service's own are left as they were
    assert response.headers.get_list("set-cookie") == ["own=1", "two=2"]
    fresh = call(way, service, engine(rule, endpoints=["10.0.0.1:80"]), clock=clock)
    own, two, made = fresh.headers.get_list("set-cookie")
    assert (own, two) == ("own=1", "two=2")
    assert made.startswith('stick="')
    assert made.endswith('"; Max-Age=60; Path=/; HttpOnly')


def test_a_refused_head_has_no_body_and_a_status_nobody_registered_has_a_phrase(lib, way, clock):
    gate = engine(limit(0, status=498))
    response = call(way, Service(lib), gate, method="HEAD", clock=clock)
    assert response.status_code == 498
    assert response.reason_phrase == "Client Error"
    assert response.content == b""
    assert response.headers["content-length"] == "18"


def test_a_refusal_is_raised_where_that_is_asked_for(lib, way, clock):
    gate = engine(limit(0))
    words = r"rate_limited by Test default/rule \(policy.yaml:7\)"
    with pytest.raises(Rejected, match=words) as at:
        call(way, Service(lib), gate, clock=clock, raise_on_refusal=True)
    assert at.value.reason is Reason.RATE_LIMITED


def test_a_call_is_in_flight_until_its_last_byte(lib, clock):
    gate = engine(limit(5))
    transport = TrafficTransport(gate, transport_of("sync", Service(lib)), clock=clock)
    with lib.Client(transport=transport) as client, client.stream("GET", URL) as response:
        assert outbound(gate)["in_flight"] == 1
        chunks = response.iter_raw()
        assert next(chunks) == b"body"
        assert outbound(gate)["in_flight"] == 1
        assert list(chunks) == []
        assert outbound(gate)["in_flight"] == 0


def test_an_asynchronous_call_is_in_flight_until_its_last_byte(lib, clock):
    gate = engine(limit(5))

    async def run():
        transport = AsyncTrafficTransport(gate, transport_of("async", Service(lib)), clock=clock)
        async with (
            lib.AsyncClient(transport=transport) as client,
            client.stream("GET", URL) as response,
        ):
            assert outbound(gate)["in_flight"] == 1
            chunks = response.aiter_raw()
            assert await anext(chunks) == b"body"
            assert outbound(gate)["in_flight"] == 1
            assert [chunk async for chunk in chunks] == []
            assert outbound(gate)["in_flight"] == 0

    asyncio.run(run())


def test_a_response_made_whole_in_memory_settles_at_once(lib, clock):
    gate = engine(limit(5))
    inner = lib.MockTransport(lambda _: lib.Response(200, json={"all": "here"}))
    request = lib.Request("GET", URL)
    response = TrafficTransport(gate, inner, clock=clock).handle_request(request)
    assert outbound(gate)["in_flight"] == 0
    assert response.json() == {"all": "here"}


def test_redirects_are_admitted_hop_by_hop(lib, way, clock):
    gate = engine(limit(2))
    service = Service(lib, 302, headers=[("location", "/next")])
    response = call(way, service, gate, clock=clock, client={"follow_redirects": True})
    assert response.status_code == 429
    assert [request.url.path for request in service.requests] == ["/", "/next"]
    assert [hop.status_code for hop in response.history] == [302, 302]
    assert outbound(gate)["in_flight"] == 0


@pytest.mark.parametrize(("status", "out"), [(200, False), (404, False), (500, True), (503, True)])
def test_the_status_is_the_verdict_on_the_endpoint(lib, way, clock, status, out):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    call(way, Service(lib, status), gate, clock=clock)
    assert ejected(gate, clock()) == ({A} if out else set())


@pytest.mark.parametrize(("status", "out"), [(200, False), (503, True)])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_response_closed_unread_is_settled_by_its_status(lib, way, clock, status, out, method):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    service = Service(lib, status)
    seen = []
    call(way, service, gate, method=method, clock=clock, act=lambda r: seen.append(r.status_code))
    assert seen == [status]
    assert ejected(gate, clock()) == ({A} if out else set())
    assert outbound(gate)["in_flight"] == 0
    assert service.closed == 1


def test_a_good_response_closed_unread_ends_a_row_of_failures(lib, way, clock):
    gate = engine(ejection(consecutive_5xx=2), endpoints=[A])
    call(way, Service(lib, 500), gate, clock=clock)
    call(way, Service(lib, 200), gate, clock=clock, act=lambda _: None)
    call(way, Service(lib, 500), gate, clock=clock)
    assert ejected(gate, clock()) == set()
    call(way, Service(lib, 500), gate, clock=clock)
    assert ejected(gate, clock()) == {A}


FAILURES = (
    "ConnectError",
    "ConnectTimeout",
    "ProxyError",
    "ReadTimeout",
    "WriteTimeout",
    "ReadError",
    "WriteError",
    "CloseError",
    "RemoteProtocolError",
)


@pytest.mark.parametrize("name", FAILURES)
def test_an_error_of_the_network_is_a_failure_of_the_host(lib, way, clock, name):
    error = getattr(lib, name)("no")
    anything = engine(ejection(consecutive_5xx=1), endpoints=[A])
    with pytest.raises(type(error)) as raised:
        call(way, Service(lib, error=error), anything, clock=clock)
    assert raised.value is error
    assert ejected(anything, clock()) == {A}
    assert outbound(anything)["in_flight"] == 0

    gateway = engine(ejection(consecutive_5xx=0, consecutive_gateway_errors=1), endpoints=[A])
    with pytest.raises(type(error)):
        call(way, Service(lib, error=error), gateway, clock=clock)
    assert ejected(gateway, clock()) == {A}

    split = {"split_local_origin": True, "consecutive_local_origin_failures": 2}
    local = engine(ejection(consecutive_5xx=0, **split), endpoints=[A])
    for _ in range(2):
        assert ejected(local, clock()) == set()
        with pytest.raises(type(error)):
            call(way, Service(lib, error=error), local, clock=clock)
    assert ejected(local, clock()) == {A}


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError("no"), TimeoutError("late"), OSError("reset"), KeyError("app")]
)
def test_an_error_of_a_transport_that_maps_nothing_is_a_failure_as_well(lib, way, clock, error):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    with pytest.raises(type(error)):
        call(way, Service(lib, error=error), gate, clock=clock)
    assert ejected(gate, clock()) == {A}


@pytest.mark.parametrize("name", ["UnsupportedProtocol", "LocalProtocolError"])
def test_a_mistake_of_the_caller_counts_for_nothing(lib, way, clock, name):
    gate = engine(limit(1), ejection(consecutive_5xx=1), endpoints=[A])
    error = getattr(lib, name)("no")
    with pytest.raises(type(error)):
        call(way, Service(lib, error=error), gate, clock=clock)
    assert ejected(gate, clock()) == set()
    assert outbound(gate)["in_flight"] == 0
    assert outbound(gate)["admitted"] == 1
    assert call(way, Service(lib), gate, clock=clock).status_code == 429


def test_a_call_that_found_no_free_connection_gives_back_what_it_took(lib, way, clock):
    gate = engine(limit(1), ejection(consecutive_5xx=1), endpoints=[A])
    with pytest.raises(lib.PoolTimeout):
        call(way, Service(lib, error=lib.PoolTimeout("busy")), gate, clock=clock)
    assert ejected(gate, clock()) == set()
    assert outbound(gate)["in_flight"] == 0
    assert outbound(gate)["admitted"] == 0
    assert call(way, Service(lib), gate, clock=clock).status_code == 200


@pytest.mark.parametrize("name", ["ReadError", "RemoteProtocolError", "ReadTimeout"])
def test_a_body_that_breaks_is_a_failure_for_all_its_good_status(lib, way, clock, name):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    error = getattr(lib, name)("cut")
    with pytest.raises(type(error)) as raised:
        call(way, Service(lib, broken=error), gate, clock=clock)
    assert raised.value is error
    assert ejected(gate, clock()) == {A}
    assert outbound(gate)["in_flight"] == 0


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_call_is_no_verdict(lib, clock, stop):
    gate = engine(
        breaker(error_percent=1, min_requests=1), ejection(consecutive_5xx=1), endpoints=[A]
    )
    for service in (Service(lib, error=stop()), Service(lib, broken=stop())):
        with pytest.raises(stop):
            call("sync", service, gate, clock=clock)
    assert ejected(gate, clock()) == set()
    assert outbound(gate)["in_flight"] == 0
    assert call("sync", Service(lib), gate, clock=clock).status_code == 200


@pytest.mark.parametrize("where", ["headers", "body"])
def test_cancellation_by_the_hundred_leaves_nothing_in_flight(lib, clock, where):
    gate = engine(
        breaker(error_percent=1, min_requests=1), ejection(consecutive_5xx=1), endpoints=[A]
    )

    class Hanging(lib.AsyncByteStream):
        async def __aiter__(self):
            yield b"begun"
            await asyncio.sleep(3600)

    class Inner(lib.AsyncBaseTransport):
        async def handle_async_request(self, request):
            if where == "headers":
                await asyncio.sleep(3600)
            return lib.Response(200, stream=Hanging())

    async def run():
        async with lib.AsyncClient(transport=AsyncTrafficTransport(gate, Inner())) as client:
            tasks = [asyncio.create_task(client.get(URL)) for _ in range(300)]
            for _ in range(10):
                await asyncio.sleep(0)
            assert outbound(gate)["in_flight"] == 300
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)
            assert outbound(gate)["in_flight"] == 0

    asyncio.run(run())
    (rule, _) = gate.snapshot(0)["rules"]
    assert rule["breaker"]["state"] == "closed"
    assert ejected(gate) == set()
    (cluster,) = gate.snapshot(0)["clusters"]
    assert cluster["endpoints"][0]["active"] == 0


@pytest.mark.parametrize(("status", "out"), [(200, set()), (503, {A})])
def test_a_response_dropped_unread_is_a_verdict_only_by_an_error_status(lib, clock, status, out):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    transport = TrafficTransport(gate, transport_of("sync", Service(lib, status)), clock=clock)
    with lib.Client(transport=transport) as client:
        response = client.send(client.build_request("GET", URL), stream=True)
        assert outbound(gate)["in_flight"] == 1
        del response
        gc.collect()
    assert outbound(gate)["in_flight"] == 0
    assert ejected(gate, clock()) == out


def test_an_asynchronous_response_dropped_unread_settles_too(lib, clock):
    gate = engine(limit(5))

    async def run():
        transport = AsyncTrafficTransport(gate, transport_of("async", Service(lib)), clock=clock)
        async with lib.AsyncClient(transport=transport) as client:
            await client.send(client.build_request("GET", URL), stream=True)
            gc.collect()
            assert outbound(gate)["in_flight"] == 0

    asyncio.run(run())


def test_an_upload_that_breaks_is_no_fault_of_the_host(lib, way, clock):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    service = Service(lib)
    inner = transport_of(way, service)

    def sync_body():
        yield b"begun"
        raise OSError("file gone")

    async def async_body():
        yield b"begun"
        raise OSError("file gone")

    def upload():
        with lib.Client(transport=TrafficTransport(gate, inner)) as client:
            client.post(URL, content=sync_body())

    async def upload_async():
        async with lib.AsyncClient(transport=AsyncTrafficTransport(gate, inner)) as client:
            await client.post(URL, content=async_body())

    with pytest.raises(OSError, match="file gone"):
        upload() if way == "sync" else asyncio.run(upload_async())
    assert ejected(gate, clock()) == set()
    assert outbound(gate)["in_flight"] == 0
    assert service.requests == []


@pytest.mark.parametrize("endpoints", [None, [A]])
def test_a_streamed_upload_arrives_whole(lib, way, endpoints):
    gate = engine(limit(5), endpoints=endpoints)
    service = Service(lib)
    inner = transport_of(way, service)

    def sync_body():
        yield from (b"one ", b"two")

    async def async_body():
        yield b"one "
        yield b"two"

    async def run():
        async with lib.AsyncClient(transport=AsyncTrafficTransport(gate, inner)) as client:
            await client.post(URL, content=async_body())

    if way == "sync":
        with lib.Client(transport=TrafficTransport(gate, inner)) as client:
            client.post(URL, content=sync_body())
            client.post(URL, files={"file": b"three"})
            assert b"three" in service.requests[1].content
    else:
        asyncio.run(run())
    assert service.requests[0].content == b"one two"


def test_the_connection_goes_to_the_endpoint_and_the_request_stays_logical(lib, way, clock):
    gate = engine(endpoints=[A, "[::1]:9090", "elsewhere.example"])
    service = Service(lib)
    response = call(way, service, gate, *[URL + "p%20q?x=1"] * 3, clock=clock)
    sent = {str(request.url) for request in service.requests}
    assert sent == {
        f"http://{A}/p%20q?x=1",
        "http://[::1]:9090/p%20q?x=1",
        "http://elsewhere.example/p%20q?x=1",
    }
    assert {request.headers["host"] for request in service.requests} == {HOST}
    assert response.url == URL + "p%20q?x=1"
    assert response.extensions["trafficcore"].endpoint.address == "elsewhere.example"


def test_a_host_header_and_a_port_of_the_callers_own_are_kept(lib, clock):
    gate = engine(endpoints=[A, "elsewhere.example"])
    service = Service(lib)
    transport = TrafficTransport(gate, transport_of("sync", service), clock=clock)
    with lib.Client(transport=transport) as client:
        client.get(f"http://{HOST}:81/")
        client.get(f"http://{HOST}:81/", headers={"host": "other.example"})
    assert [request.headers["host"] for request in service.requests] == [
        f"{HOST}:81",
        "other.example",
    ]
    assert [str(request.url) for request in service.requests] == [
        f"http://{A}/",
        "http://elsewhere.example:81/",
    ]


def test_the_callers_request_is_left_alone_and_may_be_sent_again(lib, clock):
    gate = engine(endpoints=[A, B])
    service = Service(lib)
    request = lib.Request("POST", f"https://{HOST}/x", content=b"data", headers={"x-a": "1"})

    def look():
        return str(request.url), request.headers.raw, dict(request.extensions), request.stream

    before = look()
    transport = TrafficTransport(gate, transport_of("sync", service), clock=clock)
    with lib.Client(transport=transport) as client:
        first, second = client.send(request), client.send(request)
    assert first.request is second.request is request
    request.extensions.pop("timeout")  # the client's own
    assert look() == before
    assert {sent.url.netloc.decode() for sent in service.requests} == {A, B}
    assert all(sent.content == b"data" for sent in service.requests)


def test_tls_verifies_the_logical_name(lib, way, clock):
    gate = engine(endpoints=[A])
    service = Service(lib)
    call(way, service, gate, f"https://{HOST}/", clock=clock)
    (request,) = service.requests
    assert str(request.url) == f"https://{A}/"
    assert request.extensions["sni_hostname"] == HOST


def test_a_server_name_of_the_callers_own_is_kept(lib, clock):
    gate = engine(endpoints=[A])
    service = Service(lib)
    transport = TrafficTransport(gate, transport_of("sync", service), clock=clock)
    with lib.Client(transport=transport) as client:
        client.get(f"https://{HOST}/", extensions={"sni_hostname": "own.example"})
    assert service.requests[0].extensions["sni_hostname"] == "own.example"


def test_a_plain_request_without_an_endpoint_goes_through_as_it_is(lib, clock):
    gate = engine(limit(5))
    service = Service(lib)
    request = lib.Request("GET", URL)
    transport = TrafficTransport(gate, transport_of("sync", service), clock=clock, timeout=None)
    transport.handle_request(request)
    assert service.requests == [request]


def test_one_address_of_two_tls_names_is_refused_over_one_given_pool(lib, clock):
    other = "other.default.svc.cluster.local"
    gate = engine(limit(1))
    gate.reload(gate.source(), endpoints={HOST: [A], other: [A]})
    service = Service(lib)
    transport = TrafficTransport(gate, transport_of("sync", service), clock=clock)
    with lib.Client(transport=transport) as client:
        client.get(f"https://{HOST}/")
        with pytest.raises(ConfigError, match=f"10.0.0.1:8080 serves {HOST} and {other} over TLS"):
            client.get(f"https://{other}/")
        assert client.get(f"http://{other}/").status_code == 200
    assert outbound(gate)["in_flight"] == 0
    assert outbound(gate)["admitted"] == 2


def test_pools_of_our_own_are_one_a_tls_name_and_one_for_all_else(lib):
    library = library_of(lib.Request("GET", URL))
    pools = Pools(None, "HTTPTransport")

    def pool(url, **extensions):
        return pools.of(library, lib.Request("GET", url, extensions=extensions))

    plain = pool(URL)
    assert isinstance(plain, lib.HTTPTransport)
    assert pool("http://other.example/") is plain
    assert pool("https://other.example/") is plain
    named = pool(f"https://{A}/", sni_hostname=HOST)
    assert named is not plain
    assert pool(f"https://{B}/", sni_hostname=HOST) is named
    assert pool(f"https://{A}/", sni_hostname="other.example") is not named
    assert pool(f"http://{A}/", sni_hostname=HOST) is plain
    assert len(pools.all()) == 3
    for each in pools.all():
        each.close()


def test_one_engine_under_application_and_client_charges_each_side_once(lib, clock):
    inward = RateLimitRule(
        source=SOURCE,
        scope=scope(Direction.INBOUND, "web.example"),
        limit=Limit(quota=3, fill_interval=60),
    )
    gate = engine(inward, limit(2))
    seen = []

    async def app(_scope, _receive, send):
        inner = AsyncTrafficTransport(gate, transport_of("async", Service(lib)), clock=clock)
        async with lib.AsyncClient(transport=inner) as client:
            seen.append((await client.get(URL)).status_code)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def run():
        served = lib.ASGITransport(AsgiTraffic(app, gate, clock=clock))
        async with lib.AsyncClient(transport=served) as client:
            return [(await client.get("http://web.example/")).status_code for _ in range(4)]

    assert asyncio.run(run()) == [200, 200, 200, 429]
    assert seen == [200, 200, 429]
    traffic = gate.snapshot(clock())["traffic"]
    for side, admitted in (("inbound", 3), ("outbound", 2)):
        assert (traffic[side]["admitted"], traffic[side]["refused"]) == (admitted, 1)
        assert traffic[side]["in_flight"] == 0


def test_slow_is_told_at_the_start_of_the_response_or_at_its_end(lib, clock):
    def third_call(slow):
        gate = engine(breaker(slow_after=0.5, max_slow=2, open_for=60))
        service = Service(lib)
        transport = TrafficTransport(gate, transport_of("sync", service), clock=clock, slow=slow)
        with lib.Client(transport=transport) as client:
            for _ in range(2):
                with client.stream("GET", URL) as response:
                    clock.advance(0.6)
                    response.read()
            return client.get(URL)

    assert third_call("start").status_code == 200
    refused = third_call("end")
    assert refused.status_code == 498
    assert refused.text == "delay break!"
    assert refused.headers["x-envoy-overload"] == "true"


def test_slow_headers_trip_the_breaker(lib, clock):
    gate = engine(breaker(slow_after=0.5, max_slow=2, open_for=60))
    service = Service(lib)
    answer = service.answer

    def late(request, stream):
        clock.advance(0.6)
        return answer(request, stream)

    service.answer = late
    responses = [call("sync", service, gate, clock=clock) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 498]
    assert len(service.requests) == 2


def test_slow_has_two_values(lib):
    with pytest.raises(ConfigError, match="slow must be 'start' or 'end', not 'never'"):
        TrafficTransport(engine(), slow="never")


def test_failures_trip_the_breaker_and_our_own_refusals_do_not_count(lib, way, clock):
    gate = engine(breaker(error_percent=50, min_requests=2, open_for=60))
    service = Service(lib, 500)
    for _ in range(5):
        response = call(way, service, gate, clock=clock)
    assert response.status_code == 498
    assert len(service.requests) == 2
    clock.advance(60)
    service.status = 200
    assert call(way, service, gate, clock=clock).status_code == 200


def test_a_refusal_of_a_transport_underneath_is_no_failure_of_the_host(lib, clock):
    outer = engine(limit(1), ejection(consecutive_5xx=1), endpoints=[A])
    inner = engine(limit(0, status=503))
    gate = TrafficTransport(
        outer, TrafficTransport(inner, transport_of("sync", Service(lib))), clock=clock
    )
    request = lib.Request("GET", URL)
    inner.reload(inner.source(), hosts={HOST: ["10.0.0.1"]})
    for _ in range(2):
        response = gate.handle_request(request)
        assert response.extensions["trafficcore"].reason is Reason.RATE_LIMITED
        assert response.status_code == 503
    assert ejected(outer, clock()) == set()
    assert outbound(outer)["in_flight"] == 0


def test_the_application_may_overrule_the_status(lib, clock):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    call(
        "sync",
        Service(lib, 500),
        gate,
        clock=clock,
        act=lambda response: response.extensions["trafficcore"].ignore(),
    )
    assert ejected(gate, clock()) == set()
    call(
        "sync",
        Service(lib, 200),
        gate,
        clock=clock,
        act=lambda response: response.extensions["trafficcore"].fail(),
    )
    assert ejected(gate, clock()) == {A}


def test_labels_are_the_applications_own(lib, way, clock):
    asked = []

    def labels(request):
        asked.append(request.url.path)
        return {"tier": "gold"}

    call(way, Service(lib), engine(limit(5)), f"{URL}x", clock=clock, request_labels=labels)
    assert asked == ["/x"]


def test_the_facts_of_a_request_are_those_of_its_url(lib):
    request = lib.Request(
        "post",
        "https://API.Example.COM:8443/%61dmin/caf%C3%A9?q=%20&r",
        headers=[("X-A", "1"), ("x-a", "2"), ("B", "3")],
    )
    facts = outbound_facts(request, lambda _: {"tier": "gold"})
    assert isinstance(facts, Facts)
    assert facts.direction is Direction.OUTBOUND
    assert facts.host == "api.example.com:8443"
    assert facts.path == "/admin/café"
    assert facts.query == "q=%20&r"
    assert facts.method == "POST"
    assert facts.scheme == "https"
    assert facts.headers["x-a"] == "1, 2"
    assert facts.headers["b"] == "3"
    assert facts.labels == {"tier": "gold"}


def test_no_endpoint_left_is_a_refusal(lib, way, clock):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A])
    service = Service(lib, 500)
    response = call(way, service, gate, URL, URL, clock=clock)
    assert response.status_code == 503
    assert response.text == "no healthy upstream"
    assert len(service.requests) == 1


def test_a_transport_is_one_of_the_librarys_own_kind_and_passes_its_context_on(lib):
    entered = []

    class Inner(lib.BaseTransport):
        def __enter__(self):
            entered.append("in")
            return self

        def __exit__(self, *exc_info):
            entered.append("out")

        def close(self):
            entered.append("close")

    transport = TrafficTransport(engine(), Inner())
    assert isinstance(transport, lib.BaseTransport)
    assert isinstance(transport, TrafficTransport)
    assert isinstance(AsyncTrafficTransport(engine()), lib.AsyncBaseTransport)
    assert type(transport).__name__ == "TrafficTransport"
    with lib.Client(transport=transport):
        assert entered == ["in"]
    lib.Client(transport=transport).close()
    assert entered == ["in", "out", "close"]


def test_a_subclass_of_a_transport_is_still_itself(lib):
    class Mine(TrafficTransport):
        pass

    assert isinstance(Mine(engine()), Mine)
    assert isinstance(Mine(engine()), lib.BaseTransport)


def test_what_is_no_request_of_either_library_is_told(clock):
    with pytest.raises(TypeError, match="a request must be one of httpx2 or httpx, not"):
        TrafficTransport(engine(), clock=clock).handle_request(SimpleNamespace())


def test_the_names_can_be_imported_where_neither_library_is_installed():
    code = (
        "import sys; sys.modules.update(httpx=None, httpx2=None)\n"
        "import trafficcore.web.httpx as shell\n"
        "from trafficcore.engine import Engine\n"
        "from trafficcore.spec import Policy\n"
        "print(shell.TrafficTransport(Engine(Policy())).__class__.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "TrafficTransport\n", done.stderr


def test_importing_the_shell_imports_neither_library():
    code = (
        "import sys, trafficcore.web.httpx\n"
        "print({'httpx', 'httpx2', 'httpcore', 'httpcore2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
