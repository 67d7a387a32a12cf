"""`path_parameter`: the key of a limit that is a part of the route's path."""

from collections.abc import Mapping
from typing import Any

import attrs

from trafficcore.errors import ConfigError
from trafficcore.web.key import Key, Read, kept, named

__all__ = ["PathParameter", "path_parameter"]


@attrs.frozen
class PathParameter:
    """What the router read from the path; there once the request has been routed."""

    name: str

    @property
    def unrouted(self) -> str:
        """What to say of a limit that stands in front of the router."""
        return f"path_parameter({self.name!r}) is for limits on a route: here none is known yet"

    def asgi(self) -> Read:
        """Return what reads it from a scope."""

        def read(scope: Mapping[str, Any]) -> str | None:
            if "path_params" not in scope:
                raise ConfigError(self.unrouted)
            value = scope["path_params"].get(self.name)
            return None if value is None else kept(str(value))

        return read

    def wsgi(self) -> Read:
        """Return what reads it from an environ."""

        def read(environ: Mapping[str, Any]) -> str | None:
            if "wsgiorg.routing_args" not in environ:
                raise ConfigError(self.unrouted)
            value = environ["wsgiorg.routing_args"][1].get(self.name)
            return None if value is None else kept(str(value))

        return read


def path_parameter(name: str) -> Key:
    """Keep a limit by a parameter of the route's path.

    For limits on a route: in front of the whole application no route is known yet, and there it is
    a `ConfigError`, at the first request where it cannot be told before.
    """
    return PathParameter(named("path_parameter", name))
