"""Limits of a Django project: `LimitMiddleware` with its setting, and `@limited("10/min")`.

    MIDDLEWARE = [..., "trafficcore.web.django.LimitMiddleware"]
    TRAFFICCORE = {"LIMITS": [Limit("100/min", by=client_address())], "HEADERS": "ietf"}

The address is `REMOTE_ADDR`; `client_address(["10.0.0.0/8"])` names the proxies to be believed.
"""

import inspect
import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

from trafficcore.engine import Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.limits import Limit
from trafficcore.web.receipt import LIMITS, Receipt, receipt_of
from trafficcore.web.refuse import answer
from trafficcore.web.route_limits import RouteLimits, add_headers, read
from trafficcore.web.unmet import FirstLook, check_unrouted

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase  # type: ignore[import-untyped]

__all__ = ["LimitMiddleware", "Limited", "limited", "limits", "receipt"]

V = TypeVar("V", bound=Callable[..., Any])

#: What the setting may hold, and by which name it is known here.
_SETTINGS: Final = {
    "LIMITS": "limits",
    "HEADERS": "headers",
    "PROBLEM": "problem",
    "CLOCK": "clock",
}
#: The limits of the middleware that was made last: a process has one, tests have several.
_at_work: Final[list[RouteLimits]] = []
_REQUEST: Final = "trafficcore.request"


class LimitMiddleware:
    """Limits in front of all views, as the setting `TRAFFICCORE` has them; sync and async.

    Its keys are `LIMITS`, a list of `Limit` objects; `HEADERS`, `"ietf"` or `"envoy"` where answers
    are to tell what is left, of the limits on views too; `PROBLEM`, True for problem documents;
    and `CLOCK`.
    Below what adds CORS headers, refusals carry them; below authentication, functions of a limit
    may ask for `request.user`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[["HttpRequest"], Any]) -> None:
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction

        self.get_response = get_response
        self.limits = _from_settings()
        _at_work[:] = [self.limits]
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: "HttpRequest") -> Any:
        """Answer a request, or return the coroutine that does."""
        if self._is_async:
            return self._answer(request)
        refused = _check(self.limits, request)
        return self._headed(request, refused or self.get_response(request))

    async def _answer(self, request: "HttpRequest") -> Any:
        refused = _check(self.limits, request)
        return self._headed(request, refused or await self.get_response(request))

    def _headed(self, request: "HttpRequest", response: Any) -> Any:
        add_headers(self.limits, request.META, response.headers)
        return response


class Limited:
    """What `limited` returns: a decorator of views, and of methods by `method_decorator`.

    `limits["name"]` is a limit at work, its counts and its `shadow`. Views that are decorated by
    the same object share its buckets.
    """

    __slots__ = ("limits",)

    def __init__(self, own: RouteLimits) -> None:
        self.limits = own

    def __call__(self, view: V) -> V:
        """Decorate a view."""
        from asgiref.sync import iscoroutinefunction

        if inspect.isclass(view) or not callable(view):
            raise ConfigError(f"limited() is for views, not {view!r}: see method_decorator")

        first = FirstLook(self.limits.gate.limits, view)

        def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not first.over:
                first.look(kwargs)
            return _check(self.limits, _find(args), kwargs)

        @wraps(view)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            return check(args, kwargs) or await view(*args, **kwargs)

        @wraps(view)
        def plain(*args: Any, **kwargs: Any) -> Any:
            refused = check(args, kwargs)
            if refused is None:
                return view(*args, **kwargs)
            return _later(refused) if _is_awaited(view, args) else refused

        return asynchronous if iscoroutinefunction(view) else plain  # type: ignore[return-value]


def limited(
    *what: Limit | str | float, clock: Callable[[], float] = time.monotonic, **options: Any
) -> Limited:
    """Limit a view, `async` or not.

    Takes rates and options of `Limit`, or `Limit` objects. Functions among the options are given
    the `HttpRequest`.
    """
    return Limited(RouteLimits(read(what, options), _view, wsgi=True, clock=clock))


def receipt(request: "HttpRequest") -> Receipt:
    """Return what a request has paid; one that met no limit has an empty one."""
    return receipt_of(request.META, time.monotonic)


def limits() -> RouteLimits:
    """Return the limits of the setting at work: `limits()["login"].shadow = True`."""
    if not _at_work:
        raise ConfigError("there is no LimitMiddleware yet: Django makes it when it starts")
    return _at_work[0]


def _from_settings() -> RouteLimits:
    from django.conf import settings  # type: ignore[import-untyped]

    setting = getattr(settings, "TRAFFICCORE", {})
    for name in setting:
        if name not in _SETTINGS:
            known = ", ".join(_SETTINGS)
            raise ConfigError(f"TRAFFICCORE[{name!r}] is unknown: there are {known}")
    options = {_SETTINGS[name]: value for name, value in setting.items()}
    given: Iterable[Limit] = options.pop("limits", ())
    made = RouteLimits(given, _view, wsgi=True, **options)
    check_unrouted(made.gate.limits)
    return made


def _view(facts: Any) -> "HttpRequest":
    request: HttpRequest = facts.environ[_REQUEST]
    return request


def _find(args: tuple[Any, ...]) -> "HttpRequest":
    """Return the request among a view's arguments; a method's first one is another."""
    for value in args[:2]:
        if hasattr(value, "META"):
            return value
    raise ConfigError("limited() is for views, which are given a request first")


def _is_awaited(view: Any, args: tuple[Any, ...]) -> bool:
    """Whether it is the plain `dispatch` of a class-based view whose methods are async.

    The instance is the first argument; by `method_decorator` it is what the view is bound to,
    inside whatever other decorators stand between.
    """
    if getattr(args[0], "view_is_async", False):
        return True
    while view is not None:
        owner = getattr(getattr(view, "func", None), "__self__", None)
        if getattr(owner, "view_is_async", False):
            return True
        view = getattr(view, "__wrapped__", None)
    return False


async def _later(response: "HttpResponseBase") -> "HttpResponseBase":
    return response


def _check(
    own: RouteLimits, request: "HttpRequest", parameters: dict[str, Any] | None = None
) -> "HttpResponseBase | None":
    """Admit a request, or return the answer that refuses it."""
    meta = request.META
    scope = getattr(request, "scope", None)
    if scope is not None and LIMITS in scope:  # an AsgiTraffic around Django has begun it
        meta.setdefault(LIMITS, scope[LIMITS])
    receipt_of(meta, own.clock)
    environ = {**meta, _REQUEST: request, "wsgiorg.routing_args": ((), parameters or {})}
    refusal = own.admit(environ, request.method or "GET", request.path)
    return None if refusal is None else _response(refusal)


def _response(refusal: Rejection) -> "HttpResponseBase":
    from django.http import HttpResponse

    status, reason, rows, body = answer(refusal)
    headers = {name: value for name, value in rows if name.lower() != "content-type"}
    kind = next(value for name, value in rows if name.lower() == "content-type")
    return HttpResponse(body, kind, status, reason, headers=headers)
