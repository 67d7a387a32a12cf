"""`Hashed`: consistent hashing over priorities: the same key finds the same host while it can.

Law    the priority by the key's hash modulo 100 against the loads, in it the host by a table (ring
       or maglev) over its healthy hosts, in panic over all. Parts of hosts are their weights;
       where localities have weights, those first, whatever their health. A call without a key
       has a hash at random.
State  immutable tables; `everywhere` counts no further than the calls without a key.
Cost   a look-up in the table; O(hosts) and the table's own to build, at a change alone
Source Envoy thread_aware_lb_impl.cc; like there, degraded hosts are in no table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar, Final, Protocol

from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.balance.layout import HEALTHY, PANIC, Layout, Source
from trafficcore.core.balance.priority import FULL, Loads, choose, priority_loads
from trafficcore.core.balance.sources import by_priority, level_of
from trafficcore.core.nolock import NO_LOCK

__all__ = ["Hashed", "HostTable", "TableMaker", "build_hashed"]

Hosts = Sequence[Endpoint]
Parts = list[tuple[Endpoint, float]]

_WHOLE: Final = 2**64
_MASK: Final = _WHOLE - 1
#: The golden ratio of the range: steps of it spread evenly, wherever one stops.
_STRIDE: Final = 0x9E3779B97F4A7C15


class HostTable(Protocol):
    """Where each hash goes: a `Ring` or a `Maglev`."""

    def find(self, number: int) -> Endpoint | None:
        """Return the host of a hash; None: there is no host."""

    def shares(self) -> dict[Endpoint, Fraction]:
        """Return the part of all hashes that each host takes."""
        ...


class TableMaker(Protocol):
    """Makes the table of hosts with their parts of the whole, and may keep what helps the next."""

    def keep(self, addresses: Iterable[str]) -> None:
        """Forget what is known of everybody else."""

    def __call__(self, hosts: Sequence[tuple[Endpoint, float]]) -> HostTable:
        """Return the table of hosts, each with its part of the whole."""
        ...


class Hashed:
    """A picker by key: `find` for a call that has one, `pick` for one that has none.

    `random` gives floats from 0 to below 1; without it, calls that have no key go round the hosts.
    """

    __slots__ = ("_lock", "_next", "_random", "_tables", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ("pick",)

    def __init__(
        self,
        tables: Sequence[HostTable],
        loads: Loads,
        random: Callable[[], float] | None = None,
        lock: Any = NO_LOCK,
    ) -> None:
        self._tables = tuple(tables[choose(loads, number)[0]] for number in range(FULL))
        self._random = random
        self._next = 0
        self._lock = lock
        self.layout: Layout | None = None

    def find(self, number: int) -> Endpoint | None:
        """Return the host of a hash from 0 up to 2 ** 64. Changes nothing, so needs no lock."""
        return self._tables[number % FULL].find(number)

    def pick(self) -> Endpoint | None:
        """Return a host for a call that has no key. *atomic*."""
        random = self._random
        if random is not None:
            return self.find(int(random() * _WHOLE))
        number = self._next
        self._next = (number + _STRIDE) & _MASK
        return self.find(number)

    def shares(self) -> dict[Endpoint, Fraction]:
        """Return the part of all keys that goes to each endpoint that gets any."""
        parts: dict[Endpoint, Fraction] = {}
        for table in dict.fromkeys(self._tables):
            load = Fraction(self._tables.count(table), FULL)
            for host, part in table.shares().items():
                parts[host] = parts.get(host, 0) + load * part
        return parts


def build_hashed(
    endpoints: Iterable[Endpoint],
    *,
    table: TableMaker,
    panic_threshold: int = 0,
    overprovisioning: int = 140,
    locality_weights: Mapping[tuple[int, str], int] | None = None,
    random: Callable[[], float] | None = None,
    lock: Any = NO_LOCK,
    guarded: Callable[[Any], Any] = lambda cls: cls,
) -> Hashed:
    """Return a picker by key over `endpoints` as they are now; settings as of `build_picker`."""
    levels = by_priority(endpoints)
    loads = priority_loads(
        [level_of(level) for level in levels],
        panic_threshold=panic_threshold,
        overprovisioning=overprovisioning,
    )
    table.keep(host.address for level in levels for host in level)
    tables: list[HostTable] = []
    sources: list[Source] = []
    for priority, level in enumerate(levels):
        panic = loads.panic[priority]
        hosts = [host for host in level if panic or (host.healthy and not host.degraded)]
        weights = {
            place: weight
            for (at, place), weight in (locality_weights or {}).items()
            if at == priority
        }
        tables.append(table(_weighed(hosts, weights) if any(weights.values()) else _alike(hosts)))
        load = loads.healthy[priority] + loads.degraded[priority]
        if load:
            sources.append(
                Source(
                    priority=priority,
                    kind=PANIC if panic else HEALTHY,
                    locality=None,
                    share=Fraction(load, FULL),
                    endpoints=tuple(hosts),
                )
            )
    picker: Hashed = guarded(Hashed)(tables, loads, random, lock)
    picker.layout = Layout(
        loads=loads,
        sources=tuple(sources),
        zones=None,
        rounds={},
        hosts=frozenset(),
        exact=picker.shares,
    )
    return picker


def _alike(hosts: Hosts, part: float = 1) -> Parts:
    """Return the part of each host in `part` of the whole, by its weight."""
    total = sum(host.weight for host in hosts)
    return [(host, part * (host.weight / total)) for host in hosts]


def _weighed(hosts: Hosts, weights: Mapping[str, int]) -> Parts:
    """Return the part of each host inside its locality's; who is in one of no weight has none."""
    total = sum(weights.values())
    places: dict[str, list[Endpoint]] = {}
    for host in hosts:
        places.setdefault(host.locality, []).append(host)
    return [
        own
        for place, there in places.items()
        if weights.get(place)
        for own in _alike(there, weights[place] / total)
    ]
