"""All limits off: nothing refuses or waits, and all is as before afterwards, come what may."""

import asyncio

import pytest

from support.simulation import limit, quota
from trafficcore import (
    CircuitBreaker,
    Engine,
    Facts,
    KeyedRateLimiter,
    Permit,
    QuotaScheduler,
    RateLimiter,
    Rejection,
)
from trafficcore.engine.guard import locked
from trafficcore.errors import Rejected
from trafficcore.live import Budgets
from trafficcore.spec import Direction
from trafficcore.testing import VirtualTime, limits_off

REQUEST = Facts(Direction.INBOUND, "web.default.svc.cluster.local")
LIMITERS = pytest.mark.parametrize(
    "make",
    [
        lambda: RateLimiter(1, clock=VirtualTime()),
        lambda: RateLimiter(0, 1, clock=VirtualTime()),
        lambda: RateLimiter(1e7, 1, clock=VirtualTime()),
        lambda: locked(RateLimiter)(1, clock=VirtualTime()),
    ],
    ids=["usual", "never", "dense", "locked"],
)


@LIMITERS
def test_a_rate_limiter_grants_and_spends_nothing(make):
    limiter = make()
    assert limiter.try_acquire()
    before = limiter.tokens()
    decorated = limiter(lambda: "called")
    with limits_off():
        assert all(limiter.try_acquire() for _ in range(10))
        assert limiter.try_acquire(0.5)
        limiter.acquire()
        asyncio.run(limiter.acquire_async())
        with limiter:
            pass
        assert decorated() == "called"
    assert limiter.tokens() == before
    assert not limiter.try_acquire()
    with pytest.raises(Rejected):
        decorated()


def test_a_keyed_limiter_grants_whatever_the_key():
    limiter = KeyedRateLimiter(1, clock=VirtualTime())
    assert limiter.try_acquire("a")
    decorated = limiter.by(lambda key: key)(lambda key: key)
    with limits_off():
        assert all(limiter.try_acquire("a") for _ in range(10))
        limiter.acquire("a")
        asyncio.run(limiter.acquire_async("a"))
        with limiter.limited("a"):
            pass
        assert decorated("a") == "a"
    assert not limiter.try_acquire("a")
    assert limiter.try_acquire("b"), "nothing was spent meanwhile"


def test_a_scheduler_grants_at_once_and_its_grants_cost_nothing():
    scheduler = QuotaScheduler(1, workloads={"guest": 1}, clock=VirtualTime())
    assert scheduler.try_acquire()
    with limits_off():
        assert all(scheduler.try_acquire() for _ in range(10))
        grant = scheduler.acquire("guest", 5, timeout=0)
        assert (grant.cost, grant.waited) == (5, False)
        grant.reconcile(50)
        assert grant.cost == 50
        grant.give_back(0)
        assert grant.cost == 0
        assert scheduler.acquire(workload="guest", cost=2).cost == 2
        assert asyncio.run(scheduler.acquire_async(cost=3)).cost == 3
        with scheduler.slot("guest"):
            pass

        @scheduler.slot("guest")
        def called():
            return "called"

        assert called() == "called"
    assert scheduler.snapshot()["tokens"] == 0
    with pytest.raises(Rejected):
        scheduler.acquire(timeout=0)


def opened():
    breaker = CircuitBreaker(clock=VirtualTime(), consecutive_errors=1, min_calls=1)
    breaker.to("open")
    return breaker


def test_an_open_breaker_admits_every_way_and_stays_open():
    breaker = opened()
    plain = breaker(lambda: "called")

    @breaker
    async def coroutine():
        return "awaited"

    with limits_off():
        era = breaker.try_acquire()
        assert era
        breaker.good(era)
        breaker.bad(breaker.try_acquire())
        breaker.record(breaker.try_acquire(), error=True)
        with breaker:
            pass
        with breaker as permit:
            assert permit
        assert plain() == "called"
        assert breaker.call(lambda: 1) == 1
        assert asyncio.run(coroutine()) == "awaited"
        with pytest.raises(ValueError, match="its own"):
            breaker.call(int, "its own")
    assert breaker.state.value == "open"
    assert breaker.try_acquire() == 0
    with pytest.raises(Rejected):
        plain()


def test_engines_that_live_and_engines_that_are_loaded_let_everything_by(monkeypatch):
    monkeypatch.delenv("TRAFFICCORE_MODE", raising=False)
    policies = limit(1) + "---" + quota(1)
    before = [Engine.load(policies, mode=mode, listeners=()) for mode in ("enforce", "shadow")]
    with limits_off():
        meanwhile = Engine.load(policies, listeners=())
        own = Engine.load(policies, mode="enforce", listeners=())
        for engine in (*before, meanwhile):
            for _ in range(5):
                assert isinstance(engine.admit(REQUEST, 0), Permit)
        assert isinstance(own.admit(REQUEST, 0), Permit)
        assert isinstance(own.admit(REQUEST, 0), Rejection), "it has a mode of its own"
    assert [engine.mode.value for engine in (*before, meanwhile, own)] == [
        "enforce", "shadow", "enforce", "enforce",
    ]  # fmt: skip
    assert isinstance(meanwhile.admit(REQUEST, 0), Permit), "nothing was spent"
    assert isinstance(meanwhile.admit(REQUEST, 0), Rejection)


def test_engines_made_meanwhile_do_as_the_environment_says_afterwards(monkeypatch):
    monkeypatch.setenv("TRAFFICCORE_MODE", "shadow")
    with limits_off():
        engine = Engine.load(limit(1), listeners=())
        assert engine.mode.value == "off"
    assert engine.mode.value == "shadow"


def test_everything_is_put_back_after_an_exception():
    limiter, breaker = RateLimiter(1, clock=VirtualTime()), opened()
    engine = Engine.load(limit(1), listeners=(), mode="enforce")
    methods = {name: getattr(RateLimiter, name) for name in ("try_acquire", "acquire", "_check")}
    inside = []

    def fail():
        with limits_off():
            inside.append(Engine.load(limit(1), listeners=()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert {name: getattr(RateLimiter, name) for name in methods} == methods
    assert engine.mode.value == inside[0].mode.value == "enforce"
    assert [limiter.try_acquire(), limiter.try_acquire()] == [True, False]
    assert breaker.try_acquire() == 0


def test_one_inside_another_is_off_until_the_outer_is_left():
    limiter = RateLimiter(1, clock=VirtualTime())
    engine = Engine.load(limit(1), listeners=(), mode="enforce")
    assert limiter.try_acquire()
    with limits_off():
        with limits_off():
            inside = Engine.load(limit(1), listeners=())
        assert limiter.try_acquire()
        assert engine.mode.value == inside.mode.value == "off"
    assert not limiter.try_acquire()
    assert engine.mode.value == inside.mode.value == "enforce"


def test_a_closed_breaker_goes_on_counting_as_the_docs_say():
    breaker = CircuitBreaker(clock=VirtualTime(), consecutive_errors=2, min_calls=1)
    with limits_off():
        for _ in range(2):
            breaker.bad(breaker.try_acquire())
        assert breaker.try_acquire(), "open by now, and off"
    assert breaker.state.value == "open"


def test_limits_of_an_application_and_of_its_routes_meet_no_request(clock):
    from flask import Flask

    from trafficcore import WsgiTraffic
    from trafficcore.limits import Limit
    from trafficcore.web.flask import limited

    app = Flask("off")
    route = limited("1/day", name="route", clock=clock)
    app.add_url_rule("/", view_func=route(lambda: "ok"))
    limits = [Limit("2/day", name="all")]
    shell = app.wsgi_app = WsgiTraffic(app.wsgi_app, limits=limits, clock=clock)
    client = app.test_client()
    with limits_off():
        assert [client.get("/").status_code for _ in range(5)] == [200] * 5
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    assert shell.limits["all"].left("", clock())[0] == 1
    assert route.limits["route"].refused == 1


def test_budgets_are_there_for_everybody_and_nothing_is_taken(clock):
    budgets = Budgets({"requests": "1/min", "tokens": "10/min"}, at_once=1, clock=clock)
    with limits_off():
        for _ in range(3):
            with budgets.slot(tokens=10) as spending:
                spending.cost(tokens=5)
        running = [budgets.acquire(), budgets.try_acquire()]
        asyncio.run(budgets.acquire_async(tokens=10)).end()
        for spending in running:
            spending.end()
    held = budgets.acquire(tokens=10)
    assert budgets.try_acquire() is None
    held.end()
