"""Websockets: admitted like requests, settled when they end, never slow."""

import asyncio
from typing import Any

import pytest

from conftest import Clock
from support.policies import breaker, engine, limit
from support.shells import (
    Peer,
    breaker_state,
    call,
    in_flight,
    inbound,
    is_open,
    run,
    soon,
    watching,
    websocket_scope,
)
from trafficcore import AsgiTraffic

CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}
LEAVE = {"type": "websocket.disconnect", "code": 1000}


def test_an_accepted_websocket_is_one_request_until_it_ends_and_never_slow(clock: Clock) -> None:
    own = watching()
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["state"]["traffic"]
        await receive()
        clock.advance(60)
        await send(ACCEPT)
        seen.append(in_flight(own))
        clock.advance(60)
        await send({"type": "websocket.send", "text": "hello"})
        seen.append(in_flight(own))
        await receive()
        seen.append(in_flight(own))

    for slow in ("start", "end"):
        run(AsgiTraffic(app, own, slow=slow, clock=clock), websocket_scope(), CONNECT, LEAVE)  # type: ignore[arg-type]
    assert seen == [1, 1, 0] * 2
    assert not is_open(own, clock())
    assert inbound(own)["admitted"] == 2


def test_it_ends_when_the_application_closes_it(clock: Clock) -> None:
    own = watching()
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await send({"type": "websocket.close", "code": 1000})
        seen.append(in_flight(own))
        raise ValueError("after the end")

    with pytest.raises(ValueError, match="after"):
        run(AsgiTraffic(app, own, clock=clock), websocket_scope(), CONNECT)
    assert seen == [0]
    assert not is_open(own, clock())


def test_it_ends_when_the_application_returns(clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)

    run(AsgiTraffic(app, own, clock=clock), websocket_scope(), CONNECT)
    assert in_flight(own) == 0
    assert not is_open(own, clock())


@pytest.mark.parametrize("accept", [False, True])
def test_an_exception_is_a_failure(accept: bool, clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if accept:
            await send(ACCEPT)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(AsgiTraffic(app, own, clock=clock), websocket_scope(), CONNECT)
    assert in_flight(own) == 0
    assert is_open(own, clock())


def test_an_exception_after_the_client_left_is_none(clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.disconnect"
        raise RuntimeError("WebSocketDisconnect, as Starlette would")

    with pytest.raises(RuntimeError):
        run(AsgiTraffic(app, own, clock=clock), websocket_scope(), CONNECT, LEAVE)
    assert not is_open(own, clock())


def test_an_application_that_answers_nothing_has_failed(clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    run(AsgiTraffic(app, own, clock=clock), websocket_scope(), CONNECT)
    assert in_flight(own) == 0
    assert is_open(own, clock())


@pytest.mark.parametrize(("status", "opens"), [(403, False), (429, False), (500, True)])
def test_a_response_instead_of_an_upgrade_counts_by_its_status(
    status: int, opens: bool, clock: Clock
) -> None:
    own = watching()
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kind = "websocket.http.response"
        await send({"type": f"{kind}.start", "status": status, "headers": []})
        await send({"type": f"{kind}.body", "body": b"no", "more_body": True})
        seen.append(in_flight(own))
        await send({"type": f"{kind}.body", "body": b"!"})
        seen.append(in_flight(own))

    run(AsgiTraffic(app, own, clock=clock), websocket_scope(), CONNECT)
    assert seen == [1, 0]
    assert is_open(own, clock()) is opens


def test_a_close_before_the_accept_is_the_applications_right(clock: Clock) -> None:
    own = watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1008})

    run(AsgiTraffic(app, own, clock=clock), websocket_scope(), CONNECT)
    assert in_flight(own) == 0
    assert not is_open(own, clock())


@pytest.mark.parametrize("how", ["disconnect", "cancel", "send"])
@pytest.mark.parametrize("accept", [False, True])
def test_a_client_that_goes_away_is_no_failure(how: str, accept: bool, clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if accept:
            await send(ACCEPT)
        await receive()
        await send({"type": "websocket.send", "text": "x"})

    async def main() -> None:
        peer = Peer(CONNECT)
        task = asyncio.create_task(
            call(AsgiTraffic(app, own, clock=clock), websocket_scope(), peer)
        )
        await soon(lambda: peer.received == 1 and len(peer.sent) == accept)
        if how == "cancel":
            task.cancel()
        else:
            peer.fails = ConnectionResetError()
            peer.leave("websocket.disconnect" if how == "disconnect" else "websocket.receive")
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert in_flight(own) == 0
    assert not is_open(own, clock())
    if not (accept and how == "disconnect"):  # that one ended as websockets end
        assert breaker_state(own, clock()) == untouched


def test_a_refusal_is_a_response_where_the_server_can_send_one(clock: Clock) -> None:
    own = engine(limit(0))
    refused = run(AsgiTraffic(call, own, clock=clock), websocket_scope(), CONNECT)
    assert [message["type"] for message in refused.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert (refused.status, refused.body) == (429, b"local_rate_limited")
    assert inbound(own)["refused"] == 1


@pytest.mark.parametrize("extensions", [{}, None])
def test_elsewhere_a_refusal_is_a_close_before_the_accept(extensions: Any, clock: Clock) -> None:
    scope = {**websocket_scope(), "extensions": extensions}
    refused = run(AsgiTraffic(call, engine(limit(0)), clock=clock), scope, CONNECT)
    assert refused.sent == [{"type": "websocket.close", "code": 1013, "reason": ""}]


def test_an_open_breaker_refuses_upgrades_with_its_own_answer(clock: Clock) -> None:
    own = engine(breaker(rule={"error_percent": 1, "min_requests": 1}))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("broken")

    wrapped = AsgiTraffic(app, own, clock=clock)
    with pytest.raises(ValueError, match="broken"):
        run(wrapped, websocket_scope(), CONNECT)
    refused = run(wrapped, websocket_scope(), CONNECT)
    assert (refused.status, refused.body) == (498, b"delay break!")
