"""`ControlPoint`: asking an engine's policies from inside the application."""

import asyncio

import pytest

from support import policies as p
from trafficcore import Reason, Rejected
from trafficcore.errors import ConfigError
from trafficcore.live import ControlPoint
from trafficcore.spec import QuotaSelector

HERE = (QuotaSelector(control_point="checkout"),)


def point(clock, *rules, **more):
    engine = p.engine(*rules)
    return engine, ControlPoint(engine, "checkout", service="shop", clock=clock, **more)


def held(engine):
    return engine.snapshot(0)["traffic"]["application"]["in_flight"]


def test_a_block_asks_and_settles(clock):
    engine, checkout = point(clock, p.quota(1, 1, queue=False, selectors=HERE))
    with checkout({"tier": "gold"}) as permit:
        assert held(engine) == 1
        assert not permit.settled
    assert held(engine) == 0
    with pytest.raises(Rejected) as caught, checkout():
        pytest.fail("it must not run")
    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.retry_after == 1
    assert "QuotaSchedulingPolicy default/x" in caught.value.source
    assert held(engine) == 0


def test_in_a_task_it_waits_for_its_turn(clock):
    engine, checkout = point(clock, p.quota(1, 1, selectors=HERE))

    async def main():
        async with checkout():
            pass
        waiting = asyncio.ensure_future(checkout.acquire_async())
        await asyncio.sleep(0)
        assert engine.snapshot(0)["traffic"]["application"]["queued"] == 1
        clock.advance(1)
        engine.driver.kick()
        permit = await waiting
        checkout.settle(permit)

    asyncio.run(main())
    assert held(engine) == 0


def test_the_callers_time_bounds_the_wait(clock):
    engine, checkout = point(clock, p.quota(1, 1, selectors=HERE))
    with checkout():
        pass
    with pytest.raises(Rejected) as caught, checkout(timeout=1):
        pytest.fail("it must not run")
    assert caught.value.reason is Reason.QUEUE_TIMEOUT
    assert held(engine) == 0


@pytest.mark.parametrize(
    ("error", "kept"), [(ValueError, "failed"), (asyncio.CancelledError, "cancelled")]
)
def test_how_a_block_ends_is_how_the_call_ended(clock, error, kept, monkeypatch):
    engine, checkout = point(clock)
    ends = []
    permit_class = engine.permit
    settle = permit_class.settle
    monkeypatch.setattr(
        permit_class, "settle", lambda self, outcome, now: (ends.append(outcome.value),
                                                            settle(self, outcome, now)),
    )  # fmt: skip
    with pytest.raises(error), checkout():
        raise error
    with checkout():
        pass
    assert ends == [{"failed": "failure"}.get(kept, kept), "success"]
    assert held(engine) == 0


def test_it_decorates_functions_of_both_kinds(clock):
    engine, checkout = point(clock, p.quota(2, 1, queue=False, selectors=HERE))

    @checkout({"job": "nightly"})
    def plain(x):
        """Say so."""
        return x, held(engine)

    @checkout()
    async def coroutine(x):
        return x, held(engine)

    assert plain(3) == (3, 1)
    assert plain.__doc__ == "Say so."
    assert asyncio.run(coroutine(4)) == (4, 1)
    with pytest.raises(Rejected):
        plain(5)


@pytest.mark.parametrize("name", ["", "ingress", "egress"])
def test_its_name_is_its_own(name):
    with pytest.raises(ConfigError, match="a name of its own"):
        ControlPoint(p.engine(), name)
