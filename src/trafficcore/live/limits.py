"""`Limit`: one rate limit as an application's author writes it, and `Bound`: the same at work.

Law     A request that several limits are about needs a token of each, and pays none of them if one
        refuses. A limit whose key is None is not about the request. In shadow a limit counts what
        it would have refused and refuses nothing.
State   A bucket, or one for each key in bounded memory; three counts.
Cost    That of its machine: `core.limit.Gcra`, `KeyedGcra`.
"""

from collections.abc import Callable, Iterable
from random import random
from typing import Any

import attrs

from trafficcore.core.limit import KeyedGcra, bucket
from trafficcore.core.limit.amounts import checked
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.errors import ConfigError
from trafficcore.live.functions import answer_of
from trafficcore.live.gauge import Gauge, Sole
from trafficcore.live.limit_checks import check_limit, header_pairs
from trafficcore.live.overflow import warn_of_overflow
from trafficcore.live.rates import read_rate
from trafficcore.live.sharing import check_shared, counted_here, shared_bucket, shared_keyed

__all__ = ["Bound", "Limit", "bind", "listed"]


@attrs.frozen
class Limit:
    """At most `rate` ("100/min", or a number a second), and up to `capacity` of them at once.

    `by` keeps it by key (`header("x-api-key")`, `client_address()`, a function of `Facts`; None:
    one bucket for all), at most `max_keys` of them; keys for which `known` holds always have a
    bucket of their own. `on` says which requests it is about: `"/v1/*"`, `"POST /orders"`,
    `"/users/{id}"`, several of them, or a function of `Facts`; `exempt` says in the same words
    which are left out. `cost` is a number or a function of `Facts`, whose 0 is free. A refusal is
    answered `status`, `body` and `headers`. No function is an `async` one.

    `share="host"` is one limit for all workers of a machine, by its `name`; `members=4` gives each
    of four workers its part. `shadow` counts and refuses nothing; `enforced` is the percentage of
    refusals that are carried out, `enabled` that of requests the limit looks at (Envoy's two).
    Raises `ConfigError`, when it is written down, for what cannot be.
    """

    rate: float | str
    capacity: float | None = attrs.field(default=None)
    by: Any = attrs.field(default=None, kw_only=True)
    on: Any = attrs.field(default="*", kw_only=True)
    exempt: Any = attrs.field(default=None, kw_only=True)
    cost: float | Callable[[Any], float] = attrs.field(default=1, kw_only=True)
    name: str = attrs.field(default="", kw_only=True)
    max_keys: int = attrs.field(default=100_000, kw_only=True)
    known: Callable[[str], bool] | None = attrs.field(default=None, kw_only=True)
    share: str | None = attrs.field(default=None, kw_only=True)
    members: int = attrs.field(default=1, kw_only=True)
    member: int | None = attrs.field(default=None, kw_only=True)
    status: int = attrs.field(default=429, kw_only=True)
    body: str = attrs.field(default="local_rate_limited", kw_only=True)
    headers: tuple[tuple[str, str], ...] = attrs.field(
        default=(), kw_only=True, converter=header_pairs
    )
    shadow: bool = attrs.field(default=False, kw_only=True)
    enabled: float = attrs.field(default=100, kw_only=True)
    enforced: float = attrs.field(default=100, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_limit(self)


class Bound(Gauge):
    """A limit at work: its buckets, by key ("" where there is one for all), and its counts."""

    __slots__ = (
        "_told_overflow",
        "earliest",
        "limit",
        "refund",
        "refused",
        "shadow",
        "shadowed",
        "tokens_at",
        "try_acquire",
    )

    def __init__(self, limit: Limit, name: str) -> None:
        self.limit = limit
        self.shadow = limit.shadow
        self._told_overflow = False
        self.refused = 0
        self.shadowed = 0
        rate, capacity = counted_here(
            *read_rate(limit.rate, limit.capacity),
            limit.name,
            limit.share,
            limit.members,
            limit.member,
        )
        super().__init__(name, self._make(capacity, rate), capacity, rate)
        self.try_acquire = self.machine.try_acquire
        self.refund = self.machine.refund
        self.earliest = self.machine.earliest
        self.tokens_at = self.machine.tokens_at

    def _make(self, capacity: float, rate: float) -> Any:
        limit, numbers, lock = self.limit, (capacity, rate), new_lock()
        if limit.share == "host":
            check_shared(limit.name, rate)
            if limit.by is None:
                return Sole(shared_bucket(limit.name, *numbers))
            return shared_keyed(limit.name, *numbers, limit.max_keys)
        if limit.by is None:
            return Sole(bucket(*numbers, lock=lock, build=guarded))
        keyed = guarded(KeyedGcra)
        return keyed(*numbers, max_keys=limit.max_keys, known=limit.known, lock=lock)

    def cost_of(self, facts: Any) -> float:
        """Return how many tokens a request costs; 0 of a function: it is free, and still told of.

        What is no amount is a `ConfigError` that names the limit.
        """
        cost = self.limit.cost
        if not callable(cost):
            return cost
        amount: float = checked(
            f"the cost that limit {self.name!r} asks", answer_of("cost", cost(facts))
        )
        return amount

    def lets_by(self) -> bool:
        """Say whether a request without a token passes all the same, and count it if so."""
        limit = self.limit
        if self.shadow or (limit.enforced < 100 and 100 * random() >= limit.enforced):
            self.shadowed += 1
            return True
        return False

    def tell_overflow(self, now: float) -> None:
        """Say in the log, once, that there is no room for new keys, where there is none."""
        if not self._told_overflow and hasattr(self.machine, "overflowed"):
            self._told_overflow = warn_of_overflow(f"limit {self.name!r}", self.machine, now)

    def correct(self, key: str, paid: float, actual: float, now: float) -> None:
        """Have a request pay `actual` in place of what it has `paid`.

        More is taken whether it is there or not, and is a debt then; less comes back.
        """
        checked("actual", actual)
        if actual > paid:
            self.machine.charge(key, actual - paid, now)
        elif actual < paid:
            self.machine.refund(key, paid - actual, now)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return counts and settings as plain data."""
        counts = {"refused": self.refused, "shadowed": self.shadowed, "shadow": self.shadow}
        return {"name": self.name, **counts, **self.machine.snapshot(now)}


def bind(limits: Iterable[Limit]) -> tuple[Bound, ...]:
    """Put limits to work; two of one name are a `ConfigError`."""
    bound = []
    seen: set[str] = set()
    for number, limit in enumerate(listed(limits), 1):
        name = limit.name or (str(limit.rate) if isinstance(limit.rate, str) else f"limit-{number}")
        if name in seen:
            if limit.name:
                raise ConfigError(f"two limits have the name {name!r}")
            name = f"{name}-{number}"
        seen.add(name)
        bound.append(Bound(limit, name))
    return tuple(bound)


def listed(limits: Any) -> tuple[Limit, ...]:
    """Return limits as a tuple; `ConfigError` for what is no list of them."""
    if isinstance(limits, Limit):
        raise ConfigError("limits must be a list of limits: put this one into brackets")
    if isinstance(limits, str) or not isinstance(limits, Iterable):
        raise ConfigError(f'limits must be a list of Limit("100/min"), not {limits!r}')
    found = tuple(limits)
    for limit in found:
        if not isinstance(limit, Limit):
            raise ConfigError(f'limits must be Limit("100/min"), not {limit!r}')
    return found
