"""Numbers as people say them."""

from fractions import Fraction

import pytest

from trafficcore.explain.words import count, exact, listed, number, ordinal, rate, share, span


@pytest.mark.parametrize(
    ("amount", "interval", "said"),
    [
        (60, 2, "30 per second"),
        (2, 60, "one each 30 s"),
        (60, 60, "1 per second"),
        (30, 1.5, "20 per second"),
        (1, 0.25, "4 per second"),
        (100, 60, "100 each 60 s"),
        (7, 60, "7 each 60 s"),
        (10, 3, "10 each 3 s"),
        (8, 10, "one each 1.25 s"),
        (1, 0.05, "20 per second"),
        (0.1, 1, "one each 10 s"),
        (12.5, 1, "12.5 per second"),
        (0, 1, "none"),
    ],
)
def test_a_rate_is_exact(amount: float, interval: float, said: str) -> None:
    assert rate(amount, interval) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.5, "500 ms"), (1, "1 s"), (1.5, "1.5 s"), (300, "300 s"), (0.0001, "0.1 ms")],
)
def test_a_time_is_in_seconds_or_below_one_in_milliseconds(seconds: float, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Fraction(1, 5), "20 %"),
        (Fraction(1, 3), "33 %"),
        (Fraction(2, 3), "67 %"),
        (Fraction(1), "100 %"),
        (Fraction(0), "0 %"),
        (Fraction(1, 251), "0.4 %"),
        (Fraction(200, 201), "99.5 %"),
        (Fraction(9999, 10000), "99.99 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: Fraction, said: str) -> None:
    assert share(part) == said


def test_a_number_is_what_was_written() -> None:
    assert exact(0.1) == Fraction(1, 10)
    assert [number(n) for n in (3, 3.0, 2.5, 1 / 3, 8.57142, 1234.5678, 1000)] == [
        "3", "3", "2.5", "0.333", "8.571", "1234.568", "1000",
    ]  # fmt: skip


def test_words_around_numbers() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip
    assert [count(n, "token") for n in (0, 1, 2, 2.5)] == [
        "0 tokens", "1 token", "2 tokens", "2.5 tokens",
    ]  # fmt: skip
    assert [listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip
    assert listed(["a", "b"], "or") == "a or b"
