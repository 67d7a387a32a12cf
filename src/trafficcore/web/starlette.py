"""Limits on routes of Starlette and FastAPI: `Depends(limit("10/min"))` and `@limited("10/min")`.

A refusal is raised as the framework's `HTTPException`, so that it is answered like every other
error of the application, by its own handlers where it has some. Headers of what is left are
written by `AsgiTraffic(app, limits=[…], headers="ietf")`, with those of its own limits.
"""

import inspect
import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

from trafficcore.engine import Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.limits import Limit
from trafficcore.web.facts import asgi_facts
from trafficcore.web.receipt import Receipt, receipt_of
from trafficcore.web.refuse import answer
from trafficcore.web.route_limits import RouteLimits, read, responses
from trafficcore.web.unmet import FirstLook

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

__all__ = ["Dependency", "limit", "limited", "limits_of", "receipt"]

#: A view, as it was written.
V = TypeVar("V", bound=Callable[..., Any])

#: What FastAPI is told to pass to a view that asks for no request itself.
_HIDDEN: Final = "_trafficcore_connection"
#: The attribute of a view by which its limits are found again.
_LIMITED: Final = "_trafficcore_limits"
#: RFC 6455's "try again later".
_TRY_AGAIN: Final = 1013
#: The response that is made of an exception has its own.
_BODYS: Final = frozenset(("content-type", "content-length"))


class Dependency:
    """What `limit` returns: a dependency whose value is the request's `Receipt`.

    `limits["name"]` is a limit at work, its counts and its `shadow`. Routes that use the same
    object share its buckets. `responses` is for a route's or router's parameter of that name.
    """

    __slots__ = ("__signature__", "limits")

    def __init__(self, limits: RouteLimits) -> None:
        from starlette.requests import HTTPConnection

        self.limits = limits
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        only = inspect.Parameter("connection", kind, annotation=HTTPConnection)
        self.__signature__ = inspect.Signature([only])

    async def __call__(self, connection: "HTTPConnection") -> Receipt:
        """Admit the request or raise the framework's exception."""
        self.check(connection)
        return receipt_of(connection.scope, self.limits.clock)

    @property
    def responses(self) -> dict[int | str, dict[str, Any]]:
        """The refusals, for an OpenAPI document."""
        return responses(self.limits)

    def check(self, connection: "HTTPConnection") -> None:
        """Do the same for those who have no use for a receipt."""
        scope = connection.scope
        path = asgi_facts(scope, None).path
        refusal = self.limits.admit(scope, scope.get("method", "GET"), path)
        if refusal is not None:
            raise _error(refusal, scope)


def limit(
    *what: Limit | str | float, clock: Callable[[], float] = time.monotonic, **options: Any
) -> Dependency:
    """Make a dependency.

    Takes rates and options of `Limit`, or `Limit` objects. Functions among the options are given
    the `Request` (a websocket's `HTTPConnection`).
    """
    return Dependency(RouteLimits(read(what, options), _connection, clock=clock))


def limited(
    *what: Limit | str | float | Dependency,
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> Callable[[V], V]:
    """Limit a view, an `async` one or not, by what `limit` takes or by what it has returned.

    The view needs no parameter for the request. Above it stands what routes it.
    """
    first = what[0] if what else None
    if isinstance(first, Dependency):
        if len(what) > 1 or options:
            raise ConfigError("a limit that is made takes no options: stack the decorators")
        dependency = first
    else:
        dependency = limit(*what, clock=clock, **options)  # type: ignore[arg-type]

    def decorate(view: V) -> V:
        return _limited(view, dependency)

    return decorate


def limits_of(view: Any) -> tuple[Dependency, ...]:
    """Return what decorators have limited a view by, the outermost first."""
    found: tuple[Dependency, ...] = getattr(view, _LIMITED, ())
    return found


def receipt(connection: "HTTPConnection") -> Receipt:
    """Return what a request has paid; one that met no limit has an empty one."""
    return receipt_of(connection.scope, time.monotonic)


def _limited(view: V, dependency: Dependency) -> V:
    name = getattr(view, "__qualname__", repr(view))
    if inspect.isclass(view) or not callable(view):
        raise ConfigError(f"limited() is for views: decorate the methods of {name}")
    if inspect.isgeneratorfunction(view) or inspect.isasyncgenfunction(view):
        raise ConfigError(f"{name} yields its answer: limit it by Depends(limit(…))")
    signature, added = _signature(view)
    first = FirstLook(dependency.limits.gate.limits, view)

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        connection = _find(args, kwargs)
        if added:
            kwargs.pop(_HIDDEN, None)
        if connection is None:
            raise ConfigError(f"{name} was called without a request: what hides its signature?")
        if not first.over:
            first.look(connection.path_params)
        dependency.check(connection)

    @wraps(view)
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        return await view(*args, **kwargs)

    @wraps(view)
    def plain(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        return view(*args, **kwargs)

    chosen: Any = asynchronous if inspect.iscoroutinefunction(view) else plain
    chosen.__signature__ = signature
    setattr(chosen, _LIMITED, (dependency, *limits_of(view)))
    return chosen  # type: ignore[no-any-return]


def _signature(view: Callable[..., Any]) -> tuple[inspect.Signature, bool]:
    """Return a signature by which FastAPI passes a connection, and whether we had to ask for it."""
    from starlette.requests import HTTPConnection

    try:  # FastAPI would look for the names of annotations in this file
        signature = inspect.signature(view, eval_str=True)
    except (AttributeError, NameError, SyntaxError, TypeError):
        signature = inspect.signature(view)
    given = list(signature.parameters.values())
    for one in given:
        if inspect.isclass(one.annotation) and issubclass(one.annotation, HTTPConnection):
            return signature, False
    hidden = inspect.Parameter(_HIDDEN, inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection)
    at = len(given)
    if given and given[-1].kind is inspect.Parameter.VAR_KEYWORD:
        at -= 1
    return signature.replace(parameters=[*given[:at], hidden, *given[at:]]), True


def _find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> "HTTPConnection | None":
    from starlette.requests import HTTPConnection

    for value in (*args, *kwargs.values()):
        if isinstance(value, HTTPConnection):
            return value
    return None


def _connection(facts: Any) -> "HTTPConnection":
    from starlette.requests import HTTPConnection, Request

    scope: Any = facts.scope
    return Request(scope) if scope["type"] == "http" else HTTPConnection(scope)


def _error(refusal: Rejection, scope: Any) -> Exception:
    """Return the exception that the framework answers as the refusal says."""
    from starlette.exceptions import HTTPException, WebSocketException

    extensions = scope.get("extensions") or ()
    if scope["type"] == "websocket" and "websocket.http.response" not in extensions:
        return WebSocketException(_TRY_AGAIN)
    status, _, rows, _ = answer(refusal)
    headers = {name: value for name, value in rows if name.lower() not in _BODYS}
    return HTTPException(status, refusal.body, headers)
