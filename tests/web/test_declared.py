"""Headers that tell of the rate limits that manifests set: on every answer, once, on both sides."""

import asyncio
import re

import http_sf
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from conftest import Clock
from support.shells import (
    call,
    environ,
    http_scope,
    plain,
    respond,
    run,
    serve,
    websocket_scope,
    wsgi_plain,
)
from trafficcore import AsgiTraffic, ConfigError, Engine, WsgiTraffic
from trafficcore.limits import Limit, Receipt, header
from trafficcore.web.flask import Traffic
from trafficcore.web.receipt import LIMITS

NAMES = ("ratelimit", "ratelimit-policy", "x-ratelimit-remaining")


def manifest(name="inner", quota=2, fill=60, *, rule="", vhost="*", **limit):
    more = "".join(f", {key}: {value}" for key, value in limit.items())
    return f"""
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {{name: {name}}}
spec:
  configs:
  - name: "{rule}"
    match: {{vhost: {{name: '{vhost}'}}}}
    limit: {{fill_interval: {{seconds: {fill}}}, quota: {quota}{more}}}
"""


class Asgi:
    """Requests to an ASGI application, behind an engine."""

    app = staticmethod(plain)

    def __init__(self, engine, clock, app=None, **options):
        self.engine = Engine.load(engine, listeners=()) if isinstance(engine, str) else engine
        self.shell = AsgiTraffic(app or self.app, self.engine, clock=clock, **options)

    def ask(self, path="/", **headers):
        """Return the status and the headers, every name once."""
        raw = [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()]
        scope = http_scope(path, headers=[(b"host", b"web"), *raw])
        peer = run(self.shell, scope)
        names = [name for name, _ in peer.sent[0]["headers"]]
        assert len(names) == len(set(names))
        return peer.status, peer.headers


class Wsgi(Asgi):
    """The same of a WSGI application."""

    app = staticmethod(wsgi_plain)

    def __init__(self, engine, clock, app=None, **options):
        self.engine = Engine.load(engine, listeners=()) if isinstance(engine, str) else engine
        self.shell = WsgiTraffic(app or self.app, self.engine, clock=clock, **options)

    def ask(self, path="/", **headers):
        given = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        names = []

        def app(env, start_response):
            def start(status, rows, *exc_info):
                names[:] = [name.lower() for name, _ in rows]
                return start_response(status, rows, *exc_info)

            return self.shell(env, start)

        status, rows, _ = serve(app, environ(path, **given))
        assert len(names) == len(set(names))
        return int(status[:3]), {name.lower(): value for name, value in rows.items()}


@pytest.fixture(params=[Asgi, Wsgi])
def kind(request):
    return request.param


def told(answers, name="ratelimit"):
    return [(status, headers.get(name)) for status, headers in answers]


def test_allowed_and_refused_answers_tell_what_is_left_of_a_manifests_limit(kind, clock):
    web = kind(manifest(), clock, headers="ietf")
    answers = [web.ask() for _ in range(3)]
    assert told(answers) == [
        (200, '"inner";r=1;t=30'), (200, '"inner";r=0;t=30'), (429, '"inner";r=0;t=30'),
    ]  # fmt: skip
    assert {headers["ratelimit-policy"] for _, headers in answers} == {'"inner";q=2;w=60'}
    refusal = answers[2][1]
    assert (refusal["retry-after"], refusal["x-local-rate-limit"]) == ("30", "true")
    assert refusal["x-envoy-ratelimited"] == "true"
    clock.advance(60)
    assert told([web.ask()]) == [(200, '"inner";r=1;t=30')]


def test_as_envoy_has_it(kind, clock):
    web = kind(manifest(), clock, headers="envoy")
    rows = [
        [headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")]
        for _, headers in (web.ask(), web.ask(), web.ask())
    ]
    assert rows == [["2", "1", "0"], ["2", "0", "30"], ["2", "0", "30"]]


def test_beside_other_limits_one_header_tells_of_all_whoever_refuses(kind, clock):
    front = Limit("2/min", name="front", by=header("x-key"))
    web = kind(manifest(quota=3), clock, limits=[front], headers="ietf")
    answers = [web.ask(x_key=key) for key in ("a", "a", "a", "b", "b")]
    assert told(answers) == [
        (200, '"front";r=1;t=30, "inner";r=2;t=20'),
        (200, '"front";r=0;t=30, "inner";r=1;t=20'),
        (429, '"front";r=0;t=30, "inner";r=1;t=20'),
        (200, '"front";r=1;t=30, "inner";r=0;t=20'),
        (429, '"front";r=1;t=30, "inner";r=0;t=20'),
    ]
    assert web.shell.limits["front"].refused == 1
    assert told([web.ask()]) == [(429, '"inner";r=0;t=20')]


@pytest.mark.parametrize("outer", ["engine", "limits"])
@pytest.mark.parametrize("teller", ["outer", "inner", "both"])
def test_so_it_is_in_two_middlewares_whichever_tells(kind, outer, teller, clock):
    makes = {Asgi: AsgiTraffic, Wsgi: WsgiTraffic}[kind]
    own = Engine.load(manifest(), listeners=())
    options = [{"limits": [Limit("9/min", name="all")]}, {"engine": own}]
    if outer == "limits":
        options.reverse()
    for which, of in zip(("inner", "outer"), options, strict=True):
        if teller in (which, "both"):
            of["headers"] = "ietf"
    inner = makes(kind.app, clock=clock, **options[0])
    web = kind(own, clock)
    web.shell = makes(inner, clock=clock, **options[1])
    ((status, headers),) = [web.ask()]
    says = headers["ratelimit"]
    assert status == 200
    assert '"all";r=8;t=7' in says or options[0 if outer == "engine" else 1].get("headers") is None
    if options[1 if outer == "engine" else 0].get("headers"):
        assert '"inner";r=1;t=30' in says
    assert says.count('"inner"') <= 1
    assert says.count('"all"') <= 1


def test_errors_of_the_application_tell_as_well(kind, clock):
    async def missing(scope, receive, send):
        await respond(send, 404)

    def wsgi_missing(env, start_response):
        start_response("404 Not Found", [("content-type", "text/plain")])
        return [b""]

    app = missing if kind is Asgi else wsgi_missing
    web = kind(manifest(), clock, app, headers="ietf")
    assert told([web.ask()]) == [(404, '"inner";r=1;t=30')]


def test_what_the_application_says_itself_stays(kind, clock):
    rows = [("RateLimit", "own"), ("content-type", "text/plain")]

    async def own(scope, receive, send):
        raw = [(name.lower().encode(), value.encode()) for name, value in rows]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": b""})

    def wsgi_own(env, start_response):
        start_response("200 OK", rows)
        return [b""]

    web = kind(manifest(), clock, own if kind is Asgi else wsgi_own, headers="ietf")
    assert told([web.ask()]) == [(200, "own")]


def test_what_no_limit_is_about_tells_nothing_and_neither_does_an_engine_that_is_off(kind, clock):
    web = kind(manifest(vhost="elsewhere"), clock, headers="ietf")
    assert not set(NAMES) & set(web.ask()[1])
    web = kind(manifest(), clock, headers="ietf")
    web.engine.mode = "off"
    assert not set(NAMES) & set(web.ask()[1])
    web.engine.mode = "shadow"
    assert told([web.ask() for _ in range(3)])[1:] == [(200, '"inner";r=0;t=30')] * 2
    web.engine.mode = "enforce"
    assert told([web.ask()]) == [(429, '"inner";r=0;t=30')]


def test_without_headers_nothing_is_added_to_a_request(clock):
    seen = []

    async def app(scope, receive, send):
        seen.append(LIMITS in scope)
        await respond(send)

    web = Asgi(manifest(), clock, app)
    assert type(web.shell) is AsgiTraffic
    status, headers = web.ask()
    assert (status, seen, set(NAMES) & set(headers)) == (200, [False], set())
    assert type(WsgiTraffic(wsgi_plain, web.engine)) is WsgiTraffic


def test_a_websocket_is_told_by_its_accept_or_by_the_answer_that_refuses_it(clock):
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})

    web = Asgi(manifest(quota=1), clock, app, headers="ietf")
    for kind, says in (
        ("websocket.accept", '"inner";r=0;t=60'),
        ("websocket.http.response.start", '"inner";r=0;t=60'),
    ):
        peer = asyncio.run(call(web.shell, websocket_scope()))
        assert peer.sent[0]["type"] == kind
        assert dict(peer.sent[0]["headers"])[b"ratelimit"].decode() == says


def test_a_connection_is_told_of_its_own_bucket(clock):
    web = Asgi(manifest(per_downstream_connection="true"), clock, headers="ietf")
    for client, says in ((1, "r=1"), (1, "r=0"), (2, "r=1")):
        peer = run(web.shell, http_scope(client=("10.0.0.1", client)))
        assert says in peer.headers["ratelimit"]


def test_limits_are_named_by_their_manifest_and_their_own_name_each_once(kind, clock):
    other = manifest("a", 9, rule="login").replace("name: a}", "name: a, namespace: istio-system}")
    rules = "---".join([manifest("a", rule="login"), other, manifest("b", 5, rule="l\u00f6gin")])
    web = kind(rules, clock, headers="ietf")
    says = web.ask()[1]["ratelimit"]
    names = [name for name, _ in http_sf.parse(says.encode(), tltype="list")]
    assert names == ["a/login", "a/login-2", "b/l?gin"]


def test_a_reload_is_told_of(kind, clock):
    web = kind(manifest(), clock, headers="ietf")
    assert told([web.ask()]) == [(200, '"inner";r=1;t=30')]
    web.engine.reload(manifest(quota=6))
    assert told([web.ask()], "ratelimit-policy") == [(200, '"inner";q=6;w=60')]


def test_the_application_reads_its_receipt_and_corrects_its_own_limits_alone(clock):
    found = []

    async def app(scope, receive, send):
        receipt = scope[LIMITS]
        assert isinstance(receipt, Receipt)
        receipt.correct(3)
        found.append((receipt.remaining("inner"), receipt.remaining("front"), receipt.remaining()))
        await respond(send)

    front = Limit("9/min", name="front")
    web = Asgi(manifest(), clock, app, limits=[front], headers="ietf")
    web.ask()
    assert found == [(1, 6, 1)]


def test_flasks_extension_inside_tells_of_both(clock):
    app = Flask("inside")
    app.add_url_rule("/", view_func=lambda: "ok")
    Traffic(app, limits=[Limit("9/min", name="all")], headers="ietf", clock=clock)
    web = Wsgi(manifest(), clock, app.wsgi_app, headers="ietf")
    assert told([web.ask()]) == [(200, '"all";r=8;t=7, "inner";r=1;t=30')]


@pytest.mark.parametrize("shell", [AsgiTraffic, WsgiTraffic])
def test_faults_are_told(shell):
    own = Engine.load(manifest(), listeners=())
    with pytest.raises(ConfigError, match="headers must be one of none, ietf, envoy, not 'all'"):
        shell(None, own, headers="all")
    with pytest.raises(ConfigError, match="needs an engine, or limits"):
        shell(None, headers="ietf")
    with pytest.raises(ConfigError, match="problem says how limits answer"):
        shell(None, own, headers="ietf", problem=True)


@given(
    quota=st.integers(1, 5),
    fill=st.integers(1, 90),
    waits=st.lists(st.integers(0, 40), max_size=12),
)
def test_what_is_told_is_true(quota, fill, waits):
    """So many more are admitted now, not one more; and one more at the time told, if none is."""
    clock = Clock()
    web = Asgi(manifest(quota=quota, fill=fill), clock, headers="ietf")
    _, headers = web.ask()
    for wait in waits:
        clock.advance(wait)
        _, headers = web.ask()
    left = int(re.search(r"r=(\d+)", headers["ratelimit"])[1])
    after = int(re.search(r"t=(\d+)", headers["ratelimit"])[1])
    assert [web.ask()[0] for _ in range(left + 1)] == [200] * left + [429]
    clock.advance(after)
    assert web.ask()[0] == 200
