"""`WsgiTraffic` by hand: item by item, with a clock that stands still."""

import io
from typing import Any
from wsgiref.validate import validator

import pytest

from conftest import Clock
from support.policies import engine, limit
from support.shells import (
    TEXT,
    environ,
    in_flight,
    inbound,
    serve,
    wsgi_plain,
)
from trafficcore import Engine, WsgiTraffic


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> WsgiTraffic:
    return WsgiTraffic(app, own, clock=clock, **more)


def test_a_request_within_the_limit_passes_and_one_above_is_refused(clock: Clock) -> None:
    own = engine(limit(2, 60))
    app = traffic(wsgi_plain, own, clock)
    assert serve(app) == ("200 OK", {"content-type": "text/plain", "content-length": "2"}, b"ok")
    assert serve(app)[0] == "200 OK"
    status, headers, body = serve(app)
    assert (status, body) == ("429 Too Many Requests", b"local_rate_limited")
    assert headers["retry-after"] == "30"
    assert headers["content-length"] == "18"
    assert (inbound(own)["admitted"], inbound(own)["refused"], in_flight(own)) == (2, 1, 0)


def test_a_status_that_nobody_registered_gets_a_reason_phrase(clock: Clock) -> None:
    own = engine(limit(0, limit={"status": 498, "body": "delay break!"}))
    assert serve(traffic(wsgi_plain, own, clock))[0] == "498 Client Error"


def test_a_refused_head_gets_no_body(clock: Clock) -> None:
    status, headers, body = serve(
        traffic(wsgi_plain, engine(limit(0)), clock), environ(method="HEAD")
    )
    assert (status[:3], headers["content-length"], body) == ("429", "18", b"")


@pytest.mark.parametrize("quota", [0, 5])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_validator_of_pep_3333_accepts_both_sides(
    quota: int, method: str, clock: Clock
) -> None:
    def app(env: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        return [] if env["REQUEST_METHOD"] == "HEAD" else iter([b"a", b"b"])

    wrapped = validator(traffic(validator(app), engine(limit(quota)), clock))  # type: ignore[arg-type]
    env = environ(method=method)
    del env["wsgi.input"], env["wsgi.errors"]
    env |= {"wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.append(status)
        return lambda data: None

    body = wrapped(env, start_response)
    assert b"".join(body) in (b"ab", b"local_rate_limited", b"")
    body.close()  # type: ignore[attr-defined]
    assert started[0].startswith("200" if quota else "429")
