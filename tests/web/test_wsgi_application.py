"""`WsgiTraffic` as the application sees it: its permit, its labels, and waiting in threads."""

import threading
from typing import Any

import pytest

from conftest import Clock
from support.policies import breaker, engine, limit, quota, request
from support.shells import (
    TEXT,
    environ,
    eventually,
    http_scope,
    in_flight,
    inbound,
    is_open,
    run,
    serve,
    watching,
    wsgi_plain,
)
from trafficcore import AsgiTraffic, Engine, Permit, WsgiTraffic
from trafficcore.live.drivers import driver_of


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> WsgiTraffic:
    return WsgiTraffic(app, own, clock=clock, **more)


def test_the_application_reaches_its_permit(clock: Clock) -> None:
    own = watching()

    def app(env: Any, start_response: Any) -> list[bytes]:
        permit = env["trafficcore.permit"]
        assert not permit.settled
        getattr(permit, env["PATH_INFO"][1:])()
        start_response("500 Oops" if env["PATH_INFO"] == "/ignore" else "200 OK", TEXT)
        return [b""]

    wrapped = traffic(app, own, clock)
    serve(wrapped, environ("/ignore"))
    assert not is_open(own, clock())
    serve(wrapped, environ("/fail"))
    assert is_open(own, clock())


def test_one_engine_around_a_request_twice_charges_once(clock: Clock) -> None:
    own = engine(limit(2))
    twice = traffic(traffic(wsgi_plain, own, clock), own, clock)
    assert [serve(twice)[0][:3] for _ in range(3)] == ["200", "200", "429"]
    assert inbound(own)["admitted"] == 2


def test_two_engines_around_a_request_each_charge_it_once(clock: Clock) -> None:
    outer, inner = engine(limit(5)), engine(limit(2))
    wrapped = traffic(traffic(traffic(wsgi_plain, outer, clock), inner, clock), outer, clock)
    assert [serve(wrapped)[0][:3] for _ in range(3)] == ["200", "200", "429"]
    assert (inbound(outer)["admitted"], inbound(inner)["admitted"]) == (3, 2)
    assert in_flight(outer) == in_flight(inner) == 0


def test_an_environ_used_again_is_another_request(clock: Clock) -> None:
    env = environ()
    app = traffic(wsgi_plain, engine(limit(1)), clock)
    assert [serve(app, env)[0][:3] for _ in range(2)] == ["200", "429"]


def test_behind_a_bridge_from_asgi_the_request_is_charged_once(clock: Clock) -> None:
    own = engine(limit(5))
    inner = traffic(wsgi_plain, own, clock)

    async def bridge(scope: Any, receive: Any, send: Any) -> None:
        status, _, body = serve(inner, environ(**{"asgi.scope": scope}))
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": []})
        await send({"type": "http.response.body", "body": body})

    assert run(AsgiTraffic(bridge, own, clock=clock), http_scope()).body == b"ok"
    assert inbound(own)["admitted"] == 1
    assert serve(inner, environ(**{"asgi.scope": {}}))[2] == b"ok"
    assert inbound(own)["admitted"] == 2


def test_request_labels_that_raise_are_an_error_before_admission(clock: Clock) -> None:
    own = engine(limit(5))

    def labels(_env: Any) -> dict[str, str]:
        raise LookupError("nobody is logged in")

    with pytest.raises(LookupError):
        serve(traffic(wsgi_plain, own, clock, request_labels=labels))
    assert inbound(own)["admitted"] == in_flight(own) == 0


def test_the_breakers_own_answer_is_sent_and_counts_for_nothing(clock: Clock) -> None:
    own = engine(breaker(rule={"max_slow": 1}))

    def late(env: Any, start_response: Any) -> list[bytes]:
        clock.advance(0.6)
        return wsgi_plain(env, start_response)

    app = traffic(late, own, clock)
    assert serve(app)[0] == "200 OK"
    status, headers, body = serve(app)
    assert (status, headers["retry-after"], body) == ("498 Client Error", "60", b"delay break!")


class Waiting:
    """Requests in threads in front of a quota of one a second, its token taken."""

    def __init__(self, clock: Clock, **more: Any) -> None:
        self.clock = clock
        self.engine = engine(quota(1, 1, **more))
        self.app = traffic(wsgi_plain, self.engine, clock)
        assert isinstance(self.engine.admit(request(), clock()), Permit)
        self.answers: list[str] = []
        self.threads: list[threading.Thread] = []

    def start(self, count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=self._one)
            thread.start()
            self.threads.append(thread)
        eventually(lambda: inbound(self.engine)["queued"] == count)

    def _one(self) -> None:
        self.answers.append(serve(self.app)[0])

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        driver_of(self.engine).kick()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


def test_who_waits_is_called_when_his_turn_has_come(clock: Clock) -> None:
    own = Waiting(clock)
    own.start(3)
    for served in (1, 2, 3):
        own.advance(1)
        eventually(lambda served=served: len(own.answers) == served)  # type: ignore[misc]
    own.join()
    assert own.answers == ["200 OK"] * 3
    assert (inbound(own.engine)["queued"], in_flight(own.engine)) == (0, 1)


def test_who_waits_too_long_is_refused(clock: Clock) -> None:
    own = Waiting(clock, timeout=3.5)
    own.start(2)
    own.advance(4)  # whoever looks after the deadline grants nothing
    own.join()
    assert own.answers == ["503 Service Unavailable"] * 2
    assert (inbound(own.engine)["queued"], in_flight(own.engine)) == (0, 1)
