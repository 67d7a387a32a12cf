from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.manifest import units
from trafficcore.manifest.units import NotThis


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("0.5s", 0.5),
        ("0s", 0),
        ("1.000000001s", 1.000000001),
        ("500ms", 0.5),
        ("8ms", 0.008),
        ("1m30s", 90),
        ("1h", 3600),
        ("3m", 180),
        ("1h2m3s4ms", 3723.004),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("2μs", 2e-6),
        ("7ns", 7e-9),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("+5s", 5),
        ("1s1s", 2),
        ("0.1s", 0.1),
    ],
)
def test_a_duration_is_read_exactly_and_whole_seconds_stay_whole(text, seconds):
    value = units.seconds(units.duration(text))
    assert value == seconds
    assert type(value) is type(seconds)


@pytest.mark.parametrize("text", ["1", "60", "0.5", "1e3", "-1", "0"])
def test_a_bare_number_is_told_to_take_a_unit(text):
    with pytest.raises(NotThis, match=r"with its unit, such as 1s"):
        units.duration(text)


@pytest.mark.parametrize("text", ["-1s", "-500ms", "-1m30s"])
def test_a_negative_duration_is_refused_as_such(text):
    with pytest.raises(NotThis, match="from 0s"):
        units.duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "1 s",
        "1s ",
        "1sec",
        "1d",
        "1S",
        "1m 30s",
        "s1",
        "1.2.3s",
        "\u0661s",
        "1s\n",
        "--1s",
    ],
)
def test_what_is_no_duration_is_refused_with_examples(text):
    with pytest.raises(NotThis, match="500ms or 1m30s"):
        units.duration(text)


def test_a_duration_beyond_ten_thousand_years_is_refused():
    assert units.duration("315576000000s") == 315576000000
    with pytest.raises(NotThis, match="10000 years"):
        units.duration("315576000001s")


@given(st.integers(0, 10**12))
def test_a_duration_of_any_nanoseconds_is_the_nearest_float(nanos):
    exact = Fraction(nanos, 10**9)
    assert units.duration(f"{nanos}ns") == exact
    assert units.seconds(exact) == nanos / 10**9  # true division of integers rounds correctly


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["h", "m", "s", "ms"])), min_size=1))
def test_parts_of_a_duration_add_up(parts):
    worth = {"h": 3600, "m": 60, "s": 1, "ms": Fraction(1, 1000)}
    text = "".join(f"{amount}{unit}" for amount, unit in parts)
    if len(text) <= 100:
        assert units.duration(text) == sum(amount * worth[unit] for amount, unit in parts)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("42", 42), ("+5", 5), ("-7", -7)])
def test_whole_numbers_are_decimal(text, value):
    assert units.whole(text) == value


@pytest.mark.parametrize(("text", "value"), [("5.0", 5), ("1e3", 1000), ("60.", 60)])
def test_a_number_that_is_whole_is_a_whole_number_as_to_kubernetes(text, value):
    assert units.whole(text) == value
    assert type(units.whole(text)) is int


@pytest.mark.parametrize("text", ["010", "00", "-010"])
def test_leading_zeros_are_refused_since_yaml_would_read_octal(text):
    with pytest.raises(NotThis, match="without leading zeros"):
        units.whole(text)


@pytest.mark.parametrize(
    "text", ["", "sixty", "0x10", "1_000", "5.5", "1:30", "\u0663", "9" * 5000, "4\n"]
)
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(NotThis, match="whole number"):
        units.whole(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("50", 50), ("50.0", 50), ("0.5", 0.5), ("1e3", 1000), (".5", 0.5), ("2.", 2)],
)
def test_a_number_is_an_int_where_it_is_whole(text, value):
    assert units.number(text) == value
    assert type(units.number(text)) is type(value)


@pytest.mark.parametrize("text", ["nan", ".nan", "inf", "-.inf", "1e400", "x", "", "1_0", "0x1p3"])
def test_a_number_is_finite_and_decimal(text):
    with pytest.raises(NotThis):
        units.number(text)


@pytest.mark.parametrize(
    ("exact", "text"),
    [
        (Fraction(2), "2s"),
        (Fraction(1, 20), "50ms"),
        (Fraction(1, 10**6), "1e-06s"),
        (Fraction(49999999, 10**9), "0.049999999s"),
    ],
)
def test_a_span_is_written_for_people(exact, text):
    assert units.span(exact) == text
