"""When to ask again: the law, step by step and against a plain account of it, exactly."""

from fractions import Fraction
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.discovery import Refresh, RefreshSettings
from trafficcore.errors import ConfigError

INF = float("inf")
EXACT = RefreshSettings(least=4, most=64, without=20, jitter=Fraction(1, 2), negatives=3)


def asked(refresh, at):
    assert refresh.due(at)
    refresh.asked(at)
    assert not refresh.due(at)
    assert refresh.next_deadline() == INF


@pytest.mark.parametrize(
    ("ttl", "span"), [(10, 10), (0, 4), (4, 4), (64, 64), (9999, 64), (None, 20)]
)
def test_an_answer_is_good_for_its_time_within_bounds_counted_from_the_question(ttl, span):
    refresh = Refresh(EXACT)
    assert refresh.next_deadline() == -INF
    asked(refresh, 100)
    refresh.answered("a", ttl, 103)
    assert refresh.answer == "a"
    assert refresh.next_deadline() == 100 + span
    assert not refresh.due(100 + span - Fraction(1, 1000))
    asked(refresh, 100 + span)


def test_it_is_asked_later_by_up_to_the_jitter():
    for drawn, span in ((0, 10), (Fraction(1, 2), Fraction(25, 2))):
        refresh = Refresh(EXACT, lambda drawn=drawn: drawn)
        asked(refresh, 0)
        refresh.answered("a", 10, 0)
        assert refresh.next_deadline() == span


def test_an_answer_whose_age_nobody_knows_is_asked_for_again_at_once():
    refresh = Refresh(EXACT)
    refresh.asked(None)
    refresh.answered("a", 10, 7)
    assert refresh.answer == "a"
    assert refresh.due(7)


def test_failures_keep_the_answer_and_wait_twice_as_long_each_time():
    refresh = Refresh(EXACT)
    asked(refresh, 0)
    refresh.answered("a", 10, 0)
    now, pauses = 10, []
    for _ in range(6):
        asked(refresh, now)
        refresh.failed(now + 1)
        pauses.append(refresh.next_deadline() - (now + 1))
        now = refresh.next_deadline()
    assert pauses == [4, 8, 16, 32, 64, 64]
    assert refresh.answer == "a"
    asked(refresh, now)
    refresh.answered("b", 10, now)
    asked(refresh, now + 10)
    refresh.failed(now + 10)
    assert refresh.next_deadline() == now + 14  # the row is over


def test_any_number_of_failures_is_bounded():
    refresh = Refresh(RefreshSettings())
    for now in range(2000):
        refresh.asked(now)
        refresh.failed(now)
    assert refresh.next_deadline() == 1999 + 300


def test_nothing_is_believed_when_it_is_said_often_enough_in_a_row():
    refresh = Refresh(EXACT)
    now = 0
    said = ["a", "", "", "a", "", "", "", ""]
    known = []
    for answer in said:
        asked(refresh, now)
        if answer:
            refresh.answered((answer,), 10, now)
        else:
            refresh.nothing((), 10, now)
        known.append(refresh.answer)
        now = refresh.next_deadline()
    assert known == [("a",)] * 6 + [(), ()]


def test_a_question_that_was_lost_is_asked_anew():
    refresh = Refresh(EXACT)
    asked(refresh, 0)
    refresh.answered("a", 10, 0)
    refresh.lost()
    assert not refresh.due(9)
    asked(refresh, 10)
    refresh.lost()
    assert refresh.answer == "a"
    assert refresh.due(10)


EVENTS = st.one_of(
    st.tuples(st.just("answer"), st.integers(0, 9), st.integers(0, 100)),
    st.tuples(st.just("nothing"), st.none(), st.integers(0, 100)),
    st.tuples(st.just("failure"), st.none(), st.none()),
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 5), st.integers(0, 200)), max_size=30))
def test_against_a_plain_account_of_all_that_came_back(steps):
    refresh = Refresh(EXACT)
    log, now = [], Fraction(0)
    for (what, answer, ttl), took, idle in steps:
        now = max(now + idle, refresh.next_deadline() if log else now)
        refresh.asked(now)
        back = now + took
        if what == "answer":
            refresh.answered((answer,), ttl, back)
        elif what == "nothing":
            refresh.nothing((), ttl, back)
        else:
            refresh.failed(back)
        log.append((what, answer))
        failures = len(list(takewhile(lambda it: it[0] == "failure", reversed(log))))
        if what == "failure":
            due = back + min(64, 4 * 2 ** (failures - 1))
        else:
            due = now + min(64, max(4, ttl))
        assert refresh.next_deadline() == due
        assert refresh.answer == _known(log)
        now = back


def _known(log):
    """The last good answer, unless nothing was said three times since, without another between."""
    known, empty = None, 0
    for what, answer in log:
        if what == "answer":
            known, empty = (answer,), 0
        elif what == "nothing":
            empty += 1
            known = () if empty >= 3 else known
    return known


@pytest.mark.parametrize(
    "bad",
    [{"least": 0}, {"least": -1}, {"least": 9, "most": 8}, {"most": INF}, {"least": float("nan")},
     {"without": 0}, {"jitter": -1}, {"jitter": 2}, {"negatives": 0}, {"negatives": 1.5}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_with_their_value(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))) as error:
        RefreshSettings(**bad)
    assert all(repr(value) in str(error.value) for value in bad.values())
