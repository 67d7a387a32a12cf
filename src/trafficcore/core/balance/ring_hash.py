"""Ring hash: hosts lie on a ring at many places each, and a key goes to the next one up from it.

Law    the lightest host has ceil(its part * least) places, the others in proportion; place i of a
       host is xxHash64 of `address_i`. A key goes to the first place from its own hash on, past
       the last to the first again. Who leaves hands over its own keys and nobody else's.
State  two immutable lists; hashes of hosts, kept by the maker so that a change need only sort.
Cost   O(log places) a look-up; O(places log places) a change
Source Envoy ring_hash_lb.cc. Sums are the same doubles as there, so that both build one ring.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil
from typing import Final

from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.errors import ConfigError

__all__ = ["MOST_PLACES", "Ring", "RingMaker"]

#: Envoy's bound on the places of a ring.
MOST_PLACES: Final = 8_388_608
_WHOLE: Final = 2**64


class Ring:
    """One ring. `find` is a look-up in what never changes, so it needs no lock."""

    __slots__ = ("_hashes", "_hosts")

    def __init__(self, places: Iterable[tuple[int, Endpoint]]) -> None:
        ordered = sorted(places, key=lambda place: place[0])
        self._hashes = [number for number, _ in ordered]
        #: The first place once more at the end, for keys beyond the last.
        self._hosts: list[Endpoint | None] = [host for _, host in ordered]
        self._hosts.append(self._hosts[0] if ordered else None)

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, number: int) -> Endpoint | None:
        """Return the host of a hash from 0 up to 2 ** 64; None: there is no host."""
        return self._hosts[bisect_left(self._hashes, number)]

    def shares(self) -> dict[Endpoint, Fraction]:
        """Return the part of all hashes that each host takes."""
        parts: dict[Endpoint, Fraction] = {}
        before = self._hashes[-1] - _WHOLE if self._hashes else 0
        for number, host in zip(self._hashes, self._hosts, strict=False):
            if host is not None:
                parts[host] = parts.get(host, 0) + Fraction(number - before, _WHOLE)
            before = number
        return parts


class RingMaker:
    """Makes rings of one size, and keeps the hashes of hosts from one to the next."""

    def __init__(self, least: int = 1024) -> None:
        if not 1 <= least <= MOST_PLACES:
            raise ConfigError(f"a ring must have 1 to {MOST_PLACES} places at least, not {least!r}")
        self._least = least
        self._known: dict[str, list[int]] = {}

    def keep(self, addresses: Iterable[str]) -> None:
        """Forget the hashes of everybody else."""
        known = self._known
        self._known = {address: known[address] for address in addresses if address in known}

    def __call__(self, hosts: Sequence[tuple[Endpoint, float]]) -> Ring:
        """Return the ring of hosts, each with its part of the whole."""
        if not hosts:
            return Ring(())
        lightest = min(part for _, part in hosts)
        scale = min(ceil(lightest * self._least) / lightest, float(MOST_PLACES))
        places: list[tuple[int, Endpoint]] = []
        wanted = 0.0
        for host, part in hosts:
            wanted += scale * part
            # sums over all hosts, so that fractions of a place even out
            count = max(0, ceil(wanted) - len(places))
            places += [(number, host) for number in self._hashes(host.address, count)]
        return Ring(places)

    def _hashes(self, address: str, count: int) -> list[int]:
        known = self._known.setdefault(address, [])
        for index in range(len(known), count):
            known.append(xxhash64(f"{address}_{index}".encode()))
        return known[:count]
