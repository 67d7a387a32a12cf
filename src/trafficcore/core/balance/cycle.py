"""One round of weighted turns, worked out beforehand, so that a pick only looks it up.

Law    in a round an item with w slots is due at (k + lead) / w for k = 0 … w - 1; the earliest
       goes first, of equals the one with fewer slots, then the earlier in the list. With a lead
       of 1 that is the order of `Edf`, whose rounds are all alike. The lead is the part of its
       interval an item has yet to wait: one that was carried over from an earlier round goes on
       from where it was, and a newcomer waits a whole interval.
Cost   O(slots log slots) to make, once a change
"""

from collections.abc import Hashable, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Final, TypeVar

__all__ = ["LARGEST", "credits_of", "cycle", "ranks", "slots_of"]

K = TypeVar("K", bound=Hashable)

#: No round of unequal turns is longer (a few more where there are that many items): it is sorted
#: at each change of health, and a part of 1 in 4,096 is as fine as traffic is counted.
LARGEST: Final = 4096


def slots_of(weights: Sequence[int | Fraction]) -> tuple[int, ...]:
    """Return the smallest whole numbers in proportion to `weights` (all above 0).

    Where they sum to more than `LARGEST`, the nearest ones that don't; nobody is left without.
    """
    scale = lcm(*(weight.denominator for weight in weights))
    whole = [int(weight * scale) for weight in weights]
    divisor = gcd(*whole)
    total = sum(whole) // divisor
    if total > LARGEST:
        total *= divisor
        rest = [weight * LARGEST % total for weight in whole]
        whole = [max(1, weight * LARGEST // total) for weight in whole]
        most_lost = sorted(range(len(whole)), key=lambda i: rest[i], reverse=True)
        for index in most_lost[: max(0, LARGEST - sum(whole))]:
            whole[index] += 1
        divisor = gcd(*whole)
    return tuple(slots // divisor for slots in whole)


def cycle(slots: Sequence[int], lead: Sequence[float] | None = None) -> tuple[int, ...]:
    """Return one round as indices into `slots`; each comes as often as it has slots.

    That holds for leads of any size; they only say who goes before whom.
    """
    if len(set(slots)) < 2:
        often = slots[0] if slots else 0
        once = range(len(slots))
        return tuple(once if lead is None else sorted(once, key=lead.__getitem__)) * often
    if lead is None:
        lead = [1] * len(slots)
    turns = [
        ((k + wait) / own, own, index)
        for index, (own, wait) in enumerate(zip(slots, lead, strict=True))
        for k in range(own)
    ]
    turns.sort()
    return tuple([index for _, _, index in turns])


def ranks(order: Sequence[K], at: int) -> dict[K, float]:
    """Return the leads that keep the items of a round of equal turns in their order from `at` on.

    Turns are counted to their middles, so that all of these are done before a newcomer's.
    """
    size = len(order)
    ahead = (*order[at:], *order[:at])
    return {item: (2 * place + 1) / (2 * size) for place, item in enumerate(ahead)}


def credits_of(
    order: Sequence[int], at: int, slots: Sequence[int], lead: Sequence[float]
) -> list[float]:
    """Return the leads of a round at position `at`: what was due by now less what was had.

    Below 0 is overdue. Their sum stays what it is, so that nobody loses by being carried over.
    """
    size = len(order)
    had = [0] * len(slots)
    for index in order[:at]:
        had[index] += 1
    return [
        wait + turns - at * own / size for wait, turns, own in zip(lead, had, slots, strict=True)
    ]
