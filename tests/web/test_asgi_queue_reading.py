"""What a client sends while its request waits: kept, in order, within bounds."""

import asyncio
from typing import Any

import pytest

from conftest import Clock
from support.shells import (
    Peer,
    Queueing,
    http_scope,
    in_flight,
    respond,
    soon,
)

BODY = {"type": "http.request", "body": b"", "more_body": False}
PART = {"type": "http.request", "body": b"part", "more_body": True}


def test_what_arrives_while_waiting_is_given_to_the_application_in_order(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        parts = [{**PART, "body": b"%d" % number} for number in range(4)]
        peer = Peer(*parts[:2])
        waiting = await own.queue(peer)
        await soon(lambda: peer.received == 2)
        peer.coming.put_nowait(parts[2])
        await soon(lambda: peer.received == 3)
        own.advance(1)
        await soon(lambda: in_flight(own.engine) == 1)
        peer.coming.put_nowait(parts[3])
        peer.coming.put_nowait(BODY)
        assert (await waiting).body == b"0123"

    asyncio.run(main())


def test_a_receive_given_up_after_the_wait_loses_no_message(clock: Clock) -> None:
    async def poll(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"part"
        for _ in range(3):  # Starlette's is_disconnected() gives up like this
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await receive()
        peers[0].coming.put_nowait({**BODY, "body": b"rest"})
        await respond(send, 200, (await receive())["body"])

    async def main() -> None:
        own = Queueing(clock, poll)
        own.take_token()
        peers.append(Peer(PART))
        waiting = await own.queue(peers[0])
        own.advance(1)
        assert (await waiting).body == b"rest"

    peers: list[Peer] = []
    asyncio.run(main())


def test_no_more_of_a_body_is_read_ahead_than_a_server_would_hold(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        large = {**PART, "body": bytes(20_000)}
        peer = Peer(*[large] * 20, {**BODY, "body": b"."})
        waiting = await own.queue(peer)
        await soon(lambda: peer.received == 4)
        await asyncio.sleep(0.02)
        assert peer.received == 4
        own.advance(1)
        assert (await waiting).body == bytes(20 * 20_000) + b"."

    asyncio.run(main())


def test_many_small_messages_are_no_way_around_that(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        peer = Peer(*[{**PART, "body": b"x"}] * 1000, BODY)
        waiting = await own.queue(peer)
        await asyncio.sleep(0.05)
        assert peer.received < 200
        own.advance(1)
        assert (await waiting).body == b"x" * 1000

    asyncio.run(main())


def test_a_server_that_repeats_the_last_message_for_ever_does_no_harm(clock: Clock) -> None:
    async def main() -> None:
        own = Queueing(clock)
        await own.spend()
        received = []

        async def receive() -> dict[str, Any]:
            received.append(1)
            return BODY

        peer = Peer()
        task = asyncio.create_task(own.app(http_scope(), receive, peer.send))
        await soon(lambda: own.waiting == 1)
        await asyncio.sleep(0.02)
        assert len(received) == 2
        own.advance(1)
        await task
        assert peer.status == 200

    asyncio.run(main())


def test_an_error_of_the_server_while_waiting_meets_the_application(clock: Clock) -> None:
    caught: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
        except RuntimeError as error:
            caught.append(str(error))
        await respond(send)

    async def main() -> None:
        own = Queueing(clock, app)
        own.take_token()
        peer = Peer()
        peer.coming.get_nowait()
        peer.coming.put_nowait(RuntimeError("the server broke"))
        waiting = await own.queue(peer)
        await asyncio.sleep(0.01)
        own.advance(1)
        assert (await waiting).status == 200

    asyncio.run(main())
    assert caught == ["the server broke"]


def test_an_application_that_never_receives_leaves_no_task_behind(clock: Clock) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send)

    async def main() -> None:
        own = Queueing(clock, app)
        await own.spend()
        waiting = await own.queue(Peer(PART))
        own.advance(1)
        assert (await waiting).status == 200
        await soon(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(main())
