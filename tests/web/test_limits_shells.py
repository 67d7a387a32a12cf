"""`limits=` of both shells: in front of an application, of a framework, of an engine."""

import asyncio

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from trafficcore import AsgiTraffic, ConfigError, Engine, WsgiTraffic
from trafficcore.limits import Limit, client_address, header

LIMIT = Limit("2/min", name="api", by=header("x-api-key"), on="/v1/*")
QUOTA = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: inner}
spec:
  configs:
  - match: {vhost: {name: '*'}}
    limit: {fill_interval: {seconds: 3600}, quota: 1}
"""


def starlette(**options):
    app = Starlette(routes=[Route("/v1/{x}", lambda request: PlainTextResponse("ok"))])
    return TestClient(AsgiTraffic(app, **options))


def flask(clock, **options):
    app = Flask("limits")
    app.add_url_rule("/v1/<x>", view_func=lambda x: "ok")
    app.wsgi_app = WsgiTraffic(app.wsgi_app, clock=clock, **options)
    return app.test_client()


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_key_has_its_limit_and_headers_say_what_is_left(kind, clock):
    options = {"limits": [LIMIT], "headers": "ietf"}
    client = starlette(clock=clock, **options) if kind == "asgi" else flask(clock, **options)
    answers = [client.get("/v1/a", headers={"x-api-key": "k"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"api";r=1;t=30', '"api";r=0;t=30', '"api";r=0;t=30',
    ]  # fmt: skip
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"api";q=2;w=60'}
    assert answers[2].headers["retry-after"] == "30"
    assert answers[2].headers["x-envoy-ratelimited"] == "true"
    assert answers[2].text == "local_rate_limited"
    other = client.get("/v1/a", headers={"x-api-key": "other"})
    assert other.status_code == 200
    free = client.get("/v1/a")
    assert free.status_code == 200
    assert "ratelimit" not in free.headers
    missing = client.get("/v2", headers={"x-api-key": "k"})
    assert missing.status_code == 404
    assert "ratelimit" not in missing.headers


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_what_an_engine_refuses_further_in_costs_no_token(kind, clock):
    engine = Engine.load(QUOTA, listeners=())
    options = {"engine": engine, "limits": [Limit("10/min", name="outer")], "clock": clock}
    if kind == "asgi":
        shell = AsgiTraffic(
            Starlette(routes=[Route("/", lambda r: PlainTextResponse("ok"))]), **options
        )
        client = TestClient(shell)
    else:
        app = Flask("x")
        app.add_url_rule("/", view_func=lambda: "ok")
        shell = app.wsgi_app = WsgiTraffic(app.wsgi_app, **options)
        client = app.test_client()
    assert [client.get("/").status_code for _ in range(4)] == [200, 429, 429, 429]
    assert shell.limits["outer"].left("", clock())[0] == 9
    assert engine.snapshot(clock())["traffic"]["inbound"]["refused"] == 3


def test_a_browser_can_read_a_refusal_inside_cors(clock):
    app = Starlette(
        routes=[Route("/", lambda request: PlainTextResponse("ok"))],
        middleware=[
            Middleware(
                CORSMiddleware, allow_origins=["https://a.example"], expose_headers=["RateLimit"]
            ),
            Middleware(AsgiTraffic, limits=[Limit("1/min")], headers="ietf", clock=clock),
        ],
    )
    client = TestClient(app)
    answers = [client.get("/", headers={"origin": "https://a.example"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert "ratelimit" in answer.headers


def test_headers_are_there_on_error_answers_and_once(clock):
    app = FastAPI()

    @app.get("/boom")
    def boom() -> None:
        raise RuntimeError("boom")

    @app.get("/own")
    def own() -> PlainTextResponse:
        return PlainTextResponse("ok", headers={"x-ratelimit-limit": "7"})

    client = TestClient(
        AsgiTraffic(app, limits=[Limit("100/min")], headers="envoy", clock=clock),
        raise_server_exceptions=False,
    )
    assert client.get("/boom").status_code == 500
    assert client.get("/boom").headers["x-ratelimit-limit"] == "100"
    own_answer = client.get("/own")
    assert own_answer.headers.get_list("x-ratelimit-limit") == ["7"]
    assert client.get("/nowhere").headers["x-ratelimit-remaining"] == "96"


def test_a_route_is_limited_however_its_path_is_written(clock):
    app = Starlette(routes=[Route("/login", lambda request: PlainTextResponse("ok"))])
    client = TestClient(AsgiTraffic(app, limits=[Limit("1/min", on="/login")], clock=clock))
    assert client.get("/login").status_code == 200
    assert client.get("/%6Cogin").status_code == 429
    assert client.get("/login?x=1").status_code == 429


def test_lifespan_passes_untouched():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["type"], receive, send))

    receive, send = object(), object()
    shell = AsgiTraffic(app, limits=[Limit("1/min", by=client_address())])
    asyncio.run(shell({"type": "lifespan"}, receive, send))
    assert seen == [("lifespan", receive, send)]


def test_a_websocket_upgrade_is_limited_like_a_request(clock):
    sent = []

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})

    async def send(message):
        sent.append(message["type"])

    shell = AsgiTraffic(app, limits=[Limit("1/min")], clock=clock)
    scope = {"type": "websocket", "path": "/", "headers": []}
    for _ in range(2):
        asyncio.run(shell(scope, None, send))
    assert sent == ["websocket.accept", "websocket.close"]


@pytest.mark.parametrize("shell", [AsgiTraffic, WsgiTraffic])
def test_nothing_to_do_is_told(shell):
    with pytest.raises(ConfigError, match="needs an engine, or limits"):
        shell(None)
    engine = Engine.load(QUOTA, listeners=())
    with pytest.raises(ConfigError, match="problem says how limits answer"):
        shell(None, engine, problem=True)
