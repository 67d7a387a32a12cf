"""The fluid, by hand and by what any fluid must do."""

from fractions import Fraction as F

from hypothesis import given
from hypothesis import strategies as st

from model.gps import Fluid

ARRIVALS = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from("abc"), st.integers(1, 9)),
    min_size=1,
    max_size=15,
).map(lambda found: [(F(time), flow, F(cost)) for time, flow, cost in sorted(found)])
WEIGHTS = st.fixed_dictionaries({flow: st.integers(1, 9).map(F) for flow in "abc"})


def test_alone_a_flow_has_the_whole_rate():
    fluid = Fluid(F(2), {"a": F(1), "b": F(5)})
    assert fluid.finishes([(0, "a", F(4)), (1, "a", F(4)), (9, "b", F(1))]) == [2, 4, F(19, 2)]


def test_two_share_by_weight_until_one_is_done():
    fluid = Fluid(F(1), {"a": F(1), "b": F(3)})
    # b has 3/4 and is done with 3 at 4; a has had 1 by then, and 2 are left at the whole rate
    assert fluid.finishes([(0, "a", F(3)), (0, "b", F(3))]) == [6, 4]
    # b comes at 1: its 3 take 4 from there, in which a has the 1 that it lacks
    assert fluid.finishes([(0, "a", F(2)), (1, "b", F(3))]) == [5, 5]


@given(ARRIVALS, WEIGHTS)
def test_it_works_as_long_as_there_is_work_and_no_longer(arrivals, weights):
    finishes = Fluid(F(3), weights).finishes(arrivals)
    end, now = F(0), F(0)
    for time, _, cost in arrivals:
        now = max(now, time) + cost / 3
        end = now
    assert max(finishes) == end
    for flow in "abc":
        own = [at for at, (_, of, _) in zip(finishes, arrivals, strict=True) if of == flow]
        assert own == sorted(own)


@given(ARRIVALS, WEIGHTS)
def test_where_all_others_always_have_work_a_flow_has_its_share_and_no_more(arrivals, weights):
    for flow in "abc":
        own = [arrival for arrival in arrivals if arrival[1] == flow]
        fluid = Fluid(F(3), weights, always=set("abc") - {flow})
        now, wanted = F(0), []
        for time, _, cost in own:
            now = max(now, time) + cost / fluid.share(flow)
            wanted.append(now)
        assert fluid.finishes(own) == wanted
