"""`LimitedRoute`: FastAPI's routes, whose OpenAPI documents tell of their limits by themselves.

A dependency has no say in the responses of its route, so the route looks for limits: among its
dependencies and theirs, those of its router, and the decorators of its view. The one module that
imports its framework when it is imported: the class is made of FastAPI's.
"""

from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute

from trafficcore.web.starlette import Dependency, limits_of

__all__ = ["LimitedRoute"]


class LimitedRoute(APIRoute):
    """What `APIRouter(route_class=…)` takes, or `app.router.route_class` before the first route.

    Responses that the route describes itself stay as they are.
    """

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        for found in (*limits_of(endpoint), *_dependencies(self.dependant)):
            for status, response in found.responses.items():
                self.responses.setdefault(status, response)


def _dependencies(dependant: Any) -> Iterator[Dependency]:
    for one in dependant.dependencies:
        if isinstance(one.call, Dependency):
            yield one.call
        yield from _dependencies(one)
