"""What cannot work is refused at construction, with the value."""

from fractions import Fraction
from math import inf, nan

import pytest

from trafficcore.core.breaker import (
    Breaker,
    Count,
    Counts,
    HalfOpen,
    Open,
    Ratio,
    Response,
    Rule,
    Rules,
    Settings,
    State,
    Time,
    answer,
)
from trafficcore.errors import ConfigError


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Time(0), "window size must be a number above 0, not 0"),
        (lambda: Time(-1.5), "not -1.5"),
        (lambda: Time(nan), "not nan"),
        (lambda: Time(inf), "must be finite, not inf"),
        (lambda: Time("10s"), "not '10s'"),
        (lambda: Time(True), "not True"),
        (lambda: Time(10, 0), "buckets must be a whole number from 1, not 0"),
        (lambda: Time(10, 2.5), "not 2.5"),
        (lambda: Time(10, 10, "middle"), "attribute must be one of end, start, not 'middle'"),
        (lambda: Count(0), "window size must be a whole number from 1, not 0"),
        (lambda: Rule("error_share", 1), "not 'error_share'"),
        (lambda: Rule("error_rate", 1.01), "error_rate must be a number from 0 to 1, not 1.01"),
        (lambda: Rule("error_rate", -0.1), "not -0.1"),
        (lambda: Rule("error_count", inf), "error_count must be a number that is finite, not inf"),
        (lambda: Rule("error_count", "5"), "not '5'"),
        (lambda: Rule("error_count", 5, "=="), "op must be one of >=, >, not '=='"),
        (lambda: Rule("error_count", 5, ">=", -1), "min_calls must be a whole number from 0"),
        (lambda: Open(-1), "open duration must be a number at least 0, not -1"),
        (lambda: Open(1, multiplier=0), "multiplier must be a number above 0, not 0"),
        (lambda: Open(1, max=-1), "open max must be a number at least 0, not -1"),
        (lambda: Open(1, jitter=1.1), "jitter must be a number from 0 to 1, not 1.1"),
        (lambda: Open(1, jitter=-1), "not -1"),
        (lambda: Open(1, edge="<"), "edge must be one of >=, >, not '<'"),
        (lambda: Ratio(0, 1), "need must be a whole number from 1, not 0"),
        (lambda: Ratio(3, 2), "of must be a whole number from 3, not 2"),
        (lambda: Rules(0), "after must be a whole number from 1, not 0"),
        (lambda: HalfOpen(0), "permits must be a whole number from 1, not 0"),
        (lambda: HalfOpen(1, 0), "max_concurrent must be a whole number from 1, not 0"),
        (lambda: HalfOpen(verdict=3), "verdict must be a Ratio or Rules, not 3"),
        (lambda: HalfOpen(max_wait=0), "max_wait must be a number above 0, not 0"),
        (lambda: HalfOpen(max_wait_from="exit"), "not 'exit'"),
        (lambda: HalfOpen(max_wait_to="half_open"), "not 'half_open'"),
        (lambda: Settings(window=10), "window cannot be 10"),
        (lambda: Settings(open=60), "open cannot be 60"),
        (lambda: Settings(half_open=1), "half_open cannot be 1"),
        (lambda: Settings(response="no"), "response cannot be 'no'"),
        (lambda: Settings(trip=["error_count"]), "trip must hold rules, not 'error_count'"),
        (lambda: Settings(slow_after=-1), "slow_after must be a number at least 0, not -1"),
        (lambda: Settings(min_calls=-1), "min_calls must be a whole number from 0, not -1"),
        (lambda: Settings(evaluate_on="all"), "evaluate_on must be one of any, bad, not 'all'"),
        (lambda: Settings(late="keep"), "late must be one of drop, count, not 'keep'"),
        (lambda: Settings(initial_state="ajar"), "not 'ajar'"),
        (lambda: Settings(initial_state="half_open", half_open=None), "cannot be half_open"),
        (lambda: Response(199), "status must be a whole number from 200 to 599, not 199"),
        (lambda: Response(600), "not 600"),
        (lambda: Response(body=5), "body must be text or bytes, not 5"),
    ],
)
def test_what_cannot_work_is_refused(make, told):
    with pytest.raises(ConfigError) as error:
        make()
    assert told in str(error.value)


def test_what_works_is_taken():
    Time(Fraction(1, 3), 7, "start")
    Open(0)
    Open(inf)
    Open(lambda *_: 3, jitter=1)
    Rule("error_rate", 0)
    Rule("error_rate", 1, ">")
    assert Settings(initial_state="open").initial_state is State.OPEN
    assert Settings(trip=[Rule("error_count", 1)]) == Settings(trip=(Rule("error_count", 1),))


def test_the_defaults_are_small_and_visible():
    settings = Settings()
    assert settings.window == Time(10, 10)
    assert settings.open.duration == 60
    assert settings.half_open == HalfOpen(1, None, Ratio(1, 1), "open", "first_probe", "open")
    assert settings.trip == ()
    assert (Count().size, Ratio(), Response().status) == (100, Ratio(1, 1), 503)
    assert Counts() == Counts(0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("rules", "slow_after", "can"),
    [
        ([], 1, False),
        ([Rule("slow_count", 1)], None, False),
        ([Rule("slow_count", 1)], 1, True),
        ([Rule("slow_rate", 1, ">")], 1, False),
        ([Rule("bad_count", 1)], None, True),
        ([Rule("error_rate", 1.0, ">")], None, False),
        ([Rule("slow_count", 1), Rule("error_rate", 1)], None, True),
    ],
)
def test_whether_it_can_ever_trip_is_known(rules, slow_after, can):
    assert Settings(trip=rules, slow_after=slow_after).can_trip is can


def test_a_rule_reads_as_it_was_written():
    assert str(Rule("error_rate", 0.5)) == "error_rate >= 0.5"
    assert str(Rule("slow_count", 5, ">")) == "slow_count > 5"


def test_whole_buckets_stay_whole_and_others_are_as_fine_as_the_number():
    assert Breaker(Settings(window=Time(10, 10)))._window._step == 1
    assert type(Breaker(Settings(window=Time(10, 10)))._window._step) is int
    assert Breaker(Settings(window=Time(10, 4)))._window._step == 2.5
    thirds = Breaker(Settings(window=Time(Fraction(10), 3)))._window._step
    assert thirds == Fraction(10, 3)


# The answer to who is refused (R27)


def test_the_default_answer():
    sent = answer(None, 2.1)
    assert (sent.status, sent.body) == (503, "")
    assert sent.headers == (("x-envoy-overloaded", "true"), ("retry-after", "3"))


def test_an_answer_of_ones_own_is_sent_as_written():
    own = Response(498, {"x-envoy-overload": True, "X-Left": 3}, "delay break!")
    assert own.headers == (("x-envoy-overload", "true"), ("X-Left", "3"))
    assert answer(own, 60).headers[2:] == (("retry-after", "60"),)
    assert answer(own, None) is own
    assert answer(own, inf) is own
    sets_it = Response(429, [("Retry-After", "7")], b"\x00")
    assert answer(sets_it, 60) is sets_it
