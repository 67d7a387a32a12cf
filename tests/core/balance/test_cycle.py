from collections import Counter
from fractions import Fraction
from math import gcd, lcm

from hypothesis import given
from hypothesis import strategies as st

from model.balance import edf as model_edf
from trafficcore.core.balance.cycle import LARGEST, credits_of, cycle, ranks, slots_of

slots = st.lists(st.integers(1, 12), min_size=1, max_size=6)


@given(slots)
def test_a_round_is_that_of_edf_and_so_is_the_next(slots):
    size = sum(slots)
    assert list(cycle(slots)) * 2 == model_edf(slots, 2 * size)


@given(slots, st.data())
def test_whatever_the_leads_everybody_comes_as_often_as_it_has_slots(slots, data):
    some = st.floats(-2, 3)
    lead = data.draw(st.lists(some, min_size=len(slots), max_size=len(slots)))
    assert Counter(cycle(slots, lead)) == Counter(dict(enumerate(slots)))


@given(st.integers(1, 20), st.integers(0, 40), st.permutations(range(20)))
def test_equal_turns_go_on_in_the_same_order(size, at, names):
    order = names[:size]
    wait = ranks(order, at % size)
    again = [order[i] for i in cycle([1] * size, [wait[name] for name in order])]
    assert again == order[at % size :] + order[: at % size]


def test_newcomers_wait_a_whole_round():
    wait = ranks(["a", "b", "c"], 1)
    names = ["new", "a", "b", "c"]
    order = cycle([1] * 4, [wait.get(name, 1) for name in names])
    assert [names[i] for i in order] == ["b", "c", "a", "new"]


def test_who_had_more_than_was_due_waits_longer():
    order = cycle([1, 3])
    assert order == (1, 1, 0, 1)
    assert credits_of(order, 0, [1, 3], [1, 1]) == [1, 1]
    assert credits_of(order, 2, [1, 3], [1, 1]) == [1 / 2, 3 / 2]
    assert credits_of(order, 3, [1, 3], [1, 1]) == [5 / 4, 3 / 4]


@given(slots, st.data())
def test_what_is_carried_over_sums_to_what_it_was(slots, data):
    some = st.fractions(-1, 2, max_denominator=9)
    lead = data.draw(st.lists(some, min_size=len(slots), max_size=len(slots)))
    order = cycle(slots, lead)
    at = data.draw(st.integers(0, len(order)))
    carried = credits_of(order, at, [Fraction(own) for own in slots], lead)
    assert sum(carried) == sum(lead)


@given(st.lists(st.fractions(Fraction(1, 50), 50, max_denominator=50), min_size=1, max_size=8))
def test_slots_are_the_weights_in_smallest_whole_numbers(weights):
    whole = [int(weight * lcm(*range(1, 51))) for weight in weights]
    exact = [own // gcd(*whole) for own in whole]
    if sum(exact) <= LARGEST:
        assert list(slots_of(weights)) == exact


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=40))
def test_slots_never_exceed_the_largest_table_by_much_and_are_near(weights):
    slots = slots_of(weights)
    total, size = sum(weights), sum(slots)
    assert min(slots) >= 1
    assert size <= LARGEST + len(weights)
    for weight, own in zip(weights, slots, strict=True):
        assert abs(weight / total - own / size) <= (1 + len(weights)) / LARGEST


def test_nothing_has_an_empty_round():
    assert cycle(()) == ()
