"""requests over real sockets: servers that hang, are killed, are slow, break off; and TLS."""

import gc
import io
import ssl
import threading
import time

import pytest
import requests

from support import tls
from support.clients import session_over
from support.outbound import (
    HOST,
    SOURCE,
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
from trafficcore.live import Breakers
from trafficcore.spec import ConsistentHash, Destination, HashCookie, Retries, TrafficPolicy

pytestmark = pytest.mark.sockets


def state(adapter, server):
    return adapter.snapshot()["breakers"]["breakers"][server.address]["state"]


def test_a_server_that_hangs_ends_the_call_and_trips_its_breaker():
    with serving("hung", "fine") as (hung, fine):
        breakers = Breakers(consecutive_errors=3)
        session, adapter = session_over(breaker=breakers, timeout=(1, 0.1))
        for _ in range(3):
            with pytest.raises(requests.ReadTimeout):
                session.get(f"http://{hung.address}/hang")
        begun = time.monotonic()
        answer = session.get(f"http://{hung.address}/hang")
        assert time.monotonic() - begun < 0.1
        assert answer.status_code == 503
        assert answer.headers["x-envoy-overloaded"] == "true"
        assert state(adapter, hung) == "open"
        assert session.get(f"http://{fine.address}/").text == "fine"
        assert state(adapter, fine) == "closed"
        assert hung.hits == 3


def test_a_server_that_is_not_there_is_not_asked_for_long():
    nobody = refusing_address()
    session, _ = session_over(breaker=Breakers(consecutive_errors=2), retries=Retries(5))
    with pytest.raises(requests.ConnectionError):
        session.post(f"http://{nobody}/", data=b"order")
    assert session.get(f"http://{nobody}/").status_code == 503


def test_a_server_killed_and_started_again_is_found_again():
    first = Server("first")
    port = first.server_port
    thread = threading.Thread(target=first.serve_forever, args=(0.02,))
    thread.start()
    breakers = Breakers(consecutive_errors=2, open_for=0.2)
    session, _ = session_over(breaker=breakers, timeout=1)
    url = f"http://127.0.0.1:{port}/"
    assert session.get(url, headers={"connection": "close"}).text == "first"
    first.shutdown()
    thread.join()
    first.server_close()
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            session.get(url)
    assert session.get(url).status_code == 503
    second = Server("second", port)
    thread = threading.Thread(target=second.serve_forever, args=(0.02,))
    thread.start()
    try:
        time.sleep(0.25)
        assert session.get(url).text == "second"
        assert session.get(url).text == "second"
    finally:
        second.shutdown()
        thread.join()
        second.server_close()


def test_a_slow_server_trips_by_its_slowness():
    with serving("slow") as (server,):
        session, adapter = session_over(breaker=Breakers(slow_after=0.05, max_slow=2))
        release = threading.Timer(0.15, server.let_go.set)
        release.start()
        threads = [
            threading.Thread(target=session.get, args=(f"http://{server.address}/hang",))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert state(adapter, server) == "open"
        assert session.get(f"http://{server.address}/").status_code == 503


def test_a_call_goes_to_another_endpoint_where_one_does_not_answer():
    nobody = refusing_address()
    with serving("there") as (server,):
        gate = engine(ejection(consecutive_5xx=3, interval=600), endpoints=[nobody, server.address])
        session, _ = session_over(gate, retries=Retries(1))
        for _ in range(20):
            answer = session.get(URL + "p%20q?x=1")
            assert answer.text == "there"
            assert answer.url == URL + "p%20q?x=1"
            assert answer.trafficcore.endpoint.address == server.address
        assert ejected(gate, time.monotonic()) == {nobody}
        assert set(server.hosts) == {HOST}
        assert outbound(gate)["in_flight"] == 0


def test_without_retries_errors_end_when_the_endpoint_is_out():
    nobody = refusing_address()
    with serving("there") as (server,):
        gate = engine(ejection(consecutive_5xx=2, interval=600), endpoints=[nobody, server.address])
        session, _ = session_over(gate)
        errors = 0
        for _ in range(20):
            try:
                assert session.get(URL).text == "there"
            except requests.ConnectionError:
                errors += 1
        assert errors == 2


def test_tls_is_verified_for_the_logical_name_at_the_endpoints_address(tmp_path):
    server = Server("secret")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls.files(tmp_path))
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trust = tmp_path / "trust.pem"
    trust.write_text(tls.CERTIFICATE)
    other = "other.default.svc.cluster.local"
    gate = engine(limit(50))
    gate.reload(gate.source(), endpoints={HOST: [server.address], other: [server.address]})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        session, _ = session_over(gate)
        for _ in range(2):
            assert session.get(f"https://{HOST}/", verify=str(trust)).text == "secret"
        assert names == [HOST]  # the connection was used again
        with pytest.raises(requests.exceptions.SSLError, match=r"doesn't match|Hostname mismatch"):
            session.get(f"https://{other}/", verify=str(trust))
        assert names == [HOST, other]
        assert session.get(f"https://{HOST}/", verify=str(trust)).text == "secret"
        assert names == [HOST, other]
        assert set(server.hosts) == {HOST}
        assert outbound(gate)["in_flight"] == 0
    finally:
        session.close()
        server.shutdown()
        thread.join()
        server.server_close()


def test_bodies_are_decoded_and_redirects_followed_with_the_logical_host():
    with serving("one", "two") as servers:
        gate = engine(limit(100), endpoints=[server.address for server in servers])
        session, _ = session_over(gate)
        answer = session.get(URL + "redirect/gzip")
        assert answer.text == answer.text[:3] * 1000
        assert answer.url == URL + "gzip"
        assert [hop.url for hop in answer.history] == [URL + "redirect/gzip"]
        assert session.head(URL).status_code == 200
        assert session.post(URL, data=iter([b"streamed ", b"upload"])).status_code == 200
        assert session.post(URL, data=io.BytesIO(b"a file")).status_code == 200
        assert session.post(URL, files={"part": io.BytesIO(b"a part")}).status_code == 200
        bodies = sorted(body for server in servers for body in server.bodies)
        assert b"a part" in bodies[0]
        assert bodies[1:] == [b"a file", b"streamed upload"]
        assert {host for server in servers for host in server.hosts} == {HOST}
        assert outbound(gate)["in_flight"] == 0


def test_a_cookie_that_is_made_comes_with_the_answer_and_keeps_the_endpoint():
    with serving(*"abcde") as servers:
        hashing = ConsistentHash(cookie=HashCookie(name="stick", ttl=60, path="/"))
        policy = TrafficPolicy(hashing=hashing)
        rule = Destination(source=SOURCE, host=HOST, namespace="default", policy=policy)
        session, _ = session_over(engine(rule, endpoints=[server.address for server in servers]))
        first = session.get(URL)
        assert first.headers["set-cookie"].endswith('"; Max-Age=60; Path=/; HttpOnly')
        assert "stick" in first.cookies
        answers = [session.get(URL) for _ in range(9)]
        assert {answer.text for answer in answers} == {first.text}
        assert not any("set-cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    ("path", "error"), [("broken", "ChunkedEncodingError"), ("hang", "ReadTimeout")]
)
def test_an_answer_cut_short_or_late_is_a_failure_of_the_host(path, error):
    with serving("bad") as (server,):
        gate = engine(ejection(consecutive_5xx=1, interval=600), endpoints=[server.address])
        session, _ = session_over(gate, timeout=0.2)
        with pytest.raises(getattr(requests.exceptions, error)):
            session.get(URL + path)
        server.let_go.set()
        assert ejected(gate, time.monotonic()) == {server.address}
        assert outbound(gate)["in_flight"] == 0


def test_a_stream_is_in_flight_to_its_last_byte_and_not_slow():
    with serving("stream") as (server,):
        gate = engine(breaker(slow_after=0.15, max_slow=1, open_for=60), endpoints=[server.address])
        session, _ = session_over(gate)
        session.get(URL)
        with session.get(URL + "chunks/2", stream=True) as answer:
            chunks = answer.iter_content(5)
            for _ in range(2):
                time.sleep(0.1)
                assert outbound(gate)["in_flight"] == 1
                server.next_chunk.release()
                assert next(chunks) == b"chunk"
            assert list(chunks) == []
            assert outbound(gate)["in_flight"] == 0
        assert session.get(URL).status_code == 200


@pytest.mark.parametrize("how", ["close", "read", "lines", "drop", "rest"])
def test_a_stream_settles_however_it_ends(how):
    with serving("stream") as (server,):
        gate = engine(ejection(consecutive_5xx=1), endpoints=[server.address])
        session, _ = session_over(gate)
        server.next_chunk.release(2)
        answer = session.get(URL + "chunks/2", stream=True)
        assert outbound(gate)["in_flight"] == 1
        if how == "close":
            answer.close()
        elif how == "read":
            assert answer.raw.read() == b"chunkchunk"
        elif how == "lines":
            assert b"".join(answer.raw) == b"chunkchunk"
        elif how == "drop":
            del answer
            gc.collect()
        else:
            assert answer.raw.read(5) == b"chunk"
            assert outbound(gate)["in_flight"] == 1
            assert answer.raw.read(5) + answer.raw.read(5) == b"chunk"
        assert outbound(gate)["in_flight"] == 0
        assert ejected(gate, time.monotonic()) == set()
        session.close()


def test_an_upload_that_breaks_is_no_fault_of_the_host():
    def body():
        yield b"begun"
        raise OSError("file gone")

    with serving("there") as (server,):
        gate = engine(ejection(consecutive_5xx=1), endpoints=[server.address])
        session, _ = session_over(gate, retries=Retries(3, methods="*"))
        with pytest.raises(requests.ConnectionError, match="file gone"):
            session.post(URL, data=body())
        assert ejected(gate, time.monotonic()) == set()
        assert outbound(gate)["in_flight"] == 0
        assert outbound(gate)["admitted"] == 1


def test_eight_threads_through_one_session_never_pass_a_limit():
    with serving("one", "two") as servers:
        gate = engine(limit(150, 1e9), endpoints=[server.address for server in servers])
        session, _ = session_over(gate, retries=Retries(2), pool_maxsize=8)
        codes: list[int] = []

        def work():
            codes.extend(session.get(URL).status_code for _ in range(25))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (codes.count(200), codes.count(429)) == (150, 50)
        assert sum(server.hits for server in servers) == 150
        assert outbound(gate)["in_flight"] == 0
