"""Limits on routes of Starlette alone: functions, classes, websockets, middleware around."""

import asyncio
import functools

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient

from support.shells import Peer, call, websocket_scope
from trafficcore import AsgiTraffic
from trafficcore.limits import Limit, path_parameter
from trafficcore.web.receipt import LIMITS
from trafficcore.web.starlette import limit, limited, receipt


def client_of(*routes, **more):
    return TestClient(Starlette(routes=list(routes), **more))


def statuses(client, path="/", count=3, **more):
    return [client.get(path, **more).status_code for _ in range(count)]


def test_views_of_every_kind_are_limited(clock):
    def own():
        return limited("1/min", clock=clock)

    @own()
    def plain(request):
        return PlainTextResponse("plain")

    @own()
    async def later(request):
        return PlainTextResponse("later")

    class Page(HTTPEndpoint):
        @own()
        async def get(self, request):
            return PlainTextResponse("page")

    async def with_more(more, request):
        return PlainTextResponse(more)

    partial = own()(functools.partial(with_more, "more"))
    views = {"plain": plain, "later": later, "page": Page, "more": partial}
    client = client_of(*(Route(f"/{name}", view) for name, view in views.items()))
    for name in views:
        assert client.get(f"/{name}").text == name
        refusal = client.get(f"/{name}")
        assert (refusal.status_code, refusal.text) == (429, "local_rate_limited")
        assert refusal.headers["retry-after"] == "60"


def test_a_parameter_of_the_route_and_the_whole_path_are_seen(clock):
    async def view(request):
        return PlainTextResponse(request.path_params["user"])

    own = limited("1/min", by=path_parameter("user"), on="/v1/*", clock=clock)
    routes = [Route("/users/{user}", own(view))]
    client = client_of(Mount("/v1", routes=routes), Mount("/v2", routes=routes))
    assert statuses(client, "/v1/users/ada", 2) == [200, 429]
    assert statuses(client, "/v1/users/bob", 2) == [200, 429]
    assert statuses(client, "/v2/users/bob") == [200] * 3


def test_what_authentication_found_out_is_a_key(clock):
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn):
            name = conn.headers.get("x-user")
            return (AuthCredentials(["any"]), SimpleUser(name)) if name else None

    def user(request):
        return request.user.username if request.user.is_authenticated else None

    async def view(request):
        return PlainTextResponse("ok")

    client = client_of(
        Route("/", limited("1/min", by=user, clock=clock)(view)),
        middleware=[Middleware(AuthenticationMiddleware, backend=Backend())],
    )
    assert statuses(client, headers={"x-user": "ada"}) == [200, 429, 429]
    assert statuses(client, headers={"x-user": "bob"}) == [200, 429, 429]
    assert statuses(client) == [200] * 3


def test_a_browser_can_read_a_refusal_of_a_route(clock):
    async def view(request):
        return PlainTextResponse("ok")

    client = client_of(
        Route("/", limited("1/min", name="own", clock=clock)(view)),
        middleware=[
            Middleware(CORSMiddleware, allow_origins=["https://a.example"]),
            Middleware(AsgiTraffic, limits=[], headers="ietf", clock=clock),
        ],
    )
    answers = [client.get("/", headers={"origin": "https://a.example"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["ratelimit"] == '"own";r=0;t=60'


def test_what_the_framework_answers_outside_of_all_middleware_has_no_headers(clock):
    async def boom(request):
        raise RuntimeError("boom")

    options = {"limits": [Limit("9/min", name="all")], "headers": "ietf", "clock": clock}
    app = Starlette(routes=[Route("/", boom)], middleware=[Middleware(AsgiTraffic, **options)])
    inside = TestClient(app, raise_server_exceptions=False).get("/")
    assert (inside.status_code, "ratelimit" in inside.headers) == (500, False)
    around = AsgiTraffic(Starlette(routes=[Route("/", boom)]), **options)
    outside = TestClient(around, raise_server_exceptions=False).get("/")
    assert (outside.status_code, outside.headers["ratelimit"]) == (500, '"all";r=8;t=7')


@pytest.mark.parametrize("denial", [True, False])
def test_a_websocket_is_answered_as_its_server_can(clock, denial):
    async def talk(websocket):
        await websocket.accept()
        await websocket.close()

    app = Starlette(routes=[WebSocketRoute("/", limited("1/min", clock=clock)(talk))])
    sent = []
    for _ in range(2):
        peer = Peer({"type": "websocket.connect"})
        asyncio.run(call(app, websocket_scope(denial=denial), peer))
        sent.append(peer.sent)
    assert [message["type"] for message in sent[0]] == ["websocket.accept", "websocket.close"]
    if denial:
        assert sent[1][0]["type"] == "websocket.http.response.start"
        assert sent[1][0]["status"] == 429
    else:
        assert sent[1] == [{"type": "websocket.close", "code": 1013, "reason": ""}]


def test_an_application_reads_what_a_request_has_paid(clock):
    async def view(request):
        assert receipt(request) is request.scope[LIMITS]
        receipt(request).correct(5, "all")
        return PlainTextResponse(str(receipt(request).remaining()))

    client = client_of(
        Route("/", limited("9/min", name="own", clock=clock)(view)),
        middleware=[Middleware(AsgiTraffic, limits=[Limit("9/min", name="all")], clock=clock)],
    )
    assert client.get("/").text == "4"


def test_a_limit_that_nobody_meets_leaves_an_empty_receipt(clock):
    own = limit("1/min", by=lambda request: None, clock=clock)

    async def view(request):
        paid = await own(request)
        return PlainTextResponse(str(paid.met))

    assert client_of(Route("/", view)).get("/").text == "()"
