"""`AsgiTraffic` by hand: one message at a time, with a clock that stands still."""

import asyncio
from typing import Any

import pytest

from conftest import Clock
from support.policies import engine, limit
from support.shells import (
    Peer,
    http_scope,
    in_flight,
    inbound,
    is_open,
    plain,
    respond,
    run,
    watching,
)
from trafficcore import AsgiTraffic, ConfigError, Engine

START = {"type": "http.response.start", "status": 200, "headers": []}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}
PART = {"type": "http.response.body", "body": b"x", "more_body": True}


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> AsgiTraffic:
    return AsgiTraffic(app, own, clock=clock, **more)


def test_a_request_within_the_limit_passes_and_one_above_is_refused(clock: Clock) -> None:
    own = engine(limit(2, 60))
    app = traffic(plain, own, clock)
    assert [run(app).status for _ in range(3)] == [200, 200, 429]
    refused = run(app)
    assert refused.body == b"local_rate_limited"
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["content-type"] == "text/plain; charset=utf-8"
    assert refused.headers["content-length"] == "18"
    assert inbound(own) | {"unmatched": 0} == {
        "in_flight": 0, "admitted": 2, "refused": 2, "queued": 0, "unmatched": 0,
    }  # fmt: skip


def test_a_refused_request_does_not_reach_the_application(clock: Clock) -> None:
    hits = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        hits.append(scope)
        await respond(send)

    wrapped = traffic(app, engine(limit(0)), clock)
    assert run(wrapped).status == 429
    assert hits == []


def test_a_refused_head_gets_no_body(clock: Clock) -> None:
    refused = run(traffic(plain, engine(limit(0)), clock), http_scope(method="HEAD"))
    assert (refused.status, refused.body) == (429, b"")
    assert refused.headers["content-length"] == "18"


@pytest.mark.parametrize("kind", ["lifespan", "something-of-tomorrow"])
def test_scopes_that_are_no_requests_pass_untouched(kind: str, clock: Clock) -> None:
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.extend(args)

    own = engine(limit(0))
    given = ({"type": kind, "state": {}}, Peer().receive, Peer().send)
    asyncio.run(traffic(app, own, clock)(*given))
    assert all(ours is theirs for ours, theirs in zip(seen, given, strict=True))
    assert given[0] == {"type": kind, "state": {}}
    assert inbound(own)["admitted"] == 0


def test_messages_pass_as_the_very_objects_they_are(clock: Clock) -> None:
    messages = [dict(START), dict(PART), {"type": "http.response.trailers"}, dict(LAST)]
    incoming = {"type": "http.request", "body": b"in", "more_body": False}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() is incoming
        for message in messages:
            await send(message)

    peer = run(traffic(app, engine(), clock), None, incoming)
    assert all(ours is theirs for ours, theirs in zip(peer.sent, messages, strict=True))


# --- when a permit ends -------------------------------------------------------------------------


def test_it_is_settled_at_the_last_byte_and_not_when_the_application_returns(
    clock: Clock,
) -> None:
    own = watching()
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (START, PART, LAST):
            seen.append(in_flight(own))
            await send(message)
        seen.append(in_flight(own))
        raise ValueError("in the background, long after the answer")

    with pytest.raises(ValueError, match="background"):
        run(traffic(app, own, clock))
    assert seen == [1, 1, 1, 0]
    assert not is_open(own, clock())


@pytest.mark.parametrize(
    "last",
    [
        {"type": "http.response.body"},
        {"type": "http.response.pathsend", "path": "file"},
        {"type": "http.response.zerocopysend", "file": 0},
    ],
)
def test_whatever_ends_a_body_settles(last: dict[str, Any], clock: Clock) -> None:
    own = watching()
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.zerocopysend", "file": 0, "more_body": True})
        await send(last)
        seen.append(in_flight(own))

    run(traffic(app, own, clock))
    assert seen == [0]


def test_slow_is_measured_to_the_start_of_the_response(clock: Clock) -> None:
    own = watching()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        clock.advance(0.5)  # not longer than the limit
        await send(START)
        clock.advance(60)
        await send(LAST)

    run(traffic(stream, own, clock))
    assert not is_open(own, clock())

    async def late(scope: Any, receive: Any, send: Any) -> None:
        clock.advance(0.6)
        await respond(send)

    run(traffic(late, own, clock))
    assert is_open(own, clock())


def test_slow_may_be_measured_to_the_last_byte(clock: Clock) -> None:
    own = watching()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        clock.advance(0.6)
        await send(LAST)

    run(traffic(stream, own, clock, slow="end"))
    assert is_open(own, clock())


@pytest.mark.parametrize("slow", ["start", "end"])
def test_the_status_counts_either_way(slow: str, clock: Clock) -> None:
    own = watching(slow_after=None, max_slow=None)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, int(scope["path"][1:]))

    wrapped = traffic(app, own, clock, slow=slow)
    for status in (200, 301, 404, 429, 499):
        run(wrapped, http_scope(f"/{status}"))
    assert not is_open(own, clock())
    run(wrapped, http_scope("/500"))
    assert is_open(own, clock())


def test_slow_is_start_or_end() -> None:
    with pytest.raises(ConfigError, match="'middle'"):
        AsgiTraffic(plain, engine(), slow="middle")  # type: ignore[arg-type]
