"""Every public use, for type checkers: `mypy --strict` and pyright must accept this file.

It is never run. `assert_type` holds what a user's own checker will see.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, assert_type

import httpx
import httpx2
import requests
from fastapi import Depends, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount

from trafficcore import (
    AsgiTraffic,
    AsyncTrafficTransport,
    Balancer,
    CircuitBreaker,
    ConfigError,
    Engine,
    Facts,
    ImpossibleCost,
    KeyedRateLimiter,
    ManifestError,
    Outcome,
    Permit,
    Queued,
    QuotaScheduler,
    RateLimiter,
    Reason,
    Rejected,
    Rejection,
    SnapshotApp,
    TrafficError,
    TrafficTransport,
    WsgiTraffic,
)
from trafficcore.clients import CallRefused, Retries, RetryCaps, Timeouts, TrafficAdapter
from trafficcore.discovery import Background, Discovery, Dns, File
from trafficcore.limits import Limit, Receipt, client_address, first_of, header, path_parameter
from trafficcore.live import (
    Breakers,
    Budgets,
    CircuitOpen,
    ControlPoint,
    Reservation,
    SlidingWindowLimiter,
    Spending,
    Together,
)
from trafficcore.spec import Direction
from trafficcore.web import django as in_django
from trafficcore.web import flask as in_flask
from trafficcore.web import starlette as in_starlette

# An engine

engine = Engine.load(
    "policies/",
    labels={"app": "web"},
    namespace="default",
    gateway=False,
    locality="cn-hangzhou/zone-a",
    hosts={"web.default.svc.cluster.local:8012": ["web.example.com"]},
    endpoints={"api.default.svc.cluster.local": [("10.0.0.7:8080", "cn-hangzhou/zone-a")]},
    mode="shadow",
)
assert_type(engine, Engine)
engine.reload()
found: Discovery = Dns("reviews:9080", ("ratings:9080", "eu/a", 2, {"version": "v2"}))
engine.reload(endpoints={"reviews": found, "stock": lambda: ["10.0.0.8:80"], "a": ["10.0.0.9"]})
engine.reload(endpoints={"ratings": File("ratings.yaml"), "b": Background(list, every=30)})
Balancer(found).pick()
Balancer(found, picker="maglev").pick(key="user-7")
Engine.load("policies/", istio="1.22", callers={"r/a": 3, "r/b": 2})
engine.reload("policies/", endpoints={"api.default.svc.cluster.local": ["10.0.0.7:8080"]})
assert_type(engine.snapshot(1.5), dict[str, Any])


class OwnEngine(Engine):
    """`load` answers the class it is called on."""


assert_type(OwnEngine.load("policies/"), OwnEngine)


def by_hand(now: float) -> str:
    verdict = engine.admit(Facts(Direction.INBOUND, "web.example.com", "/"), now)
    assert_type(verdict, Permit | Queued | Rejection)
    if isinstance(verdict, Rejection):
        assert_type(verdict.reason, Reason)
        assert_type(verdict.status, int)
        assert_type(verdict.retry_after, float | None)
        return verdict.body
    if isinstance(verdict, Queued):
        assert_type(engine.cancel(verdict, now), bool)
        assert_type(engine.next_deadline(), float)
        assert_type(engine.poll(now), list[tuple[Queued, Permit | Rejection]])
        return ""
    verdict.started(200, now)
    verdict.settle(Outcome.SUCCESS, now)
    verdict.settle(None, now, 503)
    return "" if verdict.endpoint is None else verdict.endpoint.address


# In front of an application


def applications(environ: dict[str, Any]) -> None:
    fast = FastAPI()
    fast.add_middleware(AsgiTraffic, engine=engine)
    outer = AsgiTraffic(fast, engine, request_labels=lambda scope: {"tier": "gold"}, slow="end")
    AsgiTraffic(outer, engine, slow_in_flight=True)
    Starlette(routes=[Mount("/traffic", SnapshotApp(engine))])
    flask = Flask("app")
    WsgiTraffic(WsgiTraffic(flask.wsgi_app, engine), engine, slow="start")
    permit: Permit = environ["trafficcore.permit"]
    permit.ignore()
    permit.fail()


# Under an HTTP client, of either library


def labels(request: Any) -> Mapping[str, str]:
    return {"tier": request.headers["x-tier"]}


def clients() -> None:
    with httpx2.Client(transport=TrafficTransport(engine)) as new:
        assert_type(new.get("http://api/"), httpx2.Response)
    with httpx.Client(transport=TrafficTransport(engine, httpx.HTTPTransport())) as old:
        assert_type(old.get("http://api/").extensions["trafficcore"], Any)
    httpx2.Client(mounts={"all://api": TrafficTransport(engine, httpx2.HTTPTransport(http2=True))})
    with TrafficTransport(
        engine, request_labels=labels, slow="end", clock=lambda: 1.5, raise_on_refusal=True
    ) as transport:
        assert_type(transport, TrafficTransport)
    transport.close()


def clients_without_a_manifest() -> None:
    retries = Retries(
        2, "gateway-error,connect-failure,429", per_try_timeout=1.5, methods="get,post"
    )
    assert_type(retries.on, tuple[str, ...])
    Retries(on=503)
    Retries(on=["5xx", 404], caps=RetryCaps(max_retries=3))
    adapter = TrafficAdapter(
        breaker=Breakers(error_rate=0.5),
        limit=["50/s", Limit("1/s", by=header("x-key"))],
        retries=retries,
        timeout=(1, None),
        raise_on_refusal=True,
    )
    session = requests.Session()
    session.mount("https://", adapter)
    session.mount("http://", TrafficAdapter(engine, retries=2, timeout=Timeouts(1, 5)))
    assert_type(session.get("https://api/"), requests.Response)
    assert_type(adapter.snapshot(), dict[str, Any])
    try:
        session.get("https://api/")
    except CallRefused as refusal:
        assert_type(refusal.retry_after, float | None)
    TrafficTransport(breaker=CircuitBreaker(), limit=10, timeout=None)
    AsyncTrafficTransport(breaker=None, retries=Retries())


async def async_clients() -> None:
    async with httpx2.AsyncClient(transport=AsyncTrafficTransport(engine)) as new:
        assert_type(await new.get("http://api/"), httpx2.Response)
    inner = httpx.AsyncHTTPTransport()
    async with httpx.AsyncClient(transport=AsyncTrafficTransport(engine, inner)) as old:
        assert_type(await old.get("http://api/"), httpx.Response)
    async with AsyncTrafficTransport(engine, slow="start") as transport:
        assert_type(transport, AsyncTrafficTransport)
    await transport.aclose()


# A limiter, without an engine

limiter = RateLimiter(100, capacity=20)
assert_type(limiter.try_acquire(), bool)
assert_type(limiter.try_acquire(2.5), bool)


@limiter
def limited(text: str, times: int = 1) -> str:
    return text * times


@limiter
async def limited_later(text: str) -> list[str]:
    return [text]


def use_limiter() -> None:
    assert_type(limited("a", times=2), str)
    with limiter:
        pass
    limiter.acquire(1, timeout=0.5)
    try:
        turn = limiter.reserve(2, timeout=5)
    except ImpossibleCost:
        return
    assert_type(turn, Reservation)
    assert_type(turn.delay, float)
    assert_type(turn.cancel(), float)
    turn.correct(1.5)
    limiter.correct(estimated=2, actual=3)
    limiter.update("200/min", capacity=40)


async def use_limiter_async() -> None:
    assert_type(await limited_later("a"), list[str])
    async with limiter:
        pass
    await limiter.acquire_async(1)


# A limiter for each key

keyed = KeyedRateLimiter(10, capacity=5)
assert_type(keyed.try_acquire("alice"), bool)


@keyed.by(lambda user, amount=1: user)
def spend(user: str, amount: int = 1) -> int:
    return amount


assert_type(spend("alice", amount=2), int)
assert_type(keyed.reserve("alice", 2), Reservation)
assert_type(keyed.of("alice").try_acquire(2), bool)
known = KeyedRateLimiter("10/s", known=lambda key: key.startswith("customer:"))

# Other limits, and several as one

sliding = SlidingWindowLimiter("100/min")
assert_type(sliding.try_acquire(), bool)
both = Together(limiter, sliding, keyed.of("alice"))
assert_type(both.try_acquire((1, 1, 5)), bool)
assert_type(both.earliest(), float)


@both
def spend_both(amount: int) -> int:
    return amount


assert_type(spend_both(1), int)

# A breaker

breaker = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=60)


@breaker
def guarded(text: str, times: int = 1) -> str:
    return text * times


@breaker
async def guarded_later(text: str) -> bytes:
    return text.encode()


@breaker
def guarded_items(count: int) -> Iterator[int]:
    yield from range(count)


@breaker
async def guarded_items_later(count: int) -> AsyncIterator[int]:
    for item in range(count):
        yield item


def use_breaker() -> None:
    assert_type(guarded("a", times=2), str)
    assert_type(guarded_items(3), Iterator[int])
    assert_type(breaker.call(guarded, "a", times=2), str)
    with breaker as permit:
        permit.ignore()
    era = breaker.try_acquire()
    assert_type(era, int)
    if era:
        breaker.good(era)


async def use_breaker_async() -> None:
    assert_type(await guarded_later("a"), bytes)
    async for item in guarded_items_later(3):
        assert_type(item, int)
    async with breaker as permit:
        permit.failure()


@breaker.or_else(lambda refused: None)
def guarded_or_none(text: str) -> str:
    return text


@breaker.or_else(lambda refused: refused.why)
async def guarded_or_why(text: str) -> bytes:
    return text.encode()


async def instead(refused: object) -> str:
    return str(refused)


@breaker.or_else(instead)
async def guarded_or_instead(text: str) -> bytes:
    return text.encode()


async def use_fallbacks() -> None:
    assert_type(await guarded_or_instead("a"), bytes | str)
    assert_type(await breaker.or_else(instead).call(guarded_or_why, "a"), bytes | str)
    assert_type(guarded_or_none("a"), str | None)
    assert_type(await guarded_or_why("a"), bytes | str)
    breakers = Breakers(max_errors=5, named={"slow": {"slow_after": 1}})
    assert_type(breakers["a"], CircuitBreaker)
    try:
        assert_type(breakers["a"].call(guarded, "a"), str)
    except CircuitOpen as refused:
        assert_type(refused.breaker, CircuitBreaker | None)
        assert_type(refused.retry_after, float | None)


# A balancer

balancer = Balancer([("10.0.0.7:8080", "zone-a"), "10.0.0.8:8080"])


def use_balancer() -> None:
    with balancer.pick() as pick:
        assert_type(pick.address, str)
        pick.fail(503)
    balancer.update(["10.0.0.9:8080"])


# A quota shared by weight

scheduler = QuotaScheduler("600/min", workloads={"guest": 50, "subscriber": 200})
assert_type(scheduler.try_acquire(), bool)


@scheduler.slot("guest", timeout=2)
def slotted(text: str, times: int = 1) -> str:
    return text * times


@scheduler.slot("subscriber")
async def slotted_later(text: str) -> bytes:
    return text.encode()


def use_scheduler() -> None:
    assert_type(slotted("a", times=2), str)
    assert_type(scheduler.waiting, int)
    with scheduler.slot("guest", timeout=2):
        pass
    scheduler.acquire("guest", timeout=0.5)


async def use_scheduler_async() -> None:
    assert_type(await slotted_later("a"), bytes)
    async with scheduler.slot("subscriber"):
        pass
    await scheduler.acquire_async("guest")


# Limits without a manifest: in front, and on routes, where a view stays what it was

by_caller = first_of(header("x-api-key"), client_address(["10.0.0.0/8"]))
in_front = [Limit("100/min", capacity=20, by=by_caller, on="/v1/*", exempt=lambda facts: False)]
limited_app = FastAPI()
limited_app.add_middleware(AsgiTraffic, limits=in_front, headers="ietf", problem=True)
limited_flask = Flask("limited")
limited_flask.wsgi_app = WsgiTraffic(limited_flask.wsgi_app, limits=in_front)  # type: ignore[method-assign]
traffic = in_flask.Traffic(limited_flask, limits=in_front, headers="envoy")
tokens = in_starlette.limit("1000/min", cost=100, by=by_caller, name="tokens")
assert_type(tokens.limits["tokens"].refused, int)


@limited_app.get("/", dependencies=[Depends(tokens)], responses=tokens.responses)
@in_starlette.limited("5/min", "100/hour", by=path_parameter("user"))
def profile(user: str) -> int:
    return len(user)


@in_starlette.limited(tokens)
async def chat(paid: Receipt) -> bytes:
    paid.correct(340)
    assert_type(paid.remaining("tokens"), int | None)
    return b""


@traffic.exempt
@in_flask.limited("5/min", exempt=in_flask.endpoint("index"))
def page(user: str) -> str:
    in_flask.receipt().correct(0, "tokens")
    return user


@in_django.limited(Limit("5/min"), Limit("1/s", by=lambda request: "all"))
def comment(request: object) -> str:
    return str(request)


async def use_limited() -> None:
    assert_type(profile("ada"), int)
    assert_type(await chat(Receipt()), bytes)
    assert_type(page("ada"), str)
    assert_type(comment(object()), str)


# Errors: one tree

try:
    engine.reload("policies/")
except ManifestError as wrong:
    lines = [str(problem) for problem in wrong.problems]
    assert_type(lines, list[str])
except ConfigError as wrong_setting:
    assert_type(wrong_setting, ConfigError)
except Rejected as refused:
    assert_type(refused.retry_after, float | None)
except TrafficError:
    raise


# Several budgets at once, and a place of the application's own

provider = Budgets({"requests": "500/min", "output": 100}, at_once=2, workloads={"chat": 10})
assert_type(provider.try_acquire(output=5), Spending | None)
with provider.slot("chat", timeout=2, output=5) as spending:
    assert_type(spending, Spending)
    spending.cost(output=7)
    assert_type(spending.costs, dict[str, float])


@provider.slot("chat", output=5)
async def complete(text: str) -> bytes:
    return text.encode()


async def at_a_point(engine: Engine) -> None:
    point = ControlPoint(engine, "checkout", service="shop")
    async with point({"tier": "gold"}, timeout=1) as permit:
        assert_type(permit, Permit)
