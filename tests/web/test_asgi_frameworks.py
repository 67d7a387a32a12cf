"""`AsgiTraffic` under Starlette and FastAPI, in process."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support.policies import engine, limit
from support.shells import (
    HOST,
    in_flight,
    watching,
)
from trafficcore import AsgiTraffic, Engine
from trafficcore.spec import HeaderMatch, Op


def starlette_app(own: Engine, seen: list[int]) -> Any:
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Mount, Route, WebSocketRoute

    async def hello(request: Any) -> Any:
        return PlainTextResponse("hello")

    async def judge(request: Any) -> Any:
        request.state.traffic.fail()
        return PlainTextResponse("looks fine")

    async def broken(request: Any) -> Any:
        raise ValueError("broken")

    async def stream(request: Any) -> Any:
        async def parts() -> AsyncIterator[bytes]:
            for part in (b"a", b"b", b"c"):
                seen.append(in_flight(own))
                yield part

        return StreamingResponse(parts())

    async def background(request: Any) -> Any:
        return PlainTextResponse(
            "done", background=BackgroundTask(lambda: seen.append(in_flight(own)))
        )

    async def body(request: Any) -> Any:
        return PlainTextResponse(str(len(await request.body())))

    async def echo(websocket: Any) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        seen.append(in_flight(own))
        await websocket.close()

    routes = [
        Route("/", hello),
        Route("/judge", judge),
        Route("/broken", broken),
        Route("/stream", stream),
        Route("/background", background),
        Route("/body", body, methods=["POST"]),
        WebSocketRoute("/ws", echo),
    ]
    app = Starlette(routes=[*routes, Mount("/mounted", routes=[Route("/x", hello)])])
    app.add_middleware(AsgiTraffic, engine=own)
    return app


def fastapi_app(own: Engine, seen: list[int]) -> Any:
    from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
    from fastapi.responses import PlainTextResponse, StreamingResponse

    app = FastAPI()

    @app.get("/")
    @app.get("/mounted/x")
    async def hello() -> Any:
        return PlainTextResponse("hello")

    @app.get("/judge")
    def judge(request: Request) -> Any:
        request.state.traffic.fail()
        return PlainTextResponse("looks fine")

    @app.get("/broken")
    def broken() -> Any:
        raise ValueError("broken")

    @app.get("/stream")
    def stream() -> Any:
        def parts() -> Iterator[bytes]:
            for part in (b"a", b"b", b"c"):
                seen.append(in_flight(own))
                yield part

        return StreamingResponse(parts())

    @app.get("/background")
    def background(tasks: BackgroundTasks) -> Any:
        tasks.add_task(lambda: seen.append(in_flight(own)))
        return PlainTextResponse("done", background=tasks)

    @app.post("/body")
    async def body(request: Request) -> Any:
        return PlainTextResponse(str(len(await request.body())))

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        seen.append(in_flight(own))
        await websocket.close()

    # FastAPI hands its routes over as they are
    for name in ("Request", "BackgroundTasks", "WebSocket"):
        assert name in locals()
    return AsgiTraffic(app, own)


ASGI_APPS = [starlette_app, fastapi_app]


@pytest.fixture(params=ASGI_APPS, ids=["starlette", "fastapi"])
def make(request: Any) -> Any:
    return request.param


def client(app: Any, **more: Any) -> Any:
    from starlette.testclient import TestClient

    return TestClient(app, base_url=f"http://{HOST}", **more)


def test_requests_pass_and_are_refused(make: Any) -> None:
    own = engine(limit(2))
    with client(make(own, [])) as http:
        answers = [http.get("/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].text == "hello"
    assert answers[2].text == "local_rate_limited"
    assert answers[2].headers["retry-after"]
    assert in_flight(own) == 0


def test_the_application_overrules_its_status(make: Any) -> None:
    own = watching()
    with client(make(own, [])) as http:
        assert http.get("/judge").text == "looks fine"
        assert http.get("/").status_code == 498


def test_an_error_of_the_application_is_a_failure(make: Any) -> None:
    own = watching()
    with client(make(own, []), raise_server_exceptions=False) as http:
        assert http.get("/broken").status_code == 500
        assert http.get("/").status_code == 498
    assert in_flight(own) == 0


def test_a_missing_page_is_no_failure(make: Any) -> None:
    own = watching()
    with client(make(own, [])) as http:
        assert http.get("/nowhere").status_code == 404
        assert http.get("/").status_code == 200


def test_a_stream_is_in_flight_to_its_end_and_a_background_task_is_not(make: Any) -> None:
    own = watching()
    seen: list[int] = []
    with client(make(own, seen)) as http:
        assert http.get("/stream").content == b"abc"
        assert http.get("/background").text == "done"
    assert seen == [1, 1, 1, 0]


def test_a_body_arrives_whole(make: Any) -> None:
    with client(make(engine(limit(5)), [])) as http:
        assert http.post("/body", content=b"x" * 200_000).text == "200000"


def test_a_websocket_is_admitted_and_refused_like_a_request(make: Any) -> None:
    from starlette.testclient import WebSocketDenialResponse

    own = engine(limit(1))
    seen: list[int] = []
    with client(make(own, seen)) as http:
        with http.websocket_connect("/ws") as websocket:
            websocket.send_text("hello")
            assert websocket.receive_text() == "hello"
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            http.websocket_connect("/ws"),
        ):
            pass
    assert refused.value.status_code == 429
    assert (seen, in_flight(own)) == ([1], 0)


def test_a_rule_sees_the_path_that_the_router_sees(make: Any) -> None:
    own = engine(limit(0, headers=(HeaderMatch(":path", Op.PREFIX, "/mounted/x"),)))
    with client(make(own, [])) as http:
        assert http.get("/%6dounted/x").status_code == 429
        assert http.get("/mounted/%78").status_code == 429
        assert http.get("/").status_code == 200


def test_lifespan_reaches_the_application() -> None:
    from contextlib import asynccontextmanager

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        events.append("up")
        yield {"db": "connected"}
        events.append("down")

    async def db(request: Any) -> Any:
        assert request.state.traffic
        return PlainTextResponse(request.state.db)

    app = Starlette(routes=[Route("/", db)], lifespan=lifespan)
    with client(AsgiTraffic(app, engine())) as http:
        assert [http.get("/").text for _ in range(2)] == ["connected"] * 2
    assert events == ["up", "down"]


def test_a_middleware_further_out_reads_what_the_application_leaves() -> None:
    """`BaseHTTPMiddleware` around us: state and route come through to it."""
    from starlette.applications import Starlette
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    noted: list[Any] = []

    async def log(request: Any, call_next: Any) -> Any:
        request.state.begun = True
        response = await call_next(request)
        noted.append((request.state.user, request.scope["path_params"], request.scope["endpoint"]))
        return response

    async def item(request: Any) -> Any:
        assert request.state.begun
        request.state.user = "ada"
        return PlainTextResponse("item")

    app = Starlette(routes=[Route("/items/{id}", item)])
    app.add_middleware(AsgiTraffic, engine=engine())
    app.add_middleware(BaseHTTPMiddleware, dispatch=log)
    with client(app) as http:
        assert http.get("/items/7").text == "item"
    assert noted == [("ada", {"id": "7"}, item)]


def test_labels_come_from_what_authentication_found_out() -> None:
    from starlette.applications import Starlette
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    labels: list[Any] = []

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            return AuthCredentials(["any"]), SimpleUser(conn.headers["x-user"])

    def tier(scope: Any) -> dict[str, str]:
        labels.append({"tier": scope["user"].username})
        return labels[-1]

    async def hello(request: Any) -> Any:
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(AsgiTraffic, engine=engine(), request_labels=tier)
    app.add_middleware(AuthenticationMiddleware, backend=Backend())
    with client(app) as http:
        assert http.get("/", headers={"x-user": "ada"}).text == "hello"
    assert labels == [{"tier": "ada"}]
