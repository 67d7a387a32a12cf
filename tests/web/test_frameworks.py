"""The shells under the frameworks people use, in process."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support.policies import engine, limit
from support.shells import (
    HOST,
    Peer,
    call,
    environ,
    http_scope,
    in_flight,
    inbound,
    is_open,
    serve,
    watching,
)
from trafficcore import AsgiTraffic, Engine, WsgiTraffic
from trafficcore.spec import HeaderMatch, Op

# --- one application in each, with the same routes ----------------------------------------------


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
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
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


# --- Flask --------------------------------------------------------------------------------------


def flask_app(own: Engine, seen: list[int]) -> Any:
    from flask import Flask, Response, request, send_file

    app = Flask(__name__)

    @app.get("/")
    def hello() -> str:
        return "hello"

    @app.get("/judge")
    def judge() -> str:
        request.environ["trafficcore.permit"].fail()
        return "looks fine"

    @app.get("/broken")
    def broken() -> str:
        raise ValueError("broken")

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[bytes]:
            for part in (b"a", b"b", b"c"):
                seen.append(in_flight(own))
                yield part

        response = Response(parts())
        response.call_on_close(lambda: seen.append(in_flight(own)))
        return response

    @app.get("/file")
    def file() -> Response:
        return send_file(__file__)

    @app.get("/ünï/<name>")
    def name(name: str) -> str:
        return name

    app.wsgi_app = WsgiTraffic(app.wsgi_app, own)  # type: ignore[method-assign]
    return app


def test_flask_passes_and_is_refused() -> None:
    own = engine(limit(2))
    http = flask_app(own, []).test_client()
    answers = [http.get("/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].text == "local_rate_limited"
    assert in_flight(own) == 0


def test_a_response_of_flask_that_a_test_never_reads_counts_all_the_same() -> None:
    own = watching()
    http = flask_app(own, []).test_client()
    unread = [http.get("/"), http.get("/judge")]
    assert in_flight(own) == 0
    assert http.get("/").status_code == 498
    assert all(response.status_code == 200 for response in unread)


def test_flask_overrules_its_status() -> None:
    own = watching()
    http = flask_app(own, []).test_client()
    assert http.get("/judge").text == "looks fine"
    assert http.get("/").status_code == 498


def test_an_error_of_flask_is_a_failure() -> None:
    own = watching()
    http = flask_app(own, []).test_client()
    assert http.get("/broken").status_code == 500
    assert http.get("/").status_code == 498


def test_a_stream_of_flask_is_in_flight_to_its_end_and_what_runs_at_close_is_not() -> None:
    own = watching()
    seen: list[int] = []
    http = flask_app(own, seen).test_client()
    assert http.get("/stream").data == b"abc"
    assert seen == [1, 1, 1, 0]


def test_a_client_of_flask_that_goes_away_is_no_verdict() -> None:
    own = watching()
    seen: list[int] = []
    http = flask_app(own, seen).test_client()
    response = http.get("/stream", buffered=False)
    next(response.response)  # type: ignore[call-overload]
    assert in_flight(own) == 1
    response.close()
    assert in_flight(own) == 0
    assert not is_open(own, 0)


def test_a_file_of_flask_arrives_whole() -> None:
    own = engine(limit(5))
    http = flask_app(own, []).test_client()
    with http.get("/file") as response:
        assert b"A file" in response.data or b"def " in response.data
    assert in_flight(own) == 0


def test_a_rule_sees_the_path_that_flask_sees() -> None:
    own = engine(limit(0, headers=(HeaderMatch(":path", Op.PREFIX, "/ünï/"),)))
    http = flask_app(own, []).test_client()
    assert http.get("/%C3%BCn%C3%AF/x").status_code == 429
    assert http.get("/").status_code == 200


# --- Django -------------------------------------------------------------------------------------


def _django() -> None:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, DEBUG=False, USE_TZ=True, SECRET_KEY="x"
        )
        django.setup()


SEEN: list[int] = []
OWN: list[Engine] = []


def _view(request: Any) -> Any:
    from django.http import FileResponse, HttpResponse, StreamingHttpResponse

    match request.path:
        case "/broken":
            raise ValueError("broken")
        case "/judge":
            if hasattr(request, "scope"):
                request.scope["state"]["traffic"].fail()
            else:
                request.META["trafficcore.permit"].fail()
        case "/stream":

            def parts() -> Iterator[bytes]:
                for part in (b"a", b"b", b"c"):
                    SEEN.append(in_flight(OWN[-1]))
                    yield part

            async def async_parts() -> AsyncIterator[bytes]:
                for part in parts():
                    yield part

            return StreamingHttpResponse(
                async_parts() if hasattr(request, "scope") else parts()
            )
        case "/file":
            return FileResponse(open(__file__, "rb"))  # noqa: PTH123, SIM115
    return HttpResponse("hello")


def __getattr__(name: str) -> Any:
    if name == "urlpatterns":
        from django.urls import re_path

        return [re_path("", _view)]
    raise AttributeError(name)


def django_wsgi(own: Engine) -> Any:
    _django()
    from django.core.wsgi import get_wsgi_application

    OWN.append(own)
    return WsgiTraffic(get_wsgi_application(), own)


def django_asgi(own: Engine) -> Any:
    _django()
    from django.core.asgi import get_asgi_application

    OWN.append(own)
    return AsgiTraffic(get_asgi_application(), own)


class Django:
    """Django behind one of the two shells, asked the same way."""

    def __init__(self, shell: str, own: Engine) -> None:
        self.shell = shell
        self.app = django_wsgi(own) if shell == "wsgi" else django_asgi(own)

    def get(self, path: str) -> tuple[int, bytes]:
        if self.shell == "wsgi":
            status, _, body = serve(self.app, environ(path))
            return int(status[:3]), body
        peer = asyncio.run(call(self.app, http_scope(path)))
        return peer.status, peer.body


@pytest.fixture(params=["wsgi", "asgi"])
def shell(request: Any) -> str:
    return request.param


def test_django_passes_and_is_refused(shell: str) -> None:
    own = engine(limit(2))
    app = Django(shell, own)
    assert [app.get("/")[0] for _ in range(3)] == [200, 200, 429]
    assert app.get("/")[1] == b"local_rate_limited"
    assert in_flight(own) == 0


def test_django_overrules_its_status(shell: str) -> None:
    app = Django(shell, watching())
    assert app.get("/judge") == (200, b"hello")
    assert app.get("/")[0] == 498


@pytest.mark.filterwarnings("ignore:Exception in:UserWarning")
def test_an_error_of_django_is_a_failure(shell: str, caplog: Any) -> None:
    own = watching()
    app = Django(shell, own)
    assert app.get("/broken")[0] == 500
    assert app.get("/")[0] == 498
    assert in_flight(own) == 0


def test_a_stream_of_django_is_in_flight_to_its_end(shell: str) -> None:
    own = watching()
    SEEN.clear()
    assert Django(shell, own).get("/stream")[1] == b"abc"
    assert SEEN == [1, 1, 1]
    assert in_flight(own) == 0


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_a_file_of_django_arrives_whole(shell: str) -> None:
    own = engine(limit(5))
    assert b"arrives_whole" in Django(shell, own).get("/file")[1]
    assert in_flight(own) == 0


def test_a_client_of_django_that_goes_away_is_no_verdict() -> None:
    own = watching()
    app = django_asgi(own)
    peer = Peer()

    async def main() -> None:
        entered = asyncio.Event()

        async def hanging(message: Any) -> None:
            entered.set()
            await asyncio.sleep(3600)

        task = asyncio.create_task(app(http_scope("/stream"), peer.receive, hanging))
        await entered.wait()
        assert in_flight(own) == 1
        peer.leave()
        await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 10)

    asyncio.run(main())
    assert in_flight(own) == 0
    assert not is_open(own, 0)


def test_flask_in_threads_admits_exactly_the_limit() -> None:
    own = engine(limit(40, 3600))
    app = flask_app(own, [])
    statuses: list[int] = []

    def ask() -> None:
        http = app.test_client()
        statuses.extend(http.get("/").status_code for _ in range(15))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 40 + [429] * 80
    assert (inbound(own)["admitted"], in_flight(own)) == (40, 0)
