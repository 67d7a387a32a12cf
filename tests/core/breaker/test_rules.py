"""The compiled rules: the same verdict as the definition, and edges that are never late."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.breaker import Breaker, Count, Rule, Settings
from trafficcore.core.breaker.rules import NEVER, judge_of

MEASURES = {
    "error_rate": lambda n: n["errors"],
    "slow_rate": lambda n: n["slow"],
    "bad_rate": lambda n: n["errors"] + n["slow"] - n["both"],
    "gateway_error_rate": lambda n: n["gateway"],
    "error_count": lambda n: n["errors"],
    "slow_count": lambda n: n["slow"],
    "bad_count": lambda n: n["errors"] + n["slow"] - n["both"],
    "consecutive_errors": lambda n: n["run"],
}
shares = st.fractions(0, 1, max_denominator=20)
numbers = st.integers(0, 12) | st.fractions(0, 12, max_denominator=4)
minimums = st.none() | st.integers(0, 15)
ops = st.sampled_from([">=", ">"])
rules = st.one_of(
    st.builds(Rule, st.sampled_from([m for m in MEASURES if "rate" in m]), shares, ops, minimums),
    st.builds(
        Rule, st.sampled_from([m for m in MEASURES if "rate" not in m]), numbers, ops, minimums
    ),
)
kinds = st.sampled_from([0, 0, 0, 1, 2, 3, 5, 7])


NAMES = ("total", "errors", "slow", "both", "gateway")


def tally(results):
    numbers = dict.fromkeys(("total", "errors", "slow", "both", "gateway", "run"), 0)
    for kind in results:
        numbers["total"] += 1
        numbers["errors"] += kind & 1
        numbers["slow"] += kind >> 1 & 1
        numbers["both"] += kind & 3 == 3
        numbers["gateway"] += kind >> 2
        numbers["run"] = numbers["run"] + 1 if kind & 1 else 0
    return numbers


def by_definition(config, results):
    numbers = tally(results)
    for index, rule in enumerate(config.trip):
        x, total = MEASURES[rule.measure](numbers), numbers["total"]
        if total < config.minimum(rule) or (rule.is_rate and not total):
            continue
        value = Fraction(x, total) if rule.is_rate else x
        if value > rule.value or (value == rule.value and rule.op == ">="):
            return index
    return -1


def weigh(settings, results, decide, skip=(), kept=0):
    """Return what an evaluation finds, and how many more good, bad, slow results it then waits for.

    The first `kept` of the results lie in the window, the others are those counted since.
    """
    old, fresh, run = tally(results[:kept]), tally(results[kept:]), tally(results)["run"]
    return weigh_counts(settings, old, fresh, run, decide, skip)


def weigh_counts(settings, old, fresh, run, decide, skip=()):
    breaker = Breaker(settings)
    breaker._window.kept = (*(old[name] for name in NAMES), 0)
    breaker._c = fresh["total"] - fresh["errors"] - fresh["slow"] + fresh["both"]
    breaker._e, breaker._s, breaker._se = fresh["errors"], fresh["slow"], fresh["both"]
    breaker._g, breaker._run = fresh["gateway"], run
    breaker.exceeded = frozenset(skip)
    breaker._rebase()
    found = breaker._compare(decide, False)
    if found is not None:
        assert found[1] == (*(old[name] + fresh[name] for name in NAMES), 0)
        return found[0], 0, 0, 0
    edges = (
        breaker._good_edge - breaker._c,
        breaker._error_edge - breaker._e,
        breaker._slow_edge - breaker._s,
    )
    return -1, *edges


@given(
    st.lists(rules, max_size=3),
    st.integers(0, 6),
    st.lists(kinds, min_size=1, max_size=40),
    st.integers(0, 40),
)
def test_the_first_rule_that_holds_is_the_one_by_definition(trip, least, results, kept):
    config = Settings(trip=trip, min_calls=least, slow_after=1)
    assert weigh(config, results, True, kept=kept)[0] == by_definition(config, results)


@given(
    st.lists(rules, min_size=1, max_size=3),
    st.integers(0, 6),
    st.lists(kinds, max_size=30),
    st.lists(kinds, max_size=40),
)
def test_a_rule_never_first_holds_before_an_edge_is_reached(trip, least, before, after):
    config = Settings(trip=trip, min_calls=least, slow_after=1)
    hit, good, error, slow = weigh(config, before, True)
    if hit >= 0:
        return
    for length in range(1, len(after) + 1):
        more = after[:length]
        at_edge = (
            sum(not kind for kind in more) >= good
            or sum(kind & 1 for kind in more) >= error
            or sum(kind >> 1 & 1 for kind in more) >= slow
        )
        if at_edge:
            return
        assert by_definition(config, before + more) < 0


@given(st.lists(rules, min_size=1, max_size=3), st.lists(kinds, max_size=30))
def test_without_minimums_it_is_the_rules_alone_that_count(trip, results):
    config = Settings(trip=trip, min_calls=9, slow_after=1)
    bare = Settings(trip=[Rule(r.measure, r.value, r.op, 0) for r in trip], slow_after=1)
    n = tally(results)
    counts = (n["total"], n["errors"], n["slow"], n["both"], n["gateway"], 0)
    if results:
        condemned = judge_of(config).condemns(counts, n["run"])
        assert condemned is (by_definition(bare, results) >= 0)


@pytest.mark.parametrize(
    ("value", "errors", "total", "trips"),
    [
        (0.07, 7, 100, True),  # 0.07 * 100 is 7.000000000000001
        (0.07, 6, 100, False),
        (0.29, 29, 100, True),
        (0.1, 3, 30, True),
        (1 / 3, 1, 3, True),
        (5 / 6, 5, 6, True),  # 0.8333333333333334
        (0.123456789, 123_456, 1_000_000, False),
        (0.123456, 123_456, 1_000_000, True),
        (Fraction(1, 3), 1, 3, True),
    ],
)
def test_a_share_is_what_was_written_not_the_nearest_binary_fraction(value, errors, total, trips):
    config = Settings(trip=[Rule("error_rate", value)])
    seen = tally([]) | {"total": total, "errors": errors}
    assert (weigh_counts(config, tally([]), seen, errors, True)[0] == 0) is trips


def test_breakers_that_are_set_alike_share_their_rules_and_no_others():
    first, second = (
        Settings(trip=[Rule("error_rate", 0.07)]),
        Settings(trip=[Rule("error_rate", Fraction(7, 100))]),
    )
    assert judge_of(first) is judge_of(second)
    assert judge_of(first) is not judge_of(Settings(trip=[Rule("error_rate", Fraction(0.07))]))


def test_edges_far_from_the_threshold_are_far():
    config = Settings(trip=[Rule("error_rate", 0.5, min_calls=20)])
    assert weigh(config, [0] * 900 + [1] * 100, True) == (-1, NEVER, 800, NEVER)
    assert weigh(config, [0] * 5, True) == (-1, NEVER, 10, NEVER)
    assert weigh(config, [1] * 12, True) == (-1, 8, 1, 1)


def test_errors_and_slow_calls_share_what_is_left_to_a_rule_on_both():
    config = Settings(trip=[Rule("bad_count", 5)], slow_after=1)
    assert weigh(config, [], True) == (-1, NEVER, 3, 3)
    assert weigh(config, [1], True) == (-1, NEVER, 2, 2)
    assert weigh(config, [1, 2], True) == (-1, NEVER, 2, 2)
    assert weigh(config, [1, 2, 3, 1], True) == (-1, NEVER, 1, 1)


def test_what_is_told_already_moves_no_edge():
    config = Settings(trip=[Rule("error_count", 2), Rule("error_count", 9)])
    assert weigh(config, [1, 1, 1], True) == (0, 0, 0, 0)
    assert weigh(config, [1, 1, 1], True, {0}) == (-1, NEVER, 6, NEVER)
    assert weigh(config, [1, 1, 1], False) == (-1, 1, 1, 1)


def test_a_count_window_clamps_every_minimum():
    config = Settings(window=Count(4), min_calls=100, trip=[Rule("error_rate", 1, min_calls=50)])
    assert config.minimum() == config.minimum(config.trip[0]) == 4


@pytest.mark.parametrize(
    ("measure", "matters"),
    [
        ("error_rate", {1, 3, 5, 7}),
        ("consecutive_errors", {1, 3, 5, 7}),
        ("slow_count", {2, 3, 6, 7}),
        ("bad_rate", {1, 2, 3, 5, 6, 7}),
        ("gateway_error_rate", {4, 5, 6, 7}),
    ],
)
def test_a_result_is_bad_if_a_rule_measures_it(measure, matters):
    judge = judge_of(Settings(trip=[Rule(measure, 1)], slow_after=1))
    assert {kind for kind in range(8) if judge.matters[kind]} == matters
