"""LocalRateLimit: which buckets a described request draws on, as Envoy decides it.

Law     A request comes with descriptors, lists of (key, value). Each is looked up among the
        configured ones: equal keys and values in the same order; else the first with wildcards
        (an empty value) that fits, which has a bucket for each concrete value, the least recently
        used of them dropped beyond `max_dynamic`. The buckets found are drawn on slowest first; one
        that lacks tokens refuses, and what was taken before it stays taken. Then the default
        bucket pays 1, if nothing matched or if it always does. Negative hits give back.
        With a share f (this process's part of a fleet's limit) everything costs 1 / f as much.
State   A bucket for each configured descriptor and each live value of a wildcard; per connection,
        where asked, a set of all of them.
Cost    O(descriptors of the request + wildcards configured).
Source  Envoy, local_ratelimit_impl.cc. Where Envoy's order is a hash map's, ours is the config's.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from math import ceil, inf
from typing import Any, TypeAlias

import attrs

from trafficcore.core.limit.amounts import checked
from trafficcore.core.limit.token_bucket import TokenBucket
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["Decision", "Descriptor", "DescriptorLimit", "Entries", "Fill", "LocalRateLimit", "Pool"]

#: The (key, value) pairs of a descriptor, in order.
Entries: TypeAlias = tuple[tuple[str, str], ...]


@attrs.frozen
class Fill:
    """A bucket's settings: `tokens_per_fill` tokens evenly over each `fill_interval` seconds."""

    max_tokens: float
    tokens_per_fill: float = 1
    fill_interval: float = 0

    def __attrs_post_init__(self) -> None:
        checked("max_tokens", self.max_tokens)
        checked("fill_interval", self.fill_interval)
        if not checked("tokens_per_fill", self.tokens_per_fill):
            raise ConfigError("tokens_per_fill must be above 0, not 0")

    @property
    def rate(self) -> float:
        """Tokens a second; `inf` without an interval."""
        return self.tokens_per_fill / self.fill_interval if self.fill_interval else inf

    def check_interval(self, what: str) -> None:
        """Refuse an interval below 50 ms; where there are no tokens it does not matter."""
        if self.max_tokens and 20 * self.fill_interval < 1:
            raise ConfigError(
                f"{what}: fill_interval must be at least 0.05 s, not {self.fill_interval!r}"
            )


@attrs.frozen
class DescriptorLimit:
    """A configured descriptor and its bucket; an empty value matches any."""

    entries: Entries
    fill: Fill


@attrs.frozen
class Descriptor:
    """What a request says of itself, and how much it asks; negative `hits` give back."""

    entries: Entries
    hits: float = 1


class Pool:
    """A bucket that fills continuously, as `LocalRateLimit` draws on it."""

    __slots__ = ("_bucket", "fill")

    def __init__(self, fill: Fill) -> None:
        self.fill = fill
        # Without tokens to hold there is nothing to fill, and no interval is needed.
        self._bucket = TokenBucket(fill.max_tokens, fill.rate if fill.max_tokens else 0)

    def take(self, now: float, cost: float) -> bool:
        """Take `cost` tokens if they are there; a cost of 0 asks for nothing."""
        return cost == 0 or self._bucket.try_acquire(now, cost)

    def give(self, now: float, tokens: float) -> None:
        """Give `tokens` back, never above the maximum."""
        self._bucket.refund(tokens, now)

    def remaining(self, now: float) -> int:
        """Return how many whole tokens there are."""
        return int(self._bucket.tokens_at(now))

    def earliest(self, now: float, cost: float = 1) -> float:
        """Return when `cost` would be granted; `inf` if never."""
        return self._bucket.earliest(now, cost)

    def reset_after(self, now: float) -> int:
        """Return whole seconds to the next token, 0 if one is there.

        Envoy's number: the time one token takes from nothing, in whole milliseconds rounded up,
        then in whole seconds rounded down.
        """
        if self.remaining(now) >= 1 or not self.fill.max_tokens:
            return 0
        return ceil(1000 / self._bucket.rate) // 1000


@attrs.frozen
class Decision:
    """Whether to let a request pass, and the bucket that answers for it (None: there is none)."""

    allowed: bool
    pool: Pool | None


class LocalRateLimit:
    """Envoy's local rate limiter: a default bucket, and buckets by descriptor.

    Without `default`, or with one that has no interval, requests that match nothing pass. All
    methods are *guarded* by the lock handed in. `pool` makes the buckets.
    """

    __slots__ = (
        "_always_default",
        "_limits",
        "_lock",
        "_max_dynamic",
        "_per_connection",
        "_pool",
        "_sets",
        "_share",
        "default",
    )

    def __init__(
        self,
        default: Fill | None = None,
        limits: Sequence[DescriptorLimit] = (),
        *,
        always_consume_default: bool = True,
        max_dynamic: int = 20,
        share: float | None = None,
        per_connection: bool = False,
        lock: AbstractContextManager[Any] = NO_LOCK,
        pool: Callable[[Fill], Pool] = Pool,
    ) -> None:
        if default is not None and not default.fill_interval:
            default = None
        if default is not None:
            default.check_interval("token_bucket")
        seen: set[Entries] = set()
        for limit in limits:
            limit.fill.check_interval(f"descriptor {limit.entries!r}")
            if limit.entries in seen:
                raise ConfigError(f"descriptor configured twice: {limit.entries!r}")
            seen.add(limit.entries)
        checked("max_dynamic", max_dynamic)
        if share is not None and not 0 < share <= 1:
            raise ConfigError(f"share must be above 0 and at most 1, not {share!r}")
        if share is not None and per_connection:
            raise ConfigError("a share of a fleet's limit and a limit per connection exclude")
        self.default = default
        self._limits = tuple(limits)
        self._always_default = always_consume_default
        self._max_dynamic = max_dynamic
        self._share = None if share == 1 else share
        self._per_connection = per_connection
        self._pool = pool
        self._lock = lock
        self._sets: dict[Hashable, _Pools] = {}
        if not per_connection:
            self._sets[None] = self._new_set()

    def decide(
        self, now: float, descriptors: Sequence[Descriptor] = (), connection: Hashable = None
    ) -> Decision:
        """Decide on one request, and take what it costs. *Guarded*."""
        with self._lock:
            pools = self._set(connection)
            found = [
                (pool, descriptor.hits)
                for descriptor in descriptors
                if (pool := pools.find(descriptor.entries)) is not None
            ]
            found.sort(key=lambda match: match[0].fill.rate)
            for pool, hits in found:
                if hits < 0:
                    pool.give(now, -hits)
                elif not pool.take(now, self._cost(hits)):
                    return Decision(allowed=False, pool=pool)
            reported = found[0][0] if found else pools.default
            if (self._always_default or not found) and self.default is not None:
                if pools.default is None:
                    return Decision(allowed=False, pool=None)
                if not pools.default.take(now, self._cost(1)):
                    return Decision(allowed=False, pool=pools.default)
            return Decision(allowed=True, pool=reported)

    def close_connection(self, connection: Hashable) -> None:
        """Forget the buckets of a connection that is gone. *Guarded*."""
        if self._per_connection:
            with self._lock:
                self._sets.pop(connection, None)

    def _cost(self, hits: float) -> float:
        return hits if self._share is None else hits / self._share

    def _set(self, connection: Hashable) -> "_Pools":
        if not self._per_connection:
            return self._sets[None]
        pools = self._sets.get(connection)
        if pools is None:
            pools = self._sets[connection] = self._new_set()
        return pools

    def _new_set(self) -> "_Pools":
        # A default without tokens has no bucket: it always refuses.
        default = self.default if self.default is not None and self.default.max_tokens else None
        return _Pools(default, self._limits, self._max_dynamic, self._pool)


class _Pools:
    """The buckets of one connection, or of all."""

    __slots__ = ("_dynamic", "_exact", "_max_dynamic", "_pool", "default")

    def __init__(
        self,
        default: Fill | None,
        limits: Sequence[DescriptorLimit],
        max_dynamic: int,
        pool: Callable[[Fill], Pool],
    ) -> None:
        self._pool = pool
        self._max_dynamic = max_dynamic
        self.default = None if default is None else pool(default)
        self._exact: dict[Entries, Pool] = {}
        self._dynamic: list[tuple[DescriptorLimit, OrderedDict[Entries, Pool]]] = []
        for limit in limits:
            if all(value for _, value in limit.entries):
                self._exact[limit.entries] = pool(limit.fill)
            else:
                self._dynamic.append((limit, OrderedDict()))

    def find(self, entries: Entries) -> Pool | None:
        """Return the bucket for these entries, made where a wildcard asks for it."""
        exact = self._exact.get(entries)
        if exact is not None:
            return exact
        for limit, recent in self._dynamic:
            if _fits(limit.entries, entries):
                return self._recent(limit, recent, entries)
        return None

    def _recent(
        self, limit: DescriptorLimit, recent: OrderedDict[Entries, Pool], entries: Entries
    ) -> Pool:
        pool = recent.get(entries)
        if pool is None:
            pool = recent[entries] = self._pool(limit.fill)
        recent.move_to_end(entries)
        if len(recent) > self._max_dynamic:
            recent.popitem(last=False)
        return pool


def _fits(pattern: Entries, entries: Entries) -> bool:
    return len(pattern) == len(entries) and all(
        key == own_key and value in ("", own_value)
        for (key, value), (own_key, own_value) in zip(pattern, entries, strict=True)
    )
