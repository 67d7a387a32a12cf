"""Balancing, slow and obvious: what each machine of core/balance is held to."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any


def edf(weights: Sequence[Any], picks: int) -> list[int]:
    """Look through everybody at each pick: least deadline, then longest in the queue."""
    deadline = [Fraction(1) / Fraction(weight) for weight in weights]
    turn = list(range(len(weights)))
    order = []
    for number in range(picks):
        first = min(range(len(weights)), key=lambda i: (deadline[i], turn[i]))
        order.append(first)
        deadline[first] += Fraction(1) / Fraction(weights[first])
        turn[first] = len(weights) + number
    return order


def loads(health: Sequence[int], degraded: Sequence[int]) -> tuple[list[int], list[int]]:
    """Hand out 100 points one by one, each to the first that has room; what fits nowhere, last.

    Room is the health scaled to 100, whole points only; healthy hosts go before degraded ones.
    """
    total = min(100, sum(health) + sum(degraded))
    room = [[own * 100 // total for own in part] for part in (health, degraded)]
    given = [[0] * len(health), [0] * len(degraded)]
    places = [(part, i) for part in (0, 1) for i in range(len(health))]
    for _ in range(100):
        open_places = [(part, i) for part, i in places if given[part][i] < room[part][i]]
        usable = [(part, i) for part, i in places if (health, degraded)[part][i]]
        part, i = (open_places or usable)[0]
        given[part][i] += 1
    return given[0], given[1]


def shares(
    endpoints: Iterable[Any], load_of: Sequence[int], panic: Sequence[bool]
) -> dict[Any, Fraction]:
    """The part of the calls of each endpoint: its priority's load, by weight among the usable."""
    parts: dict[Any, Fraction] = {}
    everybody = list(endpoints)
    for priority, load in enumerate(load_of):
        usable = [e for e in everybody if e.priority == priority and (e.healthy or panic[priority])]
        for endpoint in usable:
            total = sum(other.weight for other in usable)
            parts[endpoint] = Fraction(load, 100) * Fraction(endpoint.weight, total)
    return {endpoint: part for endpoint, part in parts.items() if part}


def ring(places: Iterable[tuple[int, Any]], number: int) -> Any:
    """Look at every place: the nearest at or above the hash, the lowest of all where none is."""
    ordered = sorted(places, key=lambda place: place[0])
    above = [host for at, host in ordered if at >= number]
    return above[0] if above else ordered[0][1]


def maglev(orders: Sequence[Sequence[int]], weights: Sequence[Any]) -> list[int]:
    """Let hosts choose in turn: each earns its weight a round, and pays the heaviest's a place.

    `orders` are whole permutations; a host takes the first place in its own that is free.
    """
    table: dict[int, int] = {}
    paid = [Fraction(0)] * len(orders)
    earned = [Fraction(0)] * len(orders)
    while len(table) < len(orders[0]):
        for host, order in enumerate(orders):
            earned[host] += Fraction(weights[host])
            if earned[host] >= paid[host] and len(table) < len(order):
                paid[host] += max(map(Fraction, weights))
                table[next(place for place in order if place not in table)] = host
    return [table[place] for place in range(len(orders[0]))]
