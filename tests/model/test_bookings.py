"""The model of reservations, against numbers worked out by hand."""

from fractions import Fraction as F

from model.bookings import ModelBookings


def test_by_hand():
    model = ModelBookings(capacity=2, rate=1)
    model.change(F(0), 2)
    first, second = model.reserve(F(0), 1), model.reserve(F(0), 1)
    assert (first[0], second[0]) == (1, 2)
    assert model.free(F(0)) == -2
    model.cancel(first)
    assert model.level(F(2)) == 1  # two came in, one was used
    assert model.free(F(1)) == 0
    assert model.reserve(F(1), 2)[0] == 3


def test_what_spills_meanwhile_is_lost():
    model = ModelBookings(capacity=1, rate=1)
    model.change(F(0), 1)
    first, _ = model.reserve(F(0), 1), model.reserve(F(0), 1)
    model.cancel(first)
    assert model.level(F(2)) == 0
    assert model.reserve(F(0), 1)[0] == 3


def test_nobody_reserves_before_one_who_came_earlier():
    model = ModelBookings(capacity=2, rate=1)
    model.change(F(0), 2)
    first, _ = model.reserve(F(0), 1), model.reserve(F(0), 1)
    model.cancel(first)
    assert model.reserve(F(0), F(1, 2))[0] == 2


def test_a_change_beneath_reservations():
    model = ModelBookings(capacity=2, rate=1)
    model.change(F(0), 2)
    assert model.reserve(F(0), 1)[0] == 1
    model.change(F("0.5"), -5)
    assert model.free(F("0.5")) == F("0.5")  # 2 at 0.5, one used at 1
    model.change(F("0.5"), 3)
    assert model.free(F("0.5")) == -2
