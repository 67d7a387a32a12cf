"""The model by hand-made examples: what it says is read off the rules, not off the machine."""

from fractions import Fraction

import pytest

from model.breaker_log import BreakerLog, Refused
from trafficcore.core.breaker import Count, Cumulative, HalfOpen, Open, Ratio, Rule, Settings, Time

ERRORS = [Rule("error_count", 2)]


def record(model, now, *, error=False, gateway=False, duration=0, era=None, start=0):
    era = model.acquire(now) if era is None else era
    model.record(era, now, error=error, gateway=gateway, duration=duration, start=start)


def total(model, now):
    return model.view(now)["total"]


def test_time_window_counts_by_buckets():
    model = BreakerLog(Settings(window=Time(10, 10)))
    record(model, Fraction(1, 2))
    assert [total(model, t) for t in (0, 5, Fraction(99, 10), 10)] == [1, 1, 1, 0]


def test_count_and_cumulative_windows():
    for window, left in ((Count(2), 2), (Cumulative(), 3)):
        model = BreakerLog(Settings(window=window))
        for _ in range(3):
            record(model, 0)
        assert total(model, 1000) == left


def test_it_trips_at_the_rule_and_refuses_until_the_time_is_over():
    model = BreakerLog(Settings(trip=ERRORS, open=Open(10), half_open=None))
    record(model, 1, error=True)
    record(model, 2, error=True)
    assert (model.view(2)["state"], model.view(2)["retry_after"]) == ("open", 10)
    assert model.acquire(11) == 0
    assert model.view(11)["rejected"] == 1
    assert model.acquire(12) == 3
    assert [(m.from_, m.to, m.at) for m in model.moves] == [
        ("closed", "open", 2),
        ("open", "closed", 12),
    ]


def test_the_edge_and_who_notices():
    late = BreakerLog(Settings(open=Open(10, edge=">", auto=False)))
    late.to("open", 0)
    assert late.view(50)["state"] == "open"
    late.now = 0
    assert late.acquire(10) == 0
    assert late.acquire(Fraction(101, 10)) > 0


def test_half_open_permits_verdicts_and_time():
    half_open = HalfOpen(2, 1, Ratio(2, 2), max_wait=5)
    model = BreakerLog(Settings(trip=ERRORS, half_open=half_open, initial_state="half_open"))
    era = model.acquire(0)
    assert era
    assert model.acquire(0) == 0
    model.release(era, 0)
    record(model, 1)
    record(model, 1)
    assert model.view(1)["state"] == "closed"
    model.to("open", 2, 1)
    assert model.acquire(3)
    assert model.view(8)["state"] == "open"
    assert model.moves[-1].at == 8
    assert model.view(8)["attempts"] == 1


def test_late_results():
    for late, frozen in (("drop", 2), ("count", 3)):
        model = BreakerLog(Settings(trip=ERRORS, late=late))
        era = model.acquire(0)
        record(model, 0, error=True)
        record(model, 0, error=True)
        record(model, 0, error=True, era=era)
        model.ignore(era, 0)
        view = model.view(0)
        assert (view["errors"], view["late"], view["ignored"]) == (frozen, 1, 1)


def test_rates_are_none_below_the_floor():
    model = BreakerLog(Settings(min_calls=2))
    record(model, 0, error=True)
    assert model.view(0)["error_rate"] is None
    record(model, 0)
    assert model.view(0)["error_rate"] == 0.5


def test_slow_is_longer_and_a_start_may_be_too_long_ago():
    model = BreakerLog(Settings(slow_after=1, window=Time(2, 2, "start")))
    for duration in (1, Fraction(11, 10)):
        record(model, 3, duration=duration, start=3)
    record(model, 3, start=1)
    assert (model.view(3)["slow"], total(model, 3)) == (1, 2)


def test_moves_that_are_refused():
    model = BreakerLog(Settings())
    for state in ("half_open",):
        with pytest.raises(Refused):
            model.to(state, 0)
    model.to("metrics_only", 0)
    with pytest.raises(Refused):
        model.to("open", 0)


def test_metrics_only_tells_each_rule_once():
    model = BreakerLog(Settings(trip=ERRORS, initial_state="metrics_only"))
    for _ in range(4):
        record(model, 0, error=True)
    assert (model.signals, model.view(0)["state"]) == ([0], "metrics_only")


def test_bad_only_evaluation():
    trip = [Rule("error_rate", Fraction(1, 2), min_calls=3)]
    model = BreakerLog(Settings(trip=trip, evaluate_on="bad"))
    for error in (True, True, False):
        record(model, 0, error=error)
    assert model.view(0)["state"] == "closed"
    record(model, 0, error=True)
    assert model.view(0)["state"] == "open"
