"""Least request: of a few hosts drawn at random, the one with the fewest calls in flight.

Law    equal weights: `choices` uniform draws with replacement, a later one wins only by strictly
       fewer calls; or all hosts, ties decided by reservoir (the k-th tie wins 1 time in k).
       Unequal weights: EDF with weight / (active + 1) ^ bias, read when a host is put back.
State  the calls in flight, which the endpoints hold.   Cost  O(choices); O(hosts); O(log hosts)
Source Envoy least_request_lb.cc
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trafficcore.core.balance.edf import Edf, Number
from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

if TYPE_CHECKING:
    from trafficcore.core.balance.layout import Layout

__all__ = [
    "FullScan",
    "TwoChoices",
    "Weighted",
    "biased_weight",
    "check_choices",
    "full_scan",
    "n_choices",
]


def check_choices(choices: int) -> int:
    """Return a number of choices that is one, or raise `ConfigError`."""
    if not isinstance(choices, int) or choices < 2:
        raise ConfigError(f"choices must be a whole number from 2, not {choices!r}")
    return choices


def n_choices(
    hosts: Sequence[Endpoint], draw: Callable[[int], int], choices: int = 2
) -> Endpoint | None:
    """Return the least busy of `choices` hosts; `draw(n)` gives a whole number below n."""
    if not hosts:
        return None
    best = hosts[draw(len(hosts))]
    for _ in range(choices - 1):
        host = hosts[draw(len(hosts))]
        if host.active < best.active:
            best = host
    return best


def full_scan(hosts: Sequence[Endpoint], draw: Callable[[int], int]) -> Endpoint | None:
    """Return the least busy host of all, each of those that tie with the same chance."""
    best: Endpoint | None = None
    ties = 0
    for host in hosts:
        if best is None or host.active < best.active:
            best, ties = host, 1
        elif host.active == best.active:
            ties += 1
            if not draw(ties):
                best = host
    return best


def biased_weight(weight: Number, active: int, bias: Number = 1) -> Number:
    """Return the weight left beside `active` calls; a bias of 0 ignores them, below is 1."""
    if bias == 0:
        return weight
    busy: Number = (active + 1) ** (bias if bias > 0 else 1)
    return weight / busy


class TwoChoices:
    """Power of two choices over hosts of one weight; `random` gives floats from 0 to below 1."""

    __slots__ = ("_hosts", "_lock", "_random", "_size", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, hosts: Sequence[Endpoint], random: Callable[[], float], lock: Any = NO_LOCK
    ) -> None:
        self._hosts: tuple[Endpoint | None, ...] = tuple(hosts) or (None,)
        self._size = len(self._hosts)
        self._random = random
        self._lock = lock
        self.layout: Layout | None = None

    def pick(self) -> Endpoint | None:
        """Return the less busy of two hosts. Changes nothing, so needs no lock."""
        hosts, size, random = self._hosts, self._size, self._random
        one = hosts[int(random() * size)]
        two = hosts[int(random() * size)]
        return two if one is not None and two is not None and two.active < one.active else one


class FullScan:
    """The least busy of all hosts of one weight."""

    __slots__ = ("_hosts", "_lock", "_random", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, hosts: Sequence[Endpoint], random: Callable[[], float], lock: Any = NO_LOCK
    ) -> None:
        self._hosts = tuple(hosts)
        self._random = random
        self._lock = lock
        self.layout: Layout | None = None

    def pick(self) -> Endpoint | None:
        """Return the least busy host. Changes nothing, so needs no lock."""
        return full_scan(self._hosts, self._draw)

    def _draw(self, below: int) -> int:
        return int(self._random() * below)


class Weighted:
    """Weighted least request: EDF over weights that fall as calls are in flight (bias 0: not)."""

    __slots__ = ("_bias", "_lock", "_schedule", "layout")
    ATOMIC: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, hosts: Sequence[Endpoint], *, bias: float = 1, picks: int = 0, lock: Any = NO_LOCK
    ) -> None:
        self._bias = bias
        self._lock = lock
        self._schedule = Edf.started(hosts, self._weight_of, picks)
        self.layout: Layout | None = None

    def pick(self) -> Endpoint | None:
        """Return the host that is due. *guarded*."""
        with self._lock:
            return self._schedule.pick(self._weight_of)

    def _weight_of(self, host: Endpoint) -> Number:
        return biased_weight(host.weight, host.active, self._bias)
