"""`LimitedRoute`: FastAPI's routes, whose OpenAPI documents tell of their limits by themselves.

A dependency has no say in the responses of its route, so the route looks for limits: among its
dependencies and theirs, those of its router and of whoever includes that, and the decorators of
its view. The one module that imports its framework when it is imported: the class is made of
FastAPI's.
"""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import routing
from fastapi.routing import APIRoute

from trafficcore.web.starlette import Dependency, limits_of

__all__ = ["LimitedRoute"]


class LimitedRoute(APIRoute):
    """What `APIRouter(route_class=…)` takes, or `app.router.route_class` before the first route.

    Responses that the route describes itself stay as they are.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        _describe(self)

    def get_route_handler(self) -> Callable[[Any], Any]:
        """Make the handler, once more for each inclusion: where it adds limits, they are told."""
        included = _inclusion()
        if included is not None:
            _describe(included)
        return super().get_route_handler()


def _describe(route: Any) -> None:
    for found in (*limits_of(route.endpoint), *_dependencies(route.dependant)):
        for status, response in found.responses.items():
            route.responses.setdefault(status, response)


def _inclusion() -> Any:
    """Return the route as a router that is being included has it; None: it is its own.

    Older versions of FastAPI have no such thing: they make the route anew, with all that it meets.
    """
    made = getattr(routing, "_effective_route_context_var", None)
    return None if made is None else made.get()


def _dependencies(dependant: Any) -> Iterator[Dependency]:
    for one in dependant.dependencies:
        if isinstance(one.call, Dependency):
            yield one.call
        yield from _dependencies(one)
