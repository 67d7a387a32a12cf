"""Rates as people write them."""

import pytest

from trafficcore.errors import ConfigError
from trafficcore.live.rates import read_rate, read_window


@pytest.mark.parametrize(
    ("rate", "tokens", "capacity"),
    [
        ("100/min", 100 / 60, 100),
        ("10/s", 10, 10),
        ("5/hour", 5 / 3600, 5),
        ("2/60s", 2 / 60, 2),
        ("1/day", 1 / 86400, 1),
        ("5 per hour", 5 / 3600, 5),
        (" 100 / minute ", 100 / 60, 100),
        ("100/MIN", 100 / 60, 100),
        ("7/250ms", 28, 7),
        ("3/1.5 h", 3 / 5400, 3),
        ("0.5/s", 0.5, 1),
        ("2.5/s", 2.5, 3),
        ("1e3/s", 1000, 1000),
        ("0/min", 0, 0),
        (10, 10, 10),
        (0.2, 0.2, 1),
        (2.5, 2.5, 3),
        (0, 0, 0),
    ],
)
def test_a_rate_and_the_capacity_it_brings(rate, tokens, capacity):
    assert read_rate(rate) == (pytest.approx(tokens), capacity)


def test_a_capacity_that_is_given_is_kept():
    assert read_rate("100/min", 20) == (pytest.approx(100 / 60), 20)
    assert read_rate(10, 0) == (10, 0)
    assert read_rate(10, 2.5) == (10, 2.5)
    assert isinstance(read_rate(10, 20.0)[1], int)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "100",
        "/min",
        "100/",
        "100/fortnight",
        "-1/s",
        "a/s",
        "100/0s",
        "100 min",
        "10//s",
        "1/s/s",
    ],
)
def test_a_text_that_is_no_rate_is_refused_with_its_value(text):
    with pytest.raises(ConfigError, match="rate must be a number or a text such as") as error:
        read_rate(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("rate", [None, [1], {}])
def test_a_thing_that_is_no_rate_is_refused(rate):
    with pytest.raises(ConfigError, match="rate must be"):
        read_rate(rate)


def test_a_text_beyond_all_numbers_is_refused():
    with pytest.raises(ConfigError, match="rate must be"):
        read_rate("1e999/s")


@pytest.mark.parametrize(
    "text",
    [
        "1/" + "9" * 400 + "s",
        "0/" + "9" * 400 + "s",
        "1/0s",
        "1e-320/1e300s",
        "0." + "0" * 320 + "1/1000s",
        "1e308/1ms",
        "\u0661\u0660/min",
        "1/\u0661s",
        "10/\u017f",
    ],
)
def test_a_text_of_which_no_rate_comes_is_refused(text):
    with pytest.raises(ConfigError, match="rate must be a"):
        read_rate(text)


def test_a_window_without_end_is_refused():
    with pytest.raises(ConfigError, match="rate must be a"):
        read_window("1/" + "9" * 400 + "s")
