"""The log of outlier detection against cases small enough to do by hand."""

from fractions import Fraction
from itertools import repeat

import attrs

from model.outlier_log import OutlierLog


@attrs.define
class Plain:
    """Only what the model reads, apart from the machine's own settings."""

    interval: int = 10
    base_ejection_time: int = 30
    max_ejection_time: int = 60
    max_ejection_time_jitter: int = 0
    max_ejection_percent: int = 100
    always_eject_one_host: bool = False
    successful_active_health_check_uneject_host: bool = True
    consecutive_5xx: int = 3
    enforcing_consecutive_5xx: int = 100
    consecutive_gateway_failure: int = 0
    enforcing_consecutive_gateway_failure: int = 0
    consecutive_local_origin_failure: int = 2
    enforcing_consecutive_local_origin_failure: int = 100
    success_rate_minimum_hosts: int = 2
    success_rate_request_volume: int = 100
    success_rate_stdev_factor: int = 1900
    enforcing_success_rate: int = 100
    enforcing_local_origin_success_rate: int = 100
    failure_percentage_threshold: int = 85
    failure_percentage_minimum_hosts: int = 2
    failure_percentage_request_volume: int = 4
    enforcing_failure_percentage: int = 100
    enforcing_failure_percentage_local_origin: int = 100


def log(hosts="ab", **settings):
    model = OutlierLog(Plain(**settings), repeat(0))
    for host in hosts:
        model.add(host, 0)
    return model


def answers(model, host, *codes, now=0):
    for code in codes:
        model.answer(host, now, code)


def test_a_run_is_read_back_to_what_ended_it():
    model = log(consecutive_5xx=0)
    answers(model, "a", 500, 200, 502, 503)
    answers(model, "b", 500)
    assert model.run("a", "consecutive_5xx") == 2
    assert model.run("a", "consecutive_gateway_failure") == 2
    answers(model, "a", 500)
    assert model.run("a", "consecutive_5xx") == 3
    assert model.run("a", "consecutive_gateway_failure") == 0
    model.connection("a", 0, ok=False)
    assert model.run("a", "consecutive_local_origin_failure") == 1
    assert model.run("a", "consecutive_5xx") == 3
    model.connection("a", 0, ok=True)
    assert model.run("a", "consecutive_local_origin_failure") == 0


def test_three_5xx_are_out_until_the_sweep_at_or_after_their_time():
    model = log()
    answers(model, "a", 500, 500, 500, now=1)
    assert model.out() == ["a"]
    assert model.until("a") == 31
    model.sweep_until(39)
    assert model.out() == ["a"]
    model.sweep_until(40)
    assert model.out() == []
    assert model.told == [("a", "eject", "consecutive_5xx"), ("a", "return", "consecutive_5xx")]
    assert model.multiplier("a") == 1
    model.sweep_until(50)
    assert model.multiplier("a") == 0


def test_the_multiplier_may_stand_one_step_above_the_maximum():
    model = log()
    at = 0
    for expected in (1, 2, 3, 3):
        answers(model, "a", 500, 500, 500, now=at)
        assert model.multiplier("a") == expected
        assert model.until("a") - at == min(60, 30 * expected)
        at += 60
        model.sweep(at)
        assert model.out() == []


def test_the_percentage_stops_the_second_of_two():
    model = log(max_ejection_percent=50)
    answers(model, "a", 500, 500, 500)
    answers(model, "b", 500, 500, 500)
    assert model.out() == ["a"]
    assert model.told[-1] == ("b", "overflow", "consecutive_5xx")
    assert model.run("b", "consecutive_5xx") == 0
    model.remove("a", 1)
    answers(model, "b", 500, 500, 500, now=1)
    assert model.out() == []  # one of one is 100 %


def test_an_interval_is_what_lies_between_two_sweeps():
    model = log(consecutive_5xx=0)
    answers(model, "a", *[500] * 9, 200)
    answers(model, "b", 200, 200, 200, 200)
    assert model.calls("a", "external") == (0, 0)
    model.sweep_until(10)
    assert model.calls("a", "external") == (1, 9)
    assert model.rates["external"] == {"a": Fraction(10), "b": Fraction(100)}
    assert model.told == [("a", "eject", "failure_percentage")]
    model.sweep_until(20)
    assert model.calls("a", "external") == (0, 0)
    assert model.rates["external"] == {}


def test_success_rates_by_hand():
    model = log("abcde", consecutive_5xx=0, success_rate_request_volume=2)
    for host in "bcde":
        answers(model, host, 200, 200)
    answers(model, "a", 200, 500)
    # 50, 100, 100, 100, 100: mean 90, deviation 20, threshold 52
    model.sweep(10)
    assert model.averages["external"] == 90
    assert model.told == [("a", "eject", "success_rate")]
