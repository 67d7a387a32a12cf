from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from model.balance import edf as model_edf
from trafficcore.core.balance import Edf

weights = st.lists(
    st.one_of(st.integers(1, 9).map(Fraction), st.fractions(Fraction(1, 9), 9)),
    min_size=1,
    max_size=6,
)


def picks_of(schedule, weights, count):
    return [schedule.pick(weights.__getitem__) for _ in range(count)]


@given(weights, st.integers(0, 60))
def test_picks_are_those_of_the_model(weights, count):
    schedule = Edf()
    for item, weight in enumerate(weights):
        schedule.add(item, weight)
    assert picks_of(schedule, weights, count) == model_edf(weights, count)
    assert len(schedule) == len(weights)


@given(weights, st.integers(0, 200), st.integers(0, 40))
def test_a_start_further_in_is_where_so_many_picks_lead(weights, start, count):
    """Which of several that are due at once goes first may differ; how often each went may not."""
    schedule = Edf.started(range(len(weights)), weights.__getitem__, start)
    ahead = picks_of(schedule, weights, count)
    all_of_it = model_edf(weights, start + count)
    for item in range(len(weights)):
        before = model_edf(weights, start).count(item)
        assert abs(before + ahead.count(item) - all_of_it.count(item)) <= 1


def test_a_start_at_a_multiple_of_a_round_is_the_beginning():
    for start in (0, 3, 300, 429_496_729):
        weights = [1, 1, 1]
        schedule = Edf.started(range(3), weights.__getitem__, start)
        assert picks_of(schedule, weights, 6) == [0, 1, 2, 0, 1, 2]


def test_starts_differ_in_who_goes_first():
    weights = [1, 1, 1]
    firsts = [
        Edf.started(range(3), weights.__getitem__, seed).pick(weights.__getitem__)
        for seed in range(6)
    ]
    assert firsts == [0, 1, 2, 0, 1, 2]


def test_a_weight_counts_from_when_its_item_is_put_back():
    weights = {"a": Fraction(1), "b": Fraction(1)}
    schedule = Edf.started(list(weights), weights.__getitem__)
    assert schedule.pick(weights.__getitem__) == "a"  # due again at 2
    weights["a"] = Fraction(4)  # too late for that
    weights["b"] = Fraction(4)
    assert [schedule.pick(weights.__getitem__) for _ in range(6)] == ["b", "b", "b", "b", "a", "b"]


def test_nobody_in_it_is_nobody_to_pick():
    assert Edf.started([], lambda _: 1, 7).pick(lambda _: 1) is None
