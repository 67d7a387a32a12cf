"""`AsgiTraffic` by hand: one message at a time, with a clock that stands still."""

import asyncio
import gc
from typing import Any

import pytest

from conftest import Clock
from support.policies import breaker, engine, limit, policy
from support.shells import (
    Peer,
    breaker_state,
    call,
    http_scope,
    in_flight,
    inbound,
    is_open,
    plain,
    respond,
    run,
    soon,
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


# --- when it goes wrong -------------------------------------------------------------------------


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


# --- the application's side ---------------------------------------------------------------------


def test_the_application_reaches_its_permit(clock: Clock) -> None:
    own = watching()
    permits = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        permit = scope["state"]["traffic"]
        permits.append(permit)
        assert not permit.settled
        getattr(permit, scope["path"][1:])()
        await respond(send, 500 if scope["path"] == "/ignore" else 200)

    wrapped = traffic(app, own, clock)
    run(wrapped, http_scope("/ignore"))
    assert not is_open(own, clock())
    run(wrapped, http_scope("/fail"))
    assert is_open(own, clock())
    assert all(permit.settled for permit in permits)


def test_in_shadow_the_permit_says_what_would_have_refused(clock: Clock) -> None:
    own = engine(limit(0, name="tight"))
    own.mode = "shadow"
    reasons = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        permit = scope["state"]["traffic"]
        reasons.append((permit.reason.value, permit.rule.name))
        await respond(send)

    assert run(traffic(app, own, clock)).status == 200
    assert reasons == [("rate_limited", "tight")]


def test_the_state_of_the_server_is_kept_and_the_scope_is_not_touched(clock: Clock) -> None:
    own = engine()
    state = {"db": object()}
    given = http_scope(state=state)
    before = {**given}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["state"]["db"] is state["db"]
        assert scope is not given
        scope["state"]["mine"] = 1
        await respond(send)

    run(traffic(app, own, clock), given)
    assert given == before
    assert state["mine"] == 1  # whoever stands further out reads what the application left


@pytest.mark.parametrize("share", ["state", "scope"])
def test_requests_never_see_each_others_permit_even_on_a_shared_state(
    share: str, clock: Clock
) -> None:
    own = engine()
    seen: list[tuple[Any, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["state"]["traffic"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert scope["state"]["traffic"] is mine
        assert scope["state"]["db"] == 1
        seen.append(mine)
        await respond(send)

    async def main() -> None:
        wrapped = traffic(app, own, clock)
        state = {"db": 1}
        one = http_scope(state=state)
        scopes = [one if share == "scope" else http_scope(state=state) for _ in range(5)]
        await asyncio.gather(*(call(wrapped, scope) for scope in scopes))
        await asyncio.gather(*(call(wrapped, scope) for scope in scopes))

    asyncio.run(main())
    assert len({id(permit) for permit in seen}) == 10
    assert inbound(own)["admitted"] == 10


def test_what_a_router_notes_in_the_scope_is_seen_further_out(clock: Clock) -> None:
    noted: list[Any] = []

    async def router(scope: Any, receive: Any, send: Any) -> None:
        scope["endpoint"], scope["path_params"] = plain, {"id": 1}
        await plain(scope, receive, send)

    async def metrics(scope: Any, receive: Any, send: Any) -> None:
        await traffic(router, engine(), clock)(scope, receive, send)
        noted.append((scope["endpoint"], scope["path_params"]))

    run(metrics)
    assert noted == [(plain, {"id": 1})]


def test_one_engine_around_a_request_twice_charges_once(clock: Clock) -> None:
    own = engine(limit(2))
    twice = traffic(traffic(plain, own, clock), own, clock)
    assert [run(twice).status for _ in range(3)] == [200, 200, 429]
    assert inbound(own)["admitted"] == 2


def test_two_engines_around_a_request_each_charge_it_once(clock: Clock) -> None:
    outer, inner = engine(limit(5)), engine(limit(2))
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["state"]["traffic"])
        assert in_flight(outer) == in_flight(inner) == 1
        await respond(send)

    inside = traffic(traffic(app, outer, clock), inner, clock)
    wrapped = traffic(inside, outer, clock)
    assert [run(wrapped).status for _ in range(3)] == [200, 200, 429]
    assert (inbound(outer)["admitted"], inbound(inner)["admitted"]) == (3, 2)
    assert in_flight(outer) == in_flight(inner) == 0


def test_the_same_engine_charges_each_of_two_requests_that_use_one_scope(clock: Clock) -> None:
    scope = http_scope()
    app = traffic(plain, engine(limit(1)), clock)
    assert [run(app, scope).status for _ in range(2)] == [200, 429]


def test_request_labels_that_raise_are_an_error_before_admission(clock: Clock) -> None:
    own = engine(limit(5))

    def labels(_scope: Any) -> dict[str, str]:
        raise LookupError("nobody is logged in")

    with pytest.raises(LookupError):
        run(traffic(plain, own, clock, request_labels=labels))
    assert inbound(own)["admitted"] == in_flight(own) == 0


def test_a_route_is_matched_by_the_decoded_path(clock: Clock) -> None:
    from trafficcore.spec import HeaderMatch, Op

    rule = limit(0, headers=(HeaderMatch(":path", Op.PREFIX, "/admin"),))
    app = traffic(plain, engine(rule), clock)
    assert run(app, http_scope("/admin/x", raw_path=b"/%61dmin/x")).status == 429
    assert run(app, http_scope("/other")).status == 200


def test_the_breakers_own_answer_is_sent_and_counts_for_nothing(clock: Clock) -> None:
    own = engine(breaker(rule={"max_slow": 1}))

    async def late(scope: Any, receive: Any, send: Any) -> None:
        clock.advance(0.6)
        await respond(send)

    app = traffic(late, own, clock)
    assert run(app).status == 200
    refused = run(app)
    assert (refused.status, refused.body) == (498, b"delay break!")
    assert refused.headers["retry-after"] == "60"
    clock.advance(60.01)
    assert run(app).status == 200


def test_a_reload_while_a_request_runs_settles_it_all_the_same(clock: Clock) -> None:
    own = engine(limit(5))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        own.reload(policy(breaker()))
        await send(LAST)

    run(traffic(app, own, clock))
    assert in_flight(own) == 0
