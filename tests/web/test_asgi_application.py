"""`AsgiTraffic` as the application sees it: its permit, its scope, its labels."""

import asyncio
from typing import Any

import pytest

from conftest import Clock
from support.policies import breaker, engine, limit, policy
from support.shells import (
    call,
    http_scope,
    in_flight,
    inbound,
    is_open,
    plain,
    respond,
    run,
    watching,
)
from trafficcore import AsgiTraffic, Engine

START = {"type": "http.response.start", "status": 200, "headers": []}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}
PART = {"type": "http.response.body", "body": b"x", "more_body": True}


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> AsgiTraffic:
    return AsgiTraffic(app, own, clock=clock, **more)


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
