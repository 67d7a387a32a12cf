"""A refusal as gRPC's clients look for it, and answers as its servers give them."""

import asyncio

import pytest

from support.shells import HOST, breaker_state, http_scope, is_open, run, watching
from trafficcore import AsgiTraffic, Engine, WsgiTraffic
from trafficcore.limits import Limit

LIMITER = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: it}
spec:
  configs:
  - limit: {fill_interval: {seconds: 60}, quota: 0, custom_response_body: 'später, 50 %'}
"""


def asgi(shell, content_type):
    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"a"), (b"content-type", content_type)]
    scope = {"type": "http", "method": "POST", "path": "/s/M", "headers": headers}
    asyncio.run(shell(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_a_refusal_of_an_engine_is_unavailable():
    shell = AsgiTraffic(None, Engine.load(LIMITER, listeners=()))
    status, headers, body = asgi(shell, b"application/grpc+proto")
    assert (status, body) == (200, b"")
    assert headers[b"grpc-status"] == b"14"
    assert headers[b"grpc-message"] == b"sp%C3%A4ter, 50 %25"
    assert headers[b"content-type"] == b"application/grpc"
    assert headers[b"x-local-rate-limit"] == b"true"
    assert asgi(shell, b"application/json")[0] == 429


def test_a_limit_may_name_another_status():
    limit = Limit(0, capacity=0, headers=(("grpc-status", "8"),))
    shell = AsgiTraffic(None, limits=[limit])
    _, headers, _ = asgi(shell, b"application/grpc")
    assert headers[b"grpc-status"] == b"8"


def test_wsgi_answers_alike():
    shell = WsgiTraffic(None, Engine.load(LIMITER, listeners=()))
    seen = {}

    def start_response(status, headers, exc_info=None):
        seen.update(status=status, headers=dict(headers))

    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/s/M", "HTTP_HOST": "a",
        "CONTENT_TYPE": "application/grpc",
    }  # fmt: skip
    assert b"".join(shell(environ, start_response)) == b""
    assert seen["status"] == "200 OK"
    assert seen["headers"]["grpc-status"] == "14"


# -- what an application answers -----------------------------------------------------------------

UNAVAILABLE = (b"grpc-status", b"14")
TYPE = (b"content-type", b"application/grpc")


def start(*headers, status=200, trailers=False):
    return {
        "type": "http.response.start", "status": status, "headers": [TYPE, *headers],
        "trailers": trailers,
    }  # fmt: skip


def body(more=False):
    return {"type": "http.response.body", "body": b"x", "more_body": more}


def trailing(*headers, more=False):
    return {"type": "http.response.trailers", "headers": [*headers], "more_trailers": more}


def answering(*messages):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    return app


def watched(**rule):
    """A breaker that trips at one error, and a clock."""
    return watching(max_slow=0, slow_after=None, **rule)


def counts(engine):
    state = breaker_state(engine, 0)
    return state["total"], state["errors"]


@pytest.mark.parametrize(
    ("messages", "status", "errors"),
    [
        ([start(UNAVAILABLE), body()], 503, 1),
        ([start((b"grpc-status", b"4")), body()], 504, 1),
        ([start((b"grpc-status", b"13")), body()], 500, 1),
        ([start((b"grpc-status", b"99")), body()], 500, 1),
        ([start((b"grpc-status", b"0")), body()], 200, 0),
        ([start((b"grpc-status", b"5")), body()], 404, 0),
        ([start((b"grpc-status", b"8")), body()], 429, 0),
        ([start(UNAVAILABLE, status=404), body()], 404, 0),
        ([start(trailers=True), body(True), body(), trailing(UNAVAILABLE)], 503, 1),
        ([start(trailers=True), body(), trailing((b"grpc-status", b"0"))], 200, 0),
        ([start(trailers=True), body(), trailing((b"x", b"1"), more=True), trailing(UNAVAILABLE)],
         503, 1),
        ([start(trailers=True), body(), trailing()], 200, 0),
        ([start(), body()], 200, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("in_flight", [False, True])
def test_a_breaker_counts_the_status_that_headers_or_trailers_have(
    messages, status, errors, in_flight
):
    engine = watched()
    permits = []

    async def app(scope, receive, send):
        permits.append(scope["state"]["traffic"])
        await answering(*messages)(scope, receive, send)

    peer = run(AsgiTraffic(app, engine, slow_in_flight=in_flight, clock=lambda: 0.0))
    assert peer.sent == messages
    assert (permits[0].status, permits[0].settled) == (status, True)
    assert counts(engine) == (1, errors)
    assert is_open(engine, 0) is bool(errors)


def test_trailers_that_never_come_are_a_broken_response():
    engine = watched()
    run(AsgiTraffic(answering(start(trailers=True), body()), engine, clock=lambda: 0.0))
    assert counts(engine) == (1, 1)


def test_until_its_trailers_are_out_a_response_is_not_over():
    engine = watched()

    async def app(scope, receive, send):
        permit = scope["state"]["traffic"]
        await send(start(trailers=True))
        await send(body())
        assert not permit.settled
        await send(trailing((b"grpc-status", b"0")))
        assert permit.settled

    run(AsgiTraffic(app, engine, clock=lambda: 0.0))


def test_headers_that_can_be_read_but_once_are_left_to_the_server():
    engine = watched()
    seen = []

    async def send(message):
        seen.extend(message.get("headers", ()))

    once = {"type": "http.response.start", "status": 200, "headers": iter([UNAVAILABLE])}
    shell = AsgiTraffic(answering(once, body()), engine, clock=lambda: 0.0)
    asyncio.run(shell(http_scope(), None, send))
    assert seen == [UNAVAILABLE]
    assert counts(engine) == (1, 0)


def test_without_a_breaker_nobody_looks_and_the_body_ends_the_call():
    permits = []

    async def app(scope, receive, send):
        permits.append(scope["state"]["traffic"])
        await answering(start(UNAVAILABLE, trailers=True), body(), trailing())(scope, receive, send)

    run(AsgiTraffic(app, Engine.load(LIMITER.replace("quota: 0", "quota: 1"), listeners=())))
    assert (permits[0].status, permits[0].settled) == (200, True)


@pytest.mark.parametrize(("code", "errors"), [("14", 1), ("0", 0), ("7", 0), ("2", 1)])
@pytest.mark.parametrize("first", [True, False])
def test_a_wsgi_application_has_it_among_its_headers(code, errors, first):
    engine = watched()
    own, length = ("Grpc-Status", code), ("Content-Length", "0")

    def app(environ, start_response):
        start_response("200 OK", [own, length] if first else [length, own])
        return []

    shell = WsgiTraffic(app, engine, clock=lambda: 0.0)
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/s/M", "HTTP_HOST": HOST}
    shell(environ, lambda *_: lambda _: None).close()
    assert counts(engine) == (1, errors)
