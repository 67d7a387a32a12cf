"""Limits on routes of FastAPI: dependencies and decorators, which ask for no `request`."""

import threading
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from trafficcore import AsgiTraffic, ConfigError
from trafficcore.limits import (
    Limit,
    Receipt,
    client_address,
    first_of,
    header,
    path_parameter,
)
from trafficcore.web.fastapi import LimitedRoute
from trafficcore.web.starlette import limit, limited


def statuses(client, path, count=3, **more):
    return [client.get(path, **more).status_code for _ in range(count)]


def test_a_dependency_limits_its_route_and_says_so_as_the_framework_does(clock):
    app = FastAPI()
    search = limit("2/min", name="search", clock=clock)

    @app.get("/search", dependencies=[Depends(search)])
    def find() -> str:
        return "found"

    @app.get("/free")
    def free() -> str:
        return "free"

    client = TestClient(app)
    assert statuses(client, "/search") == [200, 200, 429]
    refusal = client.get("/search")
    assert refusal.json() == {"detail": "local_rate_limited"}
    assert refusal.headers["retry-after"] == "30"
    assert refusal.headers["x-envoy-ratelimited"] == "true"
    assert refusal.headers["content-length"] == str(len(refusal.content))
    assert client.get("/free").status_code == 200
    clock.advance(31)
    assert client.get("/search").status_code == 200
    assert search.limits["search"].refused == 2
    assert search.limits.snapshot()[0]["name"] == "search"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_decorated_view_needs_no_request_and_keeps_its_parameters(clock, kind):
    app = FastAPI()

    if kind == "sync":

        @app.get("/items/{item}")
        @limited("2/min", clock=clock)
        def read_item(item: int, q: str = "", x_token: Annotated[str, Header()] = "") -> dict:
            """Read one."""
            return {"item": item, "q": q, "token": x_token}
    else:

        @app.get("/items/{item}")
        @limited("2/min", clock=clock)
        async def read_item(item: int, q: str = "", x_token: Annotated[str, Header()] = "") -> dict:
            """Read one."""
            return {"item": item, "q": q, "token": x_token}

    client = TestClient(app)
    answer = client.get("/items/7?q=a", headers={"x-token": "t"})
    assert answer.json() == {"item": 7, "q": "a", "token": "t"}
    assert client.get("/items/x").status_code == 422
    assert statuses(client, "/items/7", 2) == [200, 429]
    operation = client.get("/openapi.json").json()["paths"]["/items/{item}"]["get"]
    assert [one["name"] for one in operation["parameters"]] == ["item", "q", "x-token"]
    assert operation["description"] == "Read one."


def test_a_view_may_ask_for_the_request_itself(clock):
    app = FastAPI()

    @app.get("/a")
    @limited("1/min", clock=clock)
    def view(request: Request) -> str:
        return request.url.path

    @app.get("/b")
    @limited("1/min", clock=clock)
    async def more(*, x: int = 1, **_: int) -> int:
        return x

    client = TestClient(app)
    assert client.get("/a").json() == "/a"
    assert client.get("/a").status_code == 429
    assert client.get("/b", params={"_": 1}).json() == 1
    assert client.get("/b", params={"_": 1}).status_code == 429


def test_annotations_that_are_texts_are_read_where_they_were_written(clock):
    names = {}
    source = (
        "from __future__ import annotations\n"
        "from fastapi import Request\n"
        "def view(request: Request, n: int) -> str:\n"
        "    return f'{request.method} {n + 1}'\n"
        "def later(n: Unknown) -> None: ...\n"
    )
    exec(source, names)  # its own annotations
    app = FastAPI()
    view = limited("1/min", clock=clock)(names["view"])
    assert list(view.__signature__.parameters) == ["request", "n"]
    assert view.__signature__.parameters["request"].annotation is Request
    app.get("/")(view)
    client = TestClient(app)
    assert client.get("/?n=1").json() == "GET 2"
    assert client.get("/?n=1").status_code == 429
    assert limited("1/min")(names["later"]).__signature__.parameters["n"].annotation == "Unknown"


def test_a_routers_limit_is_in_the_openapi_document_of_its_routes(clock):
    search = limit(Limit("1/min", name="s"), Limit("9/s", status=503, name="t"), clock=clock)
    router = APIRouter(dependencies=[Depends(search)], responses=search.responses)

    @router.get("/a")
    def first() -> str:
        return "a"

    @router.get("/b")
    def second() -> str:
        return "b"

    app = FastAPI()
    app.include_router(router, prefix="/v1")
    client = TestClient(app)
    assert client.get("/v1/a").status_code == 200
    assert client.get("/v1/b").status_code == 429  # one bucket
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/a", "/v1/b"):
        documented = paths[path]["get"]["responses"]
        assert set(documented) == {"200", "429", "503"}
        assert "Retry-After" in documented["429"]["headers"]


def test_a_limited_route_finds_its_limits_and_documents_them(clock):
    first, second = limit("9/s", clock=clock), limit("9/s", status=503, clock=clock)

    def user(paid: Annotated[Receipt, Depends(second)]) -> Receipt:
        return paid

    own = {429: {"description": "Not so fast"}}
    router = APIRouter(route_class=LimitedRoute)
    apart = APIRouter(route_class=LimitedRoute, dependencies=[Depends(first)])
    app = FastAPI()
    app.router.route_class = LimitedRoute

    @router.get("/dependency", dependencies=[Depends(first)])
    @apart.get("/router")
    @app.get("/free")
    def free() -> str:
        return "free"

    @app.get("/nested")
    def nested(paid: Annotated[Receipt, Depends(user)]) -> int | None:
        return paid.remaining()

    @app.get("/decorated", responses={404: {"description": "Not here"}})
    @limited(first)
    @limited(second)
    async def decorated() -> str:
        return "decorated"

    @app.get("/own", responses=own)
    @limited(first)
    def described() -> str:
        return "own"

    app.include_router(router, prefix="/v1")
    app.include_router(apart, prefix="/v1")
    client = TestClient(app)
    paths = client.get("/openapi.json").json()["paths"]
    documented = {path: set(one["get"]["responses"]) for path, one in paths.items()}
    assert documented == {
        "/free": {"200"},
        "/v1/dependency": {"200", "429"},
        "/v1/router": {"200", "429"},
        "/nested": {"200", "503"},
        "/decorated": {"200", "404", "429", "503"},
        "/own": {"200", "429"},
    }
    assert paths["/own"]["get"]["responses"]["429"]["description"] == "Not so fast"
    assert "Retry-After" in paths["/nested"]["get"]["responses"]["503"]["headers"]
    for path in documented:
        assert client.get(path).status_code == 200


def test_a_limited_route_tells_of_the_limits_of_those_who_include_it(clock):
    whole, outer, inner = (limit("99/s", status=status, clock=clock) for status in (429, 503, 509))
    leaf, branch = APIRouter(route_class=LimitedRoute), APIRouter(route_class=LimitedRoute)
    app = FastAPI(dependencies=[Depends(whole)])
    app.router.route_class = LimitedRoute

    @app.get("/own")
    @branch.get("/branch")
    @leaf.get("/leaf")
    def free() -> str:
        return "free"

    branch.include_router(leaf, prefix="/in", dependencies=[Depends(inner)])
    app.include_router(branch, prefix="/a", dependencies=[Depends(outer)])
    app.include_router(branch, prefix="/b")
    client = TestClient(app)
    for _ in range(2):  # before a request, and after one
        paths = client.get("/openapi.json").json()["paths"]
        documented = {path: set(one["get"]["responses"]) for path, one in paths.items()}
        assert documented == {
            "/own": {"200", "429"},
            "/a/branch": {"200", "429", "503"},
            "/a/in/leaf": {"200", "429", "503", "509"},
            "/b/branch": {"200", "429"},
            "/b/in/leaf": {"200", "429", "509"},
        }
        app.openapi_schema = None
        for path in documented:
            assert client.get(path).status_code == 200


def test_a_parameter_of_the_route_is_a_key(clock):
    app = FastAPI()

    @app.get(
        "/users/{user}/a",
        dependencies=[Depends(limit("1/min", by=path_parameter("user"), clock=clock))],
    )
    def first(user: str) -> str:
        return user

    @app.get("/users/{user}/b")
    @limited("1/min", by=path_parameter("user"), clock=clock)
    async def second(user: str) -> str:
        return user

    client = TestClient(app)
    for end in "ab":
        assert statuses(client, f"/users/ada/{end}", 2) == [200, 429]
        assert client.get(f"/users/bob/{end}").status_code == 200


def test_functions_are_given_the_request_and_what_they_return_is_a_key(clock):
    app = FastAPI()
    seen = []

    def user(request: Request) -> int | None:
        seen.append((type(request).__name__, request.method))
        number = request.headers.get("x-user")
        return int(number) if number else None

    own = limited(
        "4/min",
        by=first_of(user, header("x-key")),
        on=lambda request: request.query_params.get("free") is None,
        exempt=lambda request: request.headers.get("x-user") == "1",
        cost=lambda request: int(request.query_params.get("n", "1")),
        clock=clock,
    )

    @app.get("/")
    @own
    def view() -> str:
        return "ok"

    client = TestClient(app)
    two = {"x-user": "2"}
    assert statuses(client, "/?n=3", 2, headers=two) == [200, 429]
    assert statuses(client, "/?free=1", 9, headers=two) == [200] * 9
    assert statuses(client, "/?n=1", 2, headers=two) == [200, 429]
    assert statuses(client, "/", 9, headers={"x-user": "1"}) == [200] * 9
    assert statuses(client, "/?n=4", 2, headers={"x-key": "2"}) == [200, 429]
    assert statuses(client, "/", 9) == [200] * 9
    assert seen[0] == ("Request", "GET")


def test_a_key_is_the_same_as_a_number_and_as_a_text(clock):
    app = FastAPI()

    @app.get("/{number}")
    @limited("1/min", by=lambda request: 7 if "number" in request.url.path else "7", clock=clock)
    def view(number: str) -> str:
        return number

    client = TestClient(app)
    assert [client.get(path).status_code for path in ("/number", "/text")] == [200, 429]


def test_a_dependency_that_stands_first_finds_out_whose_request_it_is(clock):
    def current_user(request: Request) -> None:
        request.state.user = request.headers.get("x-user")

    app = FastAPI()
    own = limit("1/min", by=lambda request: request.state.user, clock=clock)

    @app.get("/", dependencies=[Depends(current_user), Depends(own)])
    def view() -> str:
        return "ok"

    client = TestClient(app)
    assert statuses(client, "/", 2, headers={"x-user": "ada"}) == [200, 429]
    assert statuses(client, "/", 2, headers={"x-user": "bob"}) == [200, 429]
    assert statuses(client, "/", 2) == [200, 200]


def test_roles_are_several_limits_of_which_one_is_met(clock):
    def of(role):
        return lambda request: (
            request.headers.get("x-user") if request.headers.get("x-role") == role else None
        )

    app = FastAPI()

    @app.get("/")
    @limited(Limit("1/min", by=of("free")), Limit("3/min", by=of("paid")), clock=clock)
    def view() -> str:
        return "ok"

    client = TestClient(app)
    assert statuses(client, "/", 4, headers={"x-role": "free", "x-user": "a"}) == [
        200,
        429,
        429,
        429,
    ]
    assert statuses(client, "/", 4, headers={"x-role": "paid", "x-user": "a"}) == [
        200,
        200,
        200,
        429,
    ]


def test_the_same_object_on_two_routes_is_one_bucket(clock):
    app = FastAPI()
    shared = limit("3/min", clock=clock)

    @app.get("/a")
    @limited(shared)
    def a() -> str:
        return "a"

    @app.get("/b", dependencies=[Depends(shared)])
    def b() -> str:
        return "b"

    @app.get("/c")
    @limited("3/min", clock=clock)
    def c() -> str:
        return "c"

    client = TestClient(app)
    assert [client.get(path).status_code for path in ("/a", "/b", "/a", "/b", "/a")] == [
        200
    ] * 3 + [429] * 2
    assert client.get("/c").status_code == 200


def test_a_request_meets_a_limit_once_and_several_are_all_or_nothing(clock):
    app = FastAPI()
    wide, narrow = (
        limit("10/min", name="wide", clock=clock),
        limit("1/min", name="narrow", clock=clock),
    )

    @app.get("/", dependencies=[Depends(wide)])
    @limited(wide)
    @limited(narrow)
    def view() -> str:
        return "ok"

    client = TestClient(app)
    assert statuses(client, "/", 4) == [200, 429, 429, 429]
    assert wide.limits["wide"].left("", clock())[0] == 9


def test_shadow_is_switched_while_running(clock):
    app = FastAPI()
    own = limit("1/min", name="own", shadow=True, clock=clock)

    @app.get("/")
    @limited(own)
    def view() -> str:
        return "ok"

    client = TestClient(app)
    assert statuses(client, "/") == [200] * 3
    assert own.limits["own"].shadowed == 2
    own.limits["own"].shadow = False
    assert client.get("/").status_code == 429


def test_an_application_words_its_refusals_itself(clock):
    app = FastAPI()

    @app.exception_handler(429)
    def worded(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "slow down"}, 429, error.headers)

    @app.get("/")
    @limited("1/min", clock=clock)
    def view() -> str:
        return "ok"

    client = TestClient(app)
    client.get("/")
    answer = client.get("/")
    assert answer.json() == {"error": "slow down"}
    assert answer.headers["retry-after"] == "60"


def test_a_stream_and_an_error_of_a_limited_view_come_through(clock):
    app = FastAPI()

    @app.get("/stream")
    @limited("1/min", clock=clock)
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter(["a", "b", "c"]))

    @app.get("/boom")
    @limited("1/min", clock=clock)
    def boom() -> None:
        raise RuntimeError("boom")

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/stream").text == "abc"
    assert statuses(client, "/boom", 2) == [500, 429]


def test_a_websocket_is_limited_when_it_is_opened(clock):
    app = FastAPI()
    own = limit("1/min", by=lambda connection: connection.headers.get("x-user"), clock=clock)

    @app.websocket("/a")
    @limited(own)
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    @app.websocket("/b", dependencies=[Depends(own)])
    async def other(websocket: WebSocket) -> None:
        raise AssertionError("never opened")

    client = TestClient(app)
    user = {"x-user": "ada"}
    with client.websocket_connect("/a", headers=user) as websocket:
        assert websocket.receive_text() == "hello"
    for path in "ab":
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect(f"/{path}", headers=user),
        ):
            pass
        assert refused.value.status_code == 429
        assert refused.value.headers["retry-after"] == "60"


def test_threads_never_get_one_too_many(clock):
    app = FastAPI()

    @app.get("/")
    @limited("50/day", by=client_address(), clock=clock)
    def view() -> str:
        return "ok"

    found = []

    def ask():
        client = TestClient(app)
        found.extend(statuses(client, "/", 20))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 50 + [429] * 70


def test_costs_known_afterwards_are_corrected(clock):
    app = FastAPI()
    tokens = limit("100/min", cost=10, by=header("x-key"), name="tokens", clock=clock)

    @app.get("/{spent}")
    def chat(spent: int, paid: Annotated[Receipt, Depends(tokens)]) -> dict:
        before = paid.remaining()
        paid.correct(spent)
        return {
            "before": before,
            "after": paid.remaining("tokens"),
            "other": paid.remaining("other"),
        }

    client = TestClient(app)
    key = {"x-key": "a"}
    assert client.get("/40", headers=key).json() == {"before": 90, "after": 60, "other": None}
    assert client.get("/0", headers=key).json() == {"before": 50, "after": 60, "other": None}
    assert client.get("/100", headers=key).json() == {"before": 50, "after": 0, "other": None}
    refusal = client.get("/1", headers=key)
    assert refusal.status_code == 429
    assert refusal.headers["retry-after"] == "30"  # the 40 it owes, and the 10 it asks for
    assert client.get("/1", headers={"x-key": "b"}).json()["before"] == 90
    assert client.get("/1").json() == {"before": None, "after": None, "other": None}


def test_a_stream_corrects_its_cost_when_it_ends(clock):
    app = FastAPI()
    tokens = limit("100/min", cost=50, name="tokens", clock=clock)

    @app.get("/")
    def chat(paid: Annotated[Receipt, Depends(tokens)]) -> StreamingResponse:
        def parts():
            yield f"{paid.remaining()} "
            paid.correct(7)
            yield f"{paid.remaining()}"

        return StreamingResponse(parts())

    assert TestClient(app).get("/").text == "50 93"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (limit, "a limit needs a rate"),
        (limited, "a limit needs a rate"),
        (lambda: limited("often"), "rate must be a number or a text"),
        (lambda: limit("1/s", by="key"), "by must be a key such as header"),
        (lambda: limit(Limit("1/s"), by=header("a")), "by belongs inside the Limit"),
        (lambda: limited(limit("1/s"), name="a"), "is made takes no options"),
        (lambda: limited("1/s")(object), "decorate the methods of object"),
        (lambda: limited("1/s")(one for one in ()), "limited\\(\\) is for views"),
        (lambda: limit("1/s", "2/s", name="a"), "two limits have the name 'a'"),
    ],
)
def test_faults_are_told_when_the_application_starts(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_views_that_yield_are_told_where_to_put_their_limit():
    def sync():
        yield 1

    async def asynchronous():
        yield 1

    for view in (sync, asynchronous):
        with pytest.raises(ConfigError, match="yields its answer: limit it by Depends"):
            limited("1/s")(view)


def test_a_view_that_hides_its_signature_is_told():
    with pytest.raises(ConfigError, match="was called without a request"):
        limited("1/s")(lambda: None)()


def test_limits_in_front_and_on_a_route_are_one_verdict_with_one_set_of_headers(clock):
    app = FastAPI()
    own = limit("1/min", name="own", clock=clock)

    @app.get("/", dependencies=[Depends(own)])
    def view() -> str:
        return "ok"

    @app.get("/boom")
    @limited("1/min", name="boom", clock=clock)
    def boom() -> None:
        raise RuntimeError("boom")

    shell = AsgiTraffic(app, limits=[Limit("10/min", name="all")], headers="ietf", clock=clock)
    client = TestClient(shell, raise_server_exceptions=False)
    first, second = client.get("/"), client.get("/")
    assert [first.status_code, second.status_code] == [200, 429]
    assert first.headers.get_list("ratelimit") == ['"all";r=9;t=6, "own";r=0;t=60']
    assert second.headers.get_list("ratelimit") == ['"all";r=9;t=6, "own";r=0;t=60']
    assert second.headers.get_list("ratelimit-policy") == ['"all";q=10;w=60, "own";q=1;w=60']
    assert shell.limits["all"].left("", clock())[0] == 9
    broken = client.get("/boom")
    assert broken.status_code == 500
    assert broken.headers.get_list("ratelimit") == ['"all";r=8;t=6, "boom";r=0;t=60']
