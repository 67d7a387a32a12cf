"""Waiting for a quota in front of an ASGI application."""

import asyncio
from typing import Any

import pytest

from conftest import Clock
from support.policies import breaker, engine, quota
from support.shells import (
    Peer,
    Queueing,
    call,
    echo,
    in_flight,
    inbound,
    respond,
    soon,
    websocket_scope,
)
from trafficcore import AsgiTraffic
from trafficcore.live.drivers import driver_of

BODY = {"type": "http.request", "body": b"", "more_body": False}
PART = {"type": "http.request", "body": b"part", "more_body": True}


def test_who_waits_is_called_when_his_turn_has_come(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        first, second = await own.queue(), await own.queue()
        own.advance(1)
        assert (await first).status == 200
        assert not second.done()
        assert own.waiting == 1
        own.advance(1)
        assert (await second).status == 200
        assert inbound(own.engine) | {"unmatched": 0} == {
            "in_flight": 0, "admitted": 3, "refused": 0, "queued": 0, "unmatched": 0,
        }  # fmt: skip

    asyncio.run(main())


def test_who_waits_too_long_is_refused(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock, timeout=0.5)
        await own.spend()
        waiting = await own.queue()
        own.advance(0.5)
        refused = await waiting
        assert refused.status == 503
        assert refused.headers["x-envoy-overloaded"] == "true"
        assert (own.waiting, in_flight(own.engine)) == (0, 0)

    asyncio.run(main())


def test_a_client_that_leaves_frees_its_place_at_once(clock: Clock) -> None:
    hits: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        hits.append(scope["path"])
        await respond(send)

    async def main() -> None:
        own = Queueing(clock, app)
        await own.spend()
        peer = Peer()
        leaving = await own.queue(peer, path="/leaving")
        staying = await own.queue(path="/staying")
        peer.leave()
        assert (await leaving).sent == []
        assert own.waiting == 1
        own.advance(1)
        assert (await staying).status == 200
        assert hits == ["/", "/staying"]
        assert in_flight(own.engine) == 0
        assert inbound(own.engine)["admitted"] == 2

    asyncio.run(main())


def test_a_cancelled_wait_frees_its_place_at_once(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        leaving, staying = await own.queue(), await own.queue()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert own.waiting == 1
        own.advance(1)
        assert (await staying).status == 200
        assert in_flight(own.engine) == 0

    asyncio.run(main())


def test_a_place_given_up_costs_no_token(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        for leave in ("cancel", "disconnect"):
            peer = Peer()
            task = await own.queue(peer)
            if leave == "cancel":
                task.cancel()
            else:
                peer.leave()
            await asyncio.gather(task, return_exceptions=True)
        own.advance(1)
        assert await own.tokens_left()
        assert not await own.tokens_left()
        assert (own.waiting, in_flight(own.engine)) == (0, 0)

    asyncio.run(main())


@pytest.mark.parametrize("leave", ["cancel", "disconnect"])
@pytest.mark.parametrize("steps", range(6))
def test_a_verdict_that_comes_together_with_the_leaving_is_given_back(
    leave: str, steps: int, clock: Clock
) -> None:
    """The client leaves some steps of the loop before or after the verdict is there."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def main() -> None:
        own = Queueing(clock, app)
        own.take_token()
        peer = Peer()
        task = await own.queue(peer)
        own.advance(1)
        for _ in range(steps * 40):
            await asyncio.sleep(0)
        if leave == "cancel":
            task.cancel()
        else:
            peer.leave()
        await asyncio.gather(task, return_exceptions=True)
        await soon(lambda: (own.waiting, in_flight(own.engine)) == (0, 1))

    asyncio.run(main())


def test_hundreds_that_leave_while_they_wait_leave_nothing_behind(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        peers = [Peer() for _ in range(200)]
        tasks = [asyncio.create_task(call(own.app, None, peer)) for peer in peers]
        await soon(lambda: own.waiting == 200)
        for number, (task, peer) in enumerate(zip(tasks, peers, strict=True)):
            if number % 2:
                task.cancel()
            else:
                peer.leave()
            if number == 100:
                own.advance(1)  # a grant in the middle of it
        await asyncio.gather(*tasks, return_exceptions=True)
        await soon(lambda: (own.waiting, in_flight(own.engine)) == (0, 0))

    asyncio.run(main())


def test_a_break_that_begins_while_one_waits_refuses_him_then(clock: Clock) -> None:
    async def late(scope: Any, receive: Any, send: Any) -> None:
        clock.advance(0.6)
        await respond(send)

    async def main() -> None:
        own = Queueing(clock, late, breaker(rule={"max_slow": 1}))
        waiting: list[Any] = []

        async def other(scope: Any, receive: Any, send: Any) -> None:
            waiting.append(await own.queue())
            await late(scope, receive, send)

        own.app.app = other
        await own.spend()
        own.app.app = late
        own.advance(1)
        assert (await waiting[0]).status == 498
        assert (own.waiting, in_flight(own.engine)) == (0, 0)

    asyncio.run(main())


def test_a_websocket_waits_for_its_turn_too(clock: Clock) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"

    async def main() -> None:
        own = Queueing(clock, app)
        own.take_token()
        stays, leaves = (Peer({"type": "websocket.connect"}) for _ in range(2))
        tasks = [asyncio.create_task(call(own.app, websocket_scope(), p)) for p in (leaves, stays)]
        await soon(lambda: own.waiting == 2)
        leaves.leave("websocket.disconnect")
        await tasks[0]
        assert (leaves.sent, own.waiting) == ([], 1)
        own.advance(1)
        await soon(lambda: stays.sent)
        stays.leave("websocket.disconnect")
        await tasks[1]
        assert stays.sent == [{"type": "websocket.accept"}]
        assert in_flight(own.engine) == 1

    asyncio.run(main())


def test_two_applications_on_one_engine_share_its_driver(clock: Clock) -> None:
    own = engine(quota(1, 1))
    first, second = (AsgiTraffic(echo, own, clock=clock) for _ in range(2))

    async def main() -> None:
        assert (await call(first)).status == 200
        tasks = [asyncio.create_task(call(app)) for app in (first, second)]
        await soon(lambda: inbound(own)["queued"] == 2)
        for task in tasks:
            clock.advance(1)
            driver_of(own).kick()
            assert (await task).status == 200

    asyncio.run(main())


def test_waiting_survives_one_event_loop_and_the_next(clock: Clock) -> None:
    own = Queueing(clock)

    async def main() -> None:
        waiting = await own.queue()
        own.advance(1)
        assert (await waiting).status == 200

    asyncio.run(own.spend())
    for _ in range(3):
        asyncio.run(main())
    assert in_flight(own.engine) == 0
