"""The handle: one line, every kind of function, and what ends a permit."""

import functools
import inspect
import logging
import os
import random
import threading
from fractions import Fraction

import pytest

from support.exactness import assert_atomic
from trafficcore import Rejected
from trafficcore.core.breaker import (
    ERROR,
    GATEWAY_ERROR,
    SLOW,
    Breaker,
    Count,
    Cumulative,
    HalfOpen,
    IllegalMove,
    Open,
    Ratio,
    Rule,
    Settings,
    State,
    Time,
)
from trafficcore.engine import guard
from trafficcore.errors import ConfigError
from trafficcore.live.breaker import CircuitBreaker
from trafficcore.outcome import Reason

ONE = Settings(trip=[Rule("error_count", 1)], open=Open(10), slow_after=1)


class Broken(Exception):
    pass


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(settings=ONE, name="payments", clock=clock)


def fail(*_):
    raise Broken


def half_open(breaker, clock):
    breaker.to("open")
    clock.advance(10)
    assert breaker.state is State.HALF_OPEN


def probes(breaker):
    return breaker.snapshot()["probes"]


IDLE = {"admitted": 0, "in_flight": 0, "bad": 0}


# The one line


def test_the_line_of_the_article_trips_at_the_fifth_slow_call_and_refuses_for_a_minute(clock):
    breaker = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=60, clock=clock)
    hits = []

    @breaker
    def delay():
        hits.append(clock.advance(1))

    for _ in range(5):
        delay()
    with pytest.raises(Rejected) as refusal:
        delay()
    assert len(hits) == 5
    assert (refusal.value.reason, refusal.value.retry_after) == (Reason.CIRCUIT_OPEN, 60)
    clock.advance(60)
    delay()  # the probe is slow as well
    assert breaker.state is State.OPEN
    assert breaker.snapshot()["attempts"] == 2


def test_each_argument_is_the_setting_it_names():
    breaker = CircuitBreaker(
        window=20,
        slow_after=2,
        max_slow=3,
        slow_rate=0.3,
        max_errors=4,
        error_rate=0.4,
        consecutive_errors=6,
        min_calls=7,
        open_for=8,
        half_open=2,
    )
    assert breaker.machine.settings == Settings(
        window=Time(20, 10),
        slow_after=2,
        trip=[
            Rule("slow_count", 3, min_calls=1),
            Rule("slow_rate", 0.3, min_calls=7),
            Rule("error_count", 4, min_calls=1),
            Rule("error_rate", 0.4, min_calls=7),
            Rule("consecutive_errors", 6, min_calls=1),
        ],
        open=Open(8),
        half_open=HalfOpen(2, verdict=Ratio(2, 2)),
    )


def test_larger_parts_are_taken_as_they_are():
    opening, probing = Open(5, multiplier=2), HalfOpen(3)
    breaker = CircuitBreaker(window=Count(9), open_for=opening, half_open=probing, max_errors=2)
    settings = breaker.machine.settings
    assert (settings.window, settings.open, settings.half_open) == (Count(9), opening, probing)
    assert CircuitBreaker(window=Cumulative(), half_open=None).machine.settings.half_open is None


def test_without_a_rule_half_of_ten_calls_failing_is_too_many(clock):
    breaker = CircuitBreaker(clock=clock)
    for error in [False] * 5 + [True] * 4:
        breaker.record(breaker.try_acquire(), error)
    assert breaker.state is State.CLOSED
    breaker.record(breaker.try_acquire(), error=True)
    assert breaker.state is State.OPEN


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"max_slow": 5}, "needs slow_after"),
        ({"slow_rate": 0.5}, "needs slow_after"),
        ({"slow_after": 0.5}, "slow_after=0.5 needs max_slow or slow_rate"),
        ({"error_rate": 50}, "from 0 to 1, not 50"),
        ({"window": 0}, "not 0"),
        ({"open_for": -1}, "not -1"),
        ({"half_open": 0}, "not 0"),
        ({"min_calls": "many", "error_rate": 0.5}, "not 'many'"),
        ({"ignore": BaseException}, "not <class 'BaseException'>"),
        ({"ignore": "KeyError"}, "not 'KeyError'"),
    ],
)
def test_a_line_that_cannot_work_says_why(wrong, told):
    with pytest.raises(ConfigError, match=told):
        CircuitBreaker(**wrong)


# What ends a permit


def test_a_call_that_comes_back_is_good_and_its_time_is_kept(breaker, clock):
    assert breaker.call(clock.advance, 0.25) == 100.25
    seen = breaker.snapshot()
    assert (seen["total"], seen["errors"], seen["duration_total"]) == (1, 0, 0.25)


def test_a_call_that_takes_longer_is_slow(clock):
    breaker = CircuitBreaker(slow_after=0.5, max_slow=2, clock=clock)
    breaker.call(clock.advance, 0.5)
    assert breaker.snapshot()["slow"] == 0
    breaker.call(clock.advance, 0.75)
    assert breaker.snapshot()["slow"] == 1
    with pytest.raises(Broken):
        breaker.call(lambda: fail(clock.advance(1)))
    assert breaker.snapshot()["slow_errors"] == 1
    assert breaker.state is State.OPEN


def test_an_exception_is_an_error_and_goes_on_as_it_was(breaker):
    with pytest.raises(Broken):
        breaker.call(fail)
    assert breaker.state is State.OPEN
    assert breaker.snapshot()["last_trip"]["errors"] == 1


def test_a_refusal_names_the_breaker_and_the_time(breaker, clock):
    breaker.to("open")
    clock.advance(4)
    with pytest.raises(Rejected, match="circuit_open by payments; retry in 6 s") as refusal:
        breaker.call(fail)
    assert refusal.value.source == "payments"
    assert refusal.value.retry_after == breaker.retry_after() == 6
    assert breaker.snapshot()["rejected"] == 1
    breaker.to("forced_open")
    with pytest.raises(Rejected) as refusal:
        breaker.call(fail)
    assert refusal.value.retry_after is None


@pytest.mark.parametrize("ignore", [Broken, (KeyError, Broken), lambda e: isinstance(e, Broken)])
def test_what_is_to_be_ignored_counts_for_nothing(ignore, clock):
    breaker = CircuitBreaker(settings=ONE, ignore=ignore, clock=clock)
    half_open(breaker, clock)
    with pytest.raises(Broken):
        breaker.call(fail)
    seen = breaker.snapshot()
    assert (seen["ignored"], seen["total"], seen["probes"]) == (1, 0, IDLE)
    with pytest.raises(ZeroDivisionError):
        breaker.call(lambda: 1 / 0)
    assert breaker.state is State.OPEN


def test_a_predicate_that_raises_has_the_permit_given_back_and_its_error_goes_on(clock):
    def odd(error):
        raise LookupError

    breaker = CircuitBreaker(settings=ONE, ignore=odd, clock=clock)
    half_open(breaker, clock)
    with pytest.raises(LookupError) as told:
        breaker.call(fail)
    assert isinstance(told.value.__context__, Broken)
    with pytest.raises(LookupError), breaker:
        fail()
    assert probes(breaker) == IDLE


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_is_no_verdict(leave, breaker, clock):
    half_open(breaker, clock)

    def interrupted():
        raise leave

    with pytest.raises(leave):
        breaker.call(interrupted)
    with pytest.raises(leave), breaker:
        raise leave
    assert probes(breaker) == IDLE
    assert breaker.state is State.HALF_OPEN


def test_no_lock_is_held_while_the_call_the_predicate_and_the_listener_run(clock):
    looks = []

    def look_from_outside(*_):
        thread = threading.Thread(target=lambda: looks.append(breaker.snapshot()["state"]))
        thread.start()
        thread.join(5)
        return False

    breaker = CircuitBreaker(
        settings=ONE, clock=clock, ignore=look_from_outside, on_change=look_from_outside
    )
    with pytest.raises(Broken):
        breaker.call(lambda: fail(look_from_outside()))
    assert looks == ["closed", "closed", "open"]


# Functions of every kind


def test_a_plain_function_stays_what_it_was(breaker):
    @breaker
    def double(x: int, *, times: int = 2) -> int:
        """Twice."""
        return x * times

    assert double(4) == 8
    assert double(4, times=3) == 12
    assert (double.__name__, double.__doc__) == ("double", "Twice.")
    assert str(inspect.signature(double)) == "(x: int, *, times: int = 2) -> int"


def test_methods_partials_and_objects_that_can_be_called_are_functions_too(breaker):
    class Service:
        @breaker
        def ask(self, x):
            return self, x

        def __call__(self, x):
            return x + 1

    service = Service()
    assert service.ask(1) == (service, 1)
    assert breaker(service)(1) == 2
    assert breaker(functools.partial(pow, 2))(5) == 32
    assert breaker.call(len, "abc") == 3
    assert breaker.snapshot()["total"] == 4


def test_a_generator_takes_its_permit_when_it_begins_and_settles_when_it_ends(breaker, clock):
    @breaker
    def items():
        clock.advance(0.5)
        got = yield 1
        clock.advance(9)
        got = yield got
        return got

    assert inspect.isgeneratorfunction(items)
    half_open(breaker, clock)
    running = items()
    assert probes(breaker) == IDLE
    assert next(running) == 1
    assert probes(breaker)["in_flight"] == 1
    assert running.send("a") == "a"
    with pytest.raises(StopIteration) as end:
        running.send("b")
    assert end.value.value == "b"
    assert breaker.state is State.CLOSED  # a probe that was not slow: its first item came soon


def test_a_slow_generator_is_one_whose_first_item_is_slow(clock):
    breaker = CircuitBreaker(slow_after=1, max_slow=1, clock=clock)

    @breaker
    def items():
        clock.advance(2)
        yield 1

    assert list(items()) == [1]
    assert breaker.state is State.OPEN
    assert breaker.snapshot()["duration_total"] == 2


def test_a_generator_that_yields_nothing_takes_as_long_as_it_ran(clock):
    breaker = CircuitBreaker(slow_after=1, max_slow=1, clock=clock)

    @breaker
    def items():
        clock.advance(2)
        yield from ()

    assert list(items()) == []
    assert breaker.state is State.OPEN


def test_a_generator_closed_early_gives_its_permit_back(breaker, clock):
    closed = []

    @breaker
    def items():
        try:
            yield 1
        finally:
            closed.append(True)

    half_open(breaker, clock)
    running = items()
    next(running)
    running.close()
    assert closed == [True]
    assert probes(breaker) == IDLE


def test_an_error_thrown_into_a_generator_arrives_where_it_waits(breaker):
    @breaker
    def items():
        try:
            yield 1
        except KeyError:
            yield 2
        raise Broken

    running = items()
    next(running)
    assert running.throw(KeyError) == 2
    with pytest.raises(Broken):
        next(running)
    assert breaker.state is State.OPEN


# In two steps, and by hand


def test_two_steps_are_a_number_and_a_verdict(breaker, clock):
    era = breaker.try_acquire()
    breaker.good(era)
    breaker.ignore(breaker.try_acquire())
    breaker.release(breaker.try_acquire())
    breaker.bad(breaker.try_acquire(), SLOW)
    breaker.bad(breaker.try_acquire(), GATEWAY_ERROR)
    assert breaker.state is State.OPEN
    seen = breaker.snapshot()
    names = ("total", "slow", "errors", "gateway_errors", "ignored")
    assert [seen[name] for name in names] == [3, 1, 1, 1, 1]
    assert breaker.try_acquire() == 0
    clock.advance(10)
    probe = breaker.try_acquire()
    assert probe > era
    assert breaker.try_acquire() == 0
    breaker.bad(era, ERROR)
    assert breaker.snapshot()["late"] == 1
    breaker.good(probe)
    assert breaker.state is State.CLOSED


def test_a_permit_settles_once(breaker, clock):
    half_open(breaker, clock)
    permit = breaker.acquire()
    permit.release()
    for end in (permit.success, permit.failure, permit.ignore, permit.release):
        end()
    assert probes(breaker) == IDLE
    assert breaker.snapshot()["ignored"] == 0
    with pytest.raises(Rejected):
        breaker.acquire(), breaker.acquire()


@pytest.mark.parametrize(
    ("end", "state"),
    [("success", "closed"), ("failure", "open"), ("ignore", "half_open"), ("release", "half_open")],
)
def test_each_end_of_a_permit(end, state, breaker, clock):
    half_open(breaker, clock)
    getattr(breaker.acquire(), end)()
    assert breaker.state == state


def test_by_hand_as_the_machine_allows(breaker, clock):
    breaker.to("open", 3)
    assert breaker.retry_after() == 3
    breaker.to(State.METRICS_ONLY)
    with pytest.raises(IllegalMove):
        breaker.to("open")
    breaker.reset()
    assert breaker.state is State.CLOSED
    assert breaker.retry_after() is None
    assert breaker.update(Settings(trip=[Rule("error_count", 2)])) is False
    assert "payments" in repr(breaker)
    assert breaker.snapshot()["name"] == "payments"


def test_the_handle_refuses_and_admits_as_its_machine_does(clock):
    dice = random.Random(5)
    settings = Settings(
        window=Time(2, 4), trip=[Rule("error_rate", 0.5, min_calls=3)], open=Open(2, max=5)
    )
    breaker = CircuitBreaker(settings=settings, clock=clock)
    twin = Breaker(settings, now=clock())
    permits = []
    for _ in range(5_000):
        clock.advance(dice.choice([0, 0, Fraction(1, 8), 1]))
        if dice.random() < 0.6 or not permits:
            era = breaker.try_acquire()
            assert era == twin.try_acquire(clock())
            permits += [era] if era else []
        else:
            era = permits.pop(dice.randrange(len(permits)))
            error = dice.random() < 0.4
            breaker.record(era, error)
            twin.record(era, clock(), error)
    seen = breaker.snapshot()
    assert (seen.pop("name"), seen.pop("cancelled"), seen.pop("errors_by_kind")) == ("", 0, {})
    assert seen.pop("process") == os.getpid()
    assert seen == twin.snapshot(clock())
    assert seen["era"] > 100


def test_acquiring_is_atomic():
    """`live` is looked at first, but decides only the way to go: what it said is not stored."""
    constants = {"machine", "live", "clock", "_try_slowly", "_in_flight", "launch", "_tell_changes"}
    for method in (CircuitBreaker.try_acquire, CircuitBreaker.try_admit):
        assert_atomic(method, {"rejected", "shut_until"}, constants=constants)


def test_the_variant_for_builds_without_a_gil_does_the_same(clock):
    breaker = guard.locked(CircuitBreaker)(settings=ONE, clock=clock)
    breaker.bad(breaker.try_acquire())
    assert breaker.try_acquire() == 0
    assert breaker.snapshot()["rejected"] == 1


# News


def test_listeners_get_every_change_in_order_and_may_use_the_breaker(clock, caplog):
    told = []

    def listen(change):
        told.append((change.from_.value, change.to.value))
        if change.to is State.OPEN:
            breaker.to("half_open")

    breaker = CircuitBreaker(settings=ONE, name="x", clock=clock, on_change=listen)
    with caplog.at_level(logging.INFO, "trafficcore.breaker"):
        breaker.bad(breaker.try_acquire())
        breaker.reset()
    assert told == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert [record.message for record in caplog.records] == [
        "breaker x: closed to open: error_count >= 1 (1 errors, 0 slow of 1), for 10 s",
        "breaker x: open to half_open: by hand (1 errors, 0 slow of 1)",
        "breaker x: half_open to closed: reset (0 errors, 0 slow of 0)",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO"]


def test_a_listener_that_raises_is_logged_and_changes_nothing(clock, caplog):
    breaker = CircuitBreaker(settings=ONE, clock=clock, on_change=fail)
    breaker.bad(breaker.try_acquire())
    assert breaker.state is State.OPEN
    assert "its listener raised" in caplog.text


def test_metrics_only_says_what_would_have_tripped(breaker, caplog):
    breaker.to("metrics_only")
    breaker.bad(breaker.try_acquire())
    breaker.bad(breaker.try_acquire())
    assert caplog.text.count("payments would have tripped: error_count >= 1") == 1
    assert breaker.snapshot()["exceeded"] == [0]


@pytest.mark.parametrize(
    "touch",
    [
        lambda b: b.state,
        lambda b: b.snapshot(),
        lambda b: b.try_acquire(),
        lambda b: b.release(1),
        lambda b: b.ignore(1),
        lambda b: b.update(ONE),
    ],
)
def test_whoever_notices_that_the_time_is_over_tells(touch, clock):
    told = []
    breaker = CircuitBreaker(settings=ONE, clock=clock, on_change=told.append)
    breaker.to("open")
    clock.advance(11)
    touch(breaker)
    assert [change.to.value for change in told] == ["open", "half_open"]


def test_changes_of_many_threads_are_told_one_after_the_other(clock):
    told = []
    busy = threading.Lock()

    def listen(change):
        assert busy.acquire(blocking=False)
        told.append(change.era)
        busy.release()

    breaker = CircuitBreaker(settings=ONE, clock=clock, on_change=listen)

    def work():
        for _ in range(200):
            breaker.to("open")
            breaker.reset()

    crew = [threading.Thread(target=work) for _ in range(4)]
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    assert told == sorted(told)
    assert len(told) > 2
