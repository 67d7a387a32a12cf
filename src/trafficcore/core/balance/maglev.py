"""Maglev: a table of a prime size in which hosts take places in turn, each in an order of its own.

Law    a host's order is offset + k * skip modulo the size, with offset = xxHash64(address) modulo
       the size and skip = xxHash64(address, seed 1) modulo (size - 1), plus 1. Hosts by address
       take the next free place of their order, round after round; one of part p of the heaviest
       takes its turn in that part of the rounds. A key's place is its hash modulo the size.
State  an immutable table; the last few, kept by the maker: who returns finds the table it left.
Cost   O(1) a look-up; O(size log size) a change
Source Eisenbud et al., Maglev (NSDI 2016), listing 1; Envoy maglev_lb.cc for the weights
"""

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.errors import ConfigError

__all__ = ["MOST_SIZE", "SIZE", "Maglev", "MaglevMaker", "is_prime"]

#: Envoy's own size, and its bound.
SIZE: Final = 65_537
MOST_SIZE: Final = 5_000_011
#: Tables kept: a host that is ejected and comes back, or a few of them, one by one.
_KEPT: Final = 8


def is_prime(number: int) -> bool:
    """Whether a number is a prime; O(its square root)."""
    if number < 4:
        return number > 1
    return number % 2 == 1 and all(number % odd for odd in range(3, int(number**0.5) + 1, 2))


class Maglev:
    """One table. `find` is a look-up in what never changes, so it needs no lock."""

    __slots__ = ("_size", "_table")

    def __init__(self, table: Sequence[Endpoint]) -> None:
        self._table: tuple[Endpoint | None, ...] = tuple(table) or (None,)
        self._size = len(self._table)

    def __len__(self) -> int:
        return self._size

    def find(self, number: int) -> Endpoint | None:
        """Return the host of a hash from 0 up to 2 ** 64; None: there is no host."""
        return self._table[number % self._size]

    def shares(self) -> dict[Endpoint, Fraction]:
        """Return the part of all places that each host has."""
        counts: dict[Endpoint, int] = {}
        for host in self._table:
            if host is not None:
                counts[host] = counts.get(host, 0) + 1
        return {host: Fraction(count, self._size) for host, count in counts.items()}


class MaglevMaker:
    """Makes tables of one size, and keeps the last few."""

    def __init__(self, size: int = SIZE) -> None:
        if not (size < MOST_SIZE and is_prime(size)):
            raise ConfigError(f"a table must have a prime size below {MOST_SIZE}, not {size!r}")
        self._size = size
        self._made: dict[tuple[tuple[str, float], ...], array[int]] = {}

    def keep(self, addresses: Iterable[str]) -> None:
        """Forget the tables of anybody else."""
        known = set(addresses)
        self._made = {
            key: table
            for key, table in self._made.items()
            if all(address in known for address, _ in key)
        }

    def __call__(self, hosts: Sequence[tuple[Endpoint, float]]) -> Maglev:
        """Return the table of hosts, each with its part of the whole."""
        ordered = sorted(hosts, key=lambda host: host[0].address)
        key = tuple((host.address, part) for host, part in ordered)
        table = self._made.pop(key, None)
        if table is None:
            table = _filled(key, self._size)
        self._made[key] = table
        if len(self._made) > _KEPT:
            del self._made[next(iter(self._made))]
        return Maglev([ordered[index][0] for index in table])


def _filled(hosts: Sequence[tuple[str, float]], size: int) -> "array[int]":
    """Return whose each place is, as indices into `hosts`; nothing where there is nobody."""
    names = [address.encode() for address, _ in hosts]
    at = [xxhash64(name) % size for name in names]
    skips = [xxhash64(name, 1) % (size - 1) + 1 for name in names]
    parts = [part for _, part in hosts]
    heaviest, alike = max(parts, default=0), len(set(parts)) < 2
    due: list[float] = [0] * len(hosts)
    taken = bytearray(size)  # looked at more than once for each place: quicker than the table
    table = array("l", [0]) * (size if hosts else 0)
    left, turn = len(table), 0
    while left:
        turn += 1
        for index, part in enumerate(parts):
            if not alike:
                if turn * part < due[index]:
                    continue
                due[index] += heaviest
            place = at[index]
            if taken[place]:
                skip = skips[index]
                place = (place + skip) % size
                while taken[place]:
                    place = (place + skip) % size
            taken[place] = 1
            table[place] = index
            at[index] = place
            left -= 1
            if not left:
                break
    return table
