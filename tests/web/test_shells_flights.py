"""`slow_in_flight` in front of an application: one that hangs trips its breaker before it answers.

The request to `/hang` makes another, to `/quick`, once it has taken two seconds.
"""

from typing import Any

import pytest

from conftest import Clock
from support.policies import breaker, engine
from support.shells import TEXT, breaker_state, call, environ, http_scope, run, serve
from trafficcore import AsgiTraffic, Engine, WsgiTraffic
from trafficcore.limits import Limit


def asgi(own: Engine, clock: Clock, *, begun: bool = False, **more: Any) -> tuple[int, int]:
    """Return the statuses of `/quick` and `/hang`, which may have `begun` to answer by then."""
    quick = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if begun:
            await send(start)
        if scope["path"] == "/hang":
            clock.advance(2)
            quick.append(await call(shell, http_scope("/quick")))
        if not begun:
            await send(start)
        await send({"type": "http.response.body", "body": b"ok"})

    shell = AsgiTraffic(app, own, clock=clock, **more)
    hang = run(shell, http_scope("/hang"))
    return quick[0].status, hang.status


def wsgi(own: Engine, clock: Clock, *, begun: bool = False, **more: Any) -> tuple[int, int]:
    quick = []

    def app(env: Any, start_response: Any) -> Any:
        if begun:
            start_response("200 OK", TEXT)
        if env["PATH_INFO"] == "/hang":
            clock.advance(2)
            quick.append(serve(shell, environ("/quick"))[0])
        if not begun:
            start_response("200 OK", TEXT)
        return [b"ok"]

    shell = WsgiTraffic(app, own, clock=clock, **more)
    hang = serve(shell, environ("/hang"))[0]
    return int(quick[0][:3]), int(hang[:3])


SHELLS = pytest.mark.parametrize("shell", [asgi, wsgi])
LIMITS = pytest.mark.parametrize("more", [{}, {"limits": [Limit("1000/s")]}], ids=["", "limits"])


def hanging_is_slow() -> Engine:
    return engine(breaker(rule={"slow_after": 1, "max_slow": 1}))


@SHELLS
@LIMITS
def test_a_request_that_hangs_trips_the_breaker_that_the_next_one_meets(
    shell: Any, more: dict[str, Any], clock: Clock
) -> None:
    own = hanging_is_slow()
    assert shell(own, clock, slow_in_flight=True, **more) == (498, 200)
    shown = breaker_state(own, clock())
    assert (shown["state"], shown["slow"], shown["late"], shown["watched"]) == ("open", 1, 0, 0)


@SHELLS
def test_without_it_a_request_is_slow_when_it_ends(shell: Any, clock: Clock) -> None:
    own = hanging_is_slow()
    assert shell(own, clock) == (200, 200)
    assert breaker_state(own, clock())["state"] == "open"


@SHELLS
def test_an_answer_that_has_begun_may_last(shell: Any, clock: Clock) -> None:
    own = hanging_is_slow()
    assert shell(own, clock, begun=True, slow_in_flight=True) == (200, 200)
    shown = breaker_state(own, clock())
    assert (shown["state"], shown["total"], shown["slow"]) == ("closed", 2, 0)


@SHELLS
def test_unless_slow_is_measured_to_the_end(shell: Any, clock: Clock) -> None:
    own = hanging_is_slow()
    assert shell(own, clock, begun=True, slow="end", slow_in_flight=True) == (498, 200)
