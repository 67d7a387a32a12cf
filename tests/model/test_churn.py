"""The model itself, on a story short enough to read."""

from model.churn import Churn


def endpoint(address, weight=1, **labels):
    return address, "", weight, labels


def test_a_stay_ends_with_its_record_and_its_calls_outlive_it():
    churn = Churn(limit=2)
    assert churn.change([endpoint("a"), endpoint("b")], 0) == (["a", "b"], [])
    first = churn.send("a")
    churn.end(churn.send("a"), False)
    assert churn.change([endpoint("b", v="2")], 1) == ([], ["a"])
    assert (churn.takers(), churn.in_flight()) == ({"b"}, 1)
    assert churn.change([endpoint("b"), endpoint("a")], 2) == (["a"], [])
    churn.end(first, False)  # of the life before: two in a row would take it out
    assert churn.takers() == {"a", "b"}
    assert [life.joined for life in churn.here().values()] == [0, 2]
    for good in (False, None, False):
        churn.end(churn.send("a"), good)
    assert churn.takers() == {"b"}
    churn.all_back()
    assert churn.takers() == {"a", "b"}
    churn.end(churn.send("a"), False)
    assert churn.takers() == {"a", "b"}
    assert churn.in_flight() == 0
