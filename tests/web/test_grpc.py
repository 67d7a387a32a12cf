"""A refusal as gRPC's clients look for it."""

import asyncio

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
