"""The model of several budgets, by hand."""

from fractions import Fraction as F

from model.purse import ModelPurse


def test_all_or_nothing_in_order_and_each_corrected_apart():
    model = ModelPurse([(F(2), F(1)), (F(100), F(10))], slots=2)
    assert model.ask(0, "a", "x", 1, [F(1), F(100)], 99)
    assert not model.ask(0, "b", "x", 1, [F(1), F(20)], 99)
    assert not model.ask(0, "c", "x", 1, [F(1), F(0)], 99), "nobody goes past who waits"
    assert model.poll(1) == []
    assert [waiter.number for waiter in model.poll(2)] == ["b"]
    assert model.poll(3) == [], "both slots are taken"
    model.correct(3, "a", [F(1), F(30)])
    assert model.buckets[1].level(3) == 80
    model.end("a")
    assert [waiter.number for waiter in model.poll(3)] == ["c"]
    assert [bucket.level(3) for bucket in model.buckets] == [1, 80]
