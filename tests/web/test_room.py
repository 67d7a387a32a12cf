"""How many threads may wait: never all of them."""

import threading
from typing import Any

import pytest

from conftest import Clock
from support.policies import engine, quota, request
from support.shells import environ, eventually, inbound, serve, wsgi_plain
from trafficcore import Engine, WsgiTraffic
from trafficcore.engine import Permit
from trafficcore.errors import ConfigError
from trafficcore.live.drivers import driver_of
from trafficcore.web.wsgi_limits import WsgiLimits


class Server:
    """Threads that ask for tokens of which there is none, a second apart from the next."""

    def __init__(self, clock: Clock, *, running: int = 0, **more: Any) -> None:
        self.clock = clock
        self.engine: Engine = engine(quota(1 + running, 1))
        self.app = WsgiTraffic(wsgi_plain, self.engine, clock=clock, **more)
        for ended in [False] * running + [True]:
            permit = self.engine.admit(request(), clock())
            assert isinstance(permit, Permit)
            if ended:
                permit.settle(None, clock())
        self.answers: list[tuple[str, dict[str, str], bytes]] = []
        self.threads: list[threading.Thread] = []

    def ask(self, **more: Any) -> None:
        before = inbound(self.engine)["queued"], len(self.answers)
        thread = threading.Thread(target=self._one, args=(more,))
        thread.start()
        self.threads.append(thread)
        eventually(lambda: (inbound(self.engine)["queued"], len(self.answers)) != before)
        eventually(lambda: self.waiting + len(self.answers) == len(self.threads))

    def _one(self, more: dict[str, Any]) -> None:
        self.answers.append(serve(self.app, environ(**more)))

    @property
    def waiting(self) -> int:
        return self.app._room.waiting

    def finish(self) -> None:
        while any(thread.is_alive() for thread in self.threads):
            self.clock.advance(1)
            driver_of(self.engine).kick()
            for thread in self.threads:
                thread.join(0.01)


def test_of_n_threads_all_but_one_may_wait(clock: Clock) -> None:
    server = Server(clock, threads=3)
    for _ in range(3):
        server.ask()
    assert server.waiting == 2
    ((status, headers, body),) = server.answers
    assert (status, body, headers["retry-after"]) == ("503 Service Unavailable", b"queue_full", "3")
    side = inbound(server.engine)
    assert (side["queued"], side["refused"]) == (2, 1)
    flow = server.engine.snapshot(clock())["rules"][0]["quota"]["workloads"][-1]
    assert (flow["waiting"], flow["refused"]) == (2, 1)
    server.finish()
    assert [status for status, _, _ in server.answers[1:]] == ["200 OK"] * 2
    assert server.waiting == 0


def test_one_thread_never_waits(clock: Clock) -> None:
    server = Server(clock, threads=1)
    server.ask()
    assert server.answers[0][0].startswith("503")


def test_nobody_waits_where_there_is_but_one_thread_by_the_servers_word(clock: Clock) -> None:
    server = Server(clock, threads=8)
    server.ask(**{"wsgi.multithread": False})
    assert server.answers[0][0].startswith("503")
    assert server.waiting == 0


def test_where_nobody_says_how_many_it_is_what_was_seen(clock: Clock) -> None:
    alone = Server(clock)
    alone.ask()
    assert alone.answers[0][0].startswith("503")
    busy = Server(clock, running=1)
    busy.ask()
    busy.ask()
    assert (busy.waiting, busy.answers) == (2, [])
    busy.finish()


def test_in_a_forks_child_nobody_waits(clock: Clock) -> None:
    server = Server(clock, threads=2)
    server.ask()
    server.app._room.after_fork()
    assert server.waiting == 0
    server.app._room.waiting = 1
    server.finish()


def test_who_was_granted_meanwhile_goes_on(clock: Clock) -> None:
    """A thread that finds no room and has its turn already is not turned away."""
    server = Server(clock, threads=1)
    room = server.app._room

    class Late:
        def enter(self, _environ: Any, ticket: Any) -> bool:
            clock.advance(1)
            driver_of(server.engine).kick()
            assert ticket.verdict is not None
            return room.enter(_environ, ticket)

    server.app._room = Late()  # type: ignore[assignment]
    assert serve(server.app)[0] == "200 OK"


def test_there_is_at_least_one_thread() -> None:
    with pytest.raises(ConfigError, match="threads must be at least 1, not 0"):
        WsgiTraffic(wsgi_plain, engine(), threads=0)


def test_limits_beside_an_engine_pass_the_number_on(clock: Clock) -> None:
    app = WsgiTraffic(wsgi_plain, engine(), limits=[], threads=4, clock=clock)
    assert isinstance(app, WsgiLimits)
    assert isinstance(app.app, WsgiTraffic)
    assert app.app._room._threads == 4
