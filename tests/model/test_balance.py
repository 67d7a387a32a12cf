"""The models against cases small enough to do by hand."""

from fractions import Fraction

from model.balance import edf, loads, maglev, ring, shares


def test_edf_by_hand():
    # a is due at 1, 2; b at 1/2, 1, 3/2, 2. At 1 both: a has waited longer.
    assert edf([1, 2], 6) == [1, 0, 1, 1, 0, 1]
    assert edf([1, 1, 1], 4) == [0, 1, 2, 0]
    assert edf([Fraction(1, 2), 1], 6) == [1, 0, 1, 1, 0, 1]


def test_loads_by_hand():
    assert loads([70, 100], [0, 0]) == ([70, 30], [0, 0])
    assert loads([100, 100], [0, 0]) == ([100, 0], [0, 0])
    # 25, 25, 20 % healthy: 35, 35, 28 of 98; one point is lost to rounding, and goes to the first
    assert loads([35, 35, 28], [0, 0, 0]) == ([37, 35, 28], [0, 0, 0])
    # the example of Envoy's source
    assert loads([10, 20, 10], [20, 10, 0]) == ([16, 28, 14], [28, 14, 0])


class Host:
    def __init__(self, priority, healthy, weight):
        self.priority, self.healthy, self.weight = priority, healthy, weight


def test_shares_by_hand():
    a, b, c, d = Host(0, True, 1), Host(0, True, 3), Host(0, False, 9), Host(1, True, 2)
    assert shares([a, b, c, d], [80, 20], [False, False]) == {
        a: Fraction(1, 5),
        b: Fraction(3, 5),
        d: Fraction(1, 5),
    }
    assert shares([a, b, c, d], [100, 0], [True, False]) == {
        a: Fraction(1, 13),
        b: Fraction(3, 13),
        c: Fraction(9, 13),
    }


def test_a_ring_by_hand():
    places = [(30, "b"), (10, "a"), (20, "c")]
    assert [ring(places, number) for number in (0, 10, 11, 20, 29, 30, 31)] == [*"aaccbba"]


def test_a_maglev_table_by_hand():
    # the three backends of the paper's table 1, with its seven places
    orders = [[3, 0, 4, 1, 5, 2, 6], [0, 2, 4, 6, 1, 3, 5], [3, 4, 5, 6, 0, 1, 2]]
    assert maglev(orders, [1, 1, 1]) == [1, 0, 1, 0, 2, 2, 0]
    # a host of half the weight takes its turn in the first round and in every other after it
    assert maglev([[*range(7)], [*range(7)]], [2, 1]) == [0, 1, 0, 1, 0, 0, 1]
