"""How people use requests, over real sockets: proxies, hooks, answers that nobody reads."""

import gc
import io
import mmap
import shutil
import socket
import struct
import threading
import time
from contextlib import contextmanager
from functools import partial

import pytest
import requests
import urllib3

from support.clients import session_over
from support.outbound import (
    URL,
    ejected,
    ejection,
    engine,
    outbound,
    quota,
    refusing_address,
    serving,
)
from trafficcore.errors import ConfigError
from trafficcore.live import Breakers
from trafficcore.spec import Retries

pytestmark = pytest.mark.sockets


@contextmanager
def going_away(*, rudely):
    """Serve by reading a whole request and leaving; yields the address and what was read."""
    listening = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                data = b""
                while not data.endswith(b"order"):
                    data += connection.recv(65536)
                seen.append(data)
                if rudely:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}", seen
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.parametrize("rudely", [False, True])
def test_a_proxy_that_took_the_request_and_left_does_not_get_it_again(rudely):
    with going_away(rudely=rudely) as (proxy, seen):
        session, adapter = session_over(retries=Retries(2))
        with pytest.raises(requests.exceptions.ProxyError):
            session.post("http://api.example/", data=b"order", proxies={"http": f"http://{proxy}"})
    assert len(seen) == 1
    (room,) = adapter.snapshot()["retries"].values()
    assert room["unsafe"] == 1


def test_a_proxy_that_is_not_there_got_nothing():
    session, adapter = session_over(retries=Retries(2))
    proxies = {"http": f"http://{refusing_address()}"}
    with pytest.raises(requests.exceptions.ProxyError):
        session.post("http://api.example/", data=b"order", proxies=proxies)
    (room,) = adapter.snapshot()["retries"].values()
    assert room["retried"] == 2


def test_what_has_an_endpoint_goes_there_and_through_no_proxy():
    with serving("there") as (server,):
        gate = engine(ejection(consecutive_5xx=1), endpoints=[server.address])
        session, _ = session_over(gate)
        answer = session.get(URL, proxies={"http": f"http://{refusing_address()}"})
        assert answer.text == "there"
        assert ejected(gate, time.monotonic()) == set()


def test_a_hook_that_raises_at_a_bad_status_takes_no_verdict_away():
    with serving("bad", "good") as (bad, good):
        bad.status = 503
        settings = {"consecutive_5xx": 2, "interval": 600}
        gate = engine(ejection(**settings), endpoints=[bad.address, good.address])
        session, _ = session_over(gate)
        session.hooks["response"].append(lambda answer, *_, **__: answer.raise_for_status())
        errors = 0
        for _ in range(10):
            try:
                session.get(URL)
            except requests.HTTPError:
                errors += 1
            gc.collect()
        assert errors == 2
        assert ejected(gate, time.monotonic()) == {bad.address}
        assert outbound(gate)["in_flight"] == 0
        session.close()


def test_a_probe_that_is_answered_badly_and_dropped_opens_the_breaker_again():
    with serving("bad") as (bad,):
        bad.status = 503
        now = [0.0]
        breakers = Breakers(consecutive_errors=1, open_for=10, clock=lambda: now[0])
        session, adapter = session_over(breaker=breakers, clock=lambda: now[0])
        url = f"http://{bad.address}/"
        for moment in (0, 11):
            now[0] = moment
            session.get(url, stream=True)
            gc.collect()
            state = adapter.snapshot()["breakers"]["breakers"][bad.address]["state"]
            assert state == "open"
        assert bad.hits == 2
        session.close()


@pytest.mark.parametrize(("method", "path"), [("HEAD", ""), ("GET", "status/204")])
def test_an_answer_without_a_body_ends_at_its_headers(method, path):
    with serving("there") as (server,):
        gate = engine(ejection(consecutive_5xx=1), endpoints=[server.address])
        session, _ = session_over(gate)
        answer = session.request(method, URL + path, stream=True)
        assert answer.ok
        assert outbound(gate)["in_flight"] == 0
        session.close()


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"headers": {"x-name": "中"}}, UnicodeEncodeError),
        ({"data": iter([1, 2])}, TypeError),
        ({"verify": "/nowhere"}, OSError),
        ({"cert": "/nowhere"}, OSError),
    ],
)
def test_what_the_caller_got_wrong_is_no_failure_of_the_host(how, error):
    with serving("there") as (server,):
        breakers = Breakers(consecutive_errors=1)
        session, adapter = session_over(breaker=breakers, retries=Retries(2))
        scheme = "http" if error is not OSError else "https"
        with pytest.raises(error):
            session.put(f"{scheme}://{server.address}/", **how)
        assert session.get(f"http://{server.address}/").text == "there"
        (room,) = adapter.snapshot()["retries"].values()
        assert room["retried"] == 0
        session.close()


@pytest.mark.parametrize("timeout", [True, (True, 1.5), (1.5, False)])
def test_a_timeout_is_no_yes_or_no(timeout):
    session, adapter = session_over(timeout=1)
    with pytest.raises(ConfigError, match="timeout must be"):
        session.get("http://api.example/", timeout=timeout)
    assert adapter.snapshot()["breakers"]["breakers"] == {}


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_body_in_memory_is_sent_as_often_as_it_takes(kind):
    nobody = refusing_address()
    with serving("there") as (server,):
        gate = engine(endpoints=[nobody, server.address])
        session, _ = session_over(gate, retries=Retries(1))
        for _ in range(4):
            assert session.post(URL, data=kind(b"order")).text == "there"
        assert server.bodies == [b"order"] * 4
        session.close()


def test_a_mapped_file_is_a_stream_from_where_it_stands():
    with serving("there") as (server,), mmap.mmap(-1, 8) as mapped:
        mapped.write(b"12345678")
        mapped.seek(3)
        session, _ = session_over()
        assert session.post(f"http://{server.address}/", data=mapped).text == "there"
        assert server.bodies == [b"45678"]
        session.close()


def _decoded(raw):
    raw.decode_content = True
    return raw


def _read_decoded(raw):
    raw.read = partial(raw.read, decode_content=True)
    return raw


@pytest.mark.parametrize("how", [_decoded, _read_decoded])
def test_a_download_is_decoded_where_that_was_asked_for(how):
    with serving("text") as (server,):
        gate = engine(endpoints=[server.address])
        session, _ = session_over(gate)
        saved = io.BytesIO()
        with session.get(URL + "gzip", stream=True).raw as raw:
            assert isinstance(raw, io.IOBase)
            shutil.copyfileobj(how(raw), saved)
        assert saved.getvalue() == b"text" * 1000
        assert outbound(gate)["in_flight"] == 0


def test_the_lines_of_an_answer_may_be_asked_for_one_by_one():
    with serving("one\ntwo") as (server,):
        gate = engine(endpoints=[server.address])
        session, _ = session_over(gate)
        raw = session.get(URL, stream=True).raw
        assert next(raw) == b"one\n"
        assert next(raw) == b"two"
        assert outbound(gate)["in_flight"] == 1
        with pytest.raises(StopIteration):
            next(raw)
        assert outbound(gate)["in_flight"] == 0


def test_a_line_that_breaks_off_is_a_failure_of_the_host():
    with serving("bad") as (server,):
        gate = engine(ejection(consecutive_5xx=1, interval=600), endpoints=[server.address])
        session, _ = session_over(gate)
        raw = session.get(URL + "broken", stream=True).raw
        with pytest.raises(urllib3.exceptions.ProtocolError):
            next(raw)
        assert ejected(gate, time.monotonic()) == {server.address}


@pytest.mark.parametrize("own", [0.05, (0.05, 9), urllib3.Timeout(total=0.05)])
def test_a_call_waits_for_its_turn_no_longer_than_its_own_timeout_says(own):
    with serving("there") as (server,):
        gate = engine(quota(0.1), endpoints=[server.address])
        session, _ = session_over(gate, timeout=None)
        assert session.get(URL).text == "there"
        begun = time.monotonic()
        with pytest.raises(requests.ConnectTimeout, match="no turn in the queue"):
            session.get(URL, timeout=own)
        assert time.monotonic() - begun < 2
        assert outbound(gate)["queued"] == outbound(gate)["in_flight"] == 0
        session.close()


def test_who_reads_just_as_much_as_there_is_has_read_it_all():
    with serving("there") as (server,):
        gate = engine(endpoints=[server.address])
        session, _ = session_over(gate)
        raw = session.get(URL, stream=True).raw
        assert raw.read(3) == b"the"
        assert outbound(gate)["in_flight"] == 1
        assert raw.read(2) == b"re"
        assert outbound(gate)["in_flight"] == 0
