"""Both shells around Django, in process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support.policies import engine, limit
from support.shells import (
    Peer,
    call,
    environ,
    http_scope,
    in_flight,
    is_open,
    serve,
    watching,
)
from trafficcore import AsgiTraffic, Engine, WsgiTraffic


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

            return StreamingHttpResponse(async_parts() if hasattr(request, "scope") else parts())
        case "/file":
            return FileResponse(open(__file__, "rb"))  # noqa: PTH123
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
