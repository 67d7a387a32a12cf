"""The same small application in each framework: `GET /a` answers five bytes."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def a(request: Any) -> Any:
        return PlainTextResponse("hello")

    return Starlette(routes=[Route("/a", a)])


def fastapi(*dependencies: Any) -> Any:
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI()

    @app.get("/a", dependencies=list(dependencies))
    async def a() -> PlainTextResponse:
        return PlainTextResponse("hello")

    return app


def flask() -> Any:
    from flask import Flask

    app = Flask("peers")
    app.add_url_rule("/a", endpoint="a", view_func=lambda: "hello")
    return app


def django(decorate: Callable[[Any], Any] = lambda view: view) -> Any:
    """Django has one settings object for a process; each application here has its own routes."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF="peers",
            SECRET_KEY="peers",  # noqa: S106  # signs nothing
            CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        )
    import django
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.urls import path

    django.setup(set_prefix=False)
    routes = ModuleType(f"peers_routes_{id(decorate)}")
    routes.urlpatterns = [path("a", decorate(lambda _: HttpResponse("hello")))]
    sys.modules[routes.__name__] = routes
    handler = WSGIHandler()
    inner = handler.get_response

    def get_response(request: Any) -> Any:
        request.urlconf = routes.__name__
        return inner(request)

    handler.get_response = get_response
    return handler
