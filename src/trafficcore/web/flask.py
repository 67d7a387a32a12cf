"""Limits of a Flask application: the extension `Traffic`, and `@limited("10/min")` on views.

A refusal is raised as Werkzeug's exception of its status, so that `errorhandler(429)` may word it;
without one it is answered as the limit says. It comes out as every response of Flask does, through
`after_request`, so that what adds CORS headers there adds them to it too.
"""

import inspect
import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from trafficcore.engine import Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.limits import Limit
from trafficcore.web.facts import wsgi_path
from trafficcore.web.receipt import Receipt, receipt_of
from trafficcore.web.refuse import answer
from trafficcore.web.route_limits import RouteLimits, add_headers, read
from trafficcore.web.unmet import FirstLook, warn_of_names

if TYPE_CHECKING:
    from flask import Flask, Request, Response

__all__ = ["Limited", "Traffic", "blueprint", "endpoint", "limited", "receipt"]

#: A view, or a blueprint.
V = TypeVar("V", bound=Any)


class Traffic:
    """Limits in front of all views of a Flask application, in the way of extensions.

        traffic = Traffic(app, limits=[Limit("100/min", by=client_address())], headers="ietf")

    or `Traffic(limits=[…])` and `traffic.init_app(app)` later. `limits["name"]` is a limit at work.
    With `headers` (`ietf` or `envoy`) answers tell what is left, of the limits on views too.
    """

    def __init__(
        self,
        app: "Flask | None" = None,
        *,
        limits: Iterable[Limit] = (),
        headers: str = "none",
        problem: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = RouteLimits(
            limits, _request, wsgi=True, headers=headers, problem=problem, clock=clock
        )
        self._exempt: set[Any] = set()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: "Flask") -> None:
        """Stand in front of an application's views."""
        app.extensions["trafficcore"] = self
        app.before_request(self._before)
        app.after_request(self._after)

    def exempt(self, view: V) -> V:
        """Leave a view or a blueprint out, wherever it is; its own decorators' limits remain."""
        self._exempt.add(view if _is_blueprint(view) else inspect.unwrap(view))
        return view

    def _before(self) -> None:
        from flask import current_app, request

        if any(current_app.blueprints[name] in self._exempt for name in request.blueprints):
            return
        view = current_app.view_functions.get(request.endpoint or "")
        if view is None or inspect.unwrap(view) not in self._exempt:
            _check(self.limits)

    def _after(self, response: "Response") -> "Response":
        from flask import request

        add_headers(self.limits, request.environ, response.headers)
        return response


class Limited:
    """What `limited` returns: a decorator of views, which limits blueprints as well.

    `limits["name"]` is a limit at work, its counts and its `shadow`. Views that are decorated by
    the same object share its buckets.
    """

    __slots__ = ("limits",)

    def __init__(self, limits: RouteLimits) -> None:
        self.limits = limits

    def __call__(self, view: V) -> V:
        """Decorate a view, or limit all views of a blueprint."""
        if _is_blueprint(view):
            view.before_request(lambda: _check(self.limits))
            return view
        if inspect.isclass(view) or not callable(view):
            raise ConfigError(f"limited() is for views and blueprints, not {view!r}")

        first = FirstLook(self.limits.gate.limits, view)

        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            from flask import current_app, request

            if not first.over:
                first.look(request.view_args or {}, _only_path(request))
            _check(self.limits)
            return current_app.ensure_sync(view)(*args, **kwargs)

        return checked  # type: ignore[return-value]


def limited(
    *what: Limit | str | float, clock: Callable[[], float] = time.monotonic, **options: Any
) -> Limited:
    """Limit a view, `async` or not, or a blueprint.

    Takes rates and options of `Limit`, or `Limit` objects. Functions among the options are given
    Flask's `request`.
    """
    return Limited(RouteLimits(read(what, options), _request, wsgi=True, clock=clock))


def receipt() -> Receipt:
    """Return what the present request has paid; one that met no limit has an empty one."""
    from flask import request

    return receipt_of(request.environ, time.monotonic)


class _Named:
    """What `blueprint` and `endpoint` return; what the application does not have is told once."""

    __slots__ = ("_known", "_looked", "_meant", "_names", "_what")

    def __init__(
        self,
        what: str,
        names: tuple[str, ...],
        known: Callable[["Flask"], Iterable[str]],
        meant: Callable[["Request"], Iterable[str]],
    ) -> None:
        self._what = what
        self._names = frozenset(names)
        self._known = known
        self._meant = meant
        self._looked = False

    def __call__(self, request: "Request") -> bool:
        if not self._looked:
            from flask import current_app

            self._looked = True
            warn_of_names(self._what, self._names, set(self._known(current_app)))
        return not self._names.isdisjoint(self._meant(request))


def blueprint(*names: str) -> Callable[["Request"], bool]:
    """Say `on=` or `exempt=`: the views of these blueprints, and of those inside them.

    A name is a blueprint's own, however it is registered, or the one that it is registered under:
    `"users"` is it in every place, `"admin.users"` the one inside `admin`.
    """

    def named(app: "Flask", keys: Iterable[str]) -> Iterable[str]:
        return (name for key in keys for name in (key, app.blueprints[key].name))

    def meant(request: "Request") -> Iterable[str]:
        from flask import current_app

        return named(current_app, request.blueprints)

    return _Named("blueprint", names, lambda app: named(app, app.blueprints), meant)


def endpoint(*names: str) -> Callable[["Request"], bool]:
    """Say `on=` or `exempt=`: the views of these endpoints (`"index"`, `"admin.login"`)."""

    def meant(request: "Request") -> Iterable[str]:
        return (request.endpoint or "",)

    return _Named("endpoint", names, lambda app: app.view_functions, meant)


def _request(_: Any) -> "Request":
    from flask import request

    return request


def _is_blueprint(view: Any) -> bool:
    from flask import Blueprint

    return isinstance(view, Blueprint)


def _check(limits: RouteLimits) -> None:
    """Admit the present request or raise."""
    from flask import request

    environ = request.environ
    environ["wsgiorg.routing_args"] = ((), request.view_args or {})
    rule = request.url_rule
    slash = rule is not None and not rule.strict_slashes
    refusal = limits.admit(environ, request.method, wsgi_path(environ), slash=slash)
    if refusal is not None:
        raise _error(refusal)


def _only_path(request: "Request") -> str:
    """Return the path of a view that is found at no other, else ""."""
    from flask import current_app

    rules = list(current_app.url_map.iter_rules(request.endpoint))
    return wsgi_path(request.environ) if len(rules) == 1 and not rules[0].arguments else ""


def _error(refusal: Rejection) -> Exception:
    """Return the exception that Flask answers as the refusal says, or as a handler of its own."""
    from flask import Response
    from werkzeug.exceptions import HTTPException, default_exceptions

    status, reason, headers, body = answer(refusal)
    response = Response(body, f"{status} {reason}", headers)
    return default_exceptions.get(status, HTTPException)(response=response)
