"""Limits of Django projects: the middleware with its setting, and decorators of views."""

import asyncio
import threading
from contextlib import contextmanager
from functools import wraps
from types import ModuleType

import django
import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from support.shells import call, environ, http_scope, serve
from trafficcore import AsgiTraffic, ConfigError, WsgiTraffic
from trafficcore.limits import Limit, client_address, first_of, header, path_parameter
from trafficcore.web.django import LimitMiddleware, limited, limits, receipt

MIDDLEWARE = "trafficcore.web.django.LimitMiddleware"


if not django_settings.configured:  # once for the process, and alike, whoever comes first
    django_settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__.replace("test_sugar_django", "test_django"),
        DEBUG=False,
        USE_TZ=True,
        SECRET_KEY="x",
    )
    django.setup()


def ok(request, **_):
    return HttpResponse("ok")


async def ok_later(request, **_):
    return HttpResponse("ok")


@contextmanager
def project(*views, **settings):
    """A project of these views, and of this one setting where there is one."""
    urls = ModuleType("urls")
    urls.urlpatterns = [path(route, view) for route, view in views]
    more = {"MIDDLEWARE": [MIDDLEWARE], "TRAFFICCORE": settings} if settings else {"MIDDLEWARE": []}
    with override_settings(ROOT_URLCONF=urls, **more):
        yield


class Sync:
    """Django as WSGI has it."""

    view = staticmethod(ok)

    def __init__(self):
        self.client = Client(raise_request_exception=False)

    def get(self, path, **more):
        return self.client.get(path, **more)


class Async:
    """Django as ASGI has it."""

    view = staticmethod(ok_later)

    def __init__(self):
        self.client = AsyncClient(raise_request_exception=False)

    def get(self, path, **more):
        return asyncio.run(self.client.get(path, **more))


@pytest.fixture(params=[Sync, Async])
def kind(request):
    return request.param


def statuses(kind, path="/", count=3, **more):
    asks = kind()
    return [asks.get(path, **more).status_code for _ in range(count)]


def test_a_decorated_view_is_limited(kind, clock):
    own = limited("2/min", name="own", clock=clock)
    with project(("", own(kind.view)), ("free", kind.view)):
        assert statuses(kind) == [200, 200, 429]
        refusal = kind().get("/")
        assert refusal.content == b"local_rate_limited"
        assert refusal.headers["retry-after"] == "30"
        assert refusal.headers["x-envoy-ratelimited"] == "true"
        assert refusal.headers["content-type"] == "text/plain; charset=utf-8"
        assert statuses(kind, "/free", 1) == [200]
        assert own.limits["own"].refused == 2
        clock.advance(31)
        assert statuses(kind, "/", 1) == [200]


def test_views_of_either_kind_run_in_either_world(kind, clock):
    own = limited("2/min", clock=clock)
    with project(("a", own(ok)), ("b", own(ok_later))):
        assert [kind().get(path).status_code for path in ("/a", "/b", "/a")] == [200, 200, 429]


def test_the_middleware_stands_in_front_of_all_views_and_tells_what_is_left(kind, clock):
    given = [Limit("2/min", name="all", exempt=lambda request: request.path == "/health")]
    with project(("", kind.view), ("health", kind.view), LIMITS=given, HEADERS="ietf", CLOCK=clock):
        asks = kind()
        answers = [asks.get("/"), asks.get("/nowhere"), asks.get("/")]
        assert [answer.status_code for answer in answers] == [200, 404, 429]
        assert [answer.headers["ratelimit"] for answer in answers] == [
            '"all";r=1;t=30', '"all";r=0;t=30', '"all";r=0;t=30',
        ]  # fmt: skip
        assert asks.get("/health").status_code == 200
        assert "ratelimit" not in asks.get("/health").headers


def test_the_middleware_is_of_the_kind_of_what_it_stands_before():
    with project(("", ok), LIMITS=[]):
        assert iscoroutinefunction(LimitMiddleware(ok_later))
        assert not iscoroutinefunction(LimitMiddleware(ok))


def test_limits_of_the_setting_are_switched_while_running(kind, clock):
    with project(("", kind.view), LIMITS=[Limit("1/min", name="all", shadow=True)], CLOCK=clock):
        asks = kind()
        assert [asks.get("/").status_code for _ in range(3)] == [200] * 3
        assert limits()["all"].shadowed == 2
        limits()["all"].shadow = False
        assert asks.get("/").status_code == 429
        assert [row["refused"] for row in limits().snapshot()] == [1]


def test_there_are_no_limits_before_there_is_a_middleware(monkeypatch):
    monkeypatch.setattr("trafficcore.web.django._at_work", [])
    with pytest.raises(ConfigError, match="there is no LimitMiddleware yet"):
        limits()


def test_the_address_is_the_peers_unless_proxies_are_trusted(kind, clock):
    name = "REMOTE_ADDR" if kind is Sync else "client"
    peer = {name: "10.0.0.9" if kind is Sync else ("10.0.0.9", 1)}
    forged = {"headers": {"x-forwarded-for": "1.2.3.4"}}
    other = {"headers": {"x-forwarded-for": "5.6.7.8"}}
    plain = limited("1/min", by=client_address(), clock=clock)
    behind = limited("1/min", by=client_address(["10.0.0.0/8"]), clock=clock)
    with project(("plain", plain(kind.view)), ("behind", behind(kind.view))):
        assert statuses(kind, "/plain", 1, **forged) == [200]
        assert statuses(kind, "/plain", 1, **other) == [429]
        if kind is Sync:
            assert statuses(kind, "/behind", 2, **forged, **peer) == [200, 429]
            assert statuses(kind, "/behind", 2, **other, **peer) == [200, 429]
        assert statuses(kind, "/behind", 2, **forged) == [200, 429]


def test_parameters_and_functions_of_the_request_are_keys(kind, clock):
    own = limited(
        "3/min",
        by=first_of(path_parameter("user"), lambda request: request.GET.get("user"), header("x-k")),
        cost=lambda request: int(request.GET.get("n", "1")),
        on="GET *",
        clock=clock,
    )
    with project(("users/<str:user>", own(kind.view)), ("", own(kind.view))):
        for at in ("/users/ada?n=3", "/users/bob?n=3", "/?user=ada&n=3"):
            assert statuses(kind, at, 2) == [200, 429]
        assert statuses(kind, "/?n=3", 2, headers={"x-k": "a"}) == [200, 429]
        assert statuses(kind, "/") == [200] * 3


def test_a_parameter_that_the_route_has_not_is_told_once(kind, clock, caplog):
    own = limited("1/min", by=path_parameter("usr"), name="own", clock=clock)
    with project(("u/<user>", own(kind.view))):
        assert statuses(kind, "/u/a") == [200] * 3
    told = [record.getMessage() for record in caplog.records if record.name == "trafficcore"]
    why = "as it is kept by the path parameter 'usr': the route has user"
    assert told == [f"limit 'own' on {kind.view.__name__} limits nothing there, {why}"]


def test_paths_beyond_ascii_are_those_that_the_router_sees(clock):
    given = [Limit("1/min", on="/ünï/*")]
    with project(("ünï/<x>", ok), LIMITS=given, CLOCK=clock):
        assert statuses(Sync, "/%C3%BCn%C3%AF/x", 2) == [200, 429]
        app = get_asgi_application()
        peers = [asyncio.run(call(app, http_scope("/ünï/x"))) for _ in range(2)]
        assert [peer.status for peer in peers] == [200, 429]


def test_methods_of_a_class_are_decorated_as_django_does_it(clock):
    own = limited("2/min", clock=clock)

    class Page(View):
        @method_decorator(own)
        def get(self, request):
            return HttpResponse("ok")

    class Whole(View):
        def get(self, request):
            return HttpResponse("ok")

    class Plain(View):
        @own
        def get(self, request):
            return HttpResponse("ok")

    whole = method_decorator(limited("1/min", clock=clock), name="dispatch")(Whole)
    views = (("a", Page.as_view()), ("b", whole.as_view()), ("c", Plain.as_view()))
    with project(*views):
        assert statuses(Sync, "/a", 1) == [200]
        assert statuses(Sync, "/c", 2) == [200, 429]
        assert statuses(Sync, "/b", 2) == [200, 429]


def passing(view):
    """A decorator between ours and the view."""

    @wraps(view)
    def inner(*args, **kwargs):
        return view(*args, **kwargs)

    return inner


@pytest.mark.parametrize("how", ["class", "between", "method"])
def test_a_class_of_async_methods_is_limited_as_a_whole(how, clock):
    own = limited("1/min", clock=clock)

    class Whole(View):
        async def get(self, request):
            return HttpResponse("ok")

        if how == "method":
            dispatch = own(View.dispatch)

    if how != "method":
        decorators = [own] if how == "class" else [own, passing]
        Whole = method_decorator(decorators, name="dispatch")(Whole)
    with project(("", Whole.as_view())):
        assert statuses(Async) == [200, 429, 429]
        assert statuses(Sync, count=1) == [429]


def boom(request):
    raise RuntimeError("boom")


def stream(request):
    return StreamingHttpResponse([b"a", b"b"])


def test_headers_are_there_once_on_errors_and_streams(clock, caplog):
    def own(request):
        return HttpResponse("ok", headers={"X-RateLimit-Limit": "7"})

    views = [("boom", boom), ("stream", stream), ("own", own)]
    with project(*views, LIMITS=[Limit("9/min")], HEADERS="envoy", CLOCK=clock):
        client = Client(raise_request_exception=False)
        broken = client.get("/boom")
        assert (broken.status_code, broken.headers["x-ratelimit-remaining"]) == (500, "8")
        assert b"".join(client.get("/stream").streaming_content) == b"ab"
        assert client.get("/own").headers["x-ratelimit-limit"] == "7"


def test_several_are_one_verdict_and_headers_tell_of_all(kind, clock):
    own = limited("1/min", name="own", clock=clock)
    view = own(limited("9/min", name="wide", clock=clock)(own(kind.view)))
    settings = {"LIMITS": [Limit("5/min", name="all")], "HEADERS": "ietf", "CLOCK": clock}
    with project(("", view), **settings):
        asks = kind()
        first, second = asks.get("/"), asks.get("/")
        assert (first.status_code, second.status_code) == (200, 429)
        assert first.headers["ratelimit"] == '"all";r=4;t=12, "own";r=0;t=60, "wide";r=8;t=7'
        assert second.headers["ratelimit"] == '"all";r=4;t=12, "own";r=0;t=60'


def test_a_problem_document_and_a_status_of_ones_own(clock):
    given = [Limit("1/day", name="daily", status=498)]
    with project(("", ok), LIMITS=given, PROBLEM=True, CLOCK=clock):
        client = Client()
        assert client.get("/").status_code == 200
        answer = client.get("/")
        assert answer.status_code == 498
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["violated-policies"] == ["daily"]


def test_costs_known_afterwards_are_corrected(kind, clock):
    @limited("100/min", cost=10, name="tokens", clock=clock)
    def view(request, spent):
        receipt(request).correct(spent)
        return HttpResponse(str(receipt(request).remaining()))

    with project(
        ("<int:spent>", view), ("", lambda request: HttpResponse(str(receipt(request).met)))
    ):
        assert kind().get("/95").content == b"5"
        assert kind().get("/1").status_code == 429
        assert kind().get("/").content == b"()"


@pytest.mark.parametrize("shell", ["wsgi", "asgi"])
def test_a_middleware_around_django_has_the_same_receipt(shell, clock):
    given = [Limit("5/min", name="all")]
    options = {"limits": given, "headers": "ietf", "clock": clock}
    with project(("", limited("2/min", name="own", clock=clock)(ok))):
        if shell == "asgi":
            app = AsgiTraffic(get_asgi_application(), **options)
            peers = [asyncio.run(call(app, http_scope("/"))) for _ in range(3)]
            told = [(peer.status, peer.headers["ratelimit"]) for peer in peers]
        else:
            app = WsgiTraffic(get_wsgi_application(), **options)
            answers = [serve(app, environ("/")) for _ in range(3)]
            told = [(int(status[:3]), headers["ratelimit"]) for status, headers, _ in answers]
    assert told == [
        (200, '"all";r=4;t=12, "own";r=1;t=30'),
        (200, '"all";r=3;t=12, "own";r=0;t=30'),
        (429, '"all";r=3;t=12, "own";r=0;t=30'),
    ]
    assert app.limits["all"].left("", clock())[0] == 3


def test_threads_never_get_one_too_many(clock):
    found = []
    with project(("", limited("50/day", by=client_address(), clock=clock)(ok))):
        threads = [
            threading.Thread(target=lambda: found.extend(statuses(Sync, "/", 20))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [200] * 50 + [429] * 70


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"LIMIT": []}, "'LIMIT'\\] is unknown: there are LIMITS, HEADERS, PROBLEM, CLOCK"),
        ({"LIMITS": ["1/s"]}, "limits must be Limit"),
        ({"LIMITS": [Limit("1/s", by=path_parameter("id"))]}, "is for limits on a route"),
        ({"LIMITS": [Limit("1/s", by=first_of(path_parameter("id")))]}, "is for limits on a route"),
        ({"LIMITS": Limit("1/s")}, "put this one into brackets"),
        ({"HEADERS": "all"}, "headers must be one of none, ietf, envoy"),
    ],
)
def test_faults_of_the_setting_are_told_when_the_application_starts(setting, message):
    with project(("", ok), **setting), pytest.raises(ConfigError, match=message):
        Client().handler.load_middleware()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (limited, "a limit needs a rate"),
        (lambda: limited("often"), "rate must be a number or a text"),
        (lambda: limited("1/s")(View), "limited\\(\\) is for views"),
        (limited("1/s")(lambda: None), "which are given a request first"),
    ],
)
def test_faults_are_told(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
