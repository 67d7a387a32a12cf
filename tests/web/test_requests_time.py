"""A call's own time, under requests and over real sockets: it ends what only drips."""

import io
import shutil

import pytest
import requests
import urllib3

from support.clients import session_over
from support.outbound import serving
from trafficcore.spec import Retries

pytestmark = pytest.mark.sockets


def bounded(server):
    """Return a session whose calls may take a minute, and the clock they go by."""
    now = [0.0]
    session, adapter = session_over(
        retries=Retries(2, timeout=60), timeout=(1, 0.5), clock=lambda: now[0]
    )
    return session, adapter, now


@pytest.mark.parametrize("path", ["drip/3", "chunks/3"])
@pytest.mark.parametrize(
    "read",
    [
        lambda answer: answer.content,
        lambda answer: answer.raw.read(),
        lambda answer: answer.raw.read(3),
    ],
    ids=["content", "read", "read some"],
)
def test_an_answer_that_drips_ends_with_the_calls_time(path, read):
    with serving("slow") as (server,):
        session, adapter, now = bounded(server)
        answer = session.get(f"http://{server.address}/{path}", stream=True)
        now[0] = 61
        server.next_chunk.release()
        with pytest.raises(
            (requests.ConnectionError, urllib3.exceptions.ReadTimeoutError),
            match="the call's own time is over",
        ):
            read(answer)
        server.next_chunk.release(3)
        (breaker,) = adapter.snapshot()["breakers"]["breakers"].values()
        assert breaker["errors"] == 1
        session.close()


@pytest.mark.parametrize("path", ["drip/10", "chunks/2"])
def test_an_answer_in_time_is_given_as_it_comes_and_whole(path):
    with serving("slow") as (server,):
        session, adapter, _ = bounded(server)
        url = f"http://{server.address}/{path}"
        answer = session.get(url, stream=True)
        server.next_chunk.release()
        pieces = answer.iter_content(100)
        first = next(pieces)
        assert len(first) in (1, 5)
        server.next_chunk.release(9)
        assert len(first + b"".join(pieces)) == 10
        server.next_chunk.release(10)
        answer = session.get(url, stream=True)
        assert len(answer.raw.read(3)) == 3
        assert len(answer.raw.read(5)) == 5
        assert len(answer.raw.read(-1)) == 2
        (breaker,) = adapter.snapshot()["breakers"]["breakers"].values()
        assert (breaker["total"], breaker["errors"]) == (2, 0)
        session.close()


def test_an_answer_whose_time_is_bounded_is_decoded_as_any_other():
    with serving("text") as (server,):
        session, _, _ = bounded(server)
        url = f"http://{server.address}/gzip"
        assert session.get(url).text == "text" * 1000
        raw = session.get(url, stream=True).raw
        assert raw.read(7, decode_content=True) == b"texttex"
        assert raw.read(decode_content=True) == (b"text" * 1000)[7:]
        saved = io.BytesIO()
        raw = session.get(url, stream=True).raw
        raw.decode_content = True
        shutil.copyfileobj(raw, saved)
        assert saved.getvalue() == b"text" * 1000
        session.close()


@pytest.mark.parametrize("proxied", [False, True])
def test_a_call_waits_for_a_connection_that_others_hold_no_longer_than_for_a_new_one(proxied):
    with serving("slow") as (server,):
        session, adapter = session_over(pool_block=True, pool_maxsize=1, timeout=(0.05, 5))
        url = f"http://{server.address}/drip/1"
        ways = {"proxies": {"http": f"http://{server.address}"}} if proxied else {}
        held = session.get(url, stream=True, **ways)
        with pytest.raises(requests.ConnectTimeout):
            session.get(url, **ways)
        (breaker,) = adapter.snapshot()["breakers"]["breakers"].values()
        assert breaker["errors"] == 0
        server.next_chunk.release()
        assert held.content
        server.next_chunk.release()
        assert session.get(url, **ways).content
        session.close()
