"""Max-min fair division by weighted water filling: what fair shares converge to."""

from collections.abc import Sequence
from fractions import Fraction


def max_min(capacity, demands: Sequence, weights: Sequence | None = None) -> list:
    """Divide `capacity` so that nobody can get more without a poorer one, by weight, getting less.

    The level rises evenly; whoever has what he asked for drops out, and the rest share on.
    """
    weights = [1] * len(demands) if weights is None else list(weights)
    shares = [Fraction(0)] * len(demands)
    left = Fraction(capacity)
    thirsty = [i for i, demand in enumerate(demands) if demand > 0]
    while thirsty and left > 0:
        total = sum(Fraction(weights[i]) for i in thirsty)
        first = min((Fraction(demands[i]) - shares[i]) / Fraction(weights[i]) for i in thirsty)
        rise = min(first, left / total)
        for i in thirsty:
            shares[i] += rise * Fraction(weights[i])
        left -= rise * total
        thirsty = [i for i in thirsty if shares[i] < demands[i]]
    return shares
