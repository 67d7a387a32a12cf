"""Limits in front of an engine's queue: who leaves it unserved pays nothing further out either."""

import asyncio
import threading
from typing import Any

import pytest

from conftest import Clock
from support.policies import engine, quota
from support.shells import Peer, Queueing, echo, environ, serve, wsgi_plain
from trafficcore import AsgiTraffic, WsgiTraffic
from trafficcore.limits import Limit
from trafficcore.live import drivers

FRONT = Limit("10/hour", name="front")


class Fronted(Queueing):
    """The same queue behind a limit."""

    def __init__(self, clock: Clock, *, nested: bool) -> None:
        super().__init__(clock)
        if nested:  # two middlewares, as a framework's list of them makes them
            self.front = AsgiTraffic(self.app, limits=[FRONT], clock=clock)
        else:
            self.front = AsgiTraffic(echo, self.engine, limits=[FRONT], clock=clock)
        self.app = self.front

    @property
    def left(self) -> int:
        whole: int = self.front.limits["front"].left("", self.clock())[0]  # type: ignore[attr-defined]
        return whole


@pytest.mark.parametrize("nested", [False, True], ids=["one", "nested"])
@pytest.mark.parametrize("how", ["disconnect", "cancel"])
def test_who_leaves_the_queue_has_the_tokens_of_limits_further_out_back(
    how: str, nested: bool, clock: Clock
) -> None:
    async def main() -> None:
        own = Fronted(clock, nested=nested)
        await own.spend()
        assert own.left == 9
        peer = Peer()
        waiting = await own.queue(peer)
        assert own.left == 8
        if how == "disconnect":
            peer.leave()
        else:
            waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (own.left, own.waiting) == (9, 0)

    asyncio.run(main())


def test_who_is_served_after_a_wait_has_paid(clock: Clock) -> None:
    async def main() -> None:
        own = Fronted(clock, nested=False)
        await own.spend()
        waiting = await own.queue()
        own.advance(1)
        assert (await waiting).status == 200
        assert own.left == 8

    asyncio.run(main())


@pytest.mark.parametrize("nested", [False, True], ids=["one", "nested"])
def test_a_thread_that_is_interrupted_in_the_queue_has_them_back(
    nested: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise SystemExit

    own = engine(quota(1, 1))
    inner = WsgiTraffic(wsgi_plain, own, threads=2, clock=clock)
    options: Any = {"limits": [FRONT], "clock": clock}
    if nested:
        front: Any = WsgiTraffic(inner, **options)
    else:
        front = WsgiTraffic(wsgi_plain, own, threads=2, **options)
    assert serve(front)[0] == "200 OK"
    monkeypatch.setattr(drivers.threading, "Event", Interrupted)
    with pytest.raises(SystemExit):
        serve(front)
    assert front.limits["front"].left("", clock())[0] == 9


def test_what_an_engine_refuses_inside_another_middleware_costs_no_token(clock: Clock) -> None:
    own = engine(quota(1, 1))
    inner = WsgiTraffic(wsgi_plain, own, threads=1, clock=clock)
    front: Any = WsgiTraffic(inner, limits=[FRONT], clock=clock)
    statuses = [serve(front, environ())[0][:3] for _ in range(3)]
    assert statuses == ["200", "503", "503"]
    assert front.limits["front"].left("", clock())[0] == 9
