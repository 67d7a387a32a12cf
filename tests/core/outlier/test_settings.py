"""Settings hold Envoy's defaults, and refuse what cannot work with the value in the message."""

import math
from fractions import Fraction

import attrs
import pytest

from trafficcore.core.outlier import (
    FailurePercentageEjection,
    GrpcSettings,
    Settings,
    SuccessRateEjection,
)
from trafficcore.core.outlier.settings import ENFORCING
from trafficcore.errors import ConfigError

TIMES = ("interval", "base_ejection_time", "max_ejection_time", "max_ejection_time_jitter")


def test_the_maximum_defaults_to_300_s_or_a_longer_base():
    assert Settings().max_ejection_time == 300
    assert Settings(base_ejection_time=301).max_ejection_time == 301
    assert Settings(base_ejection_time=Fraction(601, 2)).max_ejection_time == Fraction(601, 2)


def test_a_maximum_equal_to_the_base_is_fine_and_one_below_is_told_with_both():
    assert Settings(base_ejection_time=5, max_ejection_time=5).max_ejection_time == 5
    with pytest.raises(ConfigError, match=r"max_ejection_time .*\(5 s\), not 4"):
        Settings(base_ejection_time=5, max_ejection_time=4)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [-1, math.inf, math.nan, "10s", None, True])
def test_a_time_that_is_none_is_told_by_name_and_value(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be .* not {value!r}$"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", ["interval", "base_ejection_time"])
def test_no_interval_and_no_ejection_time_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} must be above 0 s, not 0"):
        Settings(**{name: 0})


def test_jitter_is_in_whole_milliseconds():
    assert Settings().jitter_steps == 0
    assert Settings(max_ejection_time_jitter=0.29).jitter_steps == 290
    assert Settings(max_ejection_time_jitter=Fraction(13)).jitter_steps == 13000


@pytest.mark.parametrize("field", attrs.fields(Settings), ids=lambda field: field.name)
def test_every_field_is_checked(field):
    wrong = [-1, "x", None] if field.type is not bool else [1, None, "true"]
    for value in wrong:
        with pytest.raises(ConfigError, match=f"{field.name} must be .*{value!r}"):
            Settings(**{field.name: value})


@pytest.mark.parametrize("name", [*ENFORCING.values(), "max_ejection_percent"])
def test_a_percentage_ends_at_100(name):
    with pytest.raises(ConfigError, match=f"{name} must be .* 0 to 100, not 101"):
        Settings(**{name: 101})
    for value in (0, 100):
        assert getattr(Settings(**{name: value}), name) == value


def test_draws_are_needed_for_jitter_and_for_a_share_that_is_neither_all_nor_nothing():
    assert not Settings().draws
    assert Settings(max_ejection_time_jitter=1).draws
    assert Settings(enforcing_success_rate=50).draws
    assert not Settings(enforcing_success_rate=0).draws
    assert not GrpcSettings(success_rate_ejection=SuccessRateEjection()).draws
    half = FailurePercentageEjection(enforcement_percentage=50)
    assert GrpcSettings(failure_percentage_ejection=half).draws


def test_settings_do_not_change():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().interval = 5


def test_grpc_defaults():
    settings = GrpcSettings()
    assert attrs.astuple(settings) == (10, 30, 300, 10, None, None)
    assert settings.off
    assert attrs.astuple(SuccessRateEjection()) == (1900, 100, 5, 100)
    assert attrs.astuple(FailurePercentageEjection()) == (85, 100, 5, 50)


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (GrpcSettings, {"interval": 0}),
        (GrpcSettings, {"max_ejection_percent": 1.5}),
        (SuccessRateEjection, {"stdev_factor": -1}),
        (SuccessRateEjection, {"minimum_hosts": True}),
        (FailurePercentageEjection, {"request_volume": "5"}),
    ],
)
def test_grpc_settings_are_checked(make, wrong):
    [(name, value)] = wrong.items()
    with pytest.raises(ConfigError, match=f"{name} must be .* not {value!r}"):
        make(**wrong)
