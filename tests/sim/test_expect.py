"""Expectations: each form is read, each malformed sentence says what is missing and where."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.errors import ConfigError
from trafficcore.sim.expect import Comparison, Subject, parse


@pytest.mark.parametrize(
    ("text", "subject", "window", "bounds"),
    [
        (
            "share subscriber/guest between 3.5 and 4.5",
            Subject("share", ("subscriber", "guest")), (0, inf), Comparison(3.5, 4.5),
        ),
        ("no 5xx after 12 s", Subject("none", ("5xx",)), (12, inf), Comparison(most=0)),
        ("no 5xx", Subject("none", ("5xx",)), (0, inf), Comparison(most=0)),
        (
            "all 498 of guest from 6 s to 1m4s",
            Subject("all", ("498",), "guest"), (6, 64), Comparison(most=0),
        ),
        ("429 of guest is 3", Subject("codes", ("429",), "guest"), (0, inf), Comparison(3, 3)),
        ("calls at least 10", Subject("codes", ("calls",)), (0, inf), Comparison(least=10)),
        ("timeout at most 0", Subject("codes", ("timeout",)), (0, inf), Comparison(most=0)),
        (
            "refused of guest above 50 %",
            Subject("codes", ("refused",), "guest"), (0, inf),
            Comparison(least=50, open_least=True, percent=True),
        ),
        (
            "rate_limited before 500ms below 5%",
            Subject("codes", ("rate_limited",)), (0, 0.5),
            Comparison(most=5, open_most=True, percent=True),
        ),
        (
            "p99.9 of guest below 300 ms after 2 m",
            Subject("latency", ("p99.9",), "guest"), (120, inf),
            Comparison(most=0.3, open_most=True),
        ),
        ("mean is 1s", Subject("latency", ("mean",)), (0, inf), Comparison(1, 1)),
        (
            "max between 1ms and 2 s", Subject("latency", ("max",)), (0, inf),
            Comparison(0.001, 2),
        ),
        (
            "calls to cn-hangzhou/zone-b after 30 s is 0",
            Subject("calls_to", ("cn-hangzhou/zone-b",)), (30, inf), Comparison(0, 0),
        ),
        (
            "calls to 10.0.0.1:80 of guest is 100 %",
            Subject("calls_to", ("10.0.0.1:80",), "guest"), (0, inf),
            Comparison(100, 100, percent=True),
        ),
        ("trips is 1", Subject("events", ("trips",)), (0, inf), Comparison(1, 1)),
        (
            "ejections from 1s to 2s is 1e1", Subject("events", ("ejections",)), (1, 2),
            Comparison(10, 10),
        ),
        ("returns at least 1", Subject("events", ("returns",)), (0, inf), Comparison(least=1)),
        ("waiting at most 20", Subject("waiting"), (0, inf), Comparison(most=20)),
    ],
)  # fmt: skip
def test_a_sentence_is_read(text, subject, window, bounds):
    found = parse(text)
    assert (found.subject, (found.start, found.end), found.bounds) == (subject, window, bounds)
    assert found.text == text


CODES = (
    "must have share, no, all, calls, a latency (p99), a code (200, 5xx, timeout, refused), a "
    "reason ("
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must have more words, and the sentence ends there"),
        ("no", "must have more words behind 'no', and the sentence ends there"),
        ("nothing", CODES),
        ("no 6xx", CODES),
        ("no 20", CODES),
        ("all p99", CODES),
        ("200", "must have is or at or above or below or between behind '200', and the sentence"),
        ("200 is", "must have a number behind '200 is', and the sentence ends there"),
        ("200 is many", "must have a number behind '200 is', not 'many'"),
        ("200 is 1.2.3", "must have a number behind '200 is', not '1.2.3'"),
        ("200 is 3 4", "must have nothing more behind '200 is 3', not '4'"),
        ("200 at 3", "must have least or most behind '200 at', not '3'"),
        ("200 between 3", "must have and behind '200 between 3', and the sentence ends there"),
        ("200 between 4 and 3", "must have bounds in their order, not between 4 and 3"),
        ("200 between 3 and 4 %", "must be compared with a number without a unit"),
        ("200 is 3 s", "must be compared with a number without a unit, not as in '200 is 3 s'"),
        ("p99 is 3", "must be compared with a time with its unit, such as 300 ms"),
        ("p99 is 3 %", "must be compared with a time with its unit"),
        ("p99 is 3 parsecs", "must be compared with a time with its unit"),
        ("p99 is 3parsecs", "must have a duration such as 1s, 500ms or 1m30s behind 'p99 is', "),
        ("p100 is 3s", CODES),
        ("200 of", "must have more words behind '200 of'"),
        ("200 after", "must have a number behind '200 after'"),
        ("200 after 5", "must have a time with its unit, such as 12 s behind '200 after', not '5'"),
        ("200 after 5 %", "must have a time with its unit, such as 12 s behind '200 after', not"),
        ("200 from 5 s until 6 s is 1", "must have to behind '200 from 5 s', not 'until'"),
        ("200 from 6 s to 5 s is 1", "must have a time that ends after it begins, not 6 to 5 s"),
        ("200 before 0 s is 1", "must have a time that ends after it begins, not 0 to 0 s"),
        ("200 is 1 after 5 s after 6 s", "must have nothing more behind"),
        ("no 200 is 3", "must have nothing more behind 'no 200', not 'is'"),
        ("share a is 3", "must have two classes as in 'share subscriber/guest'"),
        ("share a/ is 3", "must have two classes"),
        ("share a/b/c is 3", "must have two classes"),
        ("share a/b is 3 %", "must have a plain number: only parts of all calls are percentages"),
        ("trips is 3 %", "must have a plain number"),
        ("trips of guest is 3", "must have is or at or above or below or between behind 'trips'"),
        ("waiting is 3 s", "must be compared with a number without a unit"),
        ("waiting after 5 s is 3", "must have no time: waiting is the most of the whole run"),
        ("calls to", "must have more words behind 'calls to'"),
    ],
)
def test_a_malformed_sentence_says_what_is_missing_and_where(text, fault):
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert fault in str(error.value)


WORDS = [
    "share",
    "no",
    "all",
    "200",
    "5xx",
    "of",
    "a/b",
    "guest",
    "after",
    "from",
    "to",
    "5",
    "s",
    "5%",
    "is",
    "at",
    "least",
    "most",
    "between",
    "and",
    "p99",
    "waiting",
    "trips",
    "calls",
    "1e400",
    ".",
]


@given(st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse(text)
    except ConfigError:
        return
    assert found.start < found.end
    assert found.bounds.least <= found.bounds.most


def test_bounds_are_inside_and_open_ones_are_not():
    assert Comparison(3, 3).holds(3)
    assert not Comparison(3, 3).holds(4)
    assert Comparison(least=3).holds(3)
    assert not Comparison(least=3, open_least=True).holds(3)
    assert not Comparison(most=3, open_most=True).holds(3)
    assert Comparison(most=0.3).holds(0.1 + 0.2), "rounding is not beyond a bound"
    assert not Comparison(least=0.3, open_least=True).holds(0.1 + 0.2)
