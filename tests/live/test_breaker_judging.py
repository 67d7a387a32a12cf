"""What counts as an error, what is told of it afterwards, and what stands in for a refusal."""

import asyncio

import pytest

from support.exactness import assert_atomic, hammer
from trafficcore.core.breaker import Open
from trafficcore.engine.guard import new_lock
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.breaker import CircuitBreaker, CircuitOpen
from trafficcore.live.breaker_judge import Errors
from trafficcore.outcome import Reason


def fail(error):
    raise error


async def _async(given):
    return given


def _items(given):
    yield given


class Service:
    """Is called as a coroutine function is."""

    async def __call__(self):
        return "now"


def make(clock, **more):
    return CircuitBreaker(max_errors=more.pop("max_errors", 9), clock=clock, name="it", **more)


def test_what_is_not_among_the_errors_is_a_success(clock):
    breaker = make(clock, errors=(OSError, TimeoutError), ignore=BrokenPipeError)
    for error in (OSError("a"), KeyError("b"), BrokenPipeError("c"), TimeoutError("d")):
        with pytest.raises(type(error)):
            breaker.call(fail, error)
    shown = breaker.snapshot()
    assert (shown["total"], shown["errors"], shown["ignored"]) == (3, 2, 1)


def test_results_may_be_errors_in_every_form_that_has_one(clock):
    breaker = make(clock, bad_result=lambda status: status >= 500)

    async def later(status):
        return status

    assert breaker.call(int, 503) == 503
    assert breaker.call(int, 200) == 200
    assert asyncio.run(breaker.call(later, 500)) == 500
    assert asyncio.run(breaker(lambda: later(502))()) == 502
    shown = breaker.snapshot()
    assert (shown["total"], shown["errors"]) == (4, 3)
    assert shown["errors_by_kind"] == {"result": {"count": 3, "last": "502", "at": clock()}}


def test_a_predicate_on_results_that_raises_has_the_permit_given_back(clock):
    breaker = make(clock, bad_result=lambda result: result["missing"])
    with pytest.raises(KeyError):
        breaker.call(dict)
    assert breaker.snapshot()["total"] == 0


def test_timeouts_and_cancellations_are_told_apart(clock):
    async def hang(breaker):
        await breaker.call(asyncio.Event().wait)

    async def both(breaker):
        with pytest.raises(TimeoutError):
            async with breaker, asyncio.timeout(0):
                await asyncio.Event().wait()
        task = asyncio.create_task(hang(breaker))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    kind, strict = make(clock), make(clock, cancelled="error")
    asyncio.run(both(kind))
    shown = kind.snapshot()
    assert (shown["errors"], shown["cancelled"]) == (1, 1)
    assert set(shown["errors_by_kind"]) == {"TimeoutError"}
    asyncio.run(both(strict))
    shown = strict.snapshot()
    assert (shown["errors"], shown["cancelled"]) == (2, 0)
    assert set(shown["errors_by_kind"]) == {"TimeoutError", "CancelledError"}
    with pytest.raises(KeyboardInterrupt):
        strict.call(fail, KeyboardInterrupt())
    assert strict.snapshot()["errors"] == 2


def test_the_last_errors_are_kept_by_kind_and_bounded(clock):
    errors = Errors(new_lock())
    for number in range(25):
        errors.note(f"E{number}", "x" * 500, number)
    errors.note("E3", "", 99)
    shown = errors.snapshot()
    assert len(shown) == 21
    assert shown["(others)"] == {"count": 5, "last": "x" * 200 + "…", "at": 24}
    assert shown["E3"] == {"count": 2, "last": "", "at": 99}
    assert errors.last == ("E3", "")


def test_a_refusal_says_who_why_what_and_when(clock):
    breaker = make(clock, max_errors=1, open_for=60)
    with pytest.raises(ConnectionError):
        breaker.call(fail, ConnectionError("gone"))
    clock.advance(20)
    with pytest.raises(CircuitOpen) as caught:
        breaker.call(fail, ConnectionError())
    refused = caught.value
    assert isinstance(refused, Rejected)
    assert refused.breaker is breaker
    assert (refused.why, refused.last_error) == ("error_count >= 1", "ConnectionError: gone")
    assert (refused.retry_after, refused.source) == (40, "it")
    breaker.to("forced_open")
    with pytest.raises(CircuitOpen) as caught:
        breaker.call(int)
    assert (caught.value.why, caught.value.retry_after) == ("forced_open", None)


def test_a_refusal_keeps_what_it_said(clock):
    breaker = make(clock, max_errors=1, open_for=60)
    with pytest.raises(OSError, match="gone"):
        breaker.call(fail, OSError("gone"))
    with pytest.raises(CircuitOpen, match=r"^circuit_open by it; retry in 60 s$") as caught:
        breaker.call(int)
    breaker.reset()
    breaker.to("open", 5)
    with pytest.raises(CircuitOpen) as other:
        breaker.call(int)
    assert (caught.value.why, caught.value.retry_after) == ("error_count >= 1", 60)
    assert (other.value.why, other.value.retry_after) == ("by hand", 5)
    assert caught.value.reason is Reason.CIRCUIT_OPEN


def test_probes_that_are_not_to_be_had_are_refused_for_what_opened_it(clock):
    breaker = make(clock, max_errors=1, open_for=60)
    breaker.bad(breaker.try_acquire())
    clock.advance(60)
    breaker.try_acquire()
    with pytest.raises(CircuitOpen) as caught:
        breaker.call(int)
    assert (caught.value.why, caught.value.retry_after) == ("error_count >= 1", None)


def test_an_error_that_cannot_say_what_it_is_goes_on_and_counts(clock):
    class Mute(Exception):
        def __str__(self):
            raise KeyError("no text")

    breaker = make(clock)
    with pytest.raises(Mute):
        breaker.call(fail, Mute())
    assert breaker.snapshot()["errors_by_kind"]["Mute"]["count"] == 1
    assert breaker.snapshot()["errors"] == 1


def test_kinds_of_one_name_are_told_together_and_noting_takes_no_lock():
    def kind():
        return type("Gone", (Exception,), {})

    errors = Errors(new_lock())
    first, second = kind(), kind()
    for at, each in enumerate((first, second, first)):
        errors.note(each, f"at {at}", at)
    assert errors.snapshot() == {"Gone": {"count": 3, "last": "at 2", "at": 2}}
    assert_atomic(Errors.note, {"count", "last", "at"}, constants={"_kinds", "_add", "get"})


def test_errors_of_many_threads_are_each_counted_once():
    errors = Errors(new_lock())
    kinds = [OSError, KeyError, "result"]
    hammer(lambda index: [errors.note(kinds[n % 3], n, n) for n in range(3_000)])
    assert {kind: seen["count"] for kind, seen in errors.snapshot().items()} == dict.fromkeys(
        ("OSError", "KeyError", "result"), 8_000
    )


def test_a_fallback_stands_in_for_a_refusal_and_for_nothing_else(clock):
    breaker, inner = make(clock, max_errors=1), make(clock)
    held = breaker.or_else(lambda refused: f"later: {refused.why}")

    @held
    def guarded(error=None):
        """Its own."""
        if error is not None:
            raise error
        return "now"

    assert guarded.__doc__ == "Its own."
    assert guarded() == "now"
    inner.to("forced_open")
    with pytest.raises(CircuitOpen):  # of another one
        held.call(inner.call, int)
    assert guarded() == "later: error_count >= 1"
    breaker.reset()
    with pytest.raises(KeyError):
        guarded(KeyError())


def test_coroutines_have_fallbacks_that_may_be_awaited(clock):
    breaker, inner = make(clock), make(clock)

    async def instead(refused):
        return refused.source

    async def main():
        later = breaker.or_else(instead)(asyncio.sleep)
        assert await later(0, "now") == "now"
        inner.to("forced_open")

        @breaker.or_else(instead)
        async def nested():
            return inner.call(int)

        with pytest.raises(CircuitOpen):
            await nested()
        breaker.to("forced_open")
        assert await later(0, "now") == "it"
        assert await breaker.or_else(lambda _: 7)(asyncio.sleep)(0) == 7

    asyncio.run(main())


def test_an_object_whose_call_is_async_has_a_fallback(clock):
    breaker = make(clock)
    held = breaker.or_else(_async)(Service())
    assert asyncio.run(held()) == "now"
    breaker.to("forced_open")
    assert type(asyncio.run(held())) is CircuitOpen


@pytest.mark.parametrize("fallback", [None, 5, _items])
def test_what_cannot_stand_in_is_refused(fallback, clock):
    with pytest.raises(ConfigError, match="a fallback must"):
        make(clock).or_else(fallback)


def test_what_cannot_be_awaited_either_way_is_refused(clock):
    breaker = make(clock)
    with pytest.raises(ConfigError, match="must be `async` itself"):
        breaker.or_else(_async).call(int)
    service = Service()

    def asked():
        return service()

    with pytest.raises(ConfigError, match="must be `async` to have a fallback"):
        breaker.or_else(lambda _: 7).call(asked)
    assert breaker.snapshot()["total"] == 0


def test_a_generator_has_no_fallback(clock):
    def items():
        yield 1

    with pytest.raises(ConfigError, match="generator"):
        make(clock).or_else(lambda _: 0)(items)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"errors": 3}, "errors must be classes"),
        ({"errors": (int,)}, "errors must hold classes"),
        ({"bad_result": 500}, "bad_result must be a function"),
        ({"bad_result": _async}, "bad_result must be a plain function"),
        ({"bad_result": _items}, "bad_result must be a plain function, not the generator"),
        ({"ignore": _async}, "ignore must be a plain function"),
        ({"errors": _async}, "errors must be a plain function"),
        ({"on_change": 5}, "on_change must be a function"),
        ({"on_change": _async}, "on_change must be a plain function"),
        ({"cancelled": "ignore"}, "cancelled must be"),
    ],
)
def test_what_cannot_judge_is_refused(wrong, told, clock):
    with pytest.raises(ConfigError, match=told):
        make(clock, **wrong)


def hanging(clock, **more):
    return CircuitBreaker(
        slow_after=1, max_slow=1, open_for=60, slow_in_flight=True, clock=clock, **more
    )


def test_a_block_that_hangs_trips_before_it_ends(clock):
    breaker = hanging(clock)
    with breaker:
        assert breaker.snapshot()["watched"] == 1
        clock.advance(2)
        with pytest.raises(CircuitOpen):
            breaker.call(int)
    shown = breaker.snapshot()
    assert (shown["state"], shown["slow"], shown["late"]) == ("open", 1, 0)


def test_every_form_is_watched(clock):
    async def hang():
        clock.advance(2)
        return breaker.machine.snapshot(clock())["state"]

    breaker = hanging(clock)
    assert breaker.call(lambda: clock.advance(2) and breaker.state.value) == "open"
    breaker.reset()
    assert asyncio.run(breaker.call(hang)) == "open"


def test_a_generator_cannot_be_slow_after_its_first_item(clock):
    breaker = hanging(clock)

    def items():
        yield 1
        yield 2

    for _ in breaker.call(items):
        clock.advance(5)
    shown = breaker.snapshot()
    assert (shown["state"], shown["slow"], shown["total"]) == ("closed", 0, 1)


def test_a_mistaken_length_of_opening_is_logged_and_the_calls_own_error_goes_on(clock, caplog):
    def length(*_):
        raise RuntimeError("no such service")

    breaker = make(clock, max_errors=1, open_for=Open(length))
    with pytest.raises(KeyError):
        breaker.call(fail, KeyError())
    assert breaker.retry_after() == 60
    assert "breaker it: how long to open: RuntimeError('no such service')" in caplog.text


def test_of_a_large_result_no_more_is_read_than_is_kept(clock):
    class Item:
        read = 0

        def __repr__(self):
            Item.read += 1
            return "item"

    breaker = make(clock, bad_result=lambda _: True)
    breaker.call(lambda: [Item()] * 1000)
    assert Item.read < 10
    assert breaker.errors.last[1].startswith("[item, item")
    breaker.call(lambda: "x" * 10_000)
    assert len(breaker.errors.last[1]) <= 201
