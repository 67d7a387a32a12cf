"""`AsgiTraffic` where the application fails, or nobody waits for its answer any more."""

import asyncio
import gc
from typing import Any

import pytest

from conftest import Clock
from support.shells import (
    Peer,
    breaker_state,
    call,
    http_scope,
    in_flight,
    is_open,
    respond,
    run,
    soon,
    watching,
)
from trafficcore import AsgiTraffic, Engine

START = {"type": "http.response.start", "status": 200, "headers": []}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}
PART = {"type": "http.response.body", "body": b"x", "more_body": True}


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> AsgiTraffic:
    return AsgiTraffic(app, own, clock=clock, **more)


@pytest.mark.parametrize("before", [(), (START,), (START, PART)])
def test_an_exception_is_a_failure_and_is_raised_again(before: Any, clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(traffic(app, own, clock))
    assert in_flight(own) == 0
    assert is_open(own, clock())


@pytest.mark.parametrize("before", [(), (START,), (START, PART)])
def test_an_application_that_returns_too_early_has_failed(before: Any, clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)

    run(traffic(app, own, clock))
    assert in_flight(own) == 0
    assert is_open(own, clock())


def cancelled_calls(own: Engine, at: float) -> dict[str, Any]:
    state = breaker_state(own, at)
    assert state["state"] == "closed"
    return state


@pytest.mark.parametrize("before", [(), (START,), (START, PART)])
def test_a_cancelled_request_is_no_verdict(before: Any, clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        await asyncio.sleep(3600)

    async def main() -> None:
        task = asyncio.create_task(call(traffic(app, own, clock)))
        await soon(lambda: in_flight(own) == 1)
        clock.advance(5)  # far beyond the slow limit
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert in_flight(own) == 0
    clock.now -= 5
    assert breaker_state(own, clock()) == untouched


@pytest.mark.parametrize("swallow", [False, True])
def test_a_send_that_fails_means_that_the_client_is_gone(swallow: bool, clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await respond(send)
        except OSError:
            if not swallow:
                raise

    async def main() -> None:
        peer = Peer()
        peer.fails = ConnectionResetError()
        await call(traffic(app, own, clock), peer=peer)

    if swallow:
        asyncio.run(main())
    else:
        with pytest.raises(ConnectionResetError):
            asyncio.run(main())
    assert in_flight(own) == 0
    assert breaker_state(own, clock()) == untouched


def test_a_disconnect_that_the_application_sees_settles_at_once(clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        while (await receive())["type"] != "http.disconnect":
            seen.append(in_flight(own))
        seen.append(in_flight(own))
        raise RuntimeError("ClientDisconnect, as Starlette would")

    with pytest.raises(RuntimeError):
        run(traffic(app, own, clock), None, {"type": "http.request"}, {"type": "http.disconnect"})
    assert seen == [1, 0]
    assert breaker_state(own, clock()) == untouched


def test_the_disconnect_after_the_last_byte_changes_nothing(clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, 500)
        assert (await receive())["type"] == "http.disconnect"

    run(traffic(app, own, clock), None, {"type": "http.disconnect"})
    assert in_flight(own) == 0
    assert is_open(own, clock())


def test_a_call_that_is_dropped_in_mid_flight_is_settled(clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        peer = Peer()
        coroutine = traffic(app, own, clock)(http_scope(), peer.receive, peer.send)
        coroutine.send(None)
        assert in_flight(own) == 1
        coroutine.close()
        assert in_flight(own) == 0

    asyncio.run(main())
    gc.collect()
    assert not is_open(own, clock())


def test_cancellations_by_the_hundred_leave_nothing_behind(clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/started":
            await send(START)
        await asyncio.sleep(3600)

    async def main() -> None:
        wrapped = traffic(app, own, clock)
        paths = ["/", "/started"] * 150
        tasks = [asyncio.create_task(call(wrapped, http_scope(path))) for path in paths]
        await soon(lambda: in_flight(own) == 300)
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in done)

    asyncio.run(main())
    assert in_flight(own) == 0
    assert breaker_state(own, clock()) == untouched
