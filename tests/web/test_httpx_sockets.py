"""The client shell over real sockets: servers that fail, hang up, stall, and are not there."""

import asyncio
import gc
import ssl
import threading
import time
from importlib import import_module

import pytest

from support import tls
from support.outbound import (
    HOST,
    URL,
    Server,
    breaker,
    ejected,
    ejection,
    engine,
    limit,
    outbound,
    refusing_address,
    serving,
)
from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport

pytestmark = pytest.mark.sockets


@pytest.fixture(params=["httpx2", "httpx"])
def lib(request):
    return import_module(request.param)


def test_a_failing_server_of_the_own_zone_is_out_after_three_errors(lib):
    with serving("a1", "a2", "b1", "b2") as servers:
        own, other = "cn-hangzhou/zone-a", "cn-hangzhou/zone-b"
        zones = (own, own, other, other)
        gate = engine(
            ejection(consecutive_5xx=3, interval=600, base_ejection_time=600),
            endpoints=[(s.address, zone) for s, zone in zip(servers, zones, strict=True)],
            locality=own,
        )
        a1, a2, b1, b2 = servers
        a1.status = 503
        with lib.Client(transport=TrafficTransport(gate)) as client:
            first = [client.get(URL) for _ in range(6)]
            assert [a.hits for a in servers] == [3, 3, 0, 0]
            assert sorted(r.status_code for r in first) == [200] * 3 + [503] * 3
            assert ejected(gate, time.monotonic()) == {a1.address}
            after = [client.get(URL) for _ in range(100)]
        assert {r.status_code for r in after} == {200}
        assert a1.hits == 3
        # one of two is left: 50 % health, times 1.4, keeps 70 % of the calls in the zone
        assert a2.hits == 3 + 70
        assert b1.hits + b2.hits == 30
        assert abs(b1.hits - b2.hits) <= 1
        assert {host for server in servers for host in server.hosts} == {HOST}
        assert outbound(gate, time.monotonic())["in_flight"] == 0


def test_nobody_listening_is_a_failure_of_the_host(lib):
    nobody = refusing_address()
    with serving("there") as (server,):
        gate = engine(
            ejection(consecutive_5xx=0, consecutive_gateway_errors=2, interval=600),
            endpoints=[nobody, server.address],
        )
        urls = []
        with lib.Client(transport=TrafficTransport(gate)) as client:
            for _ in range(20):
                try:
                    assert client.get(URL).text == "there"
                except lib.ConnectError as error:
                    urls.append(error.request.url)
        assert urls == [URL, URL]
        assert ejected(gate, time.monotonic()) == {nobody}


@pytest.mark.parametrize(
    ("path", "error"), [("broken", "RemoteProtocolError"), ("hang", "ReadTimeout")]
)
def test_an_answer_cut_short_or_late_is_a_failure_of_the_host(lib, path, error):
    with serving("bad") as (server,):
        gate = engine(ejection(consecutive_5xx=1, interval=600), endpoints=[server.address])
        with lib.Client(transport=TrafficTransport(gate), timeout=0.2) as client:
            with pytest.raises(getattr(lib, error)):
                client.get(URL + path)
            server.let_go.set()
        assert ejected(gate, time.monotonic()) == {server.address}
        assert outbound(gate, time.monotonic())["in_flight"] == 0


def test_a_stream_is_in_flight_to_its_last_byte_and_not_slow(lib):
    with serving("stream") as (server,):
        gate = engine(breaker(slow_after=0.15, max_slow=1, open_for=60), endpoints=[server.address])
        with lib.Client(transport=TrafficTransport(gate)) as client:
            client.get(URL)  # a connection is there
            with client.stream("GET", URL + "chunks/2") as response:
                chunks = response.iter_raw()
                for _ in range(2):
                    time.sleep(0.1)
                    assert outbound(gate)["in_flight"] == 1
                    server.next_chunk.release()
                    assert next(chunks) == b"chunk"
                assert list(chunks) == []
                assert outbound(gate)["in_flight"] == 0
            assert client.get(URL).status_code == 200


def test_a_stream_closed_early_leaves_nothing_and_no_verdict_against_the_host(lib):
    with serving("stream") as (server,):
        gate = engine(ejection(consecutive_5xx=1), endpoints=[server.address])
        with lib.Client(transport=TrafficTransport(gate)) as client:
            with client.stream("GET", URL + "chunks/3") as response:
                server.next_chunk.release()
                assert next(response.iter_raw()) == b"chunk"
            assert outbound(gate)["in_flight"] == 0
            server.next_chunk.release(3)
            assert client.get(URL).text == "stream"
        assert ejected(gate, time.monotonic()) == set()


def test_bodies_are_decoded_and_redirects_followed_with_the_logical_host(lib):
    with serving("one", "two") as servers:
        gate = engine(limit(100), endpoints=[server.address for server in servers])
        transport = TrafficTransport(gate)
        with lib.Client(transport=transport, follow_redirects=True) as client:
            response = client.get(URL + "redirect/gzip")
            assert response.text == response.text[:3] * 1000
            assert response.headers["content-encoding"] == "gzip"
            assert str(response.url) == URL + "gzip"
            assert [str(hop.url) for hop in response.history] == [URL + "redirect/gzip"]
            assert client.head(URL).status_code == 200
            assert client.post(URL, content=iter([b"streamed ", b"upload"])).status_code == 200
        assert [body for server in servers for body in server.bodies] == [b"streamed upload"]
        assert {host for server in servers for host in server.hosts} == {HOST}
        assert outbound(gate)["in_flight"] == 0
        assert outbound(gate)["admitted"] == 4


def test_tls_is_verified_for_the_logical_name_at_the_endpoints_address(lib, tmp_path):
    server = Server("secret")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls.files(tmp_path))
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trust = ssl.create_default_context(cadata=tls.CERTIFICATE)
    trust.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 has it by default
    other = "other.default.svc.cluster.local"
    gate = engine(limit(5))
    gate.reload(gate.source(), endpoints={HOST: [server.address], other: [server.address]})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        transport = TrafficTransport(gate, lib.HTTPTransport(verify=trust))
        with lib.Client(transport=transport) as client:
            assert client.get(f"https://{HOST}/").text == "secret"
        assert names == [HOST]
        assert server.hosts == [HOST]
        with (
            lib.Client(transport=TrafficTransport(gate, lib.HTTPTransport(verify=trust))) as client,
            pytest.raises(lib.ConnectError, match=r"Hostname mismatch|not valid for"),
        ):
            client.get(f"https://{other}/")
        assert names == [HOST, other]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_asynchronous_calls_find_their_endpoint_and_are_cancelled_by_the_hundred(lib):
    with serving("one", "two") as servers:
        gate = engine(
            breaker(error_percent=1, min_requests=1),
            ejection(consecutive_5xx=1, interval=600),
            endpoints=[server.address for server in servers],
        )

        async def run():
            limits = lib.Limits(max_connections=None)
            inner = lib.AsyncHTTPTransport(limits=limits)
            async with lib.AsyncClient(transport=AsyncTrafficTransport(gate, inner)) as client:
                answers = await asyncio.gather(*[client.get(URL) for _ in range(20)])
                assert sorted(answer.text for answer in answers) == ["one"] * 10 + ["two"] * 10
                tasks = [asyncio.create_task(client.get(URL + "hang")) for _ in range(100)]
                while sum(server.hits for server in servers) < 60:  # noqa: ASYNC110  # threads
                    await asyncio.sleep(0.01)
                assert outbound(gate)["in_flight"] == 100
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert outbound(gate)["in_flight"] == 0
                for server in servers:
                    server.let_go.set()
                assert (await client.get(URL)).status_code == 200

        asyncio.run(run())
        rule = gate.snapshot(time.monotonic())["rules"][0]
        assert rule["breaker"]["state"] == "closed"
        assert ejected(gate, time.monotonic()) == set()


def test_an_asynchronous_stream_settles_at_its_end_and_when_it_is_closed(lib):
    with serving("stream") as (server,):
        gate = engine(limit(100), endpoints=[server.address])

        async def run():
            async with lib.AsyncClient(transport=AsyncTrafficTransport(gate)) as client:
                server.next_chunk.release(2)
                async with client.stream("GET", URL + "chunks/2") as response:
                    assert outbound(gate)["in_flight"] == 1
                    assert b"".join([part async for part in response.aiter_bytes()]) == b"chunk" * 2
                    assert outbound(gate)["in_flight"] == 0
                async with client.stream("GET", URL + "chunks/2") as response:
                    server.next_chunk.release()
                    assert await anext(response.aiter_raw()) == b"chunk"
                    assert outbound(gate)["in_flight"] == 1
                assert outbound(gate)["in_flight"] == 0
                server.next_chunk.release(2)

        asyncio.run(run())
        gc.collect()


def test_eight_threads_through_one_client_never_pass_a_limit(lib):
    with serving("one", "two") as servers:
        gate = engine(
            limit(150, 1e9), ejection(consecutive_5xx=1), endpoints=[s.address for s in servers]
        )
        codes: list[int] = []
        with lib.Client(transport=TrafficTransport(gate)) as client:

            def work():
                codes.extend(client.get(URL).status_code for _ in range(25))

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert codes.count(200) == 150
        assert codes.count(429) == 50
        assert sum(server.hits for server in servers) == 150
        traffic = outbound(gate, time.monotonic())
        assert (traffic["in_flight"], traffic["admitted"], traffic["refused"]) == (0, 150, 50)
        (cluster,) = gate.snapshot(time.monotonic())["clusters"]
        assert [endpoint["active"] for endpoint in cluster["endpoints"]] == [0, 0]
